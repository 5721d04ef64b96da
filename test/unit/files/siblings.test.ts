import { describe, expect, test } from 'vitest';
import { Siblings, type Found } from '../../../src/files/siblings.js';

/** A file with other names elsewhere. */
function file(ino: number, details: Partial<Found> = {}): Found {
  return { dev: 1, ino, nlink: 9, isDirectory: () => false, ...details };
}

/** Adds what entries of a folder found, and gives the names of those that found the same as one before. */
function twinsIn(
  siblings: Siblings,
  folder: number,
  found: readonly (readonly [string, number | Found])[],
): string[] {
  const isTwin = (name: string, what: number | Found): boolean =>
    siblings.addFound(folder, name, typeof what === 'number' ? file(what) : what);
  return found.filter(([name, what]) => isTwin(name, what)).map(([name]) => name);
}

describe('Siblings', () => {
  test.each(['darwin', 'win32'] as const)(
    'on %s takes names that fold into one once in each folder',
    (platform) => {
      const siblings = new Siblings(platform);
      const taken = ['a', 'A', 'ä', 'a\u0308', 'b'].filter((name) => siblings.add(0, name));
      expect(taken).toEqual(['a', 'ä', 'b']);
      expect(siblings.add(1, 'A')).toBe(true);
      expect(siblings.addFound(1, 'a', file(7))).toBe(false);
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

  test('a file with one name, and a folder, is the same under whatever names', () => {
    const siblings = new Siblings('linux');
    const alone = (ino: number): Found => file(ino, { nlink: 1 });
    const folder = (ino: number): Found => file(ino, { isDirectory: () => true });
    expect(
      twinsIn(siblings, 0, [
        ['a', alone(7)],
        ['a.', alone(7)],
        ['A~1', alone(7)],
        ['b', alone(8)],
        ['c', folder(9)],
        ['c.', folder(9)],
      ]),
    ).toEqual(['a.', 'A~1', 'c.']);
  });

  test('what only has a number in common is not the same', () => {
    const siblings = new Siblings('linux');
    const alone = (dev: number, ino: number): Found => file(ino, { dev, nlink: 1 });
    expect(
      twinsIn(siblings, 0, [
        // The tops of other file systems often have the same number.
        ['one', file(256, { dev: 2, isDirectory: () => true })],
        ['two', file(256, { dev: 3, isDirectory: () => true })],
        ['a', alone(1, 256)],
        // What a JavaScript number does not tell apart.
        ['b', alone(1, 2 ** 60)],
        ['c', alone(1, 2 ** 60 + 1)],
        ['C', alone(1, 2 ** 60 + 1)],
        // Of a file system that has none to give.
        ['d', alone(1, 0)],
        ['e', alone(1, 0)],
      ]),
    ).toEqual(['C']);
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
