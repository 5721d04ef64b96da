import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { XferError } from '../../../src/errors.js';
import {
  agree,
  decodeAccept,
  decodeConfirm,
  decodeReply,
  decodeStart,
  decodeTerms,
  encodeAccept,
  encodeConfirm,
  encodeReply,
  encodeStart,
  encodeTerms,
  termsOf,
} from '../../../src/peer/pairing-messages.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const share = fc.record({ ad: fc.uint8Array({ maxLength: 200 }), point: bytes(32) });
const confirmation = fc.record({ tag: bytes(64), kemPublicKey: bytes(1216) });
const acceptance = fc.record({ tag: bytes(64), kemCiphertext: bytes(1120) });
const plain = (fields: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [...value]]));

describe('pairing messages', () => {
  test('decode what was encoded', () => {
    fc.assert(
      fc.property(share, confirmation, acceptance, (said, confirmed, accepted) => {
        expect(plain({ ...decodeStart(encodeStart(said)) })).toEqual(plain(said));
        expect(plain({ ...decodeReply(encodeReply(said)) })).toEqual(plain(said));
        expect(plain({ ...decodeConfirm(encodeConfirm(confirmed)) })).toEqual(plain(confirmed));
        expect(plain({ ...decodeAccept(encodeAccept(accepted)) })).toEqual(plain(accepted));
      }),
    );
  });

  test('start is what protocol section 5 says', () => {
    const ad = encodeTerms('joiner', termsOf({ aes: true, zstd: true }));
    expect(Buffer.from(ad).toString('hex')).toBe('066a6f696e6572' + '0101' + '00000003');
    const start = encodeStart({ ad, point: new Uint8Array(32).fill(7) });
    expect(Buffer.from(start).toString('hex')).toBe(
      `010d${Buffer.from(ad).toString('hex')}${'07'.repeat(32)}`,
    );
  });

  test.each([
    decodeStart,
    decodeReply,
    decodeConfirm,
    decodeAccept,
    (all: Uint8Array) => decodeTerms('host', all),
  ])('random bytes give a message or an error of ours', (decode) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1400 }), (random) => {
        try {
          decode(random);
        } catch (error) {
          expect(error).toBeInstanceOf(XferError);
        }
      }),
    );
  });

  test('row 10: what is agreed on is the same on both sides, and no version in common is an end', () => {
    const capabilities = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const terms = fc.record({
      versions: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
      capabilities,
    });
    fc.assert(
      fc.property(terms, terms, (ours, theirs) => {
        const common = ours.versions.some((version) => theirs.versions.includes(version));
        if (!common) {
          expect(() => agree(ours, theirs)).toThrow('version-unsupported');
          return;
        }
        expect(agree(ours, theirs).aead).toBe(agree(theirs, ours).aead);
        expect(agree(ours, theirs).compressions.has('zstd')).toBe((theirs.capabilities & 2) !== 0);
      }),
    );
  });

  test('row 7: the terms of one side are not taken for those of the other', () => {
    const terms = termsOf({ aes: true, zstd: false });
    expect(decodeTerms('host', encodeTerms('host', terms))).toEqual(terms);
    expect(() => decodeTerms('host', encodeTerms('joiner', terms))).toThrow('protocol');
  });
});
