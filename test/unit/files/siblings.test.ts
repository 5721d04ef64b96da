import { describe, expect, test } from 'vitest';
import { Siblings } from '../../../src/files/siblings.js';

/** Adds what entries of a folder found, and gives the names of those that found the same as one of almost the same name. */
function twinsIn(
  siblings: Siblings,
  folder: number,
  found: readonly (readonly [string, number])[],
): string[] {
  return found.filter(([name, ino]) => siblings.addFound(folder, name, ino)).map(([name]) => name);
}

describe('Siblings', () => {
  test.each(['darwin', 'win32'] as const)(
    'on %s takes names that fold into one once in each folder',
    (platform) => {
      const siblings = new Siblings(platform);
      const taken = ['a', 'A', 'ä', 'a\u0308', 'b'].filter((name) => siblings.add(0, name));
      expect(taken).toEqual(['a', 'ä', 'b']);
      expect(siblings.add(1, 'A')).toBe(true);
      expect(siblings.addFound(1, 'a', 7)).toBe(false);
    },
  );

  test('on Linux takes all names, and knows those that found one file', () => {
    const siblings = new Siblings('linux');
    expect(['a', 'A'].every((name) => siblings.add(0, name))).toBe(true);
    expect(
      twinsIn(siblings, 0, [
        ['a', 7],
        ['A', 7],
        ['b', 8],
        ['B', 9],
      ]),
    ).toEqual(['A']);
  });

  test('hard links are different files, and each has its twins', () => {
    const siblings = new Siblings('linux');
    expect(
      twinsIn(siblings, 0, [
        ['one', 7],
        ['two', 7],
        ['three', 7],
        ['ONE', 7],
        ['Two', 7],
        ['tHREE', 7],
        ['four', 7],
      ]),
    ).toEqual(['ONE', 'Two', 'tHREE']);
  });

  test('what lies in another folder is no twin', () => {
    const siblings = new Siblings('linux');
    expect(twinsIn(siblings, 0, [['a', 7]])).toEqual([]);
    expect(
      twinsIn(siblings, 1, [
        ['A', 7],
        ['b', 7],
      ]),
    ).toEqual([]);
    expect(
      twinsIn(siblings, 0, [
        ['A', 7],
        ['B', 7],
      ]),
    ).toEqual([]);
  });
});
