import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatProgress, Speed, type ProgressLine } from '../../../src/cli/progress-line.js';
import { displayWidth } from '../../../src/cli/display-width.js';

const line: ProgressLine = {
  doing: 'receiving',
  progress: { bytes: 1_395_000_000, files: 5, totalBytes: 3_100_000_000, totalFiles: 12, totalKnown: true },
  bytesPerSecond: 76_000_000,
  path: 'direct',
  file: 'photos/2024/summer/a long walk along the river.jpeg',
};

// What a terminal of 80, 60, 40 and 20 columns has left beside the spinner and its last column.
test.each([
  [77, 'receiving  45 %  1.4/3.1 GB  76 MB/s  22 s left  direct  photos/202…iver.jpeg'],
  [57, 'receiving  45 %  1.4/3.1 GB  76 MB/s  22 s left  direct'],
  [37, '45 %  1.4/3.1 GB  76 MB/s  22 s left'],
  [17, '45 %  1.4/3.1 GB'],
])('row 57: the line in %i columns', (width, expected) => {
  expect(formatProgress(line, width)).toBe(expected);
});

test('row 57: a wide name is cut by the columns that it takes', () => {
  const shown = formatProgress({ ...line, file: '漢字'.repeat(100) }, 77);
  expect(shown).toBe('receiving  45 %  1.4/3.1 GB  76 MB/s  22 s left  direct  漢字漢字漢…漢字漢字');
});

test('a stream has no share and no end', () => {
  const progress = { bytes: 5_000_000, files: 0, totalBytes: 0, totalFiles: 1, totalKnown: false };
  expect(formatProgress({ ...line, progress, file: undefined }, 77)).toBe(
    'receiving  5.0 MB  76 MB/s  direct',
  );
});

test('nothing to move is no division by zero', () => {
  const progress = { bytes: 0, files: 0, totalBytes: 0, totalFiles: 3, totalKnown: true };
  expect(formatProgress({ ...line, progress, bytesPerSecond: 0, file: undefined }, 77)).toBe(
    'receiving  0 B  0 B/s  direct',
  );
});

test('row 57: no line is wider than its place', () => {
  const size = fc.nat(Number.MAX_SAFE_INTEGER);
  fc.assert(
    fc.property(
      fc.nat(120),
      fc.string({ unit: 'binary' }),
      fc.record({ bytes: size, files: size, totalBytes: size, totalFiles: size, totalKnown: fc.boolean() }),
      fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: undefined }),
      (width, file, progress, bytesPerSecond) => {
        const shown = formatProgress({ ...line, file, progress, bytesPerSecond }, width);
        expect(displayWidth(shown)).toBeLessThanOrEqual(width);
      },
    ),
  );
});

describe('speed', () => {
  test('needs some time to be known', () => {
    const speed = new Speed();
    speed.add(0, 0);
    expect(speed.bytesPerSecond).toBeUndefined();
    speed.add(100, 1000);
    expect(speed.bytesPerSecond).toBeUndefined();
    speed.add(1000, 5000);
    expect(speed.bytesPerSecond).toBe(5000);
  });

  test('forgets what was long ago', () => {
    const speed = new Speed();
    for (let second = 0; second <= 10; second += 1) speed.add(second * 1000, second * 1000);
    for (let second = 11; second <= 20; second += 1) speed.add(second * 1000, 10_000);
    expect(speed.bytesPerSecond).toBe(0);
  });
});
