import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TreeDigest, digestOf, leafDigest } from '../../../src/crypto/digest.js';
import { XferError } from '../../../src/errors.js';
import type { Decision } from '../../../src/transfer/events.js';
import { IncomingFile } from '../../../src/transfer/incoming-file.js';
import type { ControlMessage, Span } from '../../../src/transfer/messages.js';
import type { Chunk, OlderCopy } from '../../../src/transfer/ports.js';
import { Splitter, spanDigest } from '../../../src/transfer/splitter.js';
import { Matching, type Room } from '../../../src/transfer/update.js';
import { batchOf } from '../../support/hostile-world.js';
import type { Item } from '../../support/memory-channel.js';
import { MemorySink, type SinkFaults } from '../../support/memory-sink.js';
import { MemoryPipe, MemorySource, flatten, type Tree } from '../../support/memory-source.js';
import {
  ending,
  receiveFromScript,
  sendToScript,
  sketch,
  transfer,
  type Side,
} from '../../support/memory-transfer.js';
import { noise } from '../../support/trees.js';
import { file, offerOf, opening, stored } from './offers.js';

const KIB = 1 << 10;
const MIB = 1 << 20;
const number = 1;
// The same each time: where it is cut decides how much more travels than what changed.
const old = noise(4 * MIB + 12_345, 'old');
const update = async (): Promise<Decision> => ({ accept: true, conflicts: 'update' });

const contentBytes = ({ channel }: Side): number =>
  channel.sent.reduce((sum, item) => sum + ('kind' in item && 'body' in item && item.kind !== 'manifest' ? item.body.rawLength : 0), 0); // prettier-ignore
const chunksOf = ({ channel }: Side): Chunk[] =>
  channel.sent.filter((item): item is Chunk => 'kind' in item && item.kind === 'chunk');
const said = <T extends ControlMessage['type']>(
  { channel }: Side,
  type: T,
): Extract<ControlMessage, { type: T }>[] =>
  channel.sent.filter(
    (item): item is Extract<ControlMessage, { type: T }> => 'type' in item && item.type === type,
  );

interface Run {
  readonly sender: Side;
  readonly receiver: Side;
  readonly sink: MemorySink;
}

/** Brings a tree up to date, and checks that what is there afterwards is what was offered. */
async function updated(tree: Tree, older: Record<string, Uint8Array>, faults: SinkFaults = {}): Promise<Run> {
  const sink = new MemorySink({ older, ...faults });
  const { sender, receiver } = transfer(
    new MemorySource(tree),
    sink,
    { decide: update },
    { compress: false },
  );
  expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
  const there = new Map(sink.arrived);
  for (const path of sink.adopted) there.set(path, older[path]!);
  expect(sketch(new Map([...there].sort()))).toEqual(sketch(new Map([...flatten(tree)].sort())));
  expect(sink.openCopies).toBe(0);
  expect(sink.openParts).toBe(0);
  return { sender, receiver, sink };
}

describe('a file that is there as it is', () => {
  it('does not travel, large or small, and keeps its place', async () => {
    const tree = { big: old, small: Buffer.from('small'), empty: Buffer.alloc(0) };
    const { sender, receiver, sink } = await updated(tree, tree);
    expect(contentBytes(sender)).toBeLessThan(100);
    expect(sink.adopted).toEqual(['big', 'small']);
    const outcome = { files: 1, bytes: 0, alreadyFiles: 2, alreadyBytes: old.length + 5, missingCount: 0 };
    expect(await sender.outcome).toMatchObject(outcome);
    expect(await receiver.outcome).toMatchObject(outcome);
    expect(receiver.events.filter(({ type }) => type === 'file-received')).toHaveLength(3);
  });

  it('is told apart where it repeats itself', async () => {
    const tree = { zeros: Buffer.alloc(3 * MIB), text: Buffer.alloc(2 * MIB, 'again and again ') };
    const { sink } = await updated(tree, tree);
    expect(sink.adopted).toEqual(['text', 'zeros']);
  });

  it('is one of thousands', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 5000 }, (_, at) => [`f${at}`, Buffer.from(`${at}`)]),
    );
    const { sender, sink } = await updated(
      { d: { ...files, f77: Buffer.from('new') } },
      prefixed('d/', files),
    );
    expect(sink.adopted).toHaveLength(4999);
    expect(contentBytes(sender)).toBeLessThan(100);
    expect(said(sender, 'spans').length).toBeLessThan(30);
  });
});

describe('a file that changed', () => {
  const middle = 2_000_000;
  it.each<[string, Uint8Array]>([
    ['has more at its end', Buffer.concat([old, randomBytes(1000)])],
    ['has more at its start', Buffer.concat([randomBytes(1000), old])],
    [
      'has more in its middle',
      Buffer.concat([old.subarray(0, middle), randomBytes(1000), old.subarray(middle)]),
    ],
    ['lacks something', Buffer.concat([old.subarray(0, middle), old.subarray(middle + 1000)])],
    [
      'has another byte',
      Buffer.concat([old.subarray(0, middle), Buffer.from('x'), old.subarray(middle + 1)]),
    ],
    ['is shorter', old.subarray(0, middle)],
    ['has its halves exchanged', Buffer.concat([old.subarray(middle), old.subarray(0, middle)])],
    ['repeats itself', Buffer.concat([old, old])],
  ])('and %s moves little more than that', async (_, now) => {
    const { sender, receiver, sink } = await updated({ big: now, other: Buffer.from('o') }, { big: old });
    const moved = contentBytes(sender);
    // Some spans at each seam, of which none is longer than a quarter of this.
    expect(moved).toBeLessThan(MIB);
    expect(sink.adopted).toEqual([]);
    const taken = now.length - chunksOf(sender).reduce((sum, { body }) => sum + body.rawLength, 0);
    const outcome = { files: 2, bytes: now.length + 1, continuedBytes: taken, alreadyFiles: 0 };
    expect(await sender.outcome).toMatchObject(outcome);
    expect(await receiver.outcome).toMatchObject(outcome);
    const event = { type: 'file-updated', path: 'big', bytes: taken };
    expect(sender.events).toContainEqual(event);
    expect(receiver.events).toContainEqual(event);
  });

  it('comes whole where it has nothing in common with the older one', async () => {
    const now = randomBytes(3 * MIB);
    const { sender } = await updated({ big: now }, { big: old });
    expect(contentBytes(sender)).toBe(now.length);
    expect(sender.events.some(({ type }) => type === 'file-updated')).toBe(false);
  });

  it('takes also what an interrupted transfer left of it', async () => {
    const now = Buffer.concat([randomBytes(4 * MIB), old]);
    const { sender } = await updated({ big: now }, { big: old }, { held: { big: now.subarray(0, 3 * MIB) } });
    expect(said(sender, 'leaves')).toEqual([]);
    expect(contentBytes(sender)).toBeLessThan(MIB + 512 * KIB);
  });

  it('has holes', async () => {
    const now = [old.subarray(0, MIB), { hole: 4 * MIB }, old.subarray(MIB, 2 * MIB)];
    const { sender } = await updated({ big: now }, { big: old.subarray(0, 2 * MIB) });
    expect(contentBytes(sender)).toBeLessThan(MIB);
  });

  it('is sent in as large records as any other', async () => {
    const now = Buffer.concat([old, randomBytes(8 * MIB)]);
    const { sender } = await updated({ big: now }, { big: old });
    expect(chunksOf(sender).length).toBeLessThan(16);
  });

  it('and others that did not come in their order', async () => {
    const tree: Tree = {
      a: { one: old, two: Buffer.from('2'), three: Buffer.concat([old, Buffer.from('3')]) },
      b: Buffer.from('new'),
      c: old.subarray(0, MIB),
    };
    const older = { 'a/one': old, 'a/two': Buffer.from('older'), 'a/three': old, c: old.subarray(0, MIB) };
    const { sink } = await updated(tree, older);
    expect(sink.adopted.toSorted()).toEqual(['a/one', 'c']);
  });

  it('is right whatever it was and whatever it is', async () => {
    const edit = fc.record({ at: fc.nat(old.length), remove: fc.nat(MIB), insert: fc.nat(400 * KIB) });
    const small = fc.uint8Array({ maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(fc.nat(4 * MIB), fc.array(edit, { maxLength: 4 }), small, small, async (size, edits, now, before) => {
        const older = old.subarray(0, size);
        let big: Uint8Array = older;
        for (const { at, remove, insert } of edits) {
          const place = at % (big.length + 1);
          big = Buffer.concat([big.subarray(0, place), randomBytes(insert), big.subarray(place + remove)]);
        }
        await updated({ big, small: now }, { big: older, small: before });
      }),
      { numRuns: 15 },
    ); // prettier-ignore
  });
});

describe('a file that an interrupted transfer brought', () => {
  it.each([
    ['is compared like any other, and counts as one that is there', old, 2],
    ['comes where its size and time are right, and its content is not', noise(old.length, 'other'), 1],
  ])('%s', async (_, there, alreadyFiles) => {
    const tree = { big: old, empty: Buffer.alloc(0) };
    const older = { big: there, empty: tree.empty };
    const sink = new MemorySink({ older, before: ['big', 'empty'] });
    const { sender, receiver } = transfer(new MemorySource(tree), sink, { decide: update });
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    const comes = alreadyFiles === 1;
    expect(sink.adopted).toEqual(comes ? [] : ['big']);
    expect([...sink.arrived]).toEqual(comes ? [['big', Buffer.from(old)]] : []);
    const bytes = comes ? old.length : 0;
    expect(await receiver.outcome).toMatchObject({
      files: comes ? 1 : 0,
      bytes,
      alreadyFiles,
      alreadyBytes: old.length - bytes,
      missingCount: 0,
    });
    expect(receiver.events.findLast(({ type }) => type === 'progress')).toMatchObject({
      progress: { files: 1, totalFiles: 1, totalBytes: old.length, totalKnown: true },
    });
  });
});

describe('without --update', () => {
  it('nothing is asked about what is there', async () => {
    const sink = new MemorySink({ older: { big: old } });
    const decide = async (): Promise<Decision> => ({ accept: true, conflicts: 'overwrite' });
    const { sender, receiver } = transfer(new MemorySource({ big: old }), sink, { decide });
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect(said(receiver, 'want')).toMatchObject([{ older: [] }]);
    expect(said(sender, 'spans')).toEqual([]);
  });
});

describe('a file that changes meanwhile', () => {
  it('at the sender is left out, and the older one stays', async () => {
    const now = Buffer.concat([old, randomBytes(MIB)]);
    const source = new MemorySource({ big: now, other: Buffer.from('o') });
    source.contentNow = (path) => (path === 'big' ? Buffer.alloc(now.length, 'x') : undefined);
    const sink = new MemorySink({ older: { big: old } });
    const { sender, receiver } = transfer(source, sink, { decide: update });
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect([...sink.arrived.keys()]).toEqual(['other']);
    expect(await receiver.outcome).toMatchObject({
      missing: [{ path: 'big', reason: 'source-changed' }],
      continuedBytes: 0,
    });
    expect(sink.openParts).toBe(0);
  });

  it.each([
    ['is changed', Buffer.alloc(old.length, 'x')],
    ['is shortened', old.subarray(0, MIB)],
    ['is removed', undefined],
  ])('at the receiver, where it %s, is left out', async (_, later) => {
    const older: Record<string, Uint8Array> = { big: old };
    const sink = new MemorySink({ older });
    const { sender, receiver } = transfer(
      new MemorySource({ big: Buffer.concat([old, randomBytes(1000)]), other: Buffer.from('o') }),
      sink,
      {
        decide: update,
        onEvent: ({ type }) => {
          if (type !== 'file-updated') return;
          if (later === undefined) delete older['big'];
          else older['big'] = later;
        },
      },
    );
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect([...sink.arrived.keys()]).toEqual(['other']);
    expect(await receiver.outcome).toMatchObject({
      files: 1,
      missing: [{ path: 'big', reason: 'target-changed' }],
    });
    expect([sink.openParts, sink.openCopies]).toEqual([0, 0]);
  });

  it('at the receiver, where it is shortened before a leaf that another thread hashed, is left out', async () => {
    const big = noise(2 * MIB, 'leaf');
    const missed: string[] = [];
    const sink = new MemorySink();
    sink.decide('update');
    const beginning = { part: await sink.create(file('big', big)), digest: new TreeDigest(), bytes: 0 };
    const incoming = new IncomingFile(file('big', big), beginning, {
      shares: [{ offset: 100, length: MIB - 100, copy: 0, from: 100 }],
      openCopies: async () => [
        { size: MIB, read: async (into) => into.subarray(0, 1), close: async () => undefined },
      ],
      onMissed: (reason) => missed.push(reason),
    });
    await incoming.take(big.subarray(0, 100), undefined);
    await incoming.fillTo(MIB, async () => undefined);
    await incoming.take(big.subarray(MIB), leafDigest(big.subarray(MIB)));
    expect(incoming.offset).toBe(2 * MIB);
    expect(await incoming.isWhole(digestOf(big))).toBe(true);
    expect([incoming.isKept, missed]).toEqual([false, ['target-changed']]);
  });

  it('at the receiver, where it was the very one, is left out', async () => {
    const sink = new MemorySink({
      older: { big: old, small: Buffer.from('s') },
      changesBeforeAdopted: ['big'],
    });
    const source = new MemorySource({ big: old, other: Buffer.from('o'), small: Buffer.from('s') });
    const { sender, receiver } = transfer(source, sink, { decide: update });
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect([[...sink.arrived.keys()], sink.adopted]).toEqual([['other'], ['small']]);
    expect(await receiver.outcome).toMatchObject({
      files: 1,
      alreadyFiles: 1,
      missing: [{ path: 'big', reason: 'target-changed' }],
    });
    expect(await sender.outcome).toMatchObject({ missingCount: 1 });
    expect([sink.openParts, sink.openCopies]).toEqual([0, 0]);
  });

  it('and cannot be read is left out, whenever that shows', async () => {
    for (const failAfterBytes of [0, MIB]) {
      const tree: Tree = { a: Buffer.from('a'), big: old, small: Buffer.from('s') };
      const faults = {
        failures: { big: 'path-unreadable' as const, small: 'source-vanished' as const },
        failAfterBytes,
      };
      const sink = new MemorySink({ older: { a: Buffer.from('b'), big: old, small: Buffer.from('t') } });
      const { sender, receiver } = transfer(new MemorySource(tree, faults), sink, { decide: update });
      expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
      expect([...sink.arrived.keys()]).toEqual(failAfterBytes === 0 ? ['a'] : ['a', 'small']);
      expect(sink.adopted).toEqual([]);
      expect([sink.openParts, sink.openCopies]).toEqual([0, 0]);
    }
  });
});

describe('what is remembered of older copies', () => {
  const spansOf = (content: Uint8Array): Span[] => {
    const spans: Span[] = [];
    const splitter = new Splitter(content.length, (length, digest) => spans.push({ length, digest }));
    splitter.update(content);
    splitter.end();
    return spans;
  };
  const copy = (content: Uint8Array): OlderCopy => ({
    size: content.length,
    read: async (into, offset) => into.subarray(0, Buffer.from(content).copy(into, 0, offset)),
    close: async () => {},
  });

  it('has an end: what there is no room for is needed', async () => {
    const pieces = spansOf(old);
    // Every second span of the older file is another one in the new one.
    const room: Room = { left: 3 };
    const now = file('big', old.length);
    const matching = await Matching.begin(now, [copy(old)], room, async () => {});
    const wrong = Buffer.alloc(32);
    const needs = pieces.map(({ length, digest }, at) =>
      matching.needs({ length, digest: at % 2 === 0 ? wrong : digest }),
    );
    expect(needs.filter((need) => !need)).toHaveLength(3);
    expect(room.left).toBe(0);
    await matching.abandon();
    expect(room.left).toBe(3);
  });

  it('is one share where spans follow each other', async () => {
    const room: Room = { left: 10 };
    const matching = await Matching.begin(file('big', old.length), [copy(old)], room, async () => {});
    for (const span of spansOf(old).slice(0, -1)) expect(matching.needs(span)).toBe(false);
    expect(room.left).toBe(9);
  });
});

const spans = (entry: number, ...list: Span[]): Item => ({
  type: 'spans',
  transfer: number,
  files: [{ entry, spans: list }],
});
const spanOf = (content: Uint8Array): Span => ({ length: content.length, digest: spanDigest(content) });
const chunk = (offset: number, content: Uint8Array, digest?: Uint8Array): Item => ({
  kind: 'chunk', transfer: number, entry: 0, offset, body: stored(content), ...(digest === undefined ? {} : { digest }),
}); // prettier-ignore

describe('a hostile sender', () => {
  const small = Buffer.from('small');

  it.each<[string, Item[]]>([
    ['says spans of a file that is not there', [spans(1, spanOf(small))]],
    ['says spans of no file at all', [spans(9, spanOf(small))]],
    ['says nothing at all', [spans(0)]],
    ['says more than the file has', [spans(0, { length: small.length + 1, digest: Buffer.alloc(32) })]],
    ['says a span of nothing', [spans(0, { length: 0, digest: Buffer.alloc(32) })]],
    ['says spans of a file twice', [spans(0, spanOf(small)), spans(0, spanOf(small))]],
    ['sends a file all the same that is here', [spans(0, spanOf(small)), chunk(0, small, digestOf(small))]],
    ['says that it failed although it is here', [
      spans(0, spanOf(small)), { type: 'entry-failed', transfer: number, entry: 0, reason: 'source-vanished' },
    ]],
    ['says spans in the middle of a file', [
      { type: 'entry-failed', transfer: number, entry: 0, reason: 'source-vanished' },
      { ...chunk(0, Buffer.from('n')), entry: 1 } as Item,
      spans(1, spanOf(small)),
    ]],
  ])('that %s is refused', async (_, items) => {
    const sink = new MemorySink({ older: { a: small } });
    const [receiver, peer] = receiveFromScript(sink, { decide: update });
    await peer.say(...opening([file('a', small), file('b', 3)]));
    expect(await peer.hear('want')).toMatchObject({ older: [[0, 1]] });
    await peer.say(...items);
    expect(await ending(receiver)).toBe('protocol');
    expect(sink.arrived.size).toBe(0);
    expect([sink.openParts, sink.openCopies]).toEqual([0, 0]);
  }); // prettier-ignore

  it.each<[string, Span[]]>([
    ['shorter than any', [spanOf(old.subarray(0, 100)), spanOf(old.subarray(100, 100_000))]],
    ['longer than any', [{ length: 300_000, digest: Buffer.alloc(32) }]],
  ])('that cuts a file into spans %s is refused', async (_, list) => {
    const sink = new MemorySink({ older: { big: old } });
    const [receiver, peer] = receiveFromScript(sink, { decide: update });
    await peer.say(...offerOf('big', old.length));
    await peer.hear('want');
    await peer.say(spans(0, ...list));
    expect(await ending(receiver)).toBe('protocol');
  });

  it('that says other spans than it has gets no file placed that is not what its digest says', async () => {
    const now = Buffer.concat([old.subarray(0, 500_000), Buffer.from('end')]);
    const list: Span[] = [];
    const splitter = new Splitter(now.length, (length, digest) => list.push({ length, digest }));
    splitter.update(now);
    splitter.end();
    const sink = new MemorySink({ older: { big: old } });
    const [receiver, peer] = receiveFromScript(sink, { decide: update });
    await peer.say(...offerOf('big', now.length));
    await peer.hear('want');
    await peer.say(spans(0, ...list));
    const need = await peer.hear('need');
    const kept = list.slice(0, need.runs[0]![0]).reduce((sum, { length }) => sum + length, 0);
    expect(kept).toBeGreaterThan(100_000);
    await peer.say(chunk(kept, now.subarray(kept), randomBytes(32)), {
      type: 'sent',
      transfer: number,
      files: 1,
      bytes: now.length,
    });
    expect(await peer.hear('received')).toMatchObject({ files: 0, missing: 1 });
    expect(sink.arrived.size).toBe(0);
    expect([sink.openParts, sink.openCopies]).toEqual([0, 0]);
    expect(receiver.events).toContainEqual({
      type: 'skipped',
      skipped: { path: 'big', reason: 'target-changed' },
    });
  });

  it.each<[string, (small: Uint8Array) => Item[]]>([
    ['came', (small) => [chunk(0, small, digestOf(small))]],
    ['came with others', (small) => [batchOf([[0, small]])]],
    ['failed', () => [{ type: 'entry-failed', transfer: number, entry: 0, reason: 'source-vanished' }]],
  ])('that says what the spans of a file are that %s is refused', async (_, content) => {
    const small = old.subarray(0, 1_000);
    const sink = new MemorySink({ older: { a: small } });
    const [receiver, peer] = receiveFromScript(sink, { decide: update });
    await peer.say(...opening([file('a', small), file('b', 10)]));
    await peer.hear('want');
    await peer.say(...content(small), spans(0, spanOf(small)));
    expect(await ending(receiver)).toBe('protocol');
    expect(sink.adopted).toEqual([]);
  });

  it('that sends all of a file all the same is right to', async () => {
    const now = Buffer.concat([old, Buffer.from('end')]).subarray(0, 900_000);
    const sink = new MemorySink({ older: { big: old } });
    const [receiver, peer] = receiveFromScript(sink, { decide: update });
    await peer.say(...offerOf('big', now.length));
    await peer.hear('want');
    await peer.say(chunk(0, now, digestOf(now)), {
      type: 'sent',
      transfer: number,
      files: 1,
      bytes: now.length,
    });
    expect(await peer.hear('received')).toMatchObject({ files: 1, missing: 0 });
    await peer.channel.end();
    expect(await ending(receiver)).toBe('ok');
    expect(sketch(sink.arrived)).toEqual(sketch(new Map([['big', now]])));
  });
});

describe('a hostile receiver', () => {
  const asks = (older: [number, number][], held: [number, number][] = []): Item => ({
    type: 'want',
    transfer: number,
    part: 0,
    runs: [[0, 1]],
    held,
    older,
  });
  const need = (...runs: [number, number][]): Item => ({ type: 'need', transfer: number, runs });
  const answer: Item = { type: 'answer', transfer: number, accepted: true, reason: undefined };

  it.each<[string, Item[]]>([
    ['has an older copy of a file that it does not want', [asks([[1, 1]])]],
    ['has an older copy of what is not there', [asks([[0, 9]])]],
    ['has an older copy and a part of one file', [asks([[0, 1]], [[0, 1]])]],
    ['needs what it was not told of', [need([0, 1])]],
    ['needs more than it was told of', [asks([[0, 1]]), need([0, 5000])]],
    ['needs twice', [asks([[0, 1]]), need([0, 1]), need([0, 1])]],
  ])('that %s is refused', async (_, items) => {
    const [sender, peer] = sendToScript(new MemorySource({ big: old, small: Buffer.from('s') }));
    await peer.hear('manifest-end');
    await peer.say(answer, ...items);
    expect(await ending(sender)).toBe('protocol');
  });

  it('has no older copy of a pipe', async () => {
    const pipe = new MemoryPipe((async function* () { yield Buffer.from('x'); })()); // prettier-ignore
    const [sender, peer] = sendToScript(pipe, { kind: 'pipe' });
    await peer.hear('manifest-end');
    await peer.say(answer, asks([[0, 1]]));
    expect(await ending(sender)).toBe('protocol');
  });

  it('that never says what it needs keeps nobody who was interrupted', async () => {
    const controller = new AbortController();
    const [sender, peer] = sendToScript(new MemorySource({ big: old }), { signal: controller.signal });
    await peer.hear('manifest-end');
    await peer.say(answer, asks([[0, 1]]));
    await peer.hear('spans');
    controller.abort(new XferError('interrupted'));
    expect(await ending(sender)).toBe('interrupted');
  });
});

function prefixed(prefix: string, files: Record<string, Uint8Array>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${prefix}${name}`, content]));
}
