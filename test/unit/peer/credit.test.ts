import { describe, expect, test } from 'vitest';
import { Credit } from '../../../src/peer/credit.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
/** What the protocol lets a record cost at most: 1 MiB of content, and 64 bytes for each of 8,192 files. */
const LARGEST = MIB + 8192 * 64;

describe('row 52: credit', () => {
  test('may be used up to its last byte, and no further', () => {
    const credit = new Credit();
    credit.take(256 * KIB);
    expect(() => credit.take(1)).toThrow(expect.objectContaining({ code: 'limit' }));
  });

  test('is not told again while there is no more of it', () => {
    const credit = new Credit();
    expect(credit.due()).toBeUndefined();
    credit.widen(MIB);
    expect(credit.due()).toBe(MIB);
    expect(credit.due()).toBeUndefined();
    credit.widen(KIB);
    expect(credit.due()).toBeUndefined();
  });

  test('of a small window is given back at once, of a wide one by the eighth', () => {
    const credit = new Credit();
    credit.release(1);
    expect(credit.due()).toBe(256 * KIB + 1);
    credit.widen(64 * MIB);
    expect(credit.due()).toBe(64 * MIB + 1);
    credit.release(8 * MIB - 1);
    expect(credit.due()).toBeUndefined();
    expect(credit.granted).toBe(64 * MIB + 1);
    credit.release(1);
    expect(credit.due()).toBe(72 * MIB + 1);
  });

  test.each([LARGEST, LARGEST + 1000, 1.6 * MIB, 2 * MIB, 64 * MIB])(
    'of a window of %d bytes leaves room for the largest record when all is dealt with',
    (window) => {
      const credit = new Credit();
      credit.widen(window);
      credit.due();
      for (let sent = 0; sent < 2 * window;) {
        const cost = Math.ceil(window / 100);
        credit.take(cost);
        credit.release(cost);
        sent += cost;
        credit.due();
        expect(credit.granted - sent).toBeGreaterThanOrEqual(LARGEST);
      }
    },
  );
});
