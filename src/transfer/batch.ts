/** Whole small files in one record: docs/protocol.md section 8. */
import { Blake3, DIGEST_BYTES, equalBytes } from '../crypto/digest.js';
import { XferError } from '../errors.js';
import { MAX_ENTRIES } from './ports.js';
import { ByteReader, ByteWriter, MAX_VARINT_BYTES, malformed } from './wire.js';

/** Largest file that travels in a batch, in bytes. */
export const MAX_BATCHED_BYTES = 1 << 18;
/** Content after which a batch goes: large enough to make records few, small enough to begin soon. */
const FULL_BYTES = 1 << 19;
const MAX_OVERHEAD_BYTES = 2 * MAX_VARINT_BYTES;
/** Most files in one: an entry costs credit, and a batch must cost less than a receiver leaves open. */
export const MAX_BATCH_FILES = 1 << 13;
/** Files after which a batch goes: an entry costs credit, and a receiver grants little before the yes. */
const FULL_COUNT = 1024;

export interface BatchedFile {
  readonly entry: number;
  readonly content: Uint8Array;
}

/** Tells the digest of a batch from those of leaves and roots. */
const BATCH = Uint8Array.of(2);
const hasher = new Blake3();

/** One digest for all: of its own each small file would cost more time than its bytes. */
function digestOfBatch(files: Uint8Array): Uint8Array {
  return hasher.reset().update(BATCH).update(files).digest();
}

/** Collects small files until they fill a record. */
export class BatchWriter {
  readonly #to: ByteWriter;
  #count = 0;

  /** @param bytes Content that it has memory for from the start. */
  constructor(bytes = FULL_BYTES + MAX_BATCHED_BYTES) {
    const most = Math.min(bytes, FULL_BYTES + MAX_BATCHED_BYTES);
    this.#to = new ByteWriter(most + MAX_OVERHEAD_BYTES + DIGEST_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#to.length;
  }

  get full(): boolean {
    return this.#to.length >= FULL_BYTES || this.#count >= FULL_COUNT;
  }

  /** Adds a file. Entries must rise. */
  add(entry: number, content: Uint8Array): void {
    this.#to.varint(entry);
    this.#to.bytes(content);
    this.#count++;
  }

  /** What the batch holds so far, in the writer's memory. */
  get content(): Uint8Array {
    return this.#to.finish();
  }

  /** The batch before compression, in the writer's memory: to be used again after `clear` only. */
  finish(): Uint8Array {
    this.#to.raw(digestOfBatch(this.#to.finish()));
    return this.#to.finish();
  }

  /** Begins the next batch. The last one must be needed no more. */
  clear(): void {
    this.#to.clear();
    this.#count = 0;
  }
}

/**
 * The files of a batch; their contents are views of `bytes`.
 * @throws XferError `protocol`, `limit`, `integrity` where they are not what the digest says
 */
export function decodeBatch(bytes: Uint8Array, count: number): BatchedFile[] {
  if (count > MAX_BATCH_FILES) throw new XferError('limit', { detail: MAX_BATCH_FILES });
  const from = new ByteReader(bytes);
  const files: BatchedFile[] = [];
  for (let previous = -1; files.length < count;) {
    const entry = from.varint(MAX_ENTRIES);
    if (entry <= previous) throw malformed('a batch out of order');
    files.push({ entry, content: from.bytes(MAX_BATCHED_BYTES) });
    previous = entry;
  }
  const digest = from.raw(DIGEST_BYTES);
  from.end();
  if (!equalBytes(digestOfBatch(bytes.subarray(0, -DIGEST_BYTES)), digest))
    throw new XferError('integrity', { detail: 'batch' });
  return files;
}
