import { describe, expect, test } from 'vitest';
import { demandWords, readWords } from '../../../src/cli/words.js';
import { nameMatcher } from '../../../src/index.js';

const textsOf = (line: string, escapes?: boolean): string[] =>
  readWords(line, escapes).words.map(({ text }) => text);

test.each<[string, string[]]>([
  ['', []],
  ['  \t ', []],
  ['ls', ['ls']],
  [' get  a b ', ['get', 'a', 'b']],
  [`'a b' "c d" e\\ f`, ['a b', 'c d', 'e f']],
  [`a'b 'c"d "e`, ['ab cd e']],
  [`"it's" 'say "x"'`, ["it's", 'say "x"']],
  [String.raw`"a\"b" "a\nb" 'a\b'`, ['a"b', String.raw`a\nb`, String.raw`a\b`]],
  [`'' ""`, ['', '']],
  ['$HOME `id` $(id) ; | & > # ~', ['$HOME', '`id`', '$(id)', ';', '|', '&', '>', '#', '~']],
  ['näme 日本', ['näme', '日本']],
])('%j is the words %j', (line, words) => {
  expect(textsOf(line)).toEqual(words);
  expect(readWords(line).isOpen).toBe(false);
});

test.each(["a 'b", 'a "b', 'a\\', `"a'`, `"a\\"`])('%j is not over', (line) => {
  expect(readWords(line).isOpen).toBe(true);
  expect(() => demandWords(line)).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
});

test('a backslash is a letter in paths of Windows', () => {
  expect(textsOf(String.raw`"C:\Program Files\vim.exe" C:\x\ `, false)).toEqual([
    String.raw`C:\Program Files\vim.exe`,
    String.raw`C:\x` + '\\',
  ]);
});

test('words know where they begin', () => {
  expect(readWords(` get 'a b'  c`).words.map(({ start }) => start)).toEqual([1, 5, 12]);
});

describe('a glob', () => {
  const globOf = (word: string): string | undefined => readWords(word).words[0]?.glob;

  test.each(['a', `'*.txt'`, String.raw`\*`, '"[a]"', String.raw`a\{b`])('is none in %s', (word) => {
    expect(globOf(word)).toBeUndefined();
  });

  test.each<[string, string, string]>([
    ['*.txt', 'a.txt', 'a.pdf'],
    [`'my '*`, 'my file', 'your file'],
    [`'a[1]'*`, 'a[1].txt', 'a1.txt'],
    [String.raw`a\*?`, 'a*b', 'abb'],
    [`"{x,y}"*`, '{x,y}z', 'xz'],
  ])('%s takes %s and not %s', async (word, name, other) => {
    const matches = await nameMatcher(globOf(word) ?? '');
    expect(matches(name)).toBe(true);
    expect(matches(other)).toBe(false);
  });
});
