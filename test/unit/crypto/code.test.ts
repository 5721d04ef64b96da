import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  completeWord,
  formatCode,
  generateCode,
  generateNameplate,
  type Nameplate,
  parseCode,
  passwordOf,
  suggestWord,
  topicFor,
  topicOf,
} from '../../../src/crypto/code.js';
import { loadHashing, loadPairingSodium } from '../../../src/crypto/sodium.js';
import { WORDS } from '../../../src/crypto/wordlist.js';
import { XferError } from '../../../src/errors.js';
import vectors from '../../vectors/key-schedule.json' with { type: 'json' };
import { toHex, topic } from './reference.js';
import { codeThrownBy } from './thrown.js';

beforeAll(() => Promise.all([loadHashing(), loadPairingSodium()]));

const nameplates = fc.integer({ min: 1, max: 999_999 }).map(String);
const word = fc.constantFrom(...WORDS);
const words = fc.array(word, { minLength: 2, maxLength: 16 });

describe('parseCode', () => {
  it('takes what formatCode gives', () => {
    fc.assert(
      fc.property(nameplates, words, (nameplate, list) => {
        const code = parseCode([nameplate, ...list].join('-'));
        expect(code.nameplate).toBe(nameplate);
        expect(code.words).toEqual(list);
        expect(formatCode(parseCode(formatCode(code)))).toBe([nameplate, ...list].join('-'));
      }),
    );
  });

  it.each([
    '417-apple-tiger',
    '417-Apple-TIGER',
    '417 apple tiger',
    '  417   apple\ttiger \n',
    '417_apple_tiger',
    '417 - apple - tiger',
    '417--apple--tiger',
    '417-apple tiger',
    '417-apple-tiger.',
    '417 apple tiger!',
    '"417-apple-tiger"',
    '“417-apple-tiger”',
    '`417-apple-tiger`,',
    '417–apple—tiger',
    '417‑apple‐tiger',
    '４１７-ａｐｐｌｅ-tiger',
    '417-ap\u00ADple-ti\u200Bger',
    'xfer receive 417-apple-tiger',
    '$ xfer receive 417-apple-tiger',
    'xfer receive --out photos 417-apple-tiger --yes',
    'xfer receive --connect 192.168.1.2:7337 417-apple-tiger',
    'xfer receive --connect 10.0.0.1:7337 417 apple tiger --yes',
    'xfer receive 417 apple tiger',
    'xfer receive --listen 7337 417 apple tiger',
    'XFER_CODE=417-apple-tiger xfer receive',
    "XFER_CODE='417-apple-tiger' xfer receive",
    'The code is 417-apple-tiger.',
    'Code: 417 apple tiger',
    '(417-apple-tiger)',
  ])('understands %j', (input) => {
    expect(formatCode(parseCode(input))).toBe('417-apple-tiger');
  });

  it('reads any upper case and any white space alike', () => {
    const gap = fc.constantFrom(' ', '  ', '\t', '\n', '\u00A0', '_', '-', '--', ' - ', '\u2013');
    fc.assert(
      fc.property(
        nameplates,
        fc.array(word, { minLength: 2, maxLength: 4 }),
        gap,
        fc.boolean(),
        (plate, list, by, up) => {
          const typed = [plate, ...list].join(by);
          expect(formatCode(parseCode(up ? typed.toUpperCase() : typed))).toBe([plate, ...list].join('-'));
        },
      ),
    );
  });

  it.each([
    '',
    ' ',
    '-',
    'apple',
    'apple-tiger',
    '417',
    '417-',
    '417-apple',
    '0-apple-tiger',
    '017-apple-tiger',
    '1234567-apple-tiger',
    '-417',
    'apple-tiger-417',
    `417${'-apple'.repeat(17)}`,
    'xfer receive',
  ])('refuses %j', (input) => {
    expect(codeThrownBy(() => parseCode(input))).toBe('bad-code');
  });

  it.each([
    ['417-aple-tiger', 'aple', 'apple'],
    ['417-apple-tigre', 'tigre', 'tiger'],
    ['417-apple-tige', 'tige', 'tiger'],
    ['417-apples-tiger', 'apples', 'apple'],
    ['417 app1e tiger', 'app1e', 'apple'],
    ['417-äpple-tiger', 'äpple', 'apple'],
    ['417-apple-xyzzyxyz', 'xyzzyxyz', undefined],
    [`417-apple-${'a'.repeat(10_000)}`, 'a'.repeat(10_000), undefined],
  ])('asks about an unknown word: %j', (input, subject, detail) => {
    const thrown = thrownBy(() => parseCode(input));
    expect(thrown).toMatchObject({ code: 'unknown-word', subject });
    expect(thrown?.detail).toBe(detail);
  });

  it('takes no beginning of a word for the word: a person decides', () => {
    expect(codeThrownBy(() => parseCode('417-appl-tiger'))).toBe('unknown-word');
  });

  it('gives a code or a XferError for any text', () => {
    const pieces = fc.oneof(fc.string(), fc.constantFrom('417', 'apple', 'tiger', '-', ' ', '--yes', '1'));
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const code = codeThrownBy(() => parseCode(parts.join('')));
        expect([undefined, 'bad-code', 'unknown-word']).toContain(code);
      }),
    );
  });

  it('row 14: says nothing of what was typed where it is no code', () => {
    expect(thrownBy(() => parseCode('417-apple'))?.message).toBe('bad-code');
  });
});

describe('suggestWord', () => {
  it('finds a word behind one letter that is wrong, missing or too many', () => {
    const slip = fc.tuple(
      word,
      fc.nat(),
      fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz')),
      fc.nat(2),
    );
    fc.assert(
      fc.property(slip, ([right, at, letter, kind]) => {
        const position = at % right.length;
        const typed =
          right.slice(0, position) +
          (kind === 0 ? '' : letter) +
          right.slice(position + (kind === 1 ? 0 : 1));
        fc.pre(typed.length >= 4);
        expect(suggestWord(typed)).toBeDefined();
      }),
    );
  });

  it('completes from four letters on and prefers the same first letter', () => {
    expect(
      WORDS.filter((full) => full.length > 4).every((full) => suggestWord(full.slice(0, 4)) === full),
    ).toBe(true);
    expect(suggestWord('tigar')).toBe('tiger');
    expect(suggestWord('TIGAR')).toBe('tiger');
    expect(suggestWord('q')).toBeUndefined();
    expect(suggestWord('')).toBeUndefined();
  });
});

describe('completeWord', () => {
  it('gives the words with a beginning', () => {
    expect(completeWord('tig')).toEqual(['tiger']);
    expect(completeWord('TIG')).toEqual(['tiger']);
    expect(completeWord('zeb')).toEqual(['zebra']);
    expect(completeWord('qx')).toEqual([]);
    expect(completeWord('')).toEqual(WORDS);
  });
});

describe('generating', () => {
  it('makes nameplates of the whole range, never with a leading zero', () => {
    const seen = new Set(Array.from({ length: 500 }, () => generateNameplate(1)));
    expect([...seen].sort()).toEqual(Array.from('123456789'));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), (digits) => {
        expect(generateNameplate(digits)).toMatch(new RegExp(`^[1-9][0-9]{0,${digits - 1}}$`));
      }),
    );
    expect(Number(generateNameplate())).toBeLessThan(1000);
    expect(codeThrownBy(() => generateNameplate(7))).toBe('internal');
    expect(codeThrownBy(() => generateNameplate(0))).toBe('internal');
  });

  it('draws words from the whole list and makes codes that parse', () => {
    const first = new Set(Array.from({ length: 400 }, () => generateCode(generateNameplate()).words[0]));
    expect(first.size).toBeGreaterThan(300);
    for (let count = 2; count <= 16; count += 1) {
      const code = generateCode(generateNameplate(), count);
      expect(code.words).toHaveLength(count);
      expect(formatCode(parseCode(formatCode(code)))).toBe(formatCode(code));
    }
  });

  it.each([1, 17, 2.5, Number.NaN])('refuses %d words', (count) => {
    expect(codeThrownBy(() => generateCode('417' as Nameplate, count))).toBe('usage');
  });
});

describe('passwordOf', () => {
  it('is the whole code', () => {
    expect(Buffer.from(passwordOf(parseCode('417 APPLE tiger')).expose()).toString()).toBe('417-apple-tiger');
  });
});

describe('topicOf', () => {
  it.each(vectors.topics)('follows the protocol for $code', (vector) => {
    expect(topic(vector.code)).toBe(vector.topic);
    expect(toHex(topicOf(parseCode(vector.code)))).toBe(vector.topic);
  });

  it('row 15: the last two words change no topic', () => {
    const [plate, ...publicWords] = ['417', 'apple', 'tiger', 'zebra'];
    const long = (last: readonly string[]): string =>
      toHex(topicOf(parseCode([plate, ...publicWords, ...last].join('-'))));
    const pair = fc.tuple(word, word);
    fc.assert(
      fc.property(
        nameplates,
        fc.array(word, { maxLength: 2 }),
        pair,
        pair,
        (nameplate, other, last, changed) => {
          const of = (ending: readonly string[]): string =>
            toHex(topicOf(parseCode([nameplate, ...other, ...ending].join('-'))));
          expect(of(changed)).toBe(of(last));
          expect(of(changed)).toBe(toHex(topicFor(nameplate as Nameplate)));
        },
      ),
    );
    fc.assert(
      fc.property(pair, (last) => long(last) === long(['acorn', 'lemon'])),
      { numRuns: 3 },
    );
  });

  it('differs between nameplates, and between the public words of long codes', () => {
    const topics = ['417-apple-tiger', '418-apple-tiger', '417-apple-tiger-zebra-acorn-lemon'];
    const changed = '417-apple-tiger-robin-acorn-lemon';
    expect(new Set([...topics, changed].map((text) => toHex(topicOf(parseCode(text))))).size).toBe(4);
  });
});

function thrownBy(action: () => unknown): XferError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof XferError) return error;
    throw error;
  }
  return undefined;
}
