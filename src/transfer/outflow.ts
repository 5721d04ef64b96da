/** Turns wanted files into records, each byte read once. */
import { XferError, type ErrorCode } from '../errors.js';
import { BatchWriter, MAX_BATCHED_BYTES } from './batch.js';
import { Packer } from './compression.js';
import { Controller } from './controller.js';
import { FileDigest } from './file-digest.js';
import { TRANSFER } from './inbox.js';
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
  async send(files: readonly Entry[]): Promise<void> {
    for (const entry of files) {
      const { pieceBytes } = this.#outbox;
      if (entry.size === undefined || entry.size > Math.min(MAX_BATCHED_BYTES, pieceBytes)) {
        await this.#sendBatch();
        await this.#sendLarge(entry);
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

  async #sendLarge(entry: Entry): Promise<void> {
    this.#events.started(entry);
    let file: SourceFile | undefined;
    try {
      file = await this.#source.open(entry);
      this.#count(await this.#sendPieces(entry, file));
    } catch (error) {
      await this.#fail(entry, entryFailure(error));
    } finally {
      await file?.close();
    }
  }

  /** Sends a file piece by piece as the source gives them, and gives its size. */
  async #sendPieces(entry: Entry, file: SourceFile): Promise<number> {
    const packer = new Packer(this.#compression, this.#controller, 'file');
    const digest = new FileDigest(this.#hasher);
    const place = { transfer: TRANSFER, entry: entry.index };
    let offset = 0;
    for (let piece = await file.read(); piece !== undefined; piece = await file.read()) {
      const length = piece instanceof Uint8Array ? piece.length : piece.hole;
      if (entry.size !== undefined && offset + length > entry.size) throw new XferError('source-changed');
      if (piece instanceof Uint8Array) {
        // It is hashed and sent at the same time.
        let readers = 2;
        const onRead = (): void => {
          readers -= 1;
          if (readers === 0) file.recycle?.(piece);
        };
        await digest.update(piece, onRead);
        const isLast = offset + length === entry.size;
        const end = isLast ? digest.digest() : undefined;
        // The record that it belongs to fails with it.
        end?.catch(() => {});
        await this.#sendPiece(packer, { ...place, offset }, piece, end, onRead);
        if (isLast) return offset + length;
      } else {
        await digest.skipZeros(length);
        await this.#outbox.put({ ...place, kind: 'hole', offset, length });
      }
      offset += length;
    }
    if (entry.size !== undefined && offset !== entry.size) throw new XferError('source-changed');
    // A pipe, an empty file, or one that ends in a hole: only now the end is known.
    await this.#outbox.put(
      pack(packer, NOTHING, async (body) => {
        return { ...place, kind: 'chunk', offset, body, digest: await digest.digest() };
      }),
    );
    return offset;
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
