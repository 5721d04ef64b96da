// @ts-check
/** Figures of several runs, and how they are written. */

const MIB = 2 ** 20;

/** The middle one, or the mean of the middle two; NaN of none. @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** The median of what is known; `undefined` where nothing is. @param {readonly (number | undefined)[]} values */
export function medianKnown(values) {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}

/** With three digits at least, so that what is small is not written as nothing. @param {number | undefined} value */
export function figure(value) {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const digits = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(3, Math.max(0, 2 - digits)));
}

/** @param {number | undefined} bytes */
export function mebibytes(bytes) {
  return bytes === undefined ? '–' : (bytes / MIB).toFixed(0);
}

/** As people say it: 1 GiB, 64 MiB, 1 KiB, 500 B. @param {number} bytes */
export function sizeName(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}

/**
 * A table in Markdown whose columns stand below each other: for a page and for a screen. The first column is text, the
 * others are figures unless `textColumns` names them.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 * @param {readonly number[]} [textColumns]
 */
export function table(head, rows, textColumns = [0]) {
  const widths = head.map((name, column) =>
    Math.max(3, name.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const isText = head.map((_, column) => textColumns.includes(column));
  /** @param {readonly string[]} cells */
  const line = (cells) => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? '';
      return isText[column] ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) =>
    isText[column] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
