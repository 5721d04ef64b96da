import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { displayWidth } from '../../../src/cli/display-width.js';
import { cut, fold, show, showJson, showText, wrap } from '../../../src/cli/show.js';

/** What may never reach a terminal, written another way than in the code under test. */
const OBEYED =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;

/** Text with many of the characters that matter. */
const hostile = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\u001b[2J',
      '\u001b]52;c;AAAA\u0007',
      '\u009b31m',
      '\r',
      '\b',
      '\u202e',
      '\u2066',
      '\u200d',
      '\ud800',
    ),
    fc.constantFrom('a', '漢', '한', '👩‍👩‍👧', 'é', 'e\u0301', '❤️', '\u3164', '\u{e0041}'),
  ),
);

describe('show', () => {
  test.each([
    ['plain.txt', 'plain.txt'],
    ['crème brûlée 漢字 👍.txt', 'crème brûlée 漢字 👍.txt'],
    ['\u001b]0;owned\u0007', '\\u{1b}]0;owned\\u{7}'],
    ['\u001b]52;c;cm0gLXJm\u0007', '\\u{1b}]52;c;cm0gLXJm\\u{7}'],
    ['\u001b]8;;http://evil\u001b\\here', '\\u{1b}]8;;http://evil\\u{1b}\\here'],
    ['\u009b31mred', '\\u{9b}31mred'],
    ['two\r\nlines\b', 'two\\u{d}\\u{a}lines\\u{8}'],
    ['\ud800', '\\u{d800}'],
    ['\u2028', '\\u{2028}'],
    ['\ue000', '\\u{e000}'],
  ])('row 55: controls in %j are shown, not obeyed', (text, shown) => {
    expect(show(text)).toBe(shown);
  });

  test.each([
    ['invoice\u202egpj.exe', 'invoice\\u{202e}gpj.exe'],
    ['a\u2066b\u2069', 'a\\u{2066}b\\u{2069}'],
    ['pass\u200bword\ufeff', 'pass\\u{200b}word\\u{feff}'],
    ['\u3164', '\\u{3164}'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['a\ufff9b', 'a\\u{fff9}b'],
  ])('row 56: bidirectional and invisible characters in %j are shown', (text, shown) => {
    expect(show(text)).toBe(shown);
  });

  test('rows 55 and 56: no text brings a control, bidirectional or invisible character through', () => {
    fc.assert(
      fc.property(hostile, (pieces) => {
        const text = pieces.join('');
        expect(show(text, Infinity)).not.toMatch(OBEYED);
        expect(showJson({ text })).not.toMatch(OBEYED);
        expect(showText(text).replace(/[\n\t]/g, '')).not.toMatch(OBEYED);
      }),
    );
  });

  test('row 57: nothing is wider than it may be', () => {
    fc.assert(
      fc.property(hostile, fc.nat(120), (pieces, width) => {
        expect(displayWidth(show(pieces.join(''), width))).toBeLessThanOrEqual(width);
      }),
    );
  });

  test.each([
    ['a-very-long-name-of-a-photo.jpeg', 16, 'a-very-l…to.jpeg'],
    ['漢字漢字漢字漢字.txt', 12, '漢字漢….txt'],
    ['short.txt', 9, 'short.txt'],
    ['anything', 1, '…'],
    ['anything', 0, ''],
  ])('row 57: %j in %i columns keeps its end', (text, width, shown) => {
    expect(show(text, width)).toBe(shown);
  });

  test('a cut never parts what is one character on the screen', () => {
    expect(cut('e\u0301'.repeat(10), 5)).toBe('e\u0301e\u0301…e\u0301e\u0301');
  });
});

test('a text keeps its lines and tabs and nothing else', () => {
  expect(showText('one\r\n\ttwo\u001b[1m\rthree\n')).toBe('one\n\ttwo\\u{1b}[1m\\u{d}three\n');
});

test('row 55: JSON keeps its meaning', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(JSON.parse(showJson({ text }))).toEqual({ text });
    }),
  );
  expect(showJson('\u202e\u009b')).toBe('"\\u202e\\u009b"');
});

describe('row 57: a sentence on a narrow terminal', () => {
  const sentence = 'connected directly to 192.168.1.5:7337; the code is used up';

  test('is broken between words', () => {
    expect(wrap(sentence, 40)).toEqual(['connected directly to 192.168.1.5:7337;', 'the code is used up']);
    expect(wrap(sentence, 80)).toEqual([sentence]);
    expect(wrap('a-word-that-is-too-long for it', 10)).toEqual(['a-word-that-is-too-long', 'for it']);
  });

  test('but not what is there to be copied', () => {
    const command = '  xfer receive 417-apple-tiger --connect 192.168.1.5:7337';
    expect(wrap(command, 40)).toEqual([command]);
  });
});

test('row 58: no row of what is folded is longer than it may be', () => {
  expect(fold('one two three', 7)).toEqual(['one two', 'three']);
  expect(fold('a\u00a0bcdefgh ij', 4)).toEqual(['a\u00a0bc', 'defg', 'h', 'ij']);
  expect(fold('漢字漢字', 5)).toEqual(['漢字', '漢字']);
  expect(fold('  indented stays in its place', 10)).toEqual(['  indented', ' stays in ', 'its place']);
  expect(fold('', 5)).toEqual(['']);
});
