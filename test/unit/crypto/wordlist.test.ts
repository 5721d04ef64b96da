import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { indexOfWord, WORDS } from '../../../src/crypto/wordlist.js';

const scripts = new URL('../../../scripts/', import.meta.url);
const linesOf = (name: string): string[] => readFileSync(new URL(name, scripts), 'utf8').trim().split('\n');

describe('the word list', () => {
  it('has 2048 different words, 11 bits each', () => {
    expect(WORDS).toHaveLength(2048);
    expect(new Set(WORDS).size).toBe(2048);
  });

  it('has words of 3 to 8 letters a-z', () => {
    expect(WORDS.filter((word) => !/^[a-z]{3,8}$/.test(word))).toEqual([]);
  });

  it('is in alphabetical order', () => {
    expect(WORDS).toEqual([...WORDS].sort());
  });

  it('tells every word from all others by its first four letters', () => {
    const alike = WORDS.filter((word, index) => WORDS[index + 1]?.startsWith(word.slice(0, 4)));
    expect(alike).toEqual([]);
  });

  it('holds nothing of the refused words, and no plural of another word', () => {
    const refused = new Set(linesOf('make-wordlist.refused.txt'));
    expect(refused.size).toBeGreaterThan(300);
    const digest = (word: string): string => createHash('sha256').update(word).digest('hex').slice(0, 16);
    expect(WORDS.filter((word) => refused.has(digest(word)) || refused.has(digest(`${word}s`)))).toEqual([]);
    expect(WORDS.filter((word) => WORDS.includes(`${word}s`))).toEqual([]);
  });

  it('holds none of the words that people say while they dictate a code', () => {
    const spoken =
      'zero one two three four five six seven eight nine ten dash minus hyphen space capital'.split(' ');
    expect(WORDS.filter((word) => spoken.includes(word))).toEqual([]);
  });

  it('is what the script makes of the choice', () => {
    expect(WORDS).toEqual(linesOf('make-wordlist.choice.txt'));
  });

  it('never changes: it is part of the protocol', () => {
    expect(createHash('sha256').update(WORDS.join('\n')).digest('hex')).toMatchInlineSnapshot(
      `"4c581491920c13eb0b9d606a5d7aa64087066328f19e69a0aa86097a7f506b5a"`,
    );
  });

  it('has the words of the documentation, and knows where each word stands', () => {
    expect(WORDS).toContain('apple');
    expect(WORDS).toContain('tiger');
    expect(WORDS.map(indexOfWord)).toEqual([...WORDS.keys()]);
    expect(['', 'Apple', 'appl', 'apples', 'constructor'].map(indexOfWord)).toEqual(Array(5).fill(undefined));
  });
});
