/**
 * What the sender says of files of which the receiver may hold an older copy, and what of them it then needs (protocol section 8,
 * "Sending what differs").
 */
import { digestOf } from '../crypto/digest.js';
import { XferError } from '../errors.js';
import { deferred, type Deferred } from './deferred.js';
import { entryFailure } from './entry-failure.js';
import { TRANSFER } from './inbox.js';
import type { Span } from './messages.js';
import type { Outbox } from './outbox.js';
import type { Entry, FileSource, LeafHasher } from './ports.js';
import { Reading } from './reading.js';
import { Splitter, UNCUT_BYTES, spanDigest } from './splitter.js';
import { takenOf, type Runs } from './want.js';
import { malformed } from './wire.js';

/** After so many spans comes content: what the receiver needs of files has to be remembered until it is sent. */
const MOST_SPANS = 1 << 16;
/** So many spans are said at once, so that the other side reads its files while this one goes on reading its own. */
const SAID_AT_ONCE = 256;
/** Who reads for long says what there is so far: silence would be a stall. */
const SAY_EVERY_MS = 2_000;
/** Messages that may wait for an answer. */
const MOST_UNANSWERED = 64;

/** A span and where it begins. */
export interface PlacedSpan extends Span {
  readonly offset: number;
}

/** What the receiver needs of a file to make it out of its own copy. */
export interface Patch {
  readonly spans: readonly PlacedSpan[];
  /** Of the whole file, when it was cut. */
  readonly digest: Uint8Array;
}

/** What is sent of a file: `undefined` for all of it. */
export type Need = Patch | 'nothing' | undefined;

/** Files whose content comes next. */
export interface Group {
  readonly files: readonly Entry[];
  needOf(entry: Entry): Need;
}

/** A file that was cut. */
interface Surveyed {
  readonly needed: PlacedSpan[];
  spans: number;
  /** `undefined` where it was not read to its end. */
  digest: Uint8Array | undefined;
}

interface Said {
  readonly file: Surveyed;
  readonly span: PlacedSpan;
}

export class Survey {
  readonly #source: FileSource;
  readonly #outbox: Outbox;
  readonly #now: () => number;
  readonly #hasher: LeafHasher | undefined;
  #saidMs = 0;
  /** The message that is being filled. */
  #files: { readonly entry: number; readonly spans: Span[] }[] = [];
  #said: Said[] = [];
  /** Messages without an answer. */
  readonly #unanswered: Said[][] = [];
  #answer: Deferred<void> | undefined;
  #failure: XferError | undefined;

  constructor(source: FileSource, outbox: Outbox, now: () => number, hasher: LeafHasher | undefined) {
    this.#source = source;
    this.#outbox = outbox;
    this.#now = now;
    this.#hasher = hasher;
  }

  /** The files in their order, in groups, each as soon as it is known what is needed of it. */
  async *groups(files: readonly Entry[], older: readonly Entry[]): AsyncGenerator<Group> {
    if (older.length === 0) {
      yield { files, needOf: () => undefined };
      return;
    }
    const asked = new Set(older.map(({ index }) => index));
    this.#saidMs = this.#now();
    for (let first = 0; first < files.length;) {
      const surveyed = new Map<number, Surveyed>();
      let next = first;
      for (let spans = 0; next < files.length && spans < MOST_SPANS; next++) {
        const entry = files[next];
        if (entry === undefined || !asked.has(entry.index)) continue;
        const file = await this.#cut(entry);
        surveyed.set(entry.index, file);
        spans += file.spans;
      }
      await this.#say();
      await this.#answers(0);
      yield { files: files.slice(first, next), needOf: ({ index }) => needOf(surveyed.get(index)) };
      first = next;
    }
  }

  /** Takes the answer to the oldest message that has none. Throws `protocol` where there is none, or it asks for more. */
  takeNeed(runs: Runs): void {
    const said = this.#unanswered.shift();
    if (said === undefined) throw malformed('needs what it was not told of');
    for (const { file, span } of takenOf(said, runs)) file.needed.push(span);
    this.#answer?.resolve();
  }

  /** Waits for no answer any more. */
  stop(error: XferError): void {
    this.#failure = error;
    this.#answer?.reject(error);
  }

  /** Says what the spans of a file are. */
  async #cut(entry: Entry): Promise<Surveyed> {
    const file: Surveyed = { needed: [], spans: 0, digest: undefined };
    try {
      if (entry.size !== undefined && entry.size <= UNCUT_BYTES) await this.#sayWhole(entry, file);
      else await this.#sayLarge(entry, file);
    } catch (error) {
      // It is looked at again when its turn comes. Of a file that the receiver has not heard of to its end it needs everything.
      entryFailure(error);
    }
    return file;
  }

  async #sayWhole(entry: Entry, file: Surveyed): Promise<void> {
    const content = await this.#source.readWhole(entry, UNCUT_BYTES);
    if (content === undefined || content.length !== entry.size) throw new XferError('source-changed');
    file.digest = digestOf(content);
    await this.#add(entry, file, { offset: 0, length: content.length, digest: spanDigest(content) });
  }

  async #sayLarge(entry: Entry, file: Surveyed): Promise<void> {
    const source = await this.#source.open(entry);
    try {
      const spans: PlacedSpan[] = [];
      let offset = 0;
      const splitter = new Splitter(entry.size ?? 0, (length, digest) => {
        spans.push({ offset, length, digest });
        offset += length;
      });
      const reading = new Reading(source, entry, this.#hasher);
      for (let piece = await reading.next(); piece !== undefined; piece = await reading.next()) {
        if (piece.data instanceof Uint8Array) splitter.update(piece.data);
        else splitter.updateZeros(piece.length);
        piece.release();
        if (this.#failure !== undefined) throw this.#failure;
        // The last one is not said before it is known that the file stayed what it is: with it the receiver has heard of all of it.
        for (const span of spans.splice(0, spans.length - 1)) await this.#add(entry, file, span);
      }
      splitter.end();
      file.digest = await reading.digest();
      for (const span of spans) await this.#add(entry, file, span);
    } finally {
      await source.close();
    }
  }

  async #add(entry: Entry, file: Surveyed, span: PlacedSpan): Promise<void> {
    file.spans++;
    let last = this.#files.at(-1);
    if (last?.entry !== entry.index) this.#files.push((last = { entry: entry.index, spans: [] }));
    last.spans.push(span);
    this.#said.push({ file, span });
    if (this.#said.length === SAID_AT_ONCE || this.#now() - this.#saidMs > SAY_EVERY_MS) await this.#say();
  }

  /** Sends the message that is being filled. */
  async #say(): Promise<void> {
    if (this.#said.length === 0) return;
    const files = this.#files;
    this.#unanswered.push(this.#said);
    this.#files = [];
    this.#said = [];
    this.#saidMs = this.#now();
    await this.#outbox.put({ type: 'spans', transfer: TRANSFER, files });
    await this.#answers(MOST_UNANSWERED);
  }

  /** Waits until no more than so many messages have no answer. */
  async #answers(most: number): Promise<void> {
    while (this.#unanswered.length > most) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#answer = deferred();
      await this.#answer.promise;
    }
  }
}

function needOf(file: Surveyed | undefined): Need {
  if (file?.digest === undefined || file.needed.length === file.spans) return undefined;
  return file.needed.length === 0 ? 'nothing' : { spans: file.needed, digest: file.digest };
}
