import { describe, expect, it } from 'vitest';
import { digestOf, leafDigest } from '../../../src/crypto/digest.js';
import type { HeldPart, PartFile } from '../../../src/transfer/ports.js';
import { Comparison, LEAF_BYTES } from '../../../src/transfer/resume.js';

const leafOf = (number: number): Buffer => Buffer.alloc(LEAF_BYTES, number);
const digestsOf = (...leaves: number[]): Uint8Array[] => leaves.map((number) => leafDigest(leafOf(number)));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
const protocol = { code: 'protocol' };

/** A part whose leaves are each full of their number. */
class Part implements HeldPart {
  readonly log: string[] = [];
  readonly leaves = 99;

  async read(leaf: number): Promise<Uint8Array> {
    this.log.push(`read ${leaf}`);
    return leafOf(leaf);
  }

  async continueFrom(leaf: number): Promise<PartFile> {
    this.log.push(`continue from ${leaf}`);
    return {} as PartFile;
  }

  async setAside(): Promise<void> {
    this.log.push('set aside');
  }
}

describe('what is held of a file', () => {
  it('goes on behind the first leaf that is another one, and nothing behind that is read', async () => {
    const part = new Part();
    const comparison = new Comparison(part, 4);
    await comparison.take(digestsOf(0, 1));
    expect(comparison.isDone).toBe(false);
    // The last is right, but not what comes next.
    await comparison.take(digestsOf(77, 3));
    expect(comparison.isDone).toBe(true);
    const continued = await comparison.finish();
    expect(continued?.leaves).toBe(2);
    expect(continued?.digest.digest()).toEqual(digestOf(Buffer.concat([leafOf(0), leafOf(1)])));
    expect(part.log).toEqual(['read 0', 'read 1', 'read 2', 'continue from 2']);
  });

  it.each([
    ['goes on where 16 of its last leaves are torn', 16, 'continue from 1'],
    ['is set aside where 17 are, as it is another file then', 17, 'set aside'],
  ])('%s', async (_, torn, last) => {
    const part = new Part();
    const comparison = new Comparison(part, 1 + torn);
    await comparison.take([...digestsOf(0), ...upTo(torn).map(() => Buffer.alloc(32))]);
    const continued = await comparison.finish();
    expect(part.log.at(-1)).toBe(last);
    expect(continued === undefined).toBe(last === 'set aside');
  });

  it('is set aside where its first leaf is another one', async () => {
    const part = new Part();
    const comparison = new Comparison(part, 2);
    await comparison.take(digestsOf(5, 1));
    expect(await comparison.finish()).toBeUndefined();
    expect(part.log).toEqual(['read 0', 'set aside']);
  });

  it('may be gone', async () => {
    const comparison = new Comparison(undefined, 1);
    await comparison.take(digestsOf(0));
    expect(comparison.isDone).toBe(true);
    expect(await comparison.finish()).toBeUndefined();
  });

  it('row 52: is compared with as many leaves as were asked about', async () => {
    const comparison = new Comparison(new Part(), 2);
    await expect(comparison.take([])).rejects.toMatchObject(protocol);
    await expect(comparison.take(digestsOf(0, 1, 2))).rejects.toMatchObject(protocol);
    await comparison.take(digestsOf(0));
    await expect(comparison.take(digestsOf(1, 2))).rejects.toMatchObject(protocol);
    await comparison.take(digestsOf(1));
    expect((await comparison.finish())?.leaves).toBe(2);
  });
});
