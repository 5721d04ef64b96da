/**
 * Cuts a file where its content says so, and not at fixed places: bytes that are put in or taken out move the cuts behind them along,
 * and all other spans stay what they were. Content-defined chunking with a gear hash and normalized chunking, after Xia et al.,
 * "FastCDC", USENIX ATC 2016, sections 3 and 4. Both sides cut alike, as docs/protocol.md section 8 says.
 */
import { Blake3 } from '../crypto/digest.js';

/** Files up to this size are one span. */
export const UNCUT_BYTES = 1 << 18;
const LEAST_AVERAGE_BITS = 16;
const MOST_AVERAGE_BITS = 22;
/** Larger files are cut into longer spans, so that no list of them is long. */
const LONGEST_OF_LEAST_AVERAGE_BYTES = 2 ** 32;
/** The least and the longest span are this many times shorter and longer than the average. */
const SPREAD_BITS = 2;
/** How many bits fewer or more decide a cut before and after the average. */
const NORMAL_BITS = 2;

const SPAN = Uint8Array.of(3);
const ZEROS = new Uint8Array(1 << 20);
const GEAR = makeGear();

/** Lengths of the spans of a file, in bytes; only the last may be shorter than `least`. */
export interface SpanLengths {
  readonly least: number;
  readonly average: number;
  readonly most: number;
}

/** @param size Of the file that is sent, in bytes. */
export function spanLengths(size: number): SpanLengths {
  if (size <= UNCUT_BYTES) return { least: UNCUT_BYTES, average: UNCUT_BYTES, most: UNCUT_BYTES };
  let bits = LEAST_AVERAGE_BITS;
  for (let most = LONGEST_OF_LEAST_AVERAGE_BYTES; most < size && bits < MOST_AVERAGE_BITS; most *= 2) bits++;
  const average = 2 ** bits;
  return { least: average >> SPREAD_BITS, average, most: average << SPREAD_BITS };
}

/** Hears of a span: its length in bytes, and `H(0x03 || its bytes)`. */
export type OnSpan = (length: number, digest: Uint8Array) => void;

const whole = new Blake3();

/** The digest of one span. */
export function spanDigest(bytes: Uint8Array): Uint8Array {
  return whole.reset().update(SPAN).update(bytes).digest();
}

/** Cuts what goes by. How the bytes are split over the calls does not matter. */
export class Splitter {
  readonly #least: number;
  readonly #average: number;
  readonly #most: number;
  readonly #strict: number;
  readonly #lax: number;
  readonly #onSpan: OnSpan;
  readonly #digest = new Blake3();
  /** Of the span that has not ended, in bytes. */
  #length = 0;
  #hash = 0;

  /** @param size Of the file that is sent, in bytes: both sides cut by it, whatever the size of what they have. */
  constructor(size: number, onSpan: OnSpan) {
    const { least, average, most } = spanLengths(size);
    this.#least = least;
    this.#average = average;
    this.#most = most;
    const bits = Math.log2(average);
    this.#strict = upperBits(bits + NORMAL_BITS);
    this.#lax = upperBits(bits - NORMAL_BITS);
    this.#onSpan = onSpan;
  }

  update(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length;) {
      const end = this.#findCut(bytes, start);
      if (this.#length === 0) this.#digest.reset().update(SPAN);
      this.#digest.update(bytes.subarray(start, Math.abs(end)));
      this.#length += Math.abs(end) - start;
      if (end > 0) this.end();
      start = Math.abs(end);
    }
  }

  updateZeros(length: number): void {
    for (let left = length; left > 0; left -= ZEROS.length) this.update(ZEROS.subarray(0, left));
  }

  /** The file ends here. */
  end(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    this.#hash = 0;
    this.#onSpan(length, this.#digest.digest());
  }

  /** Where the span ends that goes on at `start`; negative where it does not end in these bytes, which are taken in then. */
  #findCut(bytes: Uint8Array, start: number): number {
    const begin = start - this.#length;
    const most = begin + this.#most;
    const end = Math.min(most, bytes.length);
    const normal = Math.min(begin + this.#average, end);
    const { at, hash, isCut } = roll(
      bytes,
      Math.max(start, begin + this.#least),
      normal,
      this.#hash,
      this.#strict,
    );
    if (isCut) return at;
    const rest = roll(bytes, at, end, hash, this.#lax);
    if (rest.isCut) return rest.at;
    if (most <= bytes.length) return most;
    this.#hash = rest.hash;
    return -bytes.length;
  }
}

/** Rolls the hash on from `at` until its upper bits are zero, or to `end`. The hottest loop there is: about a nanosecond a byte. */
function roll(
  bytes: Uint8Array,
  at: number,
  end: number,
  hash: number,
  mask: number,
): { at: number; hash: number; isCut: boolean } {
  const gear = GEAR;
  while (at < end) {
    hash = ((hash << 1) + (gear[bytes[at++] ?? 0] ?? 0)) | 0;
    if ((hash & mask) === 0) return { at, hash, isCut: true };
  }
  return { at, hash, isCut: false };
}

/** A mask of the bits of a gear hash that depend on most bytes. */
function upperBits(count: number): number {
  return ~(2 ** (32 - count) - 1) | 0;
}

/** A random number for each byte: the same everywhere. */
function makeGear(): Int32Array {
  const name = Buffer.from('xfer gear');
  return Int32Array.from({ length: 256 }, (_, byte) => {
    const digest = new Blake3().update(Buffer.concat([name, Uint8Array.of(byte)])).digest();
    return new DataView(digest.buffer, digest.byteOffset).getInt32(0);
  });
}
