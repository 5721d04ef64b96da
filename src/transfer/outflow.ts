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

  /** Sends a file piece by piece, and gives its size. */
  async #sendPieces(entry: Entry, file: SourceFile): Promise<number> {
    const packer = new Packer(this.#compression);
    const digest = new TreeDigest();
    const place = { transfer: TRANSFER, entry: entry.index };
    // One piece is held back, since the last one carries the digest.
    let held = NOTHING;
    let offset = 0;
    for (;;) {
      const piece = await file.read();
      if (piece !== undefined && held.length > 0) {
        const chunk = { ...place, kind: 'chunk', offset } as const;
        await this.#outbox.put(packer.pack(held).then((body) => ({ ...chunk, body })));
        offset += held.length;
        held = NOTHING;
      }
      if (piece === undefined) break;
      if (piece instanceof Uint8Array) {
        digest.update(piece);
        held = piece;
      } else {
        digest.skipZeros(piece.hole);
        await this.#outbox.put({ ...place, kind: 'hole', offset, length: piece.hole });
        offset += piece.hole;
      }
      if (entry.size !== undefined && offset + held.length > entry.size)
        throw new XferError('source-changed');
    }
    const size = offset + held.length;
    if (entry.size !== undefined && size !== entry.size) throw new XferError('source-changed');
    const last = { ...place, kind: 'chunk', offset, digest: digest.digest() } as const;
    await this.#outbox.put(packer.pack(held).then((body) => ({ ...last, body })));
    return size;
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
