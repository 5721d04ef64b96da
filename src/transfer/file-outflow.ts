/** Turns one large file into records: all of it, what is behind a part that the receiver holds, or what differs from its copy. */
import { LEAF_BYTES, equalBytes } from '../crypto/digest.js';
import { XferError } from '../errors.js';
import { Packer, type TimedPack } from './compression.js';
import type { Controller } from './controller.js';
import { deferred, type Deferred } from './deferred.js';
import { TRANSFER } from './inbox.js';
import { LeafReport } from './leaf-report.js';
import type { Outbox } from './outbox.js';
import { packInto } from './parcel.js';
import {
  CHUNK_BYTES,
  type Chunk,
  type Compression,
  type Entry,
  type FileSource,
  type LeafHasher,
  type Packed,
  type SourceFile,
} from './ports.js';
import { Reading } from './reading.js';
import { isZero } from './zeros.js';
import { spanDigest } from './splitter.js';
import type { Patch, PlacedSpan } from './survey.js';
import { malformed } from './wire.js';

const NOTHING: Uint8Array = new Uint8Array(0);
/** A record of 1 MiB has no more spans than that. */
const MOST_TOGETHER = 64;

/** What the receiver is told of the leaves that it holds. */
interface Asked {
  readonly entry: number;
  readonly leaves: number;
  readonly report: LeafReport;
  readonly answer: Deferred<number>;
}

export interface FileOutflowOptions {
  readonly compression: Compression;
  readonly controller: Controller;
  readonly hasher: LeafHasher | undefined;
  /** How bodies are packed; on their own if not given. */
  readonly pack: TimedPack | undefined;
  /** The receiver keeps so many bytes from the start of what it holds; 0 where the file begins anew. */
  readonly onKept: (entry: Entry, bytes: number) => void;
}

/** Methods that send throw `source-changed`, `source-vanished` and `path-unreadable` of the file alone. */
export class FileOutflow {
  readonly #source: FileSource;
  readonly #outbox: Outbox;
  readonly #options: FileOutflowOptions;
  #asked: Asked | undefined;
  #failure: XferError | undefined;

  constructor(source: FileSource, outbox: Outbox, options: FileOutflowOptions) {
    this.#source = source;
    this.#outbox = outbox;
    this.#options = options;
  }

  /**
   * Sends a file.
   *
   * @param leaves Of its start that the receiver holds.
   * @returns Its size.
   */
  async send(entry: Entry, leaves: number): Promise<number> {
    let file: SourceFile | undefined;
    try {
      file = await this.#source.open(entry);
      let reading = new Reading(file, entry, this.#options.hasher);
      if (leaves > 0) {
        const digests = new LeafReport(this.#outbox, entry.index, leaves);
        reading = new Reading(file, entry, this.#options.hasher, (digest) => digests.add(digest));
        const kept = await this.#agree(entry, reading, digests, leaves);
        if (kept < reading.offset) {
          const before = file;
          // Closed once, also where it cannot be opened again.
          file = undefined;
          await before.close();
          file = await this.#source.open(entry);
          reading = new Reading(file, entry, this.#options.hasher);
          await skipTo(reading, kept);
        }
      }
      await this.#sendFrom(entry, reading);
      return reading.offset;
    } finally {
      await file?.close();
    }
  }

  /** Sends what the receiver needs to make the file out of what it has. */
  async sendPatch(entry: Entry, { spans, digest }: Patch): Promise<void> {
    const packer = this.#packer();
    const place = { transfer: TRANSFER, entry: entry.index };
    const file = await this.#source.open(entry);
    let isEnded = false;
    try {
      for (let next = 0; next < spans.length;) {
        const together = neighbours(spans, next);
        next += together.length;
        for (const { offset, bytes, isHole } of splitHoles(together, await readSpans(file, together))) {
          if (isHole) {
            await this.#outbox.put({ ...place, kind: 'hole', offset, length: bytes.length });
            continue;
          }
          isEnded = offset + bytes.length === entry.size;
          const end = isEnded ? Promise.resolve(digest) : undefined;
          await this.#sendPiece(packer, { ...place, offset }, bytes, end, () => undefined);
        }
      }
      if (isEnded) return;
      const end = { ...place, kind: 'chunk', offset: entry.size ?? 0, digest } as const;
      await this.#outbox.put(packInto(packer, NOTHING, async (body) => ({ ...end, body })));
    } finally {
      await file.close();
    }
  }

  /** Takes what the receiver keeps of a file. Throws `protocol` where it was not told of all that it holds, or keeps more. */
  takeKept(entry: number, leaves: number): void {
    const asked = this.#asked;
    if (asked?.entry !== entry || leaves > asked.leaves || asked.report.said < asked.leaves)
      throw malformed('keeps what it was not told of');
    this.#asked = undefined;
    asked.answer.resolve(leaves);
  }

  /** Waits for no answer any more. */
  stop(error: XferError): void {
    this.#failure = error;
    this.#asked?.answer.reject(error);
  }

  #packer(): Packer {
    const { compression, controller, pack } = this.#options;
    return new Packer(compression, controller, 'file', pack);
  }

  /** Tells the receiver what the leaves are that it holds, and gives where to go on, in bytes. */
  async #agree(entry: Entry, reading: Reading, digests: LeafReport, leaves: number): Promise<number> {
    const end = leaves * LEAF_BYTES;
    const answer = deferred<number>();
    this.#asked = { entry: entry.index, leaves, report: digests, answer };
    for (let piece = await reading.next(end); piece !== undefined; piece = await reading.next(end)) {
      piece.release();
      if (this.#failure !== undefined) throw this.#failure;
      await digests.sendFull();
    }
    await reading.settled();
    await digests.sendAll();
    const kept = (await answer.promise) * LEAF_BYTES;
    this.#options.onKept(entry, kept);
    return kept;
  }

  /** Sends the rest of a file piece by piece as the source gives them. */
  async #sendFrom(entry: Entry, reading: Reading): Promise<void> {
    const packer = this.#packer();
    const place = { transfer: TRANSFER, entry: entry.index };
    const next = (): ReturnType<Reading['next']> => reading.next(Infinity, this.#outbox.pieceBytes);
    for (let piece = await next(); piece !== undefined; piece = await next()) {
      const { data, length, offset, release } = piece;
      if (!(data instanceof Uint8Array)) {
        await this.#outbox.put({ ...place, kind: 'hole', offset, length });
        continue;
      }
      const isLast = offset + length === entry.size;
      const end = isLast ? reading.digest() : undefined;
      // The record that it belongs to fails with it.
      end?.catch(() => {});
      await this.#sendPiece(packer, { ...place, offset }, data, end, release);
      if (isLast) return;
    }
    // A pipe, an empty file, or one that ends in a hole or in what the receiver has: only now the end is known.
    const { offset } = reading;
    await this.#outbox.put(
      packInto(packer, NOTHING, async (body) => {
        return { ...place, kind: 'chunk', offset, body, digest: await reading.digest() };
      }),
    );
  }

  /** Sends bytes that were read in one go, in as many records as the line likes; `end` is the file's digest. */
  async #sendPiece(
    packer: Packer,
    { offset, ...place }: Pick<Chunk, 'transfer' | 'entry' | 'offset'>,
    piece: Uint8Array,
    end: Promise<Uint8Array> | undefined,
    onDone: () => void,
  ): Promise<void> {
    let held = piece.length;
    for (let start = 0; start < piece.length;) {
      const part = piece.subarray(start, start + this.#outbox.pieceBytes);
      const chunk = { ...place, kind: 'chunk', offset: offset + start } as const;
      start += part.length;
      const digest = start === piece.length ? end : undefined;
      const record = async (body: Packed): Promise<Chunk> =>
        digest === undefined ? { ...chunk, body } : { ...chunk, body, digest: await digest };
      const free = (): void => {
        held -= part.length;
        if (held === 0) onDone();
      };
      await this.#outbox.put(packInto(packer, part, record, free));
    }
  }
}

/** Reads what the receiver has. */
async function skipTo(reading: Reading, end: number): Promise<void> {
  for (let piece = await reading.next(end); piece !== undefined; piece = await reading.next(end))
    piece.release();
}

/** Spans from `first` on without a gap, as many as one record takes, or one that is longer. */
function neighbours(spans: readonly PlacedSpan[], first: number): PlacedSpan[] {
  const together: PlacedSpan[] = [];
  let length = 0;
  for (const span of spans.slice(first, first + MOST_TOGETHER)) {
    const last = together.at(-1);
    const isNext = last === undefined || last.offset + last.length === span.offset;
    if (!isNext || (last !== undefined && length + span.length > CHUNK_BYTES)) break;
    together.push(span);
    length += span.length;
  }
  return together;
}

/** What is there now of spans without a gap. Throws `source-changed` where it is not what was said, and what reading throws. */
async function readSpans(file: SourceFile, spans: readonly PlacedSpan[]): Promise<Uint8Array> {
  const start = spans[0]?.offset ?? 0;
  const bytes = Buffer.allocUnsafeSlow(spans.reduce((sum, { length }) => sum + length, 0));
  await file.readAt(bytes, start);
  for (const { offset, length, digest } of spans) {
    const now = spanDigest(bytes.subarray(offset - start, offset - start + length));
    if (!equalBytes(now, digest)) throw new XferError('source-changed');
  }
  return bytes;
}

interface Extent {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly isHole: boolean;
}

/** Tells spans of zeros, which need no line, from the others: spans of one kind together. */
function splitHoles(spans: readonly PlacedSpan[], bytes: Uint8Array): Extent[] {
  const extents: Extent[] = [];
  const start = spans[0]?.offset ?? 0;
  for (const { offset, length } of spans) {
    const isHole = isZero(bytes.subarray(offset - start, offset - start + length));
    const last = extents.at(-1);
    const first = last?.isHole === isHole ? (extents.pop() ?? last).offset : offset;
    extents.push({ offset: first, bytes: bytes.subarray(first - start, offset - start + length), isHole });
  }
  return extents;
}
