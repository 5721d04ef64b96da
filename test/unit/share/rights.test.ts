import { describe, expect, it, test } from 'vitest';
import { checkRights, NO_RIGHTS, parseRights, RIGHTS } from '../../../src/share/rights.js';

it('nobody has a right that was not given', () => {
  expect(RIGHTS.map((right) => NO_RIGHTS[right])).toEqual(RIGHTS.map(() => false));
});

describe('rights, as people write them,', () => {
  test.each([
    ['none', {}],
    ['read', { read: true }],
    ['read,write', { read: true, write: true }],
    [' read , delete ', { read: true, delete: true }],
    ['inbox', { inbox: true }],
    ['inbox,dotfiles', { inbox: true, dotfiles: true }],
  ])('%j', (text, rights) => {
    expect(parseRights(text)).toEqual({ ...NO_RIGHTS, ...rights });
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
