import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseCode } from '../../../src/crypto/code.js';
import { SessionKey } from '../../../src/crypto/key-schedule.js';
import { Secret } from '../../../src/crypto/secret.js';
import { codeThrownBy } from './thrown.js';

const bytes = (): Uint8Array => Buffer.from('apple-tiger');

describe('Secret', () => {
  it.each([
    ['a secret', new Secret(bytes())],
    ['a session key', new SessionKey(new Secret(bytes()))],
    ['a code', parseCode('417-apple-tiger')],
  ])('row 14: %s prints as [secret] everywhere', (_, value) => {
    const printed = [
      String(value),
      JSON.stringify({ value }),
      inspect(value),
      inspect({ deep: { value } }, { depth: 9, showHidden: true }),
      format('%s %o %O %j', value, value, value, value),
      inspect(new Error('failed', { cause: value })),
    ];
    for (const text of printed) {
      expect(text).toContain('[secret]');
      expect(text).not.toMatch(/apple|tiger|6170706c65|YXBwbGU|\b97\b|\b61 70\b/);
    }
  });

  it('hands out the bytes it was given, and none after it was erased', () => {
    const owned = bytes();
    const secret = new Secret(owned);
    expect(secret.expose()).toBe(owned);
    secret.erase();
    secret.erase();
    expect(owned).toEqual(Buffer.alloc(11));
    expect(codeThrownBy(() => secret.expose())).toBe('internal');
  });
});
