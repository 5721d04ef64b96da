/** Whole small files in one record: docs/protocol.md section 8. */
import { DIGEST_BYTES, digestOf } from '../crypto/digest.js';
import { MAX_ENTRIES } from './ports.js';
import { ByteReader, ByteWriter, MAX_VARINT_BYTES, malformed } from './wire.js';

/** Largest file that travels in a batch, in bytes. */
export const MAX_BATCHED_BYTES = 1 << 16;
/** Content after which a batch goes: large enough to make records few, small enough to begin soon. */
const FULL_BYTES = 1 << 19;
const MAX_OVERHEAD_BYTES = 2 * MAX_VARINT_BYTES + DIGEST_BYTES;
/** Files after which a batch goes: an entry costs credit, and a receiver grants little before the yes. */
const FULL_COUNT = 1024;

export interface BatchedFile {
  readonly entry: number;
  readonly content: Uint8Array;
  readonly digest: Uint8Array;
}

/** Collects small files until they fill a record. */
export class BatchWriter {
  #to = new ByteWriter(FULL_BYTES + MAX_BATCHED_BYTES + MAX_OVERHEAD_BYTES);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#to.length >= FULL_BYTES || this.#count >= FULL_COUNT;
  }

  /** Adds a file with its digest. Entries must rise. */
  add(entry: number, content: Uint8Array): void {
    this.#to.varint(entry);
    this.#to.bytes(content);
    this.#to.raw(digestOf(content));
    this.#count++;
  }

  /** The batch before compression. The writer is not to be used any more. */
  finish(): Uint8Array {
    return this.#to.finish();
  }
}

/**
 * The files of a batch; their contents are views of `bytes`, their digests not yet compared.
 * @throws XferError `protocol`, `limit`
 */
export function decodeBatch(bytes: Uint8Array, count: number): BatchedFile[] {
  const from = new ByteReader(bytes);
  const files: BatchedFile[] = [];
  for (let previous = -1; files.length < count;) {
    const entry = from.varint(MAX_ENTRIES);
    if (entry <= previous) throw malformed('a batch out of order');
    files.push({ entry, content: from.bytes(MAX_BATCHED_BYTES), digest: from.raw(DIGEST_BYTES) });
    previous = entry;
  }
  from.end();
  return files;
}
