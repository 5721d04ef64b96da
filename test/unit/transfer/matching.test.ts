import { describe, expect, it } from 'vitest';
import type { Span } from '../../../src/transfer/messages.js';
import type { OlderCopy } from '../../../src/transfer/ports.js';
import { Splitter, UNCUT_BYTES, spanDigest, spanLengths } from '../../../src/transfer/splitter.js';
import type * as update from '../../../src/transfer/update.js';
import { Matching, type Room } from '../../../src/transfer/update.js';
import { stepsIn } from '../../support/steps.js';
import { noise } from '../../support/trees.js';
import { file } from './offers.js';

const old = noise((1 << 20) + 12_345, 'older');
const small = Buffer.from('small');
const protocol = expect.objectContaining({ code: 'protocol' }) as Error;

function spansOf(content: Uint8Array): Span[] {
  const spans: Span[] = [];
  const splitter = new Splitter(content.length, (length, digest) => spans.push({ length, digest }));
  splitter.update(content);
  splitter.end();
  return spans;
}

/** A file that is here, and what was done with it. */
class Copy implements OlderCopy {
  readonly size: number;
  readonly log: string[] = [];
  reads = 0;
  readonly adopt?: () => Promise<void>;
  readonly #content: Uint8Array;

  constructor(content: Uint8Array, { hasPlace = true, size = content.length } = {}) {
    this.#content = content;
    this.size = size;
    if (hasPlace) this.adopt = async () => void this.log.push('adopt');
  }

  async read(into: Uint8Array, offset: number): Promise<Uint8Array> {
    this.reads++;
    return into.subarray(0, Buffer.from(this.#content).copy(into, 0, offset));
  }

  async close(): Promise<void> {
    this.log.push('close');
  }
}

const roomy = (): Room => ({ left: 1000 });
const begin = (size: number, copies: Copy[], room = roomy()): Promise<Matching> =>
  Matching.begin(file('it', size), copies, room, async () => {});

/** Which spans of the new content are needed, and what becomes of the file. */
async function matched(
  content: Uint8Array,
  ...copies: Copy[]
): Promise<{ needs: boolean[]; outcome: Awaited<ReturnType<Matching['finish']>> }> {
  const matching = await begin(content.length, copies);
  const needs: boolean[] = [];
  for (const span of spansOf(content)) {
    expect(matching.isDone).toBe(false);
    needs.push(matching.needs(span));
  }
  expect(matching.isDone).toBe(true);
  return { needs, outcome: await matching.finish() };
}

describe.each([
  ['small', small],
  ['large', old],
])('a %s file', (_, content) => {
  it('that has its place is adopted, and closed', async () => {
    const copy = new Copy(content);
    const { needs, outcome } = await matched(content, copy);
    expect(needs).not.toContain(true);
    expect(outcome).toBe('adopted');
    expect(copy.log).toEqual(['adopt', 'close']);
  });

  it('that lies elsewhere gives all but its last span: with that comes the digest', async () => {
    const copy = new Copy(content, { hasPlace: false });
    const { needs, outcome } = await matched(content, copy);
    expect(needs.at(-1)).toBe(true);
    expect(needs.slice(0, -1)).not.toContain(true);
    const before = content.length - spansOf(content).at(-1)!.length;
    expect(outcome).toEqual(before === 0 ? [] : [{ offset: 0, length: before, copy: 0, from: 0 }]);
    expect(copy.log).toEqual(['close']);
  });

  it('that is longer than the new one is not it', async () => {
    const copy = new Copy(Buffer.concat([content, Buffer.from('more')]));
    const { needs } = await matched(content, copy);
    expect(needs.at(-1)).toBe(true);
    expect(copy.log).toEqual(['close']);
  });

  it('that got shorter since is not it', async () => {
    const copy = new Copy(content.subarray(0, -1), { size: content.length });
    const { needs } = await matched(content, copy);
    expect(needs.at(-1)).toBe(true);
    expect(copy.log).toEqual(['close']);
  });

  it('is given up with all that is open', async () => {
    const copies = [new Copy(content), new Copy(content, { hasPlace: false })];
    const room = roomy();
    const matching = await begin(content.length, copies, room);
    for (const span of spansOf(content)) matching.needs(span);
    await matching.abandon();
    expect(copies.map(({ log }) => log)).toEqual([['close'], ['close']]);
    expect(room).toEqual(roomy());
  });
});

describe('a file that changed', () => {
  const pieces = spansOf(old);
  const start = (at: number): number => pieces.slice(0, at).reduce((sum, { length }) => sum + length, 0);
  const piece = (at: number): Buffer => Buffer.from(old.subarray(start(at), start(at + 1)));

  it('takes spans from wherever in it they are, as one share where they follow each other', async () => {
    const room = roomy();
    const matching = await begin(old.length, [new Copy(old)], room);
    const order = [2, 3, 1, 4, 5];
    for (const at of order) expect(matching.needs(pieces[at]!)).toBe(false);
    for (const at of [0, ...pieces.keys()].filter((one) => !order.includes(one)).slice(1))
      matching.needs({ length: pieces[at]!.length, digest: Buffer.alloc(32, at) });
    expect(matching.isDone).toBe(true);
    const length = (...which: number[]): number => which.reduce((sum, at) => sum + pieces[at]!.length, 0);
    expect(await matching.finish()).toEqual([
      { offset: 0, length: length(2, 3), copy: 0, from: start(2) },
      { offset: length(2, 3), length: length(1), copy: 0, from: start(1) },
      { offset: length(1, 2, 3), length: length(4, 5), copy: 0, from: start(4) },
    ]);
    expect(room.left).toBe(1000 - 3);
  });

  it('takes spans of each copy, the first that has one', async () => {
    const other = noise(old.length, 'other');
    const copies = [new Copy(other), new Copy(old, { hasPlace: false }), new Copy(old, { hasPlace: false })];
    const { needs, outcome } = await matched(old, ...copies);
    expect(needs).toEqual(pieces.map(() => false).with(-1, true));
    expect(outcome).toEqual([{ offset: 0, length: start(pieces.length - 1), copy: 1, from: 0 }]);
    expect(copies.map(({ log }) => log)).toEqual([['close'], ['close'], ['close']]);
  });

  it('does not go on in another copy as if it were the same', async () => {
    const [head, tail] = [old.subarray(0, start(5)), old.subarray(start(5))];
    const copies = [head, tail].map((content) => new Copy(content, { hasPlace: false }));
    const { outcome } = await matched(old, ...copies);
    expect(outcome).toMatchObject([{ copy: 0 }, { copy: 1 }]);
  });

  it('row 22: needs a span of another length than the one that has its digest', async () => {
    const [first, second] = pieces as [Span, Span];
    const matching = await begin(old.length, [new Copy(old)]);
    expect(matching.needs({ ...first, length: first.length + 1 })).toBe(true);
    expect(matching.needs({ ...second, length: second.length - 1 })).toBe(true);
  });

  it('row 22: is not adopted by its beginning, said as if that were all of it', async () => {
    const { most } = spanLengths(old.length);
    const copy = new Copy(old);
    const matching = await begin(old.length, [copy]);
    for (let at = 0; !matching.isDone; at++)
      matching.needs({ digest: pieces[at]!.digest, length: Math.min(most, old.length - at * most) });
    expect(await matching.finish()).not.toBe('adopted');
    expect(copy.log).toEqual(['close']);
  });

  it('is the same only where every span is at its place', async () => {
    const [first, second] = [piece(0), piece(1)];
    const turned = Buffer.concat([second, first, old.subarray(start(2))]);
    const copy = new Copy(turned);
    const { needs } = await matched(old, copy);
    expect(needs.at(-1)).toBe(true);
    expect(copy.log).toEqual(['close']);
  });

  it('that ends earlier than the one here is not it, though every span is at its place', async () => {
    const beginning = old.subarray(0, start(pieces.length - 1));
    const copy = new Copy(old);
    const { needs } = await matched(beginning, copy);
    expect(needs).toEqual(needs.map((_, at) => at === needs.length - 1));
    expect(copy.log).toEqual(['close']);
  });

  it('that got shorter since is not made whole by the copy beside it', async () => {
    const copies = [
      new Copy(old.subarray(0, start(5)), { size: old.length }),
      new Copy(old.subarray(start(5)), { hasPlace: false }),
    ];
    const { needs } = await matched(old, ...copies);
    expect(needs.at(-1)).toBe(true);
    expect(copies.map(({ log }) => log)).toEqual([['close'], ['close']]);
  });

  it('needs nothing but what is new where that comes first', async () => {
    const { needs } = await matched(Buffer.concat([noise(1000, 'new'), old]), new Copy(old));
    expect(needs[0]).toBe(true);
    expect(needs.slice(2)).not.toContain(true);
  });

  it('has two shares where something was put in between', async () => {
    const matching = await begin(old.length, [new Copy(old)]);
    expect(matching.needs(pieces[1]!)).toBe(false);
    expect(matching.needs({ length: pieces[0]!.length, digest: Buffer.alloc(32) })).toBe(true);
    expect(matching.needs(pieces[2]!)).toBe(false);
    expect(await matching.finish()).toEqual([
      { offset: 0, length: pieces[1]!.length, copy: 0, from: start(1) },
      { offset: start(2), length: pieces[2]!.length, copy: 0, from: start(2) },
    ]);
  });

  it('needs what there is no room to remember', async () => {
    const room: Room = { left: 1 };
    const matching = await begin(old.length, [new Copy(old)], room);
    expect(matching.needs(pieces[3]!)).toBe(false);
    expect(matching.needs(pieces[1]!)).toBe(true);
    // What follows what is remembered takes no room of its own, and that was the other one.
    expect(matching.needs(pieces[2]!)).toBe(true);
    expect(room.left).toBe(0);
  });
});

describe('row 27: many equal spans', () => {
  /** One byte again and again: every span is the one before. */
  const equal = (spans: number): Buffer => Buffer.alloc(spans * spanLengths(1 << 20).most);
  const elsewhere = { hasPlace: false };

  function stepsFor(spans: number, options: { hasPlace?: boolean }, digest: Uint8Array): Promise<number> {
    const content = equal(spans);
    const [{ length }] = spansOf(content) as [Span];
    expect(length * spans).toBe(content.length);
    const load = (): Promise<typeof update> => import('../../../src/transfer/update.js');
    return stepsIn('/transfer/update.ts', load, async ({ Matching }) => {
      const copies = [new Copy(content, options)];
      const matching = await Matching.begin(file('it', content.length), copies, roomy(), async () => {});
      for (let at = 0; at < spans; at++) matching.needs({ length, digest });
      expect(matching.isDone).toBe(true);
    });
  }

  const [{ digest }] = spansOf(equal(8)) as [Span];
  it.each([
    ['that are at their places', {}, digest],
    ['that are elsewhere', elsewhere, digest],
    ['that are not here', elsewhere, Buffer.alloc(32)],
  ])('%s take steps in proportion to their number', async (_, options, digest) => {
    const few = await stepsFor(8, options, digest);
    const many = await stepsFor(64, options, digest);
    expect(few).toBeGreaterThan(8);
    // A search through all of them would take 64 times as many.
    expect(many).toBeLessThan(10 * few);
  });
});

describe('row 52: spans', () => {
  const { least, most } = spanLengths(old.length);
  const digest = Buffer.alloc(32);

  it.each([
    ['the shortest', [least]],
    ['the longest', [most]],
    ['a shorter last one', [most, most, most, most, old.length - 4 * most]],
  ])('may be %s', async (_, lengths) => {
    const matching = await begin(old.length, []);
    for (const length of lengths) expect(matching.needs({ length, digest })).toBe(true);
  });

  it.each([
    ['empty', [0]],
    ['shorter than any that is not the last', [least - 1]],
    ['longer than any', [most + 1]],
    ['beyond the end', [most, most, most, most, most]],
  ])('are not %s', async (_, lengths) => {
    const matching = await begin(old.length, []);
    for (const length of lengths.slice(0, -1)) matching.needs({ length, digest });
    expect(() => matching.needs({ length: lengths.at(-1)!, digest })).toThrow(protocol);
  });

  it('of a file up to 256 KiB are one', async () => {
    const whole = noise(UNCUT_BYTES, 'whole');
    const matching = await begin(whole.length, [new Copy(whole)]);
    expect(matching.needs({ length: whole.length, digest: spanDigest(whole) })).toBe(false);
    expect(() => matching.needs({ length: 1, digest })).toThrow(protocol);
    expect(() => matching.needs({ length: 0, digest })).toThrow(protocol);
    const cut = await begin(whole.length, [new Copy(whole)]);
    expect(() => cut.needs({ length: 10, digest })).toThrow(protocol);
  });

  it.each([UNCUT_BYTES, 5])(
    'of a file of %i bytes are none of a copy of another size, which is not read',
    async (size) => {
      const large = new Copy(old);
      const { needs, outcome } = await matched(old.subarray(0, size), large);
      expect([needs, outcome]).toEqual([[true], []]);
      expect(large.log).toEqual(['close']);
      expect(large.reads).toBe(0);
    },
  );

  it('of a copy that is much longer than the file, and the same all over, are not looked for to its end', async () => {
    const size = 300_000;
    const most = 4 * size + 2 ** 26;
    let bytes = 0;
    const endless = new Copy(Buffer.alloc(0), { size: 2 ** 43 });
    endless.read = async (into, offset) => {
      expect(offset).toBe(bytes);
      if (bytes > 2 * most) throw new Error('read without end');
      bytes += into.length;
      return into.fill(0);
    };
    const { needs } = await matched(Buffer.alloc(size), endless);
    expect(needs).toEqual([false, true]);
    expect(bytes).toBeGreaterThanOrEqual(most);
    expect(bytes).toBeLessThan(most + 2 ** 20);
  });
});
