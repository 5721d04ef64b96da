/**
 * What the receiver has of a file that changed (protocol section 8, "Sending what differs"). The sender says what the spans of the
 * file are, the receiver looks for them in what it has: nothing about its own files leaves it but which spans it needs.
 */
import type { Span } from './messages.js';
import { CHUNK_BYTES, type Entry, type OlderCopy } from './ports.js';
import { Splitter, UNCUT_BYTES, spanDigest, spanLengths } from './splitter.js';
import { malformed } from './wire.js';

/** More spans are not looked at, however many of them are the same. */
const MOST_SPANS = 1 << 18;
/** Of a copy that is much longer than the file the rest is not read: so many times the file, and so many bytes. */
const MOST_TIMES = 4;
const MOST_BYTES_BESIDE = 1 << 26;

/** Bytes of a copy that are bytes of the new file too. */
export interface Share {
  /** Where they are in the new file. */
  readonly offset: number;
  length: number;
  /** Which copy has them, and where. */
  readonly copy: number;
  readonly from: number;
}

interface Place {
  readonly copy: number;
  readonly offset: number;
  readonly length: number;
}

/** The spans of what is here. */
class SpanIndex {
  readonly #places = new Map<string, Place>();
  /** Of the first copy, in order, where it is as long as the file: no other can be that file. */
  readonly #sequence: string[] = [];
  readonly #hasSequence: boolean;
  /** That were looked at. */
  #spans = 0;

  private constructor(hasSequence: boolean) {
    this.#hasSequence = hasSequence;
  }

  /** @param onRead Called now and then. */
  static async of(
    copies: readonly OlderCopy[],
    size: number,
    onRead: () => Promise<void>,
  ): Promise<SpanIndex> {
    const index = new SpanIndex(copies[0]?.size === size);
    if (size <= UNCUT_BYTES) {
      // But one span: of a copy of another size it is none.
      for (const [copy, older] of copies.entries()) {
        if (older.size !== size) continue;
        const bytes = await older.read(Buffer.allocUnsafe(size), 0);
        if (bytes.length === size) index.#add({ copy, offset: 0, length: size }, keyOf(spanDigest(bytes)));
      }
      return index;
    }
    const memory = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const mostBytes = MOST_TIMES * size + MOST_BYTES_BESIDE;
    for (const [copy, older] of copies.entries()) {
      let end = 0;
      const splitter = new Splitter(size, (length, digest) => {
        index.#add({ copy, offset: end, length }, keyOf(digest));
        end += length;
      });
      for (let offset = 0; offset < mostBytes && index.#spans < MOST_SPANS;) {
        const bytes = await older.read(memory, offset);
        splitter.update(bytes);
        offset += bytes.length;
        if (bytes.length < memory.length) break;
        await onRead();
      }
      splitter.end();
    }
    return index;
  }

  /** Where the bytes of a span are. */
  find({ length, digest }: Span): Place | undefined {
    const place = this.#places.get(keyOf(digest));
    return place?.length === length ? place : undefined;
  }

  /** Whether the first copy has the span, as long as it is said to be, at the same place among its own. */
  hasAt(number: number, span: Span): boolean {
    return this.#sequence[number] === keyOf(span.digest) && this.find(span) !== undefined;
  }

  #add(place: Place, key: string): void {
    this.#spans++;
    if (place.copy === 0 && this.#hasSequence) this.#sequence.push(key);
    if (!this.#places.has(key)) this.#places.set(key, place);
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1');
}

/** How many shares may be remembered at once. */
export interface Room {
  left: number;
}

/** A file whose spans the sender says. */
export class Matching {
  readonly entry: Entry;
  readonly #size: number;
  readonly #copies: readonly OlderCopy[];
  readonly #index: SpanIndex;
  readonly #room: Room;
  readonly #shares: Share[] = [];
  #offset = 0;
  #spans = 0;
  #needed = 0;
  /** The first copy had all spans so far at their places. */
  #isSame: boolean;

  private constructor(entry: Entry, copies: readonly OlderCopy[], index: SpanIndex, room: Room) {
    this.entry = entry;
    this.#size = entry.size ?? 0;
    this.#copies = copies;
    this.#index = index;
    this.#room = room;
    this.#isSame = copies[0]?.adopt !== undefined && copies[0].size === this.#size;
  }

  /**
   * Reads the copies, which it closes at its end.
   *
   * @param onRead Called now and then.
   */
  static async begin(
    entry: Entry,
    copies: readonly OlderCopy[],
    room: Room,
    onRead: () => Promise<void>,
  ): Promise<Matching> {
    const index = await SpanIndex.of(copies, entry.size ?? 0, onRead);
    return new Matching(entry, copies, index, room);
  }

  /** Whether all spans were said. */
  get isDone(): boolean {
    return this.#offset === this.#size;
  }

  /** Whether the next span has to come. Throws `protocol` where the file cannot have it. */
  needs(span: Span): boolean {
    const { length } = span;
    const offset = this.#offset;
    const { least, most } = spanLengths(this.#size);
    const isLast = offset + length === this.#size;
    if (length === 0 || length > most || (length < least && !isLast) || offset + length > this.#size)
      throw malformed('a span that nobody cuts');
    this.#offset += length;
    this.#isSame &&= this.#index.hasAt(this.#spans++, span);
    const from = this.#isSame ? { copy: 0, offset } : this.#index.find(span);
    // With a file of which nothing is needed no digest comes: only the very file that is here may be one.
    const isHere = from !== undefined && (!isLast || this.#needed > 0 || this.#isSame);
    if (isHere && this.#share({ offset, length, copy: from.copy, from: from.offset })) return false;
    this.#needed++;
    return true;
  }

  /** What can be taken from what is here; `adopted` where that is the very file, and nothing of it comes. Throws as `adopt`. */
  async finish(): Promise<readonly Share[] | 'adopted'> {
    if (this.#needed > 0) {
      await this.#close();
      return this.#shares;
    }
    try {
      await this.#copies[0]?.adopt?.();
    } finally {
      await this.abandon();
    }
    return 'adopted';
  }

  /** Forgets it. */
  async abandon(): Promise<void> {
    this.#room.left += this.#shares.length;
    await this.#close();
  }

  async #close(): Promise<void> {
    for (const copy of this.#copies) await copy.close();
  }

  /** Remembers what can be taken from a copy; false where there is no room for it. */
  #share(share: Share): boolean {
    const last = this.#shares.at(-1);
    const isNext =
      last?.copy === share.copy &&
      last.offset + last.length === share.offset &&
      last.from + last.length === share.from;
    if (isNext) last.length += share.length;
    else if (this.#room.left === 0) return false;
    else {
      this.#room.left--;
      this.#shares.push(share);
    }
    return true;
  }
}
