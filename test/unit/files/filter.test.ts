import { describe, expect, test } from 'vitest';
import { matchGlobs, pathMatcher } from '../../../src/files/filter.js';
import { codeOf } from './collect.js';

describe('matchGlobs', () => {
  test.each([
    ['*.jpg', 'r/a/b.jpg', true],
    ['*.jpg', 'r/a.jpeg', false],
    ['a/*.jpg', 'r/a/b.jpg', true],
    ['r/a/*.jpg', 'r/a/b.jpg', true],
    ['a/*.jpg', 'r/x/a/b.jpg', false],
    ['**/a/*.jpg', 'r/x/a/b.jpg', true],
    ['*', 'r/.hidden', true],
    ['./a', 'r/a', true],
    ['/a', 'r/a', true],
    ['{a,b}', 'r/b', true],
    ['[ab]c', 'r/bc', true],
    ['A', 'r/a', false],
    ['r', 'r', true],
    ['a', 'r/a/b', false],
  ])('%s and %s', (glob, path, expected) => {
    expect(matchGlobs([glob])(path)).toBe(expected);
  });

  test('a slash at the end means folders only', () => {
    const matches = matchGlobs(['build/']);
    expect([matches('r/build', true), matches('r/build', false)]).toEqual([true, false]);
  });

  test('one of several is enough, none matches nothing', () => {
    expect(matchGlobs(['x', 'y'])('r/y')).toBe(true);
    expect(matchGlobs([])('r/y')).toBe(false);
  });

  test('what is no glob is a mistake of usage', async () => {
    expect(await codeOf(() => matchGlobs(['']))).toBe('usage');
    expect(await codeOf(() => matchGlobs(['/']))).toBe('usage');
  });
});

describe('pathMatcher', () => {
  test.each([
    ['a', 'r/a/b/c.jpg', true],
    ['r', 'r/a/b/c.jpg', true],
    ['a/b', 'r/a/b/c.jpg', true],
    ['a/b/', 'r/a/b/c.jpg', true],
    ['c', 'r/a/b/c.jpg', false],
    ['*.jpg', 'r/a/b/c.jpg', true],
    ['*.jpg', 'r/a/b', false],
  ])('%s takes %s: %s', (glob, path, expected) => {
    expect(pathMatcher([glob])(path)).toBe(expected);
  });
});
