import { expect, test } from 'vitest';
import {
  countOf,
  formatDuration,
  formatPart,
  formatRate,
  formatShare,
  formatSize,
} from '../../../src/cli/figures.js';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9_949, '9.9 kB'],
  [9_950, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [3_100_000_000, '3.1 GB'],
  [2 ** 53, '9.0 PB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

test.each([
  [0, '0.0 s'],
  [412, '0.4 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [41_200, '41 s'],
  [59_700, '1 min'],
  [200_000, '3 min 20 s'],
  [600_000, '10 min'],
  [3_600_000, '1 h'],
  [3_900_000, '1 h 5 min'],
])('%d ms are %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('all of it is 100 %, and only all of it', () => {
  expect(formatShare(999, 1000)).toBe('99 %');
  expect(formatShare(1000, 1000)).toBe('100 %');
  expect(formatShare(0, 0)).toBe('100 %');
});

test('a part of a whole names its unit once', () => {
  expect(formatPart(1_400_000_000, 3_100_000_000)).toBe('1.4/3.1 GB');
  expect(formatPart(999_000_000, 3_100_000_000)).toBe('999 MB/3.1 GB');
  expect(formatPart(0, 3_100_000_000)).toBe('0 B/3.1 GB');
});

test('counts and rates', () => {
  expect(countOf(1, 'file')).toBe('1 file');
  expect(countOf(120_000, 'file')).toBe('120,000 files');
  expect(countOf(2, 'entry', 'entries')).toBe('2 entries');
  expect(formatRate(76_000_000)).toBe('76 MB/s');
});
