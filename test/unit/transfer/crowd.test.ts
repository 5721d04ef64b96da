/** Many transfers of one share at once: what each may have under way is its part, so that all of them get on. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Exchange, SHARE_WORDS } from '../../../src/transfer/exchange.js';
import type { Channel, PartFile } from '../../../src/transfer/ports.js';
import { receiveFiles } from '../../../src/transfer/receiver.js';
import { sendFiles } from '../../../src/transfer/sender.js';
import { watchChannel } from '../../../src/transfer/watch.js';
import { MemoryChannel, type Item } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource, type Tree } from '../../support/memory-source.js';
import { yes } from '../../support/memory-transfer.js';

const MIB = 2 ** 20;
/** What all of them together may have under way. */
const ALL_BYTES = 8 * MIB;
const MEMBERS = 16;
const unstopped = (): AbortSignal => new AbortController().signal;
const nothing = (): void => undefined;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Content that does not shrink. */
function content(bytes: number, seed: string): Uint8Array {
  return createHash('shake256', { outputLength: bytes }).update(seed).digest();
}

/** A session of the share. */
class Member {
  /** Bytes of content that arrived where they were to go. */
  arrived = 0;
  /** Bytes that the share sent and that the device has not acknowledged. */
  kept = 0;
  mostKept = 0;
  /** From now on the device acknowledges nothing, takes nothing and sends nothing. */
  isStuck = false;
  readonly channels: readonly [share: MemoryChannel, device: MemoryChannel];
  readonly share: Exchange;
  readonly device: Exchange;

  constructor(partBytes: () => number, watched: (channel: Channel) => Channel = (channel) => channel) {
    const pair = MemoryChannel.pair();
    const [share, device] = pair;
    this.channels = pair;
    const over = (channel: MemoryChannel, changes: Partial<Channel>): Channel => ({
      path: channel.path,
      compressions: channel.compressions,
      pieceBytes: () => 1 << 16,
      send: (item, onDone) => channel.send(item, onDone),
      receive: () => channel.receive(),
      release: (cost) => channel.release(cost),
      widen: (bytes) => channel.widen(bytes),
      end: () => channel.end(),
      destroy: (error) => channel.destroy(error),
      ...changes,
    });
    const ours = over(share, { send: (item, onDone) => this.#send(share, item, onDone) });
    const theirs = over(device, {
      send: async (item, onDone) => {
        if (this.isStuck) await new Promise(nothing);
        await device.send(item, onDone);
      },
      receive: async () => {
        if (this.isStuck) await new Promise(nothing);
        return device.receive();
      },
    });
    this.share = new Exchange(watched(ours), SHARE_WORDS, partBytes);
    this.device = new Exchange(theirs, SHARE_WORDS);
  }

  async get(tree: Tree): Promise<void> {
    await Promise.all([
      sendFiles(this.share.begin(1), new MemorySource(tree), {
        kind: 'files',
        signal: unstopped(),
        onEvent: nothing,
      }),
      this.#receive(this.device, new CountingSink(this)),
    ]);
  }

  async put(tree: Tree, write: () => Promise<void>): Promise<void> {
    await Promise.all([
      sendFiles(this.device.begin(1), new MemorySource(tree), {
        kind: 'files',
        signal: unstopped(),
        onEvent: nothing,
      }),
      this.#receive(this.share, new CountingSink(this, write)),
    ]);
  }

  async #receive(on: Exchange, sink: MemorySink): Promise<void> {
    await receiveFiles(on.begin(1), sink, {
      decide: yes,
      early: true,
      intoHome: () => false,
      signal: unstopped(),
      onEvent: nothing,
    });
  }

  /** It is acknowledged a turn later, as over a line. */
  async #send(share: MemoryChannel, item: Item, onDone: (() => void) | undefined): Promise<void> {
    const bytes = 'body' in item ? item.body.bytes.length : 0;
    this.kept += bytes;
    this.mostKept = Math.max(this.mostKept, this.kept);
    await share.send(item);
    setImmediate(() => {
      if (this.isStuck) return;
      this.kept -= bytes;
      onDone?.();
    });
  }
}

class CountingSink extends MemorySink {
  readonly #member: Member;
  readonly #write: () => Promise<void>;

  constructor(member: Member, write: () => Promise<void> = () => Promise.resolve()) {
    super({ keepsNothing: true });
    this.#member = member;
    this.#write = write;
  }

  override async create(...args: Parameters<MemorySink['create']>): Promise<PartFile> {
    const part = await super.create(...args);
    const write = part.write.bind(part);
    part.write = async (bytes) => {
      await this.#write();
      this.#member.arrived += bytes.length;
      await write(bytes);
    };
    return part;
  }
}

function crowd(count = MEMBERS): Member[] {
  return Array.from({ length: count }, () => new Member(() => ALL_BYTES / count));
}

/** Runs until the first is done; then nobody may be below a quarter of what they have on average. */
async function expectFair(members: readonly Member[], work: readonly Promise<void>[]): Promise<void> {
  await Promise.race(work);
  const arrived = members.map((member) => member.arrived);
  const mean = arrived.reduce((sum, bytes) => sum + bytes) / members.length;
  expect(mean).toBeGreaterThan(MIB);
  expect(Math.min(...arrived), arrived.join(' ')).toBeGreaterThanOrEqual(mean / 4);
}

afterEach(() => void vi.useRealTimers());

describe('a crowd at a share', () => {
  test('gets in step, whoever wants much and whoever is stuck', async () => {
    const [greedy, stuck, ...others] = crowd();
    void greedy!.get({ all: content(64 * MIB, 'greedy') }).catch(nothing);
    void stuck!.get({ all: content(64 * MIB, 'stuck') }).catch(nothing);
    while (stuck!.arrived === 0) await turn();
    stuck!.isStuck = true;
    const work = others.map((other, number) => other.get({ file: content(4 * MIB, String(number)) }));
    await expectFair(others, work);
    await Promise.all(work);
    // The one that takes nothing has no more than its part of what all have, and that one alone.
    expect(stuck!.kept).toBeGreaterThan(0);
    for (const member of [greedy!, stuck!, ...others]) {
      expect(member.mostKept).toBeLessThanOrEqual(ALL_BYTES / MEMBERS);
    }
    for (const { channels } of [greedy!, stuck!]) channels[0].destroy();
  });

  test('puts in step over one disk, whoever wants much and whoever is stuck', async () => {
    const [greedy, stuck, ...others] = crowd();
    // One write at a time, in the order in which they are asked for.
    let disk = Promise.resolve();
    const write = (): Promise<void> => (disk = disk.then(turn));
    void greedy!.put({ all: content(64 * MIB, 'greedy') }, write).catch(nothing);
    void stuck!.put({ all: content(64 * MIB, 'stuck') }, write).catch(nothing);
    while (stuck!.arrived === 0) await turn();
    stuck!.isStuck = true;
    const work = others.map((other, number) => other.put({ file: content(4 * MIB, String(number)) }, write));
    await expectFair(others, work);
    await Promise.all(work);
    for (const { channels } of [greedy!, stuck!, ...others]) {
      expect(channels[0].peakCost).toBeLessThanOrEqual(ALL_BYTES / MEMBERS);
      channels[0].destroy();
    }
  });

  test('has larger parts when it is smaller, also in the middle of a transfer', async () => {
    let count = MEMBERS;
    const member = new Member(() => ALL_BYTES / count);
    const getting = member.get({ file: content(8 * MIB, 'file') });
    while (member.arrived === 0) await turn();
    expect(member.mostKept).toBeLessThanOrEqual(ALL_BYTES / MEMBERS);
    count = 1;
    await getting;
    expect(member.mostKept).toBeGreaterThan(ALL_BYTES / MEMBERS);
  });

  test.each(['get', 'put'] as const)('row 28: drops one whose %s is stuck for 120 s', async (action) => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    });
    const member = new Member(
      () => ALL_BYTES / MEMBERS,
      (channel) => {
        const watch = watchChannel(channel, nothing);
        return watch.channel;
      },
    );
    void member[action]({ all: content(64 * MIB, action) }, turn).catch(nothing);
    while (member.arrived === 0) await turn();
    member.isStuck = true;
    const dropped = vi.fn<(error: unknown) => void>();
    member.share.next().catch(dropped);
    const pass = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        vi.advanceTimersByTime(1_000);
        await turn();
      }
    };
    await pass(115);
    expect(dropped).not.toHaveBeenCalled();
    // What was under way comes to its end first, in threads that know nothing of this clock.
    for (let seconds = 0; seconds < 240 && dropped.mock.calls.length === 0; seconds++) await pass(1);
    expect(dropped).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'stalled' }));
  });
});
