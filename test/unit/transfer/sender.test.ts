import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LEAF_BYTES } from '../../../src/crypto/digest.js';
import { XferError } from '../../../src/errors.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Skipped } from '../../../src/transfer/ports.js';
import type { Item, ScriptedPeer } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemoryPipe, MemorySource, type Tree } from '../../support/memory-source.js';
import {
  ending,
  partlyThere,
  sendToScript,
  transfer as run,
  type Side,
} from '../../support/memory-transfer.js';
import { noise } from '../../support/trees.js';
import { settle } from '../../support/turns.js';

const transfer = 1;
const tree: Tree = { d: { a: Buffer.from('a'), b: Buffer.from('bb') }, e: Buffer.from('eee') };
const yes: Item = { type: 'answer', transfer, accepted: true, reason: undefined };
const want = (part: number, count: number): Item => ({ type: 'want', transfer, part, runs: [[0, count]], held: [], older: [] }); // prettier-ignore
const received = (files: number, bytes: number, missing = 0): Item => ({ type: 'received', transfer, files, bytes, missing }); // prettier-ignore
const progress = (state: 'asking' | 'receiving', files: number, bytes: number): Item => ({ type: 'progress', transfer, state, files, bytes }); // prettier-ignore

const eventsOf = ({ events }: Side, type: string): unknown[] => events.filter((event) => event.type === type);
const saidBy = ({ channel }: Side, ...types: ControlMessage['type'][]): Item[] =>
  channel.sent.filter((item) => 'type' in item && types.includes(item.type));

async function part(peer: ScriptedPeer): Promise<void> {
  await peer.hearAll();
  await peer.channel.end();
}

describe('a sender', () => {
  it('offers the roots, and counts what is there and what is not', async () => {
    const skipped: Skipped[] = [
      { path: 'l', reason: 'link-skipped' },
      { path: 's', reason: 'special-skipped' },
      { path: 'u', reason: 'path-unreadable' },
      { path: 'v', reason: 'path-unreadable' },
    ];
    const [sender, peer] = sendToScript(new MemorySource(tree, { skipped }));
    await peer.say(yes, want(0, 2), want(1, 2));
    const roots = [
      { name: 'd', type: 'folder', size: undefined },
      { name: 'e', type: 'file', size: 3 },
    ];
    expect(await peer.hear('offer')).toMatchObject({ kind: 'files', roots });
    expect(await peer.hear('manifest-end')).toMatchObject({ entries: 4, files: 3, bytes: 6, skipped: 4, missing: 2 }); // prettier-ignore
    expect(sender.events[0]).toEqual({ type: 'offer', kind: 'files', roots });
    expect(eventsOf(sender, 'skipped')).toHaveLength(4);
    expect(eventsOf(sender, 'scanning')).toEqual([{ type: 'scanning', files: 3, bytes: 6, done: true }]);
    await ending(sender);
  });

  it('keeps what it has back for longer where its scan is slow, and says how far it is all the same', async () => {
    const source = new MemorySource(
      Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`f${at}`, noise(9, String(at))])),
    );
    source.listingSize = 1;
    // A hundredth of the 40 s that the scan has taken is more than 250 ms.
    const times = [41_000, 41_300, 41_396, 41_500, 41_800];
    let now = 1_000;
    source.onListing = async () => void (now = times.shift()!);
    const [sender, peer] = sendToScript(source, { now: () => now });
    await peer.hear('manifest-end');
    const counted = saidBy(sender, 'counting').map((item) => 'entries' in item && item.entries);
    expect(counted).toEqual([1, 2, 5]);
    const manifest = sender.channel.sent.filter((item) => !('type' in item));
    expect(manifest).toMatchObject([
      { part: 0, count: 1 },
      { part: 1, count: 4 },
    ]);
    await peer.say(yes, want(0, 1), want(1, 4));
    await peer.hear('sent');
    await peer.say(received(5, 45));
    await part(peer);
    await sender.outcome;
  });

  it('says every 250 ms how far its scan is, and sends what it has by then', async () => {
    const source = new MemorySource(
      Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, noise(9, name)])),
    );
    source.listingSize = 1;
    const times = [1_249, 1_250, 1_499, 1_500];
    let now = 1_000;
    source.onListing = async () => void (now = times.shift()!);
    const [sender, peer] = sendToScript(source, { now: () => now });
    await peer.hear('manifest-end');
    expect(saidBy(sender, 'counting')).toEqual([
      { type: 'counting', transfer, entries: 2, bytes: 18 },
      { type: 'counting', transfer, entries: 4, bytes: 36 },
    ]);
    expect(eventsOf(sender, 'scanning')).toEqual([
      { type: 'scanning', files: 2, bytes: 18, done: false },
      { type: 'scanning', files: 4, bytes: 36, done: false },
      { type: 'scanning', files: 4, bytes: 36, done: true },
    ]);
    const manifest = sender.channel.sent.filter((item) => !('type' in item));
    expect(manifest).toMatchObject([
      { kind: 'manifest', part: 0, count: 2 },
      { part: 1, count: 2 },
    ]);
    await peer.say(yes, want(0, 2), want(1, 2));
    expect(await peer.hear('sent')).toMatchObject({ files: 4, bytes: 36 });
    now += 5_000;
    await peer.say(received(4, 36));
    await part(peer);
    expect(await sender.outcome).toMatchObject({ files: 4, bytes: 36, elapsedMs: 5_000 });
  });

  it('shows how far the receiver is, and the whole once both know it', async () => {
    const source = new MemorySource(tree);
    source.listingSize = 2;
    let goOn = (): void => {};
    let listings = 0;
    source.onListing = () =>
      ++listings === 2 ? new Promise((resolve) => (goOn = resolve)) : Promise.resolve();
    let now = 0;
    // The first listing takes long: it is a part of its own.
    const [sender, peer] = sendToScript(source, { now: () => (now += 1_000) });
    await peer.say(progress('asking', 0, 0), yes, want(0, 2), progress('receiving', 0, 0));
    await settle();
    goOn();
    await peer.hear('manifest-end');
    await peer.say(progress('receiving', 1, 3));
    await settle();
    await peer.say(want(1, 2), progress('receiving', 3, 6));
    await peer.hear('sent');
    await peer.say(received(3, 6));
    await part(peer);
    await sender.outcome;
    expect(eventsOf(sender, 'peer-state').map((event) => (event as { state: string }).state)).toEqual(['asking', 'receiving', 'receiving', 'receiving']); // prettier-ignore
    expect(eventsOf(sender, 'progress')).toEqual(
      [
        { files: 0, bytes: 0, totalFiles: 1, totalBytes: 3, totalKnown: false },
        { files: 1, bytes: 3, totalFiles: 1, totalBytes: 3, totalKnown: false },
        { files: 3, bytes: 6, totalFiles: 3, totalBytes: 6, totalKnown: true },
      ].map((figures) => ({ type: 'progress', progress: figures })),
    );
    expect(eventsOf(sender, 'accepted')).toHaveLength(1);
  });

  it('tells what the receiver has of a file, and counts it', async () => {
    const { files, there } = partlyThere();
    const sink = new MemorySink(there);
    const decide = async () => ({ accept: true, conflicts: 'update' }) as const;
    const { sender, receiver } = run(new MemorySource(files), sink, { decide });
    const outcome = await sender.outcome;
    await receiver.outcome;
    const [updated] = eventsOf(sender, 'file-updated') as [{ path: string; bytes: number }];
    expect(updated).toMatchObject({ path: 'd' });
    expect(updated.bytes).toBeGreaterThan(300_000);
    expect(eventsOf(sender, 'file-continued')).toEqual([
      { type: 'file-continued', path: 'a', bytes: LEAF_BYTES },
    ]);
    expect(eventsOf(sender, 'file-restarted')).toEqual([{ type: 'file-restarted', path: 'b' }]);
    expect(eventsOf(sender, 'file-started')).toEqual(
      (['a', 'b', 'd'] as const).map((path) => ({ type: 'file-started', path, size: files[path].length })),
    );
    expect(outcome).toMatchObject({
      files: 3,
      alreadyFiles: 1,
      alreadyBytes: 8,
      continuedBytes: LEAF_BYTES + updated.bytes,
    });
  });

  it.each([
    ['all of it', received(3, 6), { files: 3, bytes: 6, missingCount: 2 }],
    ['what failed there', received(1, 1, 2), { files: 1, bytes: 1, missingCount: 4 }],
    ['files that it lacked anyway', received(3, 6, 7), { files: 3, bytes: 6, missingCount: 9 }],
  ])('believes figures that can be: %s', async (_, last, expected) => {
    const skipped: Skipped[] = ['u', 'v'].map((path) => ({ path, reason: 'path-unreadable' }));
    const [sender, peer] = sendToScript(new MemorySource(tree, { skipped }));
    await peer.hear('manifest-end');
    await peer.say(yes, want(0, 4));
    await peer.hear('sent');
    await peer.say(last);
    await part(peer);
    expect(await sender.outcome).toMatchObject(expected);
  });

  it('counts once what failed on both sides', async () => {
    const source = new MemorySource(tree, { failures: { 'd/a': 'source-vanished' } });
    const [sender, peer] = sendToScript(source);
    await peer.hear('manifest-end');
    await peer.say(yes, want(0, 4));
    expect(await peer.hear('entry-failed')).toMatchObject({ entry: 2, reason: 'source-vanished' });
    expect(await peer.hear('sent')).toMatchObject({ files: 2, bytes: 5 });
    await peer.say(received(2, 5, 0));
    await part(peer);
    const missing = [{ path: 'd/a', reason: 'source-vanished' }];
    expect(await sender.outcome).toMatchObject({ missing, missingCount: 1 });
  });

  it.each([true, false])('compresses where it may: %s', async (compress) => {
    const source = new MemorySource({ text: Buffer.alloc(100_000, 'the same again ') });
    const { sender } = run(source, new MemorySink(), {}, { compress });
    await sender.outcome;
    const used = sender.channel.sent.flatMap((item) => ('body' in item ? [item.body.compression] : []));
    expect(used.some((compression) => compression !== 'stored')).toBe(compress);
  });

  it.each([
    ['no reason', undefined],
    ['a reason', 'dry-run'],
  ] as const)('hears a no with %s', async (_, reason) => {
    const [sender, peer] = sendToScript(new MemorySource(tree));
    await peer.say({ type: 'answer', transfer, accepted: false, reason });
    await part(peer);
    await expect(sender.outcome).rejects.toMatchObject({ code: 'declined', detail: reason });
    expect(eventsOf(sender, 'declined')).toEqual([{ type: 'declined', reason }]);
  });

  it('tells the receiver of a limit that its own files pass', async () => {
    const source = new MemorySource(tree);
    source.onListing = () => Promise.reject(new XferError('limit'));
    const [sender, peer] = sendToScript(source);
    expect(await peer.hear('error')).toMatchObject({ code: 'limit' });
    await peer.channel.end();
    expect(await ending(sender)).toBe('limit');
  });
});

describe('a sender that has sent everything', () => {
  it('waits for the end of the receiver, whose last word is said', async () => {
    const [sender, peer] = sendToScript(new MemorySource({ a: Buffer.from('aaa') }));
    let isOver = false;
    void sender.outcome.then(() => (isOver = true));
    await peer.say(yes, want(0, 1));
    await peer.hear('sent');
    await peer.say(received(1, 3));
    await peer.hearAll();
    await settle();
    expect(isOver).toBe(false);
    await peer.channel.end();
    expect(await ending(sender)).toBe('ok');
  });

  it('and is interrupted after the last word of the receiver says what became of it', async () => {
    const abort = new AbortController();
    const source = new MemorySource({ a: Buffer.from('aaa') });
    const [sender, peer] = sendToScript(source, { signal: abort.signal });
    await peer.say(yes, want(0, 1));
    await peer.hear('sent');
    await peer.say(received(1, 3));
    await settle();
    abort.abort();
    await part(peer);
    expect(await sender.outcome).toMatchObject({ files: 1, bytes: 3, missingCount: 0 });
  });

  it.each([
    [undefined, 'brotli'],
    [true, 'brotli'],
    [false, 'stored'],
  ] as const)('with compress as %s has sent it %s', async (compress, compression) => {
    const content = Buffer.alloc(LEAF_BYTES, 'all the same ');
    const options = compress === undefined ? {} : { compress };
    const { sender, receiver } = run(new MemorySource({ a: content }), new MemorySink(), {}, options);
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    const bodies = sender.channel.sent.flatMap((item) =>
      'kind' in item && 'body' in item ? [item.body] : [],
    );
    expect(bodies.at(-1)).toMatchObject({ rawLength: LEAF_BYTES, compression });
  });
});

describe('a sender that is stopped', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['a listing', 'files'],
    ['a pipe', 'pipe'],
  ] as const)('in %s waits for it, but for no pipe', async (_, kind) => {
    const abort = new AbortController();
    let goOn = (): void => {};
    const waiting = new Promise<void>((resolve) => (goOn = resolve));
    const source = kind === 'pipe' ? new MemoryPipe((async function* () {})()) : new MemorySource(tree);
    const scan = source.scan.bind(source);
    source.scan = async function* () {
      await waiting;
      yield* scan();
    };
    const [sender, peer] = sendToScript(source, { kind, signal: abort.signal });
    let isOver = false;
    sender.outcome.catch(() => (isOver = true));
    await peer.hear('offer');
    abort.abort();
    await part(peer);
    await settle();
    // What is left of a side has a second to end, and then its work has one.
    expect(isOver).toBe(kind === 'pipe');
    goOn();
    await settle();
    expect(isOver).toBe(true);
    expect(sender.channel.sent.filter((item) => !('type' in item))).toEqual([]);
  });

  it('sends no more of what was wanted, and asks for no more listings', async () => {
    const abort = new AbortController();
    const source = new MemorySource(tree);
    source.listingSize = 1;
    let listings = 0;
    source.onListing = async () => {
      if (++listings === 2) abort.abort();
      await settle();
    };
    const [sender, peer] = sendToScript(source, { signal: abort.signal });
    await peer.say(yes);
    await part(peer);
    expect(await ending(sender)).toBe('interrupted');
    await settle(40);
    expect(listings).toBe(2);
  });
});
