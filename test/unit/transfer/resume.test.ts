import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, leafDigest } from '../../../src/crypto/digest.js';
import { XferError } from '../../../src/errors.js';
import type { Decision, TransferOutcome } from '../../../src/transfer/events.js';
import { LeafReport } from '../../../src/transfer/leaf-report.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import { Outbox } from '../../../src/transfer/outbox.js';
import type { Chunk, ConflictPolicy, Entry, SourceFile } from '../../../src/transfer/ports.js';
import { MemoryChannel, type Item } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource, flatten, type Content, type Tree } from '../../support/memory-source.js';
import {
  ending,
  receiveFromScript,
  sendToScript,
  sketch,
  transfer,
  type Side,
} from '../../support/memory-transfer.js';
import { offerOf } from './offers.js';

const MIB = 2 ** 20;
const big = randomBytes(40 * MIB + 12_345);
const number = 1;

const chunksOf = ({ channel }: Side): Chunk[] =>
  channel.sent.filter((item): item is Chunk => 'kind' in item && item.kind === 'chunk');
const sentBytes = (side: Side): number => chunksOf(side).reduce((sum, { body }) => sum + body.rawLength, 0);
const said = <T extends ControlMessage['type']>(
  { channel }: Side,
  type: T,
): Extract<ControlMessage, { type: T }>[] =>
  channel.sent.filter(
    (item): item is Extract<ControlMessage, { type: T }> => 'type' in item && item.type === type,
  );

async function resumed(
  content: Content,
  held: Uint8Array,
): Promise<{ sender: Side; receiver: Side; sink: MemorySink }> {
  const tree: Tree = { big: content, small: Buffer.from('small') };
  const sink = new MemorySink({ held: { big: held } });
  const { sender, receiver } = transfer(new MemorySource(tree), sink, {}, { compress: false });
  expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
  expect(sketch(sink.arrived)).toEqual(sketch(flatten(tree)));
  return { sender, receiver, sink };
}

describe('a file of which a part is there', () => {
  it('goes on behind the last whole leaf, and its digest covers all of it', async () => {
    const { sender, receiver, sink } = await resumed(big, big.subarray(0, 30 * MIB + 77));
    expect(sentBytes(sender)).toBe(big.length - 30 * MIB);
    expect(chunksOf(sender)[0]).toMatchObject({ entry: 0, offset: 30 * MIB });
    expect(sink.setAside).toEqual([]);
    const continued = { type: 'file-continued', path: 'big', bytes: 30 * MIB };
    expect(sender.events).toContainEqual(continued);
    expect(receiver.events).toContainEqual(continued);
    expect(await receiver.outcome).toMatchObject({
      files: 2,
      bytes: big.length + 5,
      continuedBytes: 30 * MIB,
    });
    expect(await sender.outcome).toMatchObject({ files: 2, bytes: big.length + 5, continuedBytes: 30 * MIB });
  });

  it('counts for nothing where the file fails behind it', async () => {
    const tree: Tree = { big, small: Buffer.from('small') };
    const failing = { failures: { big: 'source-changed' as const }, failAfterBytes: 35 * MIB };
    const sink = new MemorySink({ held: { big: big.subarray(0, 30 * MIB) } });
    const { sender, receiver } = transfer(new MemorySource(tree, failing), sink);
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect(sender.events).toContainEqual({ type: 'file-continued', path: 'big', bytes: 30 * MIB });
    for (const side of [sender, receiver])
      expect(await side.outcome).toMatchObject({ files: 1, bytes: 5, continuedBytes: 0, missingCount: 1 });
  });

  it('sends nothing but the digest where all of it is there', async () => {
    const whole = big.subarray(0, 7 * MIB);
    const { sender } = await resumed(whole, whole);
    expect(sentBytes(sender)).toBe(0);
    expect(chunksOf(sender)).toMatchObject([{ offset: 7 * MIB, digest: digestOf(whole) }]);
  });

  it('sends the last leaves again where they are torn', async () => {
    const torn = Buffer.from(big.subarray(0, 30 * MIB));
    torn.fill(0, 20 * MIB + 5);
    const { sender, receiver } = await resumed(big, torn);
    expect(sentBytes(sender)).toBe(big.length - 20 * MIB);
    expect(receiver.events).toContainEqual({ type: 'file-continued', path: 'big', bytes: 20 * MIB });
  });

  it.each([
    ['from its first byte', 0],
    ['before most of what is there', 10 * MIB],
  ])('row 31: begins anew where the file is another one %s, and keeps the part until then', async (_, at) => {
    const other = Buffer.from(big.subarray(0, 35 * MIB));
    other[at]! ^= 1;
    const { sender, receiver, sink } = await resumed(big, other);
    expect(sentBytes(sender)).toBe(big.length);
    expect(sink.setAside).toEqual(['big']);
    const restarted = { type: 'file-restarted', path: 'big' };
    expect(sender.events).toContainEqual(restarted);
    expect(receiver.events).toContainEqual(restarted);
    expect(await receiver.outcome).toMatchObject({ continuedBytes: 0 });
  });

  it('is shorter now than what is there', async () => {
    const { sender } = await resumed(big.subarray(0, 9 * MIB + 1), big);
    expect(sentBytes(sender)).toBe(1);
  });

  it('has grown', async () => {
    const { sender } = await resumed(big, big.subarray(0, 3 * MIB));
    expect(sentBytes(sender)).toBe(big.length - 3 * MIB);
  });

  it('is less than a leaf, and sent from its start without a question', async () => {
    const { sender } = await resumed(big, big.subarray(0, MIB - 1));
    expect(said(sender, 'leaves')).toEqual([]);
    expect(sentBytes(sender)).toBe(big.length);
  });

  it('has holes', async () => {
    const content = [randomBytes(MIB + 5), { hole: 20 * MIB }, randomBytes(3 * MIB)];
    const flat = flatten({ big: content }).get('big') as Uint8Array;
    for (const at of [1, 2, 7, 21, 22, 24]) {
      const { sender } = await resumed(content, flat.subarray(0, at * MIB));
      expect(said(sender, 'leaves').flatMap(({ digests }) => digests)).toHaveLength(at);
    }
  });

  it('is told in messages that each are news', async () => {
    const long = [{ hole: 200 * MIB }, Buffer.from('end')];
    const { sender } = await resumed(long, new Uint8Array(200 * MIB));
    expect(said(sender, 'leaves').map(({ digests }) => digests.length)).toEqual([64, 64, 64, 8]);
  });

  it('has leaves behind those that are held, of which nothing is kept: nobody will ask', async () => {
    const [channel] = MemoryChannel.pair();
    const outbox = new Outbox(channel, () => 0);
    const report = new LeafReport(outbox, 0, 70);
    const add = (count: number): void => {
      for (let left = count; left > 0; left--) report.add(leafDigest(big.subarray(0, 1)));
    };
    add(69);
    await report.sendFull();
    add(9);
    await report.sendAll();
    add(9);
    await report.sendAll();
    await outbox.flush();
    expect(report.said).toBe(70);
    expect(channel.sent.map((item) => 'digests' in item && item.digests.length)).toEqual([64, 6]);
  });

  it('arrives whole whatever is there, and however the file is now', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(6 * MIB),
        fc.nat(6 * MIB),
        fc.option(fc.nat(6 * MIB)),
        async (size, there, wrong) => {
          const held = Buffer.from(big.subarray(0, there));
          if (wrong !== null && wrong < there) held[wrong]! ^= 255;
          await resumed(big.subarray(0, size), held);
        },
      ),
      { numRuns: 25 },
    );
  });
});

/** Files that can be opened so many times, and closed once. */
class ClosingSource extends MemorySource {
  opens = 0;
  closes = 0;
  readonly #most: number;

  constructor(tree: Tree, most: number) {
    super(tree);
    this.#most = most;
  }

  override async open(entry: Entry): Promise<SourceFile> {
    if (this.opens === this.#most) throw new XferError('source-vanished', { subject: this.pathOf(entry) });
    this.opens++;
    const file = await super.open(entry);
    let isOpen = true;
    const close = async (): Promise<void> => {
      if (!isOpen) throw Object.assign(new Error('EBADF: close'), { code: 'EBADF' });
      isOpen = false;
      this.closes++;
    };
    return { ...file, close };
  }
}

describe('a file of which another part is there', () => {
  it.each([
    ['is opened again', 2, 0],
    ['where it cannot be opened again is the only one that does not come', 1, 1],
  ])('%s, and closed each time', async (_, most, missingCount) => {
    const other = Buffer.from(big.subarray(0, 3 * MIB));
    other[2 * MIB]! ^= 1;
    const source = new ClosingSource({ big, small: Buffer.from('small') }, most);
    const { sender, receiver } = transfer(source, new MemorySink({ held: { big: other } }));
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect(await receiver.outcome).toMatchObject({ files: 2 - missingCount, missingCount });
    expect([source.opens, source.closes]).toEqual([most, most]);
  });
});

describe('files that an interrupted transfer brought', () => {
  it('do not travel again, and are told apart', async () => {
    const tree: Tree = { d: { a: Buffer.from('1'), b: Buffer.from('22') }, c: Buffer.from('333') };
    const sink = new MemorySink({ existing: ['d'], before: ['d/a', 'c'] });
    const { sender, receiver } = transfer(new MemorySource(tree), sink);
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect([...sink.arrived.keys()]).toEqual(['d', 'd/b']);
    expect(await receiver.outcome).toMatchObject({
      files: 1,
      bytes: 2,
      alreadyFiles: 2,
      alreadyBytes: 4,
      missingCount: 0,
    });
    expect(receiver.events.filter(({ type }) => type === 'file-received')).toEqual([
      { type: 'file-received', path: 'd', size: 2 },
      { type: 'file-received', path: 'c', size: 3 },
    ]);
  });
});

describe('a file that an interrupted transfer brought and that was not left alone while the question was open', () => {
  const tree: Tree = { d: { a: Buffer.from('1') }, c: Buffer.from('333') };
  const receive = async (
    changed: 'new' | 'exists',
    conflicts: ConflictPolicy,
  ): Promise<[MemorySink, TransferOutcome]> => {
    const sink = new MemorySink({ existing: ['d'], before: ['d/a', 'c'], changed: { c: changed } });
    const decide = async (): Promise<Decision> => ({ accept: true, conflicts });
    const { sender, receiver } = transfer(new MemorySource(tree), sink, { decide });
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    return [sink, await receiver.outcome];
  };

  it.each(['refuse', 'skip', 'rename', 'overwrite'] as const)(
    'comes again where it is gone: %s',
    async (policy) => {
      const [sink, outcome] = await receive('new', policy);
      expect([...sink.arrived.keys()]).toEqual(['d', 'c']);
      expect(outcome).toMatchObject({
        files: 1,
        bytes: 3,
        alreadyFiles: 1,
        alreadyBytes: 1,
        missingCount: 0,
      });
    },
  );

  it.each([
    ['refuse', 0, 1, 0],
    ['skip', 0, 0, 1],
    ['overwrite', 1, 0, 0],
  ] as const)(
    'is what exists where something else has its place: %s',
    async (policy, files, missingCount, skippedCount) => {
      const [sink, outcome] = await receive('exists', policy);
      expect([...sink.arrived.keys()]).toEqual(files === 0 ? ['d'] : ['d', 'c']);
      expect(outcome).toMatchObject({ files, alreadyFiles: 1, alreadyBytes: 1, missingCount, skippedCount });
    },
  );
});

describe('what a failure leaves', () => {
  it.each([
    ['peer-gone', true],
    ['protocol', false],
  ] as const)('of %s is kept: %s', async (code, keeps) => {
    const sink = new MemorySink();
    const [receiver, peer] = receiveFromScript(sink);
    await peer.say(...offerOf('big', big.length));
    await peer.hear('want');
    const first: Item = {
      kind: 'chunk', transfer: number, entry: 0, offset: 0,
      body: { compression: 'stored', rawLength: MIB, bytes: big.subarray(0, MIB) },
    }; // prettier-ignore
    await peer.say(first);
    if (code === 'protocol') await peer.say(first);
    else peer.channel.destroy();
    expect(await ending(receiver)).toBe(code);
    expect(sink).toMatchObject({ isAborted: true, keeps });
    expect(receiver.events.some(({ type }) => type === 'kept')).toBe(keeps);
  });

  it('of a file that cannot be read any more stays for a later transfer', async () => {
    const tree: Tree = { big, other: Buffer.from('other') };
    const faults = { failures: { big: 'path-unreadable' as const }, failAfterBytes: 2 * MIB };
    const sink = new MemorySink();
    const { sender, receiver } = transfer(new MemorySource(tree, faults), sink);
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect(sink.kept).toEqual(['big']);
    expect(receiver.events.at(-1)).toMatchObject({ type: 'kept' });
    expect(await receiver.outcome).toMatchObject({ files: 1, missingCount: 1 });
  });
});

describe('a hostile sender', () => {
  const leaf = leafDigest(big.subarray(0, MIB));
  const leaves = (entry: number, ...digests: Uint8Array[]): Item => ({
    type: 'leaves',
    transfer: number,
    entry,
    digests,
  });

  it.each<[string, Item[]]>([
    ['tells leaves that nobody asked for', [leaves(0, leaf, leaf, leaf)]],
    ['tells leaves of another file', [leaves(7, leaf)]],
    ['tells no leaves', [leaves(0)]],
    ['sends content before all leaves', [
      leaves(0, leaf),
      { kind: 'chunk', transfer: number, entry: 0, offset: 0, body: { compression: 'stored', rawLength: 1, bytes: Buffer.from('x') } },
    ]],
  ])('that %s is refused', async (_, items) => {
    const sink = new MemorySink({ held: { big: big.subarray(0, 2 * MIB) } });
    const [receiver, peer] = receiveFromScript(sink);
    await peer.say(...offerOf('big', big.length));
    expect(await peer.hear('want')).toMatchObject({ held: [[0, 2]] });
    await peer.say(...items);
    expect(await ending(receiver)).toBe('protocol');
    expect(sink.arrived.size).toBe(0);
  }); // prettier-ignore

  it('that says yes to what is there, and goes on with another file, is found out', async () => {
    const sink = new MemorySink({ held: { big: big.subarray(0, 2 * MIB) } });
    const [receiver, peer] = receiveFromScript(sink);
    const other = Buffer.concat([randomBytes(2 * MIB), Buffer.from('rest')]);
    await peer.say(...offerOf('big', other.length));
    await peer.hear('want');
    await peer.say(leaves(0, leaf, leafDigest(big.subarray(MIB, 2 * MIB))));
    expect(await peer.hear('keep')).toMatchObject({ leaves: 2 });
    await peer.say({
      kind: 'chunk', transfer: number, entry: 0, offset: 2 * MIB, digest: digestOf(other),
      body: { compression: 'stored', rawLength: 4, bytes: Buffer.from('rest') },
    }); // prettier-ignore
    expect(await ending(receiver)).toBe('integrity');
    expect(sink.arrived.size).toBe(0);
  });

  it('may begin anew without a word about what is there', async () => {
    const content = Buffer.from('short');
    const sink = new MemorySink({ held: { big: big.subarray(0, 2 * MIB) } });
    const [receiver, peer] = receiveFromScript(sink);
    await peer.say(...offerOf('big', 2 * MIB));
    await peer.hear('want');
    await peer.say(leaves(0, leafDigest(content), leaf));
    expect(await peer.hear('keep')).toMatchObject({ leaves: 0 });
    expect(sink.setAside).toEqual(['big']);
    peer.channel.destroy();
    expect(await ending(receiver)).toBe('peer-gone');
  });
});

describe('a hostile receiver', () => {
  const asks = (held: [number, number][], runs: [number, number][] = [[0, 1]]): Item => ({
    type: 'want',
    transfer: number,
    part: 0,
    runs,
    held,
    older: [],
  });
  const keep = (entry: number, leaves: number): Item => ({ type: 'keep', transfer: number, entry, leaves });

  it.each<[string, Item[]]>([
    ['holds more than there is', [asks([[0, 41]])]],
    ['holds no leaf', [asks([[0, 0]])]],
    ['holds a file that it does not want', [asks([[1, 1]])]],
    ['holds a file twice', [asks([[0, 1], [0, 1]])]],
    ['keeps more than it was told of', [asks([[0, 2]]), keep(0, 3)]],
    ['keeps of another file', [asks([[0, 2]]), keep(1, 1)]],
    ['keeps without being asked', [keep(0, 0)]],
  ])('that %s is refused', async (_, items) => {
    const [sender, peer] = sendToScript(new MemorySource({ big, small: Buffer.from('s') }));
    await peer.hear('manifest-end');
    await peer.say({ type: 'answer', transfer: number, accepted: true, reason: undefined }, ...items);
    expect(await ending(sender)).toBe('protocol');
  }); // prettier-ignore

  it('that never answers keeps nobody who was interrupted', async () => {
    const interruption = new AbortController();
    const [sender, peer] = sendToScript(new MemorySource({ big }), { signal: interruption.signal });
    await peer.hear('manifest-end');
    await peer.say({ type: 'answer', transfer: number, accepted: true, reason: undefined }, asks([[0, 2]]));
    await peer.hear('leaves');
    interruption.abort();
    expect(await ending(sender)).toBe('interrupted');
  });
});
