import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEAF_BYTES } from '../../../src/crypto/digest.js';
import { RunBuilder, demandHeld, demandOlder, takenOf, type Runs } from '../../../src/transfer/want.js';
import { file, number } from './offers.js';

const protocol = expect.objectContaining({ code: 'protocol' }) as Error;

describe('runs', () => {
  const runsOf = (wanted: readonly boolean[]): Runs => {
    const builder = new RunBuilder();
    for (const isWanted of wanted) builder.add(isWanted);
    return builder.runs;
  };

  it('are as few as can be, and say nothing of what is not wanted at the end', () => {
    expect(runsOf([true, true, false, true, false, false])).toEqual([[0, 2], [1, 1]]); // prettier-ignore
    expect(runsOf([false, false, true, true])).toEqual([[2, 2]]);
    expect(runsOf([false])).toEqual([]);
  });

  it('take what was wanted', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (wanted) => {
        const items = wanted.map((_, place) => place);
        expect(takenOf(items, runsOf(wanted))).toEqual(items.filter((place) => wanted[place]));
      }),
    );
  });

  it('row 52: reach to the last item, and not beyond', () => {
    expect(takenOf(['a', 'b', 'c'], [[1, 2]])).toEqual(['b', 'c']);
    expect(() => takenOf(['a', 'b', 'c'], [[1, 3]])).toThrow(protocol);
    expect(() => takenOf(['a', 'b', 'c'], [[4, 0]])).toThrow(protocol);
  });

  it('row 52: are no more than what they take', () => {
    expect(() => takenOf(['a', 'b', 'c'], [[0, 0], [0, 3]])).toThrow(protocol);
    expect(() => takenOf(['a', 'b', 'c'], [[1, 1], [1, 0]])).toThrow(protocol);
  }); // prettier-ignore
});

describe('what a receiver says it has', () => {
  const files = number([
    file('a', 3 * LEAF_BYTES),
    file('b', 3 * LEAF_BYTES - 1),
    file('c', 0),
    file('d', 5),
  ]);
  const [a, b, c, d] = files as [(typeof files)[0], (typeof files)[0], (typeof files)[0], (typeof files)[0]];
  const pipe = { ...a, size: undefined };

  it.each<[string, [number, number][]]>([
    ['of none', []],
    ['of all that has whole leaves', [[0, 3], [1, 2]]],
    ['of the second alone', [[1, 1]]],
  ])('is taken: beginnings %s', (_, held) => {
    expect(() => demandHeld(files, held)).not.toThrow();
  }); // prettier-ignore

  it.each<[string, [number, number][]]>([
    ['more leaves than the file has', [[0, 4]]],
    ['a leaf that is not whole', [[1, 3]]],
    ['no leaf', [[0, 0]]],
    ['one file twice', [[0, 1], [0, 1]]],
    ['files out of their order', [[1, 1], [0, 1]]],
    ['a file that is not wanted', [[4, 1]]],
  ])('is refused: %s', (_, held) => {
    expect(() => demandHeld(files, held)).toThrow(protocol);
  }); // prettier-ignore

  it('is refused: the beginning of a pipe', () => {
    expect(() => demandHeld([pipe], [[0, 1]])).toThrow(protocol);
  });

  it('is taken: older copies of files with content, without those that are held in part', () => {
    expect(() => demandOlder(files, [[0, 1]], [b, d])).not.toThrow();
  });

  it.each([
    ['an older copy of an empty file', [c]],
    ['two of one file', [b, b]],
    ['one of a file that is held in part', [a]],
    ['one of a file that is not wanted', [{ ...d, index: 7 }]],
    ['one of a pipe', [pipe]],
  ])('is refused: %s', (what, older) => {
    const held: [number, number][] = what.includes('pipe') ? [] : [[0, 1]];
    expect(() => demandOlder(files, held, older)).toThrow(protocol);
  });
});
