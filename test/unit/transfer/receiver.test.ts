import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf, LEAF_BYTES, leafDigest } from '../../../src/crypto/digest.js';
import { XferError } from '../../../src/errors.js';
import type { OfferSummary, OfferWatch, Progress } from '../../../src/transfer/events.js';
import { ManifestEncoder } from '../../../src/transfer/manifest.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Entry, ManifestPart, PartFile } from '../../../src/transfer/ports.js';
import { receiveFiles } from '../../../src/transfer/receiver.js';
import { deferred } from '../../../src/transfer/deferred.js';
import { batchOf } from '../../support/hostile-world.js';
import { MemoryChannel, ScriptedPeer, type Item } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource } from '../../support/memory-source.js';
import {
  ending,
  partlyThere,
  receiveFromScript,
  transfer as run,
  yes,
  type Side,
} from '../../support/memory-transfer.js';
import { settle } from '../../support/turns.js';
import { file, folder, number, opening, partOf, rootsOf, stored, transfer } from './offers.js';

const A = Buffer.from('aaa');
const sent = (files: number, bytes: number): Item => ({ type: 'sent', transfer, files, bytes });
const eventsOf = ({ events }: Side, type: string): unknown[] => events.filter((event) => event.type === type);
const saidBy = ({ channel }: Side, ...types: ControlMessage['type'][]): Item[] =>
  channel.sent.filter((item) => 'type' in item && types.includes(item.type));

async function part(peer: ScriptedPeer): Promise<void> {
  await peer.channel.end();
  await peer.hearAll();
}

/** From now on its part files do some things in another way. */
function changeParts(sink: MemorySink, change: (part: PartFile) => Partial<PartFile>): void {
  const begin = sink.create.bind(sink);
  sink.create = async (entry) => {
    const begun = await begin(entry);
    return { ...begun, ...change(begun) };
  };
}

/** An offer of files whose list comes in a part for each. */
function inParts(names: readonly string[]): { offer: Item; parts: ManifestPart[]; end: Item } {
  const entries = names.map((name) => file(name, 3));
  const [offer] = opening(entries);
  const encoder = new ManifestEncoder();
  const parts = number(entries).map((entry: Entry, index) => {
    encoder.add({ entries: [entry], skipped: [] });
    return partOf(encoder.takeAll()[0]!, index);
  });
  const { entries: count, files, bytes } = encoder.totals;
  const digest = encoder.digest();
  const end: Item = { type: 'manifest-end', transfer, entries: count, files, bytes, skipped: 0, missing: 0, digest }; // prettier-ignore
  return { offer, parts, end };
}

describe('a receiver', () => {
  it('that is interrupted when everything is in place says that it is, though the sender has not heard of it', async () => {
    const abort = new AbortController();
    const sink = new MemorySink();
    const [side, peer] = receiveFromScript(sink, { signal: abort.signal });
    await peer.say(...opening([file('f', 3)]));
    await peer.hear('want');
    await peer.say(batchOf([[0, A]]), sent(1, 3));
    await peer.hear('received');
    abort.abort();
    await peer.hearAll();
    await peer.channel.end();
    expect(await side.outcome).toMatchObject({ files: 1, bytes: 3, missingCount: 0 });
    expect(sink.isFinished).toBe(true);
  });

  it('that is interrupted just before stays interrupted, and the sender hears nothing else', async () => {
    const abort = new AbortController();
    const sink = new MemorySink();
    const finish = sink.finish.bind(sink);
    sink.finish = async (isWhole, signal) => {
      abort.abort();
      await settle();
      return finish(isWhole, signal);
    };
    const [side, peer] = receiveFromScript(sink, { signal: abort.signal });
    await peer.say(...opening([file('f', 3)]));
    await peer.hear('want');
    await peer.say(batchOf([[0, A]]), sent(1, 3));
    expect(await peer.hear('error')).toMatchObject({ code: 'interrupted' });
    await peer.channel.end();
    await expect(side.outcome).rejects.toMatchObject({ code: 'interrupted' });
    expect(sink.isAborted).toBe(true);
    expect(sink.finishSignal?.aborted).toBe(true);
  });

  describe('whose disk takes long', () => {
    let now: number;
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      now = 0;
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const pass = async (ms: number): Promise<void> => {
      now += ms;
      vi.advanceTimersByTime(ms);
      await settle();
    };
    const states = (side: Side): unknown[] =>
      saidBy(side, 'progress').map((item) => 'state' in item && item.state);

    it('says so every five seconds while it writes, and nothing while it waits for the sender', async () => {
      const sink = new MemorySink();
      const disk = deferred<undefined>();
      changeParts(sink, (part) => ({ write: (bytes) => disk.promise.then(() => part.write(bytes)) }));
      const [side, peer] = receiveFromScript(sink, { now: () => now });
      await peer.say(...opening([file('f', 3)]));
      await peer.hear('want');
      await settle();
      const before = states(side).length;
      for (let second = 0; second < 60; second++) await pass(1_000);
      expect(states(side)).toHaveLength(before);
      await peer.say({ kind: 'chunk', transfer, entry: 0, offset: 0, body: stored(A) });
      await settle();
      for (let second = 0; second < 11; second++) await pass(1_000);
      expect(states(side).slice(before)).toEqual(['receiving', 'receiving']);
      disk.resolve(undefined);
      await settle();
      const after = states(side).length;
      for (let second = 0; second < 60; second++) await pass(1_000);
      expect(states(side)).toHaveLength(after);
      await part(peer);
      await side.outcome.catch(() => undefined);
    });

    it('says so at the end too', async () => {
      const sink = new MemorySink();
      const disk = deferred<undefined>();
      const finish = sink.finish.bind(sink);
      sink.finish = (isWhole) => disk.promise.then(() => finish(isWhole));
      const [side, peer] = receiveFromScript(sink, { now: () => now });
      await peer.say(...opening([file('f', 3)]));
      await peer.hear('want');
      await peer.say(batchOf([[0, A]]), sent(1, 3));
      await settle();
      const before = states(side).length;
      expect(states(side).at(-1)).toBe('verifying');
      for (let second = 0; second < 130; second++) await pass(1_000);
      expect(states(side).slice(before)).toEqual(Array.from({ length: 26 }, () => 'verifying'));
      disk.resolve(undefined);
      await part(peer);
      expect(await side.outcome).toMatchObject({ files: 1 });
    });
  });

  it('tells of what comes by its roots, and of folders with all that is in them', async () => {
    const entries = [
      folder('d'),
      folder('e'),
      file('f', 3),
      file('a', 3, { parent: 0 }),
      file('b', 3, { parent: 0 }),
    ];
    let now = 5_000;
    const [side, peer] = receiveFromScript(new MemorySink({ capacity: 77 }), { now: () => now });
    await peer.say(...opening(entries));
    expect(await peer.hear('answer')).toMatchObject({ accepted: true, reason: undefined });
    expect(await peer.hear('want')).toEqual({
      type: 'want',
      transfer,
      part: 0,
      runs: [[0, 5]],
      held: [],
      older: [],
    });
    now += 2_000;
    await peer.say(batchOf([[2, A], [3, A], [4, A]]), sent(3, 9)); // prettier-ignore
    expect(await peer.hear('received')).toMatchObject({ files: 3, bytes: 9, missing: 0 });
    await part(peer);
    expect(await side.outcome).toMatchObject({ files: 3, bytes: 9, elapsedMs: 2_000, missingCount: 0 });
    expect(side.events[0]).toEqual({ type: 'offer', kind: 'files', roots: rootsOf(entries) });
    expect(eventsOf(side, 'counting')).toEqual([{ type: 'counting', entries: 5, bytes: 9, done: true }]);
    expect(eventsOf(side, 'file-received')).toEqual([
      { type: 'file-received', path: 'f', size: 3 },
      { type: 'file-received', path: 'd', size: 6 },
      { type: 'file-received', path: 'e', size: 0 },
    ]);
    expect(saidBy(side, 'progress').map((item) => (item as { state: string }).state)).toEqual(['asking', 'receiving', 'receiving', 'verifying']); // prettier-ignore
    expect(eventsOf(side, 'progress').at(-1)).toEqual({
      type: 'progress',
      progress: { files: 3, bytes: 9, totalFiles: 3, totalBytes: 9, totalKnown: true },
    });
    expect(side.channel).toMatchObject({ isEnded: true, isDestroyed: false });
  });

  it('knows the whole once it wants all of a complete list', async () => {
    const { offer, parts, end } = inParts(['a', 'b']);
    const [side, peer] = receiveFromScript(new MemorySink(), { early: true, now: () => 0 });
    await peer.say(offer);
    await peer.hear('answer');
    await peer.say(parts[0]!, parts[1]!, end, batchOf([[0, A], [1, A]]), sent(2, 6)); // prettier-ignore
    await part(peer);
    await side.outcome;
    const known = eventsOf(side, 'progress').map((event) => (event as { progress: object }).progress);
    expect(known[0]).toEqual({ files: 0, bytes: 0, totalFiles: 0, totalBytes: 0, totalKnown: false });
    expect(known.at(-1)).toEqual({ files: 2, bytes: 6, totalFiles: 2, totalBytes: 6, totalKnown: true });
    expect(saidBy(side, 'want')).toMatchObject([{ part: 0 }, { part: 1 }]);
  });

  it('tells what is here of a file, and counts it', async () => {
    const { files, there } = partlyThere();
    const within = Buffer.from('this too');
    const sink = new MemorySink({ ...there, older: { ...there.older, 'i/n': within } });
    const decide = async () => ({ accept: true, conflicts: 'update' }) as const;
    const { receiver } = run(new MemorySource({ ...files, i: { n: within } }), sink, { decide });
    const outcome = await receiver.outcome;
    const [updated] = eventsOf(receiver, 'file-updated') as [{ path: string; bytes: number }];
    expect(updated.path).toBe('d');
    expect(eventsOf(receiver, 'file-continued')).toEqual([
      { type: 'file-continued', path: 'a', bytes: LEAF_BYTES },
    ]);
    expect(eventsOf(receiver, 'file-restarted')).toEqual([{ type: 'file-restarted', path: 'b' }]);
    expect(eventsOf(receiver, 'file-started')).toEqual(
      (['a', 'b', 'd'] as const).map((path) => ({ type: 'file-started', path, size: files[path].length })),
    );
    expect(outcome).toMatchObject({ files: 3, alreadyFiles: 2, alreadyBytes: 16, missingCount: 0 });
    // What lies in a folder is part of it: no word of its own.
    const named = eventsOf(receiver, 'file-received') as { path: string; size: number }[];
    expect(named.map(({ path, size }) => [path, size]).sort()).toEqual([
      ['a', files.a.length],
      ['b', files.b.length],
      ['c', files.c.length],
      ['d', files.d.length],
      ['i', 0],
    ]);
    const total = files.a.length + files.b.length + files.d.length + 16;
    expect(eventsOf(receiver, 'progress').at(-1)).toEqual({
      type: 'progress',
      progress: { files: 5, bytes: total, totalFiles: 5, totalBytes: total, totalKnown: true },
    });
  });

  it('adds what the sender misses to what it misses itself, and tells it its own alone', async () => {
    const [offer, list, end] = opening([file('a', 3), file('bad', 3)]);
    const [side, peer] = receiveFromScript(new MemorySink({ refused: ['bad'] }));
    await peer.say(offer, list, { ...end, skipped: 3, missing: 2 });
    await peer.hear('want');
    await peer.say(batchOf([[0, A]]), sent(1, 3)); // prettier-ignore
    expect(await peer.hear('received')).toMatchObject({ files: 1, bytes: 3, missing: 1 });
    await part(peer);
    expect(await side.outcome).toMatchObject({ files: 1, missingCount: 3 });
  });

  it.each([
    ['fewer files', 0, 3],
    ['more bytes', 1, 4],
  ])('row 45: breaks off where the sender says that it sent %s', async (_, files, bytes) => {
    const [side, peer] = receiveFromScript(new MemorySink());
    await peer.say(...opening([file('a', 3)]));
    await peer.hear('want');
    await peer.say(batchOf([[0, A]]), sent(files, bytes)); // prettier-ignore
    expect(await ending(side)).toBe('protocol');
  });

  it('row 46: takes no end of the transfer for that of the list', async () => {
    const { offer, parts } = inParts(['a', 'b']);
    const [side, peer] = receiveFromScript(new MemorySink(), { early: true });
    await peer.say(offer);
    await peer.hear('answer');
    await peer.say(parts[0]!, batchOf([[0, A]]), sent(1, 3)); // prettier-ignore
    expect(await ending(side)).toBe('protocol');
  });

  it('tells how far it is while it compares what is here', async () => {
    const content = Buffer.alloc(2 * LEAF_BYTES + 1, 'x');
    let now = 0;
    const sink = new MemorySink({ held: { a: content.subarray(0, 2 * LEAF_BYTES) } });
    const [side, peer] = receiveFromScript(sink, { now: () => now });
    await peer.say(...opening([file('a', content)]));
    expect(await peer.hear('want')).toMatchObject({ held: [[0, 2]] });
    now += 100;
    const before = eventsOf(side, 'progress').length;
    const leaf = leafDigest(content.subarray(0, LEAF_BYTES));
    await peer.say({ type: 'leaves', transfer, entry: 0, digests: [leaf] });
    await settle();
    expect(eventsOf(side, 'progress')).toHaveLength(before + 1);
    await part(peer);
    expect(await ending(side)).toBe('incomplete');
  });

  it('goes on without a file that the sender cannot read', async () => {
    const [side, peer] = receiveFromScript(new MemorySink());
    await peer.say(...opening([file('a', 3), file('b', 3)]));
    await peer.hear('want');
    await peer.say({ type: 'entry-failed', transfer, entry: 0, reason: 'source-vanished' });
    await peer.say(batchOf([[1, A]]), sent(1, 3)); // prettier-ignore
    expect(await peer.hear('received')).toMatchObject({ files: 1, bytes: 3, missing: 1 });
    await part(peer);
    expect(await side.outcome).toMatchObject({ files: 1, missingCount: 1 });
    expect(eventsOf(side, 'accepted')).toHaveLength(1);
    expect(eventsOf(side, 'skipped')).toMatchObject([{ skipped: { path: 'a', reason: 'source-vanished' } }]);
  });

  it.each([
    ['all', () => true, true],
    ['a part', (path: string) => path !== 'b', false],
  ])('tells the place that it wanted %s of it', async (_, wants, isWhole) => {
    const sink = new MemorySink();
    const { receiver } = run(new MemorySource({ a: A, b: A }), sink, { wants });
    expect(await ending(receiver)).toBe('ok');
    expect(sink.isWhole).toBe(isWhole);
  });

  it('has a clock of its own where none is given', async () => {
    const { receiver } = run(new MemorySource({ a: A }), new MemorySink());
    expect((await receiver.outcome).elapsedMs).toBeGreaterThanOrEqual(0);
  });

  it('may choose by the offer where it goes', async () => {
    const sink = new MemorySink();
    const [channel, far] = MemoryChannel.pair();
    const asked: OfferSummary[] = [];
    const choose = vi.fn(async () => sink);
    const { signal } = new AbortController();
    const outcome = receiveFiles(channel, choose, {
      decide: (summary) => (asked.push(summary), yes()),
      early: false,
      intoHome: () => true,
      onEvent: () => undefined,
      signal,
    });
    const peer = new ScriptedPeer(far);
    const items = opening([file('a', 3)]);
    await peer.say(...items);
    await peer.hear('want');
    await peer.say(batchOf([[0, A]]), sent(1, 3));
    await part(peer);
    expect(await outcome).toMatchObject({ files: 1 });
    expect(choose).toHaveBeenCalledExactlyOnceWith(items[0]);
    expect([...sink.arrived.keys()]).toEqual(['a']);
    expect(asked).toMatchObject([{ intoHome: true }]);
  });
});

describe('who thinks about an offer', () => {
  it('hears of better figures every 250 ms, and of the last ones at once', async () => {
    const { offer, parts, end } = inParts(['a', 'b', 'c', 'd', 'e']);
    let now = 1_000;
    const heard: OfferSummary[] = [];
    let watched: OfferWatch | undefined;
    const [side, peer] = receiveFromScript(new MemorySink({ capacity: 9 }), {
      early: true,
      now: () => now,
      decide: (summary, watch) => {
        heard.push(summary);
        watch.onUpdate((update) => heard.push(update));
        watched = watch;
        return new Promise(() => {});
      },
    });
    const later = async (afterMs: number, item: Item): Promise<void> => {
      now += afterMs;
      await peer.say(item);
      await settle();
    };
    await later(0, offer);
    await later(0, parts[0]!);
    await later(249, parts[1]!);
    await later(1, parts[2]!);
    await later(100, parts[3]!);
    await later(150, { type: 'counting', transfer, entries: 9, bytes: 8 });
    await later(100, parts[4]!);
    expect(heard.map(({ files, complete }) => [files, complete])).toEqual([[0, false], [1, false], [3, false], [4, false]]); // prettier-ignore
    await later(1, end);
    expect(heard.at(-1)).toMatchObject({ files: 5, complete: true, freeBytes: 9 });
    expect(heard).toHaveLength(5);
    expect(eventsOf(side, 'counting')).toEqual([
      { type: 'counting', entries: 9, bytes: 8, done: false },
      { type: 'counting', entries: 5, bytes: 15, done: true },
    ]);
    expect(watched?.signal.aborted).toBe(false);
    await peer.channel.end();
    expect(await ending(side)).toBe('incomplete');
    expect(watched?.signal.aborted).toBe(true);
  });

  it('is asked once, and with the room that there is', async () => {
    let asked = 0;
    const decide = async (summary: OfferSummary) => {
      asked++;
      // Who does not want to be asked early is shown all of it.
      expect(summary).toMatchObject({ freeBytes: 9, files: 2, complete: true });
      return yes();
    };
    const { receiver } = run(new MemorySource({ a: A, b: A }), new MemorySink({ capacity: 9 }), { decide });
    expect(await ending(receiver)).toBe('ok');
    expect(asked).toBe(1);
  });
});

describe('a receiver whose disk is slow', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('counts what is written', async () => {
    const content = Buffer.alloc(100_000, 'x');
    const sink = new MemorySink();
    let isWritten = (): void => undefined;
    changeParts(sink, () => ({ write: () => new Promise((resolve) => (isWritten = resolve)) }));
    let now = 0;
    const [side, peer] = receiveFromScript(sink, { now: () => now });
    await peer.say(...opening([file('small', A), file('large', content)]));
    await peer.hear('want');
    // Soon there will be a word about it.
    await peer.say(batchOf([[0, A]])); // prettier-ignore
    const body = stored(content.subarray(0, 50_000));
    await peer.say({ kind: 'chunk', transfer, entry: 1, offset: 0, body });
    await settle();
    now += 100;
    await vi.advanceTimersByTimeAsync(100);
    expect(eventsOf(side, 'progress').at(-1)).toMatchObject({ progress: { files: 1, bytes: 3 } });
    isWritten();
    await part(peer);
    expect(await ending(side)).toBe('incomplete');
  });

  it('goes on to count a file that came while it gets its name', async () => {
    const content = Buffer.alloc(200_000, 'x');
    const sink = new MemorySink();
    let isSynced = (): void => undefined;
    const synced = new Promise<void>((resolve) => (isSynced = resolve));
    changeParts(sink, (part) => ({ commit: () => synced.then(() => part.commit()) }));
    let now = 0;
    const [side, peer] = receiveFromScript(sink, { now: () => now });
    await peer.say(...opening([file('large', content)]));
    await peer.hear('want');
    const sendPiece = async (offset: number, digest?: Uint8Array): Promise<void> => {
      const body = stored(content.subarray(offset, offset + 50_000));
      const chunk = { kind: 'chunk', transfer, entry: 0, offset, body } as const;
      await peer.say(digest === undefined ? chunk : { ...chunk, digest });
      await settle();
    };
    now += 200;
    await sendPiece(0);
    // Too soon for a word about it, which comes later by itself.
    await sendPiece(50_000);
    await sendPiece(100_000);
    await sendPiece(150_000, digestOf(content));
    await peer.say({ type: 'sent', transfer, files: 1, bytes: content.length });
    const heard = peer.hear('received');
    await settle();
    await vi.advanceTimersByTimeAsync(100);
    isSynced();
    await heard;
    await part(peer);
    await side.outcome;
    const bytes = eventsOf(side, 'progress').map((event) => (event as { progress: Progress }).progress.bytes);
    expect(bytes.at(-1)).toBe(content.length);
    expect(bytes).toEqual([...bytes].sort((one, other) => one - other));
  });
});

describe('a receiver that ends without the files', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('says no, and stays for the end of the sender, but not for ever', async () => {
    const [side, peer] = receiveFromScript(new MemorySink(), { decide: async () => ({ accept: false, reason: 'dry-run' }) }); // prettier-ignore
    let isOver = false;
    side.outcome.catch(() => (isOver = true));
    await peer.say(...opening([file('a', 3)]));
    expect(await peer.hear('answer')).toEqual({
      type: 'answer',
      transfer,
      accepted: false,
      reason: 'dry-run',
    });
    await vi.advanceTimersByTimeAsync(9_999);
    expect([isOver, side.channel.isEnded]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await ending(side)).toBe('dry-run');
    expect(eventsOf(side, 'declined')).toEqual([{ type: 'declined', reason: 'dry-run' }]);
  });

  it('ends after the sender where it said no', async () => {
    const [side, peer] = receiveFromScript(new MemorySink(), { decide: async () => ({ accept: false }) });
    await peer.say(...opening([file('a', 3)]));
    await part(peer);
    expect(await ending(side)).toBe('declined');
    expect(side.channel).toMatchObject({ isEnded: true, isDestroyed: false });
  });

  it.each([
    ['protocol', false],
    ['limit', false],
    ['declined', false],
    ['disk-full', true],
    ['interrupted', true],
  ] as const)('after %s keeps what it has: %s', async (code, keeps) => {
    const sink = new MemorySink();
    changeParts(sink, () => ({ write: () => Promise.reject(new XferError(code)) }));
    const [side, peer] = receiveFromScript(sink);
    await peer.say(...opening([file('a', 100_000)]));
    await peer.hear('want');
    const body = { compression: 'stored', rawLength: 5, bytes: Buffer.from('begin') } as const;
    await peer.say({ kind: 'chunk', transfer, entry: 0, offset: 0, body });
    await part(peer).catch(() => {});
    await expect(side.outcome).rejects.toMatchObject({ code });
    expect(sink.keeps).toBe(keeps);
    expect(eventsOf(side, 'kept')).toEqual(keeps ? [{ type: 'kept', bytes: 0 }] : []);
    const isBreach = code === 'protocol';
    expect(saidBy(side, 'error')).toEqual(isBreach || code === 'declined' ? [] : [{ type: 'error', code }]);
    expect(side.channel.isEnded).toBe(!isBreach);
  });

  it('tells of nothing more by itself', async () => {
    const [side, peer] = receiveFromScript(new MemorySink(), { now: () => 0 });
    await peer.say(...opening([file('a', 3), file('b', 3)]));
    await peer.hear('want');
    await peer.say(batchOf([[0, A]])); // prettier-ignore
    await settle();
    await part(peer);
    expect(await ending(side)).toBe('incomplete');
    expect(vi.getTimerCount()).toBe(0);
  });
});
