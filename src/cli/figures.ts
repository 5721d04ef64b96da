/** Sizes, durations, rates and counts as people read them. */

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes in powers of 1000: `512 B`, `3.1 GB`, `76 MB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000 of this unit.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < SIZE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${SIZE_UNITS[unit] ?? ''}`;
}

/** How much of a whole: `1.4/3.1 GB`, `999 MB/3.1 GB`. */
export function formatPart(part: number, whole: number): string {
  const [start = '', unit = ''] = formatSize(part).split(' ');
  const all = formatSize(whole);
  return all.endsWith(` ${unit}`) ? `${start}/${all}` : `${start} ${unit}/${all}`;
}

/** `76 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}

/** `0.4 s`, `41 s`, `3 min 20 s`, `10 min`, `1 h 5 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return inSixties(seconds, 'min', 's');
  return inSixties(Math.round(seconds / 60), 'h', 'min');
}

function inSixties(count: number, whole: string, part: string): string {
  const rest = count % 60;
  return `${Math.floor(count / 60)} ${whole}${rest === 0 ? '' : ` ${rest} ${part}`}`;
}

/** `120,000`. Without `Intl`, whose first number takes longer than a small transfer's bytes. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 file`, `12 files`; `plural` where an `s` does not make it. */
export function countOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

/** The share of a whole that is done, rounded down so that 100 % means all of it. */
export function formatShare(part: number, whole: number): string {
  return `${whole === 0 ? 100 : Math.min(100, Math.floor((part / whole) * 100))} %`;
}
