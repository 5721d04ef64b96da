/** Amounts as people write them, and how fast a session may be, as two sides agree on it (protocol section 7). */
import { XferError } from './errors.js';

/** Slowest limit, in bytes per second: the largest record of a slow session passes before anyone speaks of silence. */
export const SLOWEST_RATE = 10_000;
/** Fastest limit, in bytes per second: more than any line has. */
export const FASTEST_RATE = 100e9;

// Powers of 1000, as in every size that is shown. No `b`: some take it for bits, some for bytes.
const BYTES: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
const BINARY_BYTES: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const RATE = /^(?<count>\d+(?:\.\d+)?) *(?<prefix>[KMGkmg]?)(?<unit>B|iB|bit)?(?:\/s)?$/;

/**
 * Bytes per second of a rate such as `500K`, `1.5GB`, `10MiB` or `80Mbit`; `/s` may follow. From `SLOWEST_RATE` to
 * `FASTEST_RATE`.
 *
 * @throws XferError `usage`
 */
export function parseRate(text: string): number {
  const rate = bytesIn(RATE, text);
  if (isRate(rate)) return rate;
  throw new XferError('usage', {
    subject: Number.isNaN(rate) ? `'${text}' is not a rate` : `'${text}' is not from 10K to 100G`,
    detail: 'write bytes per second such as 500K, 10M or 1.5G, or bits such as 80Mbit',
  });
}

const SIZE = /^(?<count>\d+(?:\.\d+)?) *(?<prefix>[KMGTkmgt]?)(?<unit>B|iB)?$/;
/** The most of one number, in bytes. */
const LARGEST_SIZE = 1e15;

/**
 * Bytes of a size such as `500M`, `1.5GB` or `10GiB`, at most 1000T.
 *
 * @throws XferError `usage`
 */
export function parseSize(text: string): number {
  const size = bytesIn(SIZE, text);
  if (size <= LARGEST_SIZE) return size;
  throw new XferError('usage', {
    subject: `'${text}' is not a size`,
    detail: 'write bytes such as 500M, 10G or 1T; at most 1000T',
  });
}

/** Bytes of what a pattern finds as count, prefix and unit; `NaN` where it finds nothing. */
function bytesIn(pattern: RegExp, text: string): number {
  const { count, prefix = '', unit } = pattern.exec(text.trim())?.groups ?? {};
  const scale = (unit === 'iB' ? BINARY_BYTES : BYTES)[prefix.toUpperCase()] ?? NaN;
  return Math.round((Number(count) * scale) / (unit === 'bit' ? 8 : 1));
}

/** Whether two sides can agree on it. */
export function isRate(bytesPerSecond: number): boolean {
  return Number.isInteger(bytesPerSecond) && bytesPerSecond >= SLOWEST_RATE && bytesPerSecond <= FASTEST_RATE;
}

/**
 * The rate of a session whose sides want these: the lower one. A peer that wants less than a person can ask for gets
 * that least: it does not decide how long we wait.
 */
export function agreedRate(mine: number | undefined, theirs: number | undefined): number | undefined {
  if (mine === undefined && theirs === undefined) return undefined;
  return Math.max(SLOWEST_RATE, Math.min(mine ?? Infinity, theirs ?? Infinity));
}
