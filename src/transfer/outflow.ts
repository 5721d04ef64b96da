/** Turns wanted files into records, each byte read once. */
import { LEAF_BYTES } from '../crypto/digest.js';
import { XferError, type ErrorCode } from '../errors.js';
import { BatchWriter, MAX_BATCHED_BYTES } from './batch.js';
import { Packer } from './compression.js';
import { Controller } from './controller.js';
import { TRANSFER } from './inbox.js';
import { deferred, type Deferred } from './deferred.js';
import { LeafReport } from './leaf-report.js';
import type { Outbox, Parcel } from './outbox.js';
import type {
  Chunk,
  Compression,
  DataRecord,
  Entry,
  FileSource,
  LeafHasher,
  Packed,
  SourceFile,
} from './ports.js';
import { Reading } from './reading.js';
import type { Wish } from './want.js';
import { malformed } from './wire.js';

/** What can happen to one file while the rest goes on. */
const ENTRY_FAILURES: readonly ErrorCode[] = ['source-changed', 'source-vanished', 'path-unreadable'];
const NOTHING: Uint8Array = new Uint8Array(0);

export interface OutflowOptions {
  readonly compression: Compression;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly hasher?: LeafHasher | undefined;
}

export interface OutflowEvents {
  started(entry: Entry): void;
  failed(entry: Entry, reason: ErrorCode): void;
  /** The receiver keeps so many bytes of what it holds; 0 where the file begins anew. */
  kept(entry: Entry, bytes: number): void;
}

/** What the receiver was told of the leaves that it holds. */
interface Asked {
  readonly entry: number;
  readonly leaves: number;
  readonly answer: Deferred<number>;
}

export class Outflow {
  /** What went whole. */
  files = 0;
  bytes = 0;
  readonly #source: FileSource;
  readonly #outbox: Outbox;
  readonly #events: OutflowEvents;
  readonly #compression: Compression;
  readonly #controller: Controller;
  readonly #batchPacker: Packer;
  readonly #hasher: LeafHasher | undefined;
  #batch = new BatchWriter();
  /** Those whose batches have left: their memory is worth keeping. */
  readonly #spareBatches: BatchWriter[] = [];
  #asked: Asked | undefined;

  constructor(
    source: FileSource,
    outbox: Outbox,
    { compression, now, hasher }: OutflowOptions,
    events: OutflowEvents,
  ) {
    this.#source = source;
    this.#outbox = outbox;
    this.#events = events;
    this.#compression = compression;
    this.#hasher = hasher;
    this.#controller = new Controller(now);
    this.#batchPacker = new Packer(compression, this.#controller, 'batches');
  }

  /** Sends the content of files, in their order. Resolves when the last is in the outbox. */
  async send(files: readonly Entry[], held: Wish['held'] = []): Promise<void> {
    const heldLeaves = new Map(held);
    for (const entry of files) {
      const { pieceBytes } = this.#outbox;
      const leaves = heldLeaves.get(entry.index) ?? 0;
      const isSmall = entry.size !== undefined && entry.size <= Math.min(MAX_BATCHED_BYTES, pieceBytes);
      if (leaves > 0 || !isSmall) {
        await this.#sendBatch();
        await this.#sendLarge(entry, leaves);
        continue;
      }
      const content = await this.#readSmall(entry);
      if (typeof content === 'string') {
        await this.#sendBatch();
        await this.#fail(entry, content);
        continue;
      }
      if (this.#batch.length + content.length > pieceBytes) await this.#sendBatch();
      if (this.#batch.count === 0) this.#events.started(entry);
      this.#batch.add(entry.index, content);
      this.#count(content.length);
      if (this.#batch.full) await this.#sendBatch();
    }
    await this.#sendBatch();
  }

  /** Takes what the receiver keeps of a file. Throws `protocol` where it was not asked, or keeps more than it was told of. */
  takeKept(entry: number, leaves: number): void {
    const asked = this.#asked;
    if (asked?.entry !== entry || leaves > asked.leaves) throw malformed('keeps what it was not told of');
    this.#asked = undefined;
    asked.answer.resolve(leaves);
  }

  /** Waits for no answer any more. */
  stop(error: XferError): void {
    this.#asked?.answer.reject(error);
  }

  /** A file's content, or why there is none. */
  async #readSmall(entry: Entry): Promise<Uint8Array | ErrorCode> {
    try {
      const content = await this.#source.readWhole(entry, MAX_BATCHED_BYTES);
      return content !== undefined && content.length === entry.size ? content : 'source-changed';
    } catch (error) {
      return entryFailure(error);
    }
  }

  /** Sends what the batch holds, and begins the next. */
  async #sendBatch(): Promise<void> {
    const batch = this.#batch;
    const { count } = batch;
    if (count === 0) return;
    this.#batch = this.#spareBatches.pop() ?? new BatchWriter();
    const record = async (body: Packed): Promise<DataRecord> => ({
      kind: 'batch',
      transfer: TRANSFER,
      count,
      body,
    });
    const free = (): void => {
      batch.clear();
      this.#spareBatches.push(batch);
    };
    await this.#outbox.put(pack(this.#batchPacker, batch.finish(), record, free));
  }

  /** @param leaves Of its start that the receiver holds. */
  async #sendLarge(entry: Entry, leaves: number): Promise<void> {
    this.#events.started(entry);
    let file: SourceFile | undefined;
    try {
      file = await this.#source.open(entry);
      let reading = new Reading(file, entry, this.#hasher);
      if (leaves > 0) {
        const digests = new LeafReport(this.#outbox, entry.index);
        reading = new Reading(file, entry, this.#hasher, (digest) => digests.add(digest));
        const kept = await this.#agree(entry, reading, digests, leaves);
        if (kept < reading.offset) {
          await file.close();
          file = await this.#source.open(entry);
          reading = new Reading(file, entry, this.#hasher);
          await skipTo(reading, kept);
        }
      }
      await this.#sendFrom(entry, reading);
      this.#count(reading.offset);
    } catch (error) {
      await this.#fail(entry, entryFailure(error));
    } finally {
      await file?.close();
    }
  }

  /** Tells the receiver what the leaves are that it holds, and gives where to go on, in bytes. */
  async #agree(entry: Entry, reading: Reading, digests: LeafReport, leaves: number): Promise<number> {
    const end = leaves * LEAF_BYTES;
    const answer = deferred<number>();
    this.#asked = { entry: entry.index, leaves, answer };
    for (let piece = await reading.next(end); piece !== undefined; piece = await reading.next(end)) {
      piece.release();
      await digests.sendFull();
    }
    await reading.settled();
    await digests.sendAll();
    const kept = (await answer.promise) * LEAF_BYTES;
    this.#events.kept(entry, kept);
    return kept;
  }

  /** Sends the rest of a file piece by piece as the source gives them. */
  async #sendFrom(entry: Entry, reading: Reading): Promise<void> {
    const packer = new Packer(this.#compression, this.#controller, 'file');
    const place = { transfer: TRANSFER, entry: entry.index };
    for (let piece = await reading.next(); piece !== undefined; piece = await reading.next()) {
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
      pack(packer, NOTHING, async (body) => {
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
      await this.#outbox.put(pack(packer, part, record, free));
    }
  }

  async #fail(entry: Entry, reason: ErrorCode): Promise<void> {
    this.#events.failed(entry, reason);
    await this.#outbox.put({ type: 'entry-failed', transfer: TRANSFER, entry: entry.index, reason });
  }

  #count(size: number): void {
    this.files++;
    this.bytes += size;
  }
}

/** Packs bytes into a record; `free` is called when they are needed no more. */
async function pack(
  packer: Packer,
  raw: Uint8Array,
  record: (body: Packed) => Promise<DataRecord>,
  free?: () => void,
): Promise<Parcel> {
  const { body, turn } = await packer.pack(raw);
  const isCopy = body.bytes !== raw;
  if (isCopy) free?.();
  return { record: await record(body), passed: turn?.passed, onDone: isCopy ? undefined : free };
}

/** Why one file does not come. Throws everything that ends the transfer. */
function entryFailure(error: unknown): ErrorCode {
  if (error instanceof XferError && ENTRY_FAILURES.includes(error.code)) return error.code;
  throw error;
}

/** Reads what the receiver has. */
async function skipTo(reading: Reading, end: number): Promise<void> {
  for (let piece = await reading.next(end); piece !== undefined; piece = await reading.next(end))
    piece.release();
}
