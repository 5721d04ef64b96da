/** Turns wanted files into records, each byte read once. */
import { TreeDigest } from '../crypto/digest.js';
import { XferError, type ErrorCode } from '../errors.js';
import { BatchWriter, MAX_BATCHED_BYTES } from './batch.js';
import { Packer } from './compression.js';
import { TRANSFER } from './inbox.js';
import type { Outbox } from './outbox.js';
import type { Compression, Entry, FileSource, SourceFile } from './ports.js';

/** What can happen to one file while the rest goes on. */
const ENTRY_FAILURES: readonly ErrorCode[] = ['source-changed', 'source-vanished', 'path-unreadable'];
const NOTHING: Uint8Array = new Uint8Array(0);

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
  readonly #batchPacker: Packer;

  constructor(source: FileSource, outbox: Outbox, compression: Compression, events: OutflowEvents) {
    this.#source = source;
    this.#outbox = outbox;
    this.#events = events;
    this.#compression = compression;
    this.#batchPacker = new Packer(compression);
  }

  /** Sends the content of files, in their order. Resolves when the last is in the outbox. */
  async send(files: readonly Entry[]): Promise<void> {
    let batch = new BatchWriter();
    for (const entry of files) {
      if (entry.size === undefined || entry.size > MAX_BATCHED_BYTES) {
        batch = await this.#sendBatch(batch);
        await this.#sendLarge(entry);
        continue;
      }
      const content = await this.#readSmall(entry);
      if (typeof content === 'string') {
        batch = await this.#sendBatch(batch);
        await this.#fail(entry, content);
        continue;
      }
      if (batch.count === 0) this.#events.started(entry);
      batch.add(entry.index, content);
      this.#count(content.length);
      if (batch.full) batch = await this.#sendBatch(batch);
    }
    await this.#sendBatch(batch);
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

  /** Sends what the batch holds, and gives the writer for the next. */
  async #sendBatch(batch: BatchWriter): Promise<BatchWriter> {
    if (batch.count === 0) return batch;
    const { count } = batch;
    const body = this.#batchPacker.pack(batch.finish());
    await this.#outbox.put(
      body.then((packed) => ({ kind: 'batch', transfer: TRANSFER, count, body: packed })),
    );
    return new BatchWriter();
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
    const packer = new Packer(this.#compression);
    const digest = new TreeDigest();
    const place = { transfer: TRANSFER, entry: entry.index };
    let offset = 0;
    for (let piece = await file.read(); piece !== undefined; piece = await file.read()) {
      const length = piece instanceof Uint8Array ? piece.length : piece.hole;
      if (entry.size !== undefined && offset + length > entry.size) throw new XferError('source-changed');
      if (piece instanceof Uint8Array) {
        digest.update(piece);
        const isLast = offset + length === entry.size;
        const chunk = { ...place, kind: 'chunk', offset } as const;
        const end = isLast ? { digest: digest.digest() } : {};
        const record = packer.pack(piece).then((body) => ({ ...chunk, body, ...end }));
        await this.#outbox.put(record, () => file.recycle?.(piece));
        if (isLast) return entry.size;
      } else {
        digest.skipZeros(length);
        await this.#outbox.put({ ...place, kind: 'hole', offset, length });
      }
      offset += length;
    }
    if (entry.size !== undefined && offset !== entry.size) throw new XferError('source-changed');
    // A pipe, an empty file, or one that ends in a hole: only now the end is known.
    const body = await packer.pack(NOTHING);
    await this.#outbox.put({ ...place, kind: 'chunk', offset, body, digest: digest.digest() });
    return offset;
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

/** Why one file does not come. Throws everything that ends the transfer. */
function entryFailure(error: unknown): ErrorCode {
  if (error instanceof XferError && ENTRY_FAILURES.includes(error.code)) return error.code;
  throw error;
}
