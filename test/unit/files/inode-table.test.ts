import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InodeTable } from '../../../src/files/inode-table.js';

/** Inodes as there are: in a row, in steps of a large power of two, or beyond what 32 bits hold. */
const inode = fc.oneof(
  fc.nat(40),
  fc.nat(40).map((number) => number * 2 ** 32),
  fc.nat(40).map((number) => number * 4096 + 2 ** 40),
  fc.double({ min: 0, noNaN: true }),
);

describe('InodeTable', () => {
  test('says what was set last, however many there are', () => {
    fc.assert(
      fc.property(
        fc.nat(9),
        fc.array(fc.tuple(inode, fc.double()), { maxLength: 2000 }),
        (expected, pairs) => {
          const table = new InodeTable(expected);
          const model = new Map(pairs);
          for (const [ino, value] of pairs) table.set(ino, value);
          expect(table.size).toBe(model.size);
          for (const [ino, value] of model) expect(table.get(ino)).toBe(value);
          expect(table.get(-1)).toBeUndefined();
        },
      ),
      { numRuns: 30 },
    );
  });

  test('has none of what is no number', () => {
    const table = new InodeTable();
    table.set(NaN, 1);
    expect([table.size, table.get(NaN)]).toEqual([0, undefined]);
  });
});
