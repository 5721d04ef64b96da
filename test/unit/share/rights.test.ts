import { describe, expect, it, test } from 'vitest';
import { checkRights, NO_RIGHTS, parseRights } from '../../../src/share/rights.js';

const NOTHING = { read: false, write: false, delete: false, inbox: false, dotfiles: false, run: false };

test('row 72: where none is given, each is withheld', () => {
  expect(NO_RIGHTS).toEqual(NOTHING);
});

describe('rights, as people write them,', () => {
  test.each([
    ['none', {}],
    ['read', { read: true }],
    ['read,write', { read: true, write: true }],
    [' read , delete ', { read: true, delete: true }],
    ['inbox', { inbox: true }],
    ['inbox,dotfiles', { inbox: true, dotfiles: true }],
    ['run', { run: true }],
  ])('%j', (text, rights) => {
    expect(parseRights(text)).toEqual({ ...NOTHING, ...rights });
  });

  it.each(['', 'read,', 'Read', 'all', 'none,read', 'read write', '__proto__', 'toString'])(
    'row 72: %j is refused: nothing is allowed by mistake',
    (text) => {
      expect(() => parseRights(text)).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );

  it.each(['read', 'write', 'delete'] as const)('an inbox does not go with %s', (right) => {
    expect(() => checkRights({ ...NO_RIGHTS, inbox: true, [right]: true })).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
  });
});
