/** Digests of content: BLAKE3 with 32 bytes, and the tree over a file's pieces of 1 MiB. */
import { timingSafeEqual } from 'node:crypto';
import type { Blake3Hasher as Hasher } from '@napi-rs/blake-hash';
import { XferError } from '../errors.js';

/**
 * Loads the package. On Linux it asks Node for a diagnostic report, to learn which C library there is, and such a report
 * looks up the name of every address that this process is connected to: seconds without an answer, and a question about
 * our peers to a name server.
 */
async function loadBlake3(): Promise<typeof Hasher> {
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
  const before = report.excludeNetwork ?? false;
  report.excludeNetwork = true;
  try {
    const { Blake3Hasher } = await import('@napi-rs/blake-hash');
    return Blake3Hasher;
  } finally {
    report.excludeNetwork = before;
  }
}

const Blake3Hasher = await loadBlake3();

export const DIGEST_BYTES = 32;

/** Bytes of a file under one leaf of its tree. */
export const LEAF_BYTES = 2 ** 20;
const LEAF = Uint8Array.of(0);
const ROOT = Uint8Array.of(1);

/** Leaf digests of zero pieces that are hashed in one call while a hole is skipped. */
const ZERO_LEAVES_AT_ONCE = 1024;

/** BLAKE3-256 of bytes that come in pieces. */
export class Blake3 {
  readonly #hasher = new Blake3Hasher();

  update(bytes: Uint8Array): this {
    // A view of the same bytes: the package takes nothing but a Buffer.
    this.#hasher.update(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return this;
  }

  digest(): Uint8Array {
    return this.#hasher.digestBuffer();
  }

  /** Starts anew: a third of what a new one costs. */
  reset(): this {
    this.#hasher.reset();
    return this;
  }
}

/**
 * The digest of a file (protocol section 8) while it goes by. How the bytes are split over the calls does not
 * matter, nor whether zeros come as bytes or as a hole.
 */
export class TreeDigest {
  readonly #root = new Blake3().update(ROOT);
  readonly #leaf = new Blake3();
  readonly #onLeaf: ((digest: Uint8Array) => void) | undefined;
  #leafLength = 0;
  #size = 0;

  /** @param onLeaf Hears the digest of each leaf, in order. */
  constructor(onLeaf?: (digest: Uint8Array) => void) {
    this.#onLeaf = onLeaf;
  }

  update(bytes: Uint8Array): this {
    let rest = bytes;
    while (rest.length > 0) {
      const piece = rest.subarray(0, LEAF_BYTES - this.#leafLength);
      if (this.#leafLength === 0) this.#leaf.reset().update(LEAF);
      this.#leaf.update(piece);
      this.#leafLength += piece.length;
      this.#size += piece.length;
      if (this.#leafLength === LEAF_BYTES) this.#endLeaf();
      rest = rest.subarray(piece.length);
    }
    return this;
  }

  /** Takes in a whole leaf that `leafDigest` was computed of. Throws `internal` in the middle of another one. */
  addLeaf(digest: Uint8Array): this {
    if (this.#leafLength > 0) throw new XferError('internal', { subject: 'leaf within a leaf' });
    this.#root.update(digest);
    this.#size += LEAF_BYTES;
    this.#onLeaf?.(digest);
    return this;
  }

  /** Takes in a hole of `length` zero bytes: a few milliseconds for each TiB. */
  skipZeros(length: number): this {
    const zero = zeros();
    const head = Math.min(length, LEAF_BYTES - this.#leafLength);
    this.update(zero.piece.subarray(0, head));
    const leaves = Math.floor((length - head) / LEAF_BYTES);
    for (let left = leaves; left > 0; left -= ZERO_LEAVES_AT_ONCE) {
      this.#root.update(zero.leaves.subarray(0, Math.min(left, ZERO_LEAVES_AT_ONCE) * DIGEST_BYTES));
    }
    if (this.#onLeaf !== undefined) {
      for (let left = leaves; left > 0; left--) this.#onLeaf(zero.leaves.subarray(0, DIGEST_BYTES));
    }
    this.#size += leaves * LEAF_BYTES;
    return this.update(zero.piece.subarray(0, length - head - leaves * LEAF_BYTES));
  }

  /** Ends the file. Nothing may be added afterwards. */
  digest(): Uint8Array {
    if (this.#leafLength > 0) this.#endLeaf();
    return this.#root.update(encodeSize(this.#size)).digest();
  }

  #endLeaf(): void {
    const digest = this.#leaf.digest();
    this.#root.update(digest);
    this.#leafLength = 0;
    this.#onLeaf?.(digest);
  }
}

const whole = new Blake3();

/** The digest of one leaf, of at most `LEAF_BYTES`. */
export function leafDigest(bytes: Uint8Array): Uint8Array {
  return whole.reset().update(LEAF).update(bytes).digest();
}

/** The digest of a whole file in memory. */
export function digestOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > LEAF_BYTES) return new TreeDigest().update(bytes).digest();
  // Small files come by the thousands: one hasher serves them all.
  const leaf = bytes.length === 0 ? bytes : leafDigest(bytes);
  return whole
    .reset()
    .update(Buffer.concat([ROOT, leaf, encodeSize(bytes.length)]))
    .digest();
}

function encodeSize(size: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(size));
  return bytes;
}

/** Compares in a time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

interface Zeros {
  readonly piece: Uint8Array;
  readonly leaves: Uint8Array;
}

let cachedZeros: Zeros | undefined;

/** A piece of zeros, and its leaf digest many times over; made when the first hole comes. */
function zeros(): Zeros {
  if (cachedZeros === undefined) {
    const piece = new Uint8Array(LEAF_BYTES);
    const leaf = new Blake3().update(LEAF).update(piece).digest();
    cachedZeros = { piece, leaves: Buffer.concat(Array<Uint8Array>(ZERO_LEAVES_AT_ONCE).fill(leaf)) };
  }
  return cachedZeros;
}
