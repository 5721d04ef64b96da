import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Splitter, spanDigest, spanLengths } from '../../../src/transfer/splitter.js';

const KIB = 1 << 10;
const random = randomBytes(3 << 20);

interface Cut {
  readonly length: number;
  readonly digest: string;
}

function cutsOf(content: Uint8Array, size = content.length, step = content.length + 1): Cut[] {
  const cuts: Cut[] = [];
  const splitter = new Splitter(size, (length, digest) =>
    cuts.push({ length, digest: Buffer.from(digest).toString('hex') }),
  );
  for (let at = 0; at < content.length; at += step) splitter.update(content.subarray(at, at + step));
  splitter.end();
  return cuts;
}

describe('the spans of a file', () => {
  it('are all of it, and within their lengths', () => {
    fc.assert(
      fc.property(fc.nat(random.length), fc.nat(random.length), (one, other) => {
        const content = random.subarray(Math.min(one, other), Math.max(one, other));
        const { least, most } = spanLengths(content.length);
        const cuts = cutsOf(content);
        let at = 0;
        for (const [place, { length, digest }] of cuts.entries()) {
          expect(length).toBeLessThanOrEqual(most);
          if (place < cuts.length - 1) expect(length).toBeGreaterThanOrEqual(least);
          expect(digest).toBe(Buffer.from(spanDigest(content.subarray(at, at + length))).toString('hex'));
          at += length;
        }
        expect(at).toBe(content.length);
      }),
      { numRuns: 30 },
    );
  });

  it('are the same however the bytes come', () => {
    const whole = cutsOf(random);
    for (const step of [997, 16 * KIB, 65_537, 1 << 20])
      expect(cutsOf(random, random.length, step)).toEqual(whole);
  });

  it('are about 64 KiB long', () => {
    const average = random.length / cutsOf(random).length;
    expect(average).toBeGreaterThan(48 * KIB);
    expect(average).toBeLessThan(96 * KIB);
  });

  it('are but one for a small file', () => {
    expect(cutsOf(random.subarray(0, 256 * KIB)).map(({ length }) => length)).toEqual([256 * KIB]);
    expect(cutsOf(random.subarray(0, 256 * KIB + 1)).length).toBeGreaterThan(1);
    expect(cutsOf(random.subarray(0, 0))).toEqual([]);
  });

  it('are longer where there would be too many', () => {
    expect(spanLengths(2 ** 32)).toEqual({ least: 2 ** 14, average: 2 ** 16, most: 2 ** 18 });
    expect(spanLengths(2 ** 32 + 1).average).toBe(2 ** 17);
    expect(spanLengths(2 ** 40)).toEqual({ least: 2 ** 20, average: 2 ** 22, most: 2 ** 24 });
    expect(spanLengths(2 ** 50)).toEqual(spanLengths(2 ** 40));
  });

  it('stay what they are behind something that was put in, taken out or changed', () => {
    const known = new Set(cutsOf(random).map(({ digest }) => digest));
    const middle = 1_400_000;
    for (const edited of [
      Buffer.concat([random.subarray(0, middle), Buffer.from('put in'), random.subarray(middle)]),
      Buffer.concat([random.subarray(0, middle), random.subarray(middle + 1000)]),
      Buffer.concat([random.subarray(0, middle), randomBytes(1000), random.subarray(middle + 1000)]),
      Buffer.concat([randomBytes(5), random]),
      Buffer.concat([random, randomBytes(5)]),
    ]) {
      const fresh = cutsOf(edited, random.length).filter(({ digest }) => !known.has(digest));
      expect(fresh.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(768 * KIB);
    }
  });

  it('of zeros are the same however they come', () => {
    const cuts: Cut[] = [];
    const splitter = new Splitter(5 << 20, (length, digest) =>
      cuts.push({ length, digest: Buffer.from(digest).toString('hex') }),
    );
    splitter.updateZeros(5 << 20);
    splitter.end();
    expect(cuts).toEqual(cutsOf(Buffer.alloc(5 << 20)));
  });

  it('are those of the vectors', () => {
    const vectors = JSON.parse(
      readFileSync(new URL('../../vectors/spans.json', import.meta.url), 'utf8'),
    ) as { files: { name: string; seed: string; size: number; cutAs: number; spans: Cut[] }[] };
    expect(vectors.files.length).toBeGreaterThan(2);
    for (const { name, seed, size, cutAs, spans } of vectors.files)
      expect(cutsOf(contentOf(seed, size), cutAs), name).toEqual(spans);
  });
});

/** As test/vectors/spans.json says. */
function contentOf(seed: string, size: number): Buffer {
  const content = Buffer.alloc(size);
  let state = Number.parseInt(seed, 16) | 0;
  for (let at = 0; at < size; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    content[at] = state & 0xff;
  }
  return content;
}
