/** Durations as people write them. */
import { XferError } from './errors.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Node's timers hold no more than this. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Milliseconds of a duration such as `90s`, `30m`, `2h` or `1d`; at most 24 days.
 *
 * @throws XferError `usage`
 */
export function parseDuration(text: string): number {
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(text.trim()) ?? [];
  const ms = Math.round(Number(count) * (UNIT_MS[unit] ?? NaN));
  if (!(ms > 0 && ms <= LONGEST_MS)) {
    throw new XferError('usage', {
      subject: `'${text}' is not a duration`,
      detail: 'write a number and s, m, h or d, such as 30m; at most 24d',
    });
  }
  return ms;
}

/** As `parseDuration`; `0` is none at all. */
export function parsePatience(text: string): number {
  return text.trim() === '0' ? 0 : parseDuration(text);
}
