import { describe, expect, it } from 'vitest';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import { ROOT } from '../../../src/transfer/ports.js';
import type { Item } from '../../support/memory-channel.js';
import { MemorySource, type Tree } from '../../support/memory-source.js';
import { ending, sendToScript } from '../../support/memory-transfer.js';
import { noise } from '../../support/trees.js';
import { settle } from '../../support/turns.js';
import { WatchedSource, type Listed } from '../../support/watched-source.js';

const transfer = 1;
const tree: Tree = { d: { a: Buffer.from('a'), b: Buffer.from('b') }, e: Buffer.alloc(300_000) };
const answer = (accepted: boolean): Item => ({ type: 'answer', transfer, accepted, reason: undefined });
const want = (part: number, ...runs: [number, number][]): Extract<Item, { type: 'want' }> => ({
  type: 'want',
  transfer,
  part,
  runs,
  held: [],
  older: [],
});
const all = want(0, [0, 4]);
const listed = (index: number, name: string, size: number): Listed => ({
  entry: { index, parent: ROOT, type: 'file', name, size, mtimeMs: 0, mode: 0o644 },
  path: name,
  content: { zeros: 0, rest: noise(size, name) },
});
const received = (files: number, bytes: number, missing = 0): Item => ({ type: 'received', transfer, files, bytes, missing }); // prettier-ignore

describe('a receiver by hand', () => {
  it('gets what it wants and no more', async () => {
    const [sender, peer] = sendToScript(new MemorySource(tree));
    await peer.hear('manifest-end');
    await peer.say(answer(true), want(0, [1, 1], [1, 1]));
    expect(await peer.hear('sent')).toMatchObject({ files: 2, bytes: 300_001 });
    await peer.say(received(2, 300_001));
    await peer.hearAll();
    await peer.channel.end();
    expect(await sender.outcome).toMatchObject({ files: 2, bytes: 300_001, missingCount: 0 });
    const content = sender.channel.sent.filter(
      (item) => 'kind' in item && ['batch', 'chunk'].includes(item.kind),
    );
    expect(content).toMatchObject([
      { kind: 'chunk', entry: 1, offset: 0 },
      { kind: 'batch', count: 1 },
    ]);
  });

  it.each<[string, Item[]]>([
    ['row 46: a want before the answer', [all]],
    ['row 46: a second answer', [answer(true), answer(true)]],
    ['row 46: a no after the yes', [answer(true), answer(false)]],
    ['row 20: a want of an unknown part', [answer(true), want(1, [0, 4])]],
    ['row 20: a want twice', [answer(true), all, all]],
    ['row 20: a want beyond its part', [answer(true), want(0, [0, 5])]],
    [
      'row 20: a want far beyond its part',
      [answer(true), want(0, [0, 1], [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])],
    ],
    ['row 20: the last word before content', [answer(true), received(0, 0)]],
    ['row 20: content from the receiver', [{ kind: 'hole', transfer, entry: 0, offset: 0, length: 1 }]],
    ['row 20: an offer from the receiver', [{ type: 'offer', transfer, kind: 'files', roots: [] }]],
    ['row 20: another transfer', [{ type: 'progress', transfer: 2, state: 'asking', files: 0, bytes: 0 }]],
    ['row 20: a message of the pairing', [{ type: 'verified' }]],
  ])('%s', async (_, items) => {
    const [sender, peer] = sendToScript(new MemorySource(tree));
    await peer.hear('manifest-end');
    await peer.say(...items).catch(() => {});
    expect(await ending(sender)).toBe('protocol');
    expect(sender.channel.isDestroyed && !sender.channel.isEnded).toBe(true);
  });

  it.each<[string, Item]>([
    ['more files than were sent', received(4, 10)],
    ['more bytes than were sent', received(3, 400_000)],
    ['fewer files, with none missing', received(2, 10)],
  ])('row 45: received %s', async (_, last) => {
    const [sender, peer] = sendToScript(new MemorySource(tree));
    await peer.say(answer(true));
    await peer.hear('manifest-end');
    await peer.say(all);
    await peer.hear('sent');
    await peer.say(last);
    expect(await ending(sender)).toBe('protocol');
  });

  it.each<[ControlMessage, string]>([
    [{ type: 'error', code: 'disk-full' }, 'peer-failed disk-full'],
    [{ type: 'error', code: 'interrupted' }, 'peer-interrupted'],
    [{ type: 'answer', transfer, accepted: false, reason: 'target-exists' }, 'declined target-exists'],
  ])('that ends with %o', async (message, expected) => {
    const [sender, peer] = sendToScript(new MemorySource(tree));
    await peer.say(message);
    await peer.channel.end();
    expect(await ending(sender)).toBe(expected);
  });

  it('that ends without a word', async () => {
    const [sender, peer] = sendToScript(new MemorySource(tree));
    await peer.channel.end();
    expect(await ending(sender)).toBe('peer-gone');
  });

  it('row 20: keeps leaves before it was told of the last one', async () => {
    const rest = listed(0, 'far', 5);
    const far = { zeros: 2 ** 26 + 2 ** 20, rest: rest.content!.rest };
    const size = far.zeros + far.rest.length;
    const source = new WatchedSource([[{ ...rest, entry: { ...rest.entry, size }, content: far }]]);
    const [sender, peer] = sendToScript(source);
    await peer.say(answer(true));
    await peer.hear('manifest-end');
    // Two reads are all that the first 64 leaves take.
    source.reads.set(3);
    await peer.say({ ...want(0, [0, 1]), held: [[0, 65]] });
    expect((await peer.hear('leaves')).digests).toHaveLength(64);
    await peer.say({ type: 'keep', transfer, entry: 0, leaves: 1 });
    await settle();
    source.reads.set(Infinity);
    expect(await ending(sender)).toBe('protocol');
  });

  it.each(['held', 'older'] as const)(
    'that breaks the rules while a file is opened that it %s',
    async (what) => {
      const source = new WatchedSource([[listed(0, 'big', 2 ** 21)]]);
      const [sender, peer] = sendToScript(source, { compress: false });
      await peer.say(answer(true));
      await peer.hear('manifest-end');
      source.reads.set(0);
      await peer.say({ ...want(0, [0, 1]), ...(what === 'held' ? { held: [[0, 1]] } : { older: [[0, 1]] }) });
      await settle();
      await peer.say(answer(true));
      await settle();
      source.reads.set(Infinity);
      expect(await ending(sender)).toBe('protocol');
      expect([source.opened.get(0), source.openFiles]).toEqual([1, 0]);
      const { readBytes } = source;
      await settle();
      expect([source.openFiles, source.readBytes]).toEqual([0, readBytes]);
    },
  );
});
