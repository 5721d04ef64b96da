import { beforeAll, describe, expect, it } from 'vitest';
import { OwnerCheck, proveOwner, stretchPassword } from '../../../src/crypto/owner.js';
import { Secret } from '../../../src/crypto/secret.js';
import { loadPairingSodium } from '../../../src/crypto/sodium.js';

const SESSION = Buffer.alloc(32, 7);
const stretched = (byte: number): Secret => new Secret(Buffer.alloc(32, byte));

beforeAll(() => loadPairingSodium());

describe('the proof of an owner', () => {
  it('is accepted from who knows the password, in the same session', () => {
    const check = new OwnerCheck(stretched(1), SESSION);
    expect(check.accepts(proveOwner(stretched(1), SESSION, check.point)!)).toBe(true);
  });

  it('row 70: is not accepted from who knows another one', () => {
    const check = new OwnerCheck(stretched(1), SESSION);
    expect(check.accepts(proveOwner(stretched(2), SESSION, check.point)!)).toBe(false);
  });

  it('row 70: is worth nothing in another session, or for another try', () => {
    const [one, other] = [new OwnerCheck(stretched(1), SESSION), new OwnerCheck(stretched(1), SESSION)];
    const proof = proveOwner(stretched(1), SESSION, one.point)!;
    expect(other.accepts(proof)).toBe(false);
    const elsewhere = new OwnerCheck(stretched(1), Buffer.alloc(32, 8));
    expect(elsewhere.accepts(proveOwner(stretched(1), SESSION, elsewhere.point)!)).toBe(false);
  });

  it.each([
    ['what is no point', Buffer.alloc(32, 0xff)],
    ['the neutral point', new Uint8Array(32)],
    ['too few bytes', new Uint8Array(31)],
  ])('row 70: is neither made for nor taken with %s', (_, point) => {
    expect(proveOwner(stretched(1), SESSION, point)).toBeUndefined();
    const check = new OwnerCheck(stretched(1), SESSION);
    expect(check.accepts({ point, tag: new Uint8Array(64) })).toBe(false);
  });

  it('row 70: is not the own point of the share, sent back', () => {
    const check = new OwnerCheck(stretched(1), SESSION);
    expect(check.accepts({ point: check.point, tag: new Uint8Array(64) })).toBe(false);
  });

  it('is for one try', () => {
    const check = new OwnerCheck(stretched(1), SESSION);
    const proof = proveOwner(stretched(1), SESSION, check.point)!;
    expect(check.accepts(proof)).toBe(true);
    expect(() => check.accepts(proof)).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});

it('a password is stretched with Argon2id, differently for each salt', () => {
  const password = (): Secret => new Secret(Buffer.from('correct horse'));
  const [one, again, other] = [0x30, 0x30, 0x31].map((byte) =>
    stretchPassword(password(), Buffer.alloc(16, byte)).expose(),
  );
  expect(Buffer.from(one!).toString('hex')).toBe(Buffer.from(again!).toString('hex'));
  expect(Buffer.from(one!).toString('hex')).not.toBe(Buffer.from(other!).toString('hex'));
  // argon2 -id -t 3 -m 16 -p 1 -l 32, computed with the reference program.
  expect(Buffer.from(one!).toString('hex')).toBe(
    '186b901fa441fbddfeed80aa3ce5d54d7397045c5c46f6d727de888b0543a905',
  );
});
