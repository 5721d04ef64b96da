import { brotliCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/crypto/digest.js';
import { BatchWriter } from '../../../src/transfer/batch.js';
import type { OfferedRoot } from '../../../src/transfer/messages.js';
import { type Batch, type Chunk, type Entry, type Hole, type Packed } from '../../../src/transfer/ports.js';
import type { ReceiverOptions } from '../../../src/transfer/receiver.js';
import { ByteWriter } from '../../../src/transfer/wire.js';
import type { Item, ScriptedPeer } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { ending, receiveFromScript, yes } from '../../support/memory-transfer.js';
import { file, folder, opening, partOf, rootsOf, stored, transfer } from './offers.js';

const chunk = (entry: number, offset: number, content: Uint8Array, digest?: Uint8Array): Chunk => ({
  kind: 'chunk',
  transfer,
  entry,
  offset,
  body: stored(content),
  ...(digest === undefined ? {} : { digest }),
});
const whole = (entry: number, content: Uint8Array): Chunk => chunk(entry, 0, content, digestOf(content));
const hole = (entry: number, offset: number, length: number): Hole => ({ kind: 'hole', transfer, entry, offset, length }); // prettier-ignore

function batch(...files: [entry: number, content: Uint8Array][]): Batch {
  const writer = new BatchWriter();
  for (const [entry, content] of files) writer.add(entry, content);
  return { kind: 'batch', transfer, count: files.length, body: stored(writer.finish()) };
}

/** How a receiver ends that hears these items, and what it kept. */
async function receive(
  items: readonly Item[],
  options: Partial<ReceiverOptions> = {},
  sink = new MemorySink(),
): Promise<{ end: string; sink: MemorySink; peer: ScriptedPeer }> {
  const [side, peer] = receiveFromScript(sink, options);
  const saying = peer.say(...items).then(() => peer.channel.end());
  saying.catch(() => {});
  const end = await ending(side);
  return { end, sink, peer };
}

const [A, B] = [Buffer.alloc(100_000, 'a'), Buffer.alloc(100_000, 'b')];
const two = opening([file('a', A), file('b', B)]);
const small = Buffer.from('small');
const sent = (files: number, bytes: number): Item => ({ type: 'sent', transfer, files, bytes });
// The script does not wait for the answer. An early yes makes this valid: it comes before the first part.
const early: Partial<ReceiverOptions> = { early: true };

describe('a sender that keeps the rules by hand', () => {
  it('is believed', async () => {
    const { end, sink } = await receive([...two, whole(0, A), whole(1, B), sent(2, 200_000)], early);
    expect(end).toBe('ok');
    expect([...sink.arrived.keys()]).toEqual(['a', 'b']);
  });
});

describe('row 20: pieces that are not the ones to come', () => {
  const half = A.subarray(0, 50_000);
  it.each<[string, Item[]]>([
    ['the second file first', [whole(1, B)]],
    ['a later piece first', [chunk(0, 50_000, half)]],
    ['a piece twice', [chunk(0, 0, half), chunk(0, 0, half)]],
    ['a gap', [chunk(0, 0, half), chunk(0, 60_000, A.subarray(60_000), digestOf(A))]],
    ['a piece after the last one', [whole(0, A), chunk(0, 100_000, half)]],
    ['the file twice', [whole(0, A), whole(0, A)]],
    ['the other file in between', [chunk(0, 0, half), whole(1, B)]],
    ['an unknown file', [whole(7, A)]],
    ['a hole out of place', [chunk(0, 0, half), hole(0, 0, 10)]],
    ['a hole of another file', [hole(1, 0, 10)]],
    ['a batch in the middle of a file', [chunk(0, 0, half), batch([1, B.subarray(0, 10)])]],
    [
      'a failure of another file',
      [chunk(0, 0, half), { type: 'entry-failed', transfer, entry: 1, reason: 'source-changed' }],
    ],
    [
      'a failure of an unknown file',
      [{ type: 'entry-failed', transfer, entry: 9, reason: 'source-changed' }],
    ],
    ['the end before all came', [whole(0, A), sent(1, 100_000)]],
    ['the end in the middle of a file', [whole(0, A), chunk(1, 0, half), sent(1, 100_000)]],
    ['the end with other figures', [whole(0, A), whole(1, B), sent(3, 200_000)]],
    ['another transfer', [{ ...whole(0, A), transfer: 2 }]],
    ['a message of the receiver', [{ type: 'answer', transfer, accepted: true, reason: undefined }]],
    ['a message of the pairing', [{ type: 'chosen' }]],
  ])('row 20: %s', async (_, items) => {
    const { end, sink, peer } = await receive([...two, ...items], early);
    expect(end).toBe('protocol');
    expect(sink).toMatchObject({ isAborted: true, isFinished: false, openParts: 0 });
    expect(peer.channel.isEnded || sink.arrived.size <= 1).toBe(true);
  });

  it('row 20: a batch whose entries do not rise', async () => {
    const offer = opening([file('a', small), file('b', small)]);
    expect((await receive([...offer, batch([1, small], [0, small])], early)).end).toBe('protocol');
    expect((await receive([...offer, batch([0, small], [0, small])], early)).end).toBe('protocol');
    expect((await receive([...offer, batch()], early)).end).toBe('protocol');
  });

  it('rows 18, 20: an authenticated end before everything came', async () => {
    expect((await receive([...two, whole(0, A)], early)).end).toBe('incomplete');
    expect((await receive([])).end).toBe('incomplete');
    expect((await receive(two.slice(0, 2))).end).toBe('incomplete');
  });
});

describe('row 21: sizes that are not true', () => {
  it.each<[string, Item[]]>([
    ['more bytes than listed', [chunk(0, 0, A), chunk(0, A.length, small)]],
    ['more in one piece', [whole(0, Buffer.concat([A, small]))]],
    ['fewer bytes than listed', [whole(0, A.subarray(1))]],
    ['a hole beyond the end', [hole(0, 0, 100_001)]],
    ['a hole of 2^53 - 1 bytes', [hole(0, 0, Number.MAX_SAFE_INTEGER)]],
  ])('row 21: %s', async (_, items) => {
    const { end, sink } = await receive([...two, ...items], early);
    expect(end).toBe('protocol');
    expect(sink.arrived.size).toBe(0);
  });

  it('row 21: a file in a batch that is longer or shorter than listed', async () => {
    const offer = opening([file('a', small)]);
    for (const content of [small.subarray(1), Buffer.concat([small, small])]) {
      expect((await receive([...offer, batch([0, content])], early)).end).toBe('protocol');
    }
  });

  it('row 21: sizes whose sum no number holds', async () => {
    const large = Number.MAX_SAFE_INTEGER - 1;
    const part = opening([file('a', large)])[1];
    const second = opening([file('b', large)])[1];
    const bytes = groupOf(0, [file('a', large), file('b', large)]);
    const roots = rootsOf([file('a', large), file('b', large)]);
    expect(part.count + second.count).toBe(2);
    const items: Item[] = [
      { type: 'offer', transfer, kind: 'files', roots },
      { kind: 'manifest', transfer, part: 0, count: 2, body: stored(bytes) },
    ];
    expect((await receive(items)).end).toBe('limit');
  });
});

/** A group of a manifest part, with whatever is in it. */
function groupOf(parentPlusOne: number, entries: readonly Entry[], count = entries.length): Uint8Array {
  const to = new ByteWriter();
  to.varint(parentPlusOne);
  to.varint(count);
  for (const { type, name, size, mtimeMs, mode } of entries) {
    to.u8(type === 'file' ? 0 : 1);
    to.string(name);
    if (type === 'file') to.varint(size === undefined ? 0 : size + 1);
    to.svarint(mtimeMs);
    to.u16(mode);
  }
  return to.finish();
}

describe('row 22: digests that are not true', () => {
  it('row 22: of a large file', async () => {
    const { end, sink } = await receive([...two, chunk(0, 0, A, digestOf(B))], early);
    expect(end).toBe('integrity');
    expect(sink.arrived.size).toBe(0);
    expect(sink).toMatchObject({ isAborted: true, openParts: 0 });
  });

  it('row 22: of small ones, after good ones', async () => {
    const offer = opening([file('a', small), file('b', small)]);
    const good = batch([1, small]);
    const bytes = Buffer.from(good.body.bytes);
    bytes[bytes.length - 1]! ^= 1;
    const { end, sink } = await receive(
      [...offer, batch([0, small]), { ...good, body: stored(bytes) }],
      early,
    );
    expect(end).toBe('integrity');
    expect([...sink.arrived.keys()]).toEqual(['a']);
    expect(sink.isFinished).toBe(false);
  });

  it('row 22: of the manifest', async () => {
    const [offer, part, end] = two;
    const wrong = { ...end, digest: digestOf(small) };
    expect((await receive([offer, part, wrong])).end).toBe('integrity');
  });

  it('row 22: the sender is told by code only', async () => {
    const { peer } = await receive([...two, chunk(0, 0, A, digestOf(B))], early);
    const items = await peer.hearAll();
    expect(items.at(-1)).toEqual({ type: 'error', code: 'integrity' });
  });
});

describe('row 24: decompression bombs', () => {
  const bomb = brotliCompressSync(Buffer.alloc(50_000_000));
  const packed = (rawLength: number): Packed => ({ compression: 'brotli', rawLength, bytes: bomb });

  it('row 24: more than the length it states', async () => {
    const body = packed(A.length);
    expect((await receive([...two, { ...whole(0, A), body }], early)).end).toBe('protocol');
    expect((await receive([...two, { ...batch([0, A]), body }], early)).end).toBe('protocol');
    expect((await receive([two[0], { ...two[1], body: packed(1000) }], early)).end).toBe('protocol');
  });

  it('row 24: fewer bytes than it states', async () => {
    const body: Packed = {
      compression: 'brotli',
      rawLength: 1000,
      bytes: brotliCompressSync(A.subarray(0, 999)),
    };
    expect((await receive([...two, { ...whole(0, A), body }], early)).end).toBe('protocol');
  });

  it('row 24: a stated length above the limit', async () => {
    const [side, peer] = receiveFromScript(new MemorySink(), early);
    await peer.say(...two);
    const record = { ...whole(0, A), body: packed(1 << 21) };
    // The record is refused where it is decoded, before it is an item.
    await expect(peer.say(record)).rejects.toMatchObject({ code: 'limit' });
    peer.channel.destroy();
    expect(await ending(side)).toBe('peer-gone');
  });
});

describe('row 41: names that stand for two things', () => {
  const inFolder = (entries: Entry[]): Entry[] => [folder('d'), ...entries];
  it.each<[string, Entry[]]>([
    ['two files of one name', inFolder([file('x', 1, { parent: 0 }), file('x', 1, { parent: 0 })])],
    ['names that do not rise', inFolder([file('y', 1, { parent: 0 }), file('x', 1, { parent: 0 })])],
    ['a file and a folder of one name', inFolder([file('x', 1, { parent: 0 }), folder('x', { parent: 0 })])],
    ['two roots of one name', [file('x', 1), file('x', 1)]],
    ['a file below a file', [file('x', 1), file('y', 1, { parent: 0 })]],
    ['an entry before its folder', [folder('d'), file('x', 1, { parent: 5 })]],
    ['an entry in itself', [folder('d'), folder('x', { parent: 1 })]],
    [
      'a folder listed twice',
      [
        folder('d'),
        folder('e'),
        file('x', 1, { parent: 0 }),
        file('y', 1, { parent: 1 }),
        file('z', 1, { parent: 0 }),
      ],
    ],
    ['roots after other entries', [folder('d'), file('x', 1, { parent: 0 }), file('y', 1)]],
  ])('row 41: %s', async (_, entries) => {
    const { end, sink } = await receive(opening(entries), early);
    expect(end).toBe('protocol');
    expect([...sink.arrived.values()].every((value) => value === 'folder')).toBe(true);
  });
});

describe('row 45: more or other than was shown', () => {
  const [offer, part, end] = opening([folder('d'), file('x', 1, { parent: 0 })]);
  const withRoots = (...roots: OfferedRoot[]): Item => ({ type: 'offer', transfer, kind: 'files', roots });
  const more = partOf({ first: 2, count: 1, bytes: groupOf(1, [file('y', 1)]) }, 1);

  it.each<[string, Item[]]>([
    ['a root that was not offered', [withRoots({ name: 'e', type: 'folder', size: undefined }), part]],
    ['a root of another type', [withRoots({ name: 'd', type: 'file', size: 1 }), part]],
    [
      'a root too many',
      [offer, partOf({ first: 0, count: 2, bytes: groupOf(0, [folder('d'), folder('e')]) })],
    ],
    ['a root of another size', [withRoots({ name: 'x', type: 'file', size: 2 }), opening([file('x', 1)])[1]]],
    [
      'a root missing',
      [
        withRoots(
          { name: 'd', type: 'folder', size: undefined },
          { name: 'e', type: 'folder', size: undefined },
        ),
        part,
        end,
      ],
    ],
    ['a part after the end of the manifest', [offer, part, end, more]],
    ['a second end of the manifest', [offer, part, end, end]],
    [
      'a count after the end of the manifest',
      [offer, part, end, { type: 'counting', transfer, entries: 3, bytes: 3 }],
    ],
    ['a part twice', [offer, part, part]],
    ['a part left out', [offer, { ...part, part: 1 }]],
    ['a part with another count', [offer, { ...part, count: 3 }]],
    ['a part without entries', [offer, { ...part, count: 0, body: stored(new Uint8Array(0)) }]],
    ['an end with other figures', [offer, part, { ...end, files: 2 }]],
    ['a second offer', [offer, offer]],
    [
      'a file of unknown size',
      [
        offer,
        partOf({
          first: 0,
          count: 2,
          bytes: Buffer.concat([groupOf(0, [folder('d')]), groupOf(1, [file('x', 0, { size: undefined })])]),
        }),
      ],
    ],
    ['an offer of nothing', [withRoots()]],
    ['a file of unknown size in the offer', [withRoots({ name: 'd', type: 'file', size: undefined })]],
    ['two texts', [{ type: 'offer', transfer, kind: 'text', roots: rootsOf([file('a', 1), file('b', 1)]) }]],
    ['a folder as a pipe', [{ type: 'offer', transfer, kind: 'pipe', roots: rootsOf([folder('d')]) }]],
    ['a pipe of known size', [{ type: 'offer', transfer, kind: 'pipe', roots: rootsOf([file('d', 1)]) }]],
    ['something else than an offer', [part]],
  ])('row 45: %s', async (_, items) => {
    const { end: outcome, sink } = await receive(items, { decide: () => new Promise(() => {}) });
    expect(outcome).toBe('protocol');
    expect(sink.arrived.size).toBe(0);
  });

  it('row 45: a file that the receiver did not want', async () => {
    const options = { ...early, wants: (path: string) => path === 'b' };
    expect((await receive([...two, whole(0, A)], options)).end).toBe('protocol');
    expect((await receive([...two, whole(1, B), sent(1, 100_000)], options)).end).toBe('ok');
  });

  it('row 45: a text larger than any', async () => {
    const roots = [{ name: 'text', type: 'file', size: (1 << 20) + 1 }] as const;
    expect((await receive([{ type: 'offer', transfer, kind: 'text', roots }])).end).toBe('limit');
  });
});

describe('row 46: what comes without a yes', () => {
  const pending: Partial<ReceiverOptions> = { decide: () => new Promise(() => {}) };
  it.each<[string, Item]>([
    ['a chunk', whole(0, A)],
    ['a hole', hole(0, 0, 1)],
    ['a batch', batch([0, A.subarray(0, 10)])],
    ['a failure', { type: 'entry-failed', transfer, entry: 0, reason: 'source-changed' }],
    ['the end', sent(0, 0)],
  ])('row 46: %s before the answer', async (_, item) => {
    const { end, sink } = await receive([...two, item], pending);
    expect(end).toBe('protocol');
    expect(sink.arrived.size).toBe(0);
  });

  it('row 46: content after a no is dropped', async () => {
    const { end, sink } = await receive([...two, whole(0, A), whole(1, B)], {
      decide: async () => ({ accept: false }),
    });
    expect(end).toBe('declined');
    expect(sink.arrived.size).toBe(0);
  });
});

describe('row 54: what a manifest may say of a file', () => {
  it.each(['1000', '4755', '2755', '7777', '177777'])('row 54: not mode %s', async (octal) => {
    const bytes = groupOf(0, [file('a', 1, { mode: parseInt(octal, 8) })]);
    const offer = opening([file('a', 1)])[0];
    expect((await receive([offer, partOf({ first: 0, count: 1, bytes })])).end).toBe('protocol');
  });

  it('row 54: no time that a date cannot hold', async () => {
    const times: number[] = [];
    for (const mtimeMs of [2 ** 52 - 1, -(2 ** 52 - 1), -1, 0]) {
      const sink = new MemorySink();
      const examine = sink.examine.bind(sink);
      sink.examine = (entry) => {
        times.push(entry.mtimeMs);
        return examine(entry);
      };
      const entries = [file('a', small, { mtimeMs })];
      expect(
        (await receive([...opening(entries), batch([0, small]), sent(1, 5)], { ...early, decide: yes }, sink))
          .end,
      ).toBe('ok');
    }
    expect(times).toEqual([2 ** 52 - 1, -(2 ** 52 - 1), -1, 0]);
    for (const time of times) expect(Number.isNaN(new Date(time).getTime())).toBe(false);
  });
});

describe('a sender that gives up', () => {
  it.each([
    ['interrupted', 'peer-interrupted'],
    ['path-missing', 'peer-failed path-missing'],
  ] as const)('with %s', async (code, expected) => {
    const { end, sink } = await receive([...two, whole(0, A), { type: 'error', code }], early);
    expect(end).toBe(expected);
    expect(sink).toMatchObject({ isAborted: true, isFinished: false });
  });
});
