import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agreedRate, FASTEST_RATE, isRate, parseRate, parseSize, SLOWEST_RATE } from '../../src/rate.js';

test.each([
  ['500K', 500_000],
  ['500k', 500_000],
  ['10M', 10_000_000],
  ['10MB', 10_000_000],
  ['10 MB/s', 10_000_000],
  ['10M/s', 10_000_000],
  ['1.5G', 1_500_000_000],
  ['10MiB', 10_485_760],
  ['64KiB/s', 65_536],
  ['80Mbit', 10_000_000],
  ['80Mbit/s', 10_000_000],
  ['0.1Gbit', 12_500_000],
  ['10000', SLOWEST_RATE],
  ['20000B', 20_000],
  ['80Kbit', SLOWEST_RATE],
  ['100G', FASTEST_RATE],
])('%j is a rate', (text, bytesPerSecond) => {
  expect(parseRate(text)).toBe(bytesPerSecond);
});

test.each([
  '',
  'fast',
  '-1M',
  'M',
  '1e9',
  '10T',
  '10Mb',
  '10MBit',
  '10iB',
  '10M/m',
  '1,5M',
  '.5M',
  '0x10000',
])('%j is no rate', (text) => {
  expect(() => parseRate(text)).toThrow(
    expect.objectContaining({ code: 'usage', subject: `'${text}' is not a rate` }) as Error,
  );
});

test.each(['0', '10', '9.9K', '79Kbit', '101G', `1${'0'.repeat(400)}`])('%j is out of range', (text) => {
  expect(() => parseRate(text)).toThrow(
    expect.objectContaining({ code: 'usage', subject: `'${text}' is not from 10K to 100G` }) as Error,
  );
});

test('two sides agree on the lower rate, and never on less than the slowest', () => {
  expect(agreedRate(undefined, undefined)).toBeUndefined();
  expect(agreedRate(20_000, undefined)).toBe(20_000);
  expect(agreedRate(undefined, 20_000)).toBe(20_000);
  expect(agreedRate(30_000, 20_000)).toBe(20_000);
  expect(agreedRate(undefined, 1)).toBe(SLOWEST_RATE);
  const wish = fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: undefined });
  fc.assert(fc.property(wish, wish, (one, other) => agreedRate(one, other) === agreedRate(other, one)));
});

test('a rate is a whole number of bytes', () => {
  expect(isRate(SLOWEST_RATE)).toBe(true);
  expect(isRate(SLOWEST_RATE + 0.5)).toBe(false);
  expect(isRate(NaN)).toBe(false);
});

test.each([
  ['0', 0],
  ['512', 512],
  ['500M', 500_000_000],
  ['1.5 GB', 1_500_000_000],
  ['10GiB', 10_737_418_240],
  ['1T', 1e12],
  ['1000T', 1e15],
])('%j is a size', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', 'much', '-1M', '10M/s', '80Mbit', '10iB', '1001T'])('%j is no size', (text) => {
  expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
});
