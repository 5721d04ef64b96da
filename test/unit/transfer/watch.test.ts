import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { conduct } from '../../../src/transfer/conduct.js';
import type { Inbox } from '../../../src/transfer/inbox.js';
import { watchChannel, type StallEvent, type Watch } from '../../../src/transfer/watch.js';
import { channelPair } from '../../support/channels.js';
import { MemoryChannel } from '../../support/memory-channel.js';
import { settle } from '../../support/turns.js';

const progress = { type: 'progress', transfer: 1, state: 'receiving', files: 0, bytes: 0 } as const;

let peer: MemoryChannel;
let watch: Watch;
let said: (number | 'flowing')[];
let failure: string | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  const [mine, other] = MemoryChannel.pair();
  peer = other;
  said = [];
  failure = undefined;
  watch = watchChannel(mine, (event: StallEvent) => {
    said.push(event.type === 'stalled' ? event.silentMs : event.type);
  });
});

afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

/** Takes whatever comes, until the channel is destroyed. */
function listen(): void {
  const next = (): void => {
    watch.channel.receive().then(next, (error: unknown) => (failure = (error as { code: string }).code));
  };
  next();
}

describe('a channel that is watched', () => {
  test('row 28: silence is named after 10 s, again each second, and ended after 120 s', async () => {
    listen();
    await vi.advanceTimersByTimeAsync(9_500);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(said).toEqual([10_000, 11_000]);
    await vi.advanceTimersByTimeAsync(108_000);
    expect(said).toHaveLength(110);
    expect(failure).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(failure).toBe('stalled');
  });

  test('goes on when something comes, and says so once', async () => {
    listen();
    await vi.advanceTimersByTimeAsync(11_500);
    await peer.send(progress);
    await peer.send(progress);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(said.slice(0, 4)).toEqual([10_000, 11_000, 'flowing', 10_500]);
    expect(said.filter((each) => each === 'flowing')).toHaveLength(1);
    expect(failure).toBeUndefined();
  });

  test('waits for a person, and counts from their answer', async () => {
    listen();
    watch.pause();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(said).toEqual([]);
    watch.resume();
    await vi.advanceTimersByTimeAsync(9_500);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(said).toEqual([10_000, 11_000]);
  });

  test('of a machine that slept counts from its waking', async () => {
    listen();
    await vi.advanceTimersByTimeAsync(20_000);
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
    said = [];
    await vi.advanceTimersByTimeAsync(1_000);
    expect([said, failure]).toEqual([[], undefined]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(said).toEqual([10_000]);
    await vi.advanceTimersByTimeAsync(111_000);
    expect(failure).toBe('stalled');
    clock.mockRestore();
  });

  test('goes on counting where this machine was only busy', async () => {
    listen();
    const now = performance.now.bind(performance);
    const late = vi.spyOn(performance, 'now');
    late.mockImplementation(() => now() + 2_000);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(said).toEqual([10_000]);
    late.mockRestore();
  });

  test('tells who uses it whether there is a connection', () => {
    const isAway = (): unknown => watch.channel.isAway?.();
    expect(isAway()).toBe(false);
    watch.leave();
    expect(isAway()).toBe(true);
    watch.comeBack();
    expect(isAway()).toBe(false);
  });

  test('says whole milliseconds', async () => {
    listen();
    await vi.advanceTimersByTimeAsync(600);
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 0.4004);
    await vi.advanceTimersByTimeAsync(9_500);
    expect(said).toEqual([10_000]);
  });

  test('row 29: what a peer says in numbers does not change when its silence ends', async () => {
    listen();
    const most = 2_000_000;
    await peer.send({ ...progress, files: most, bytes: most });
    await peer.send({ type: 'counting', transfer: 1, entries: most, bytes: most });
    await vi.advanceTimersByTimeAsync(119_000);
    expect(failure).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(failure).toBe('stalled');
  });
});

describe('a channel on which nothing passes any more', () => {
  test('is told of to the peer before it ends, and whatever comes meanwhile', async () => {
    listen();
    const heard: unknown[] = [];
    const hear = async (): Promise<void> => {
      for (let one = await peer.receive(); one !== undefined; one = await peer.receive()) {
        heard.push(one.item);
        await peer.send(progress);
      }
    };
    hear().catch(() => undefined);
    await vi.advanceTimersByTimeAsync(121_000);
    expect(heard).toEqual([{ type: 'error', code: 'stalled' }]);
    expect([failure, said.includes('flowing')]).toEqual(['stalled', false]);
    await expect(watch.channel.send(progress)).rejects.toMatchObject({ code: 'stalled' });
    await expect(watch.channel.receive()).rejects.toMatchObject({ code: 'stalled' });
  });

  test('ends after a second where the peer takes in nothing', async () => {
    const [mine] = MemoryChannel.pair();
    mine.end = () => new Promise(() => undefined);
    const other = watchChannel(mine, () => undefined);
    const receiving = other.channel.receive();
    receiving.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(120_900);
    expect(mine.isDestroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    await expect(receiving).rejects.toMatchObject({ code: 'stalled', detail: 120_000 });
    expect(mine.isDestroyed).toBe(true);
    other.stop();
  });

  test.each([0, 700])(
    'ends at both sides, whose clocks are %i ms apart, and nobody looks',
    async (apartMs) => {
      vi.useRealTimers();
      const channels = await channelPair();
      vi.useFakeTimers({
        toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
      });
      const pass = async (ms: number): Promise<void> => {
        vi.advanceTimersByTime(ms);
        await settle(10);
      };
      const lost = vi.fn();
      const ends: unknown[] = [];
      const watches: Watch[] = [];
      const take = async (inbox: Inbox): Promise<void> => {
        while ((await inbox.take()) !== undefined);
      };
      for (const channel of channels) {
        channel.outlive(lost);
        const one = watchChannel(channel, () => undefined);
        watches.push(one);
        conduct(one.channel, new AbortController().signal, ['protocol'], take).catch((error: unknown) =>
          ends.push(error),
        );
        await pass(apartMs);
      }
      for (let step = 0; step < 1_300 && ends.length < 2; step++) await pass(100);
      expect(ends).toMatchObject([{ code: 'stalled' }, { code: 'stalled' }]);
      expect(lost).not.toHaveBeenCalled();
      for (const one of watches) one.stop();
    },
  );
});
