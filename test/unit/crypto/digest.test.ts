import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blake3, DIGEST_BYTES, digestOf, equalBytes, TreeDigest } from '../../../src/crypto/digest.js';

const MIB = 2 ** 20;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const H = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = new Blake3();
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** Bytes that do not repeat, the same in every run. */
function content(length: number): Uint8Array {
  return createHash('shake256', { outputLength: length }).update('content').digest();
}

/** docs/protocol.md section 8, word by word. */
function treeByTheText(bytes: Uint8Array): string {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += MIB)
    leaves.push(H(Uint8Array.of(0), bytes.subarray(at, at + MIB)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(bytes.length));
  return hex(H(Uint8Array.of(1), ...leaves, size));
}

describe('Blake3', () => {
  it.each([
    ['', 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
    ['abc', '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85'],
  ])('has the known digest of %j', (text, digest) => {
    expect(hex(new Blake3().update(Buffer.from(text)).digest())).toBe(digest);
  });
});

describe('TreeDigest', () => {
  const big = content(3 * MIB + 12_345);

  it.each([0, 1, 65_536, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 12_345])(
    'follows the protocol at %d bytes',
    (n) => {
      const bytes = big.subarray(0, n);
      expect(hex(digestOf(bytes))).toBe(treeByTheText(bytes));
      expect(digestOf(bytes)).toHaveLength(DIGEST_BYTES);
    },
  );

  it('has fixed digests', () => {
    expect([0, 1, MIB, MIB + 1].map((n) => hex(digestOf(new Uint8Array(n))))).toMatchInlineSnapshot(`
      [
        "9b779f74b305adc3ec513485085d52e95f9ce4fbaf9e56cb02d38a07e19353df",
        "a6fca9b666aa5ebbc64b21311b77259283876ed31f05df1e93a6c4c84e2f1782",
        "ae0dd2a9b2626818999dad5e3c744a30c47811a0c9eb80f425233ceab157a6e7",
        "f2f1d3a87de0e2aef127d112e93e874c44e17afd6e2f1674a513214ed075d675",
      ]
    `);
  });

  it('does not depend on how the bytes are split', () => {
    const whole = hex(digestOf(big));
    const cuts = fc.array(fc.nat(big.length), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (at) => {
        const digest = new TreeDigest();
        const bounds = [0, ...at.toSorted((a, b) => a - b), big.length];
        for (const [index, end] of bounds.entries()) digest.update(big.subarray(bounds[index - 1] ?? 0, end));
        expect(hex(digest.digest())).toBe(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('counts holes as zero bytes', () => {
    const around = fc.nat(MIB + 10);
    fc.assert(
      fc.property(around, fc.nat(3 * MIB), around, (before, hole, after) => {
        const bytes = new Uint8Array(before + hole + after);
        bytes.set(big.subarray(0, before));
        bytes.set(big.subarray(0, after), before + hole);
        const skipped = new TreeDigest()
          .update(big.subarray(0, before))
          .skipZeros(hole)
          .update(big.subarray(0, after));
        expect(hex(skipped.digest())).toBe(hex(digestOf(bytes)));
      }),
      { numRuns: 20 },
    );
  });

  it('skips a hole of 1 TiB in no time, however it is split', () => {
    const TIB = 2 ** 40;
    const split = new TreeDigest()
      .skipZeros(5)
      .skipZeros(TIB / 2)
      .skipZeros(TIB / 2 - 5);
    expect(hex(split.digest())).toBe(hex(new TreeDigest().skipZeros(TIB).digest()));
  }, 5_000);

  it('tells the size, the order and the last byte', () => {
    const zeros = hex(digestOf(new Uint8Array(MIB)));
    expect(hex(digestOf(new Uint8Array(MIB + 1)))).not.toBe(zeros);
    expect(hex(digestOf(new Uint8Array(MIB - 1)))).not.toBe(zeros);
    const swapped = Buffer.concat([big.subarray(MIB, 2 * MIB), big.subarray(0, MIB)]);
    expect(hex(digestOf(swapped))).not.toBe(hex(digestOf(big.subarray(0, 2 * MIB))));
    const last = Uint8Array.from(big);
    last[last.length - 1]! ^= 1;
    expect(hex(digestOf(last))).not.toBe(hex(digestOf(big)));
  });
});

describe('equalBytes', () => {
  it('compares contents and lengths', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(equalBytes(a, Uint8Array.from(a))).toBe(true);
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });
});
