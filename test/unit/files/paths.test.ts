import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { XferError } from '../../../src/errors.js';
import {
  checkName,
  collisionKey,
  foldsNames,
  isPortable,
  thisPlatform,
  type NamePlatform,
} from '../../../src/files/paths.js';

interface Vector {
  readonly row: number;
  readonly name: string;
  readonly linux: string;
  readonly darwin: string;
  readonly win32: string;
  readonly why: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/names.json', import.meta.url), 'utf8'),
) as readonly Vector[];
const platforms: readonly NamePlatform[] = ['linux', 'darwin', 'win32'];

/** What the check says, or the code of what it throws. */
function verdict(name: string, platform: NamePlatform): string {
  try {
    const result = checkName(name, platform);
    return result === 'ok' ? 'ok' : result.refused;
  } catch (error) {
    return error instanceof XferError ? error.code : 'no XferError';
  }
}

const rows = [36, 37, 38, 39, 40, 43, 44];

/** Compares what the check says of every name of a row, on every system, with the vectors. */
function expectAsListed(row: number): void {
  const ofRow = vectors.filter((vector) => vector.row === row);
  expect(ofRow).not.toEqual([]);
  for (const { name, why, ...expected } of ofRow) {
    for (const platform of platforms) {
      expect(`${JSON.stringify(name)} on ${platform}: ${verdict(name, platform)}`).toBe(
        `${JSON.stringify(name)} on ${platform}: ${expected[platform]}`,
      );
    }
    expect(isPortable(name), why).toBe(expected.win32 === 'ok');
  }
}

describe('checkName', () => {
  test('row 36: names that leave their folder', () => expectAsListed(36));
  test('row 37: absolute names and drives', () => expectAsListed(37));
  test('row 38: control characters, broken Unicode, too long names', () => expectAsListed(38));
  test('row 39: backslashes', () => expectAsListed(39));
  test('row 40: what Windows cannot keep', () => expectAsListed(40));
  test('row 43: names with a meaning elsewhere mean nothing', () => expectAsListed(43));
  test('row 44: odd but good names', () => expectAsListed(44));

  test('every vector belongs to a row', () => {
    expect(vectors.filter(({ row }) => !rows.includes(row))).toEqual([]);
  });

  test('row 36: no accepted path leaves the target', () => {
    const segment = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('.', '/', '\\', ':', 'C', ' ', '~', '\0', 'é'), maxLength: 6 }),
      fc.constantFrom(...vectors.map(({ name }) => name)),
    );
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 8 }), (segments) => {
        for (const [platform, flavour, target] of [
          ['linux', path.posix, '/home/ann/target'],
          ['win32', path.win32, 'C:\\Users\\ann\\target'],
        ] as const) {
          const kept = segments.filter((name) => verdict(name, platform) === 'ok');
          const arrived = flavour.resolve(target, ...kept);
          // Each segment is there, as a segment of its own, below the target.
          expect(arrived).toBe([target, ...kept].join(flavour.sep));
        }
      }),
    );
  });

  test('row 38: gives the same answer or error for any text, every time', () => {
    const anyText = fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    });
    fc.assert(
      fc.property(anyText, fc.constantFrom(...platforms), (name, platform) => {
        const first = verdict(name, platform);
        expect(['ok', 'name-refused', 'protocol']).toContain(first);
        expect(verdict(name, platform)).toBe(first);
        // What one system calls hostile all do.
        expect(first === 'protocol').toBe(verdict(name, 'linux') === 'protocol');
      }),
    );
  });
});

describe('collisionKey', () => {
  test.each([
    ['README', 'readme'],
    ['caf\u00e9', 'cafe\u0301'],
    ['straße', 'STRASSE'],
    ['straße', 'STRA\u1e9eE'],
    ['\u017f', 's'],
    ['\u212a', 'k'],
    ['\ufb01le', 'file'],
    ['Ａ', 'a'],
  ])('row 42: %j and %j collide', (one, other) => {
    expect(collisionKey(one)).toBe(collisionKey(other));
  });

  test('row 42: different names do not', () => {
    expect(collisionKey('e')).not.toBe(collisionKey('é'));
    expect(collisionKey('a b')).not.toBe(collisionKey('ab'));
  });

  test('row 42: does not see a capital that comes apart', () => {
    // Its capital is three characters, of which two become one when they are normalised.
    expect(collisionKey('\u1fd2')).toBe(collisionKey('\u1fd2'.toUpperCase()));
  });

  test('row 42: does not see the case of letters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(collisionKey(name.toUpperCase())).toBe(collisionKey(name.toUpperCase().toLowerCase()));
      }),
    );
  });
});

describe('the rules of the system', () => {
  const { platform } = process;

  afterEach(() => {
    Object.defineProperty(process, 'platform', { value: platform });
  });

  test.each([
    ['win32', 'win32'],
    ['darwin', 'darwin'],
    ['linux', 'linux'],
    ['freebsd', 'linux'],
  ])('on %s are those of %s', (system, rules) => {
    Object.defineProperty(process, 'platform', { value: system });
    expect(thisPlatform()).toBe(rules);
  });

  test('row 42: only those of Linux tell the cases of letters apart', () => {
    expect(platforms.filter(foldsNames)).toEqual(['darwin', 'win32']);
  });
});
