import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Credit } from '../../../src/peer/credit.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Channel, Chunk, Received } from '../../../src/transfer/ports.js';
import type { WireRecord } from '../../../src/transfer/records.js';
import { channelPair, hostAndForger, type Forger } from '../../support/channels.js';

const CHOSEN: ControlMessage = { type: 'chosen' };

function chunk(length: number, offset = 0): Chunk {
  const bytes = Buffer.alloc(length, 7);
  return {
    kind: 'chunk',
    transfer: 1,
    entry: 0,
    offset,
    body: { compression: 'stored', rawLength: length, bytes },
  };
}

function control(sequence: number): WireRecord {
  return {
    kind: 'control',
    sequence,
    message: { type: 'counting', transfer: 1, entries: sequence, bytes: 0 },
  };
}

function sequenced(sequence: number, length: number): WireRecord {
  return { ...chunk(length), sequence };
}

/** Everything until the end, and how it ended. */
async function drain(channel: Channel): Promise<{ readonly received: Received[]; readonly end: unknown }> {
  const received: Received[] = [];
  try {
    for (;;) {
      const next = await channel.receive();
      if (next === undefined) return { received, end: 'clean' };
      received.push(next);
      channel.release(next.cost);
    }
  } catch (error) {
    return { received, end: (error as { code?: unknown }).code };
  }
}

describe('a channel', () => {
  test('carries messages and records in order, both ways, to an authenticated end', async () => {
    const [joiner, host] = await channelPair();
    const items = [CHOSEN, chunk(1_000), { type: 'verified' } as const, chunk(2_000, 1_000)];
    const send = async (from: Channel): Promise<void> => {
      for (const item of items) await from.send(item);
      await from.end();
    };
    const [, , atHost, atJoiner] = await Promise.all([send(joiner), send(host), drain(host), drain(joiner)]);
    for (const { received, end } of [atHost, atJoiner]) {
      expect(received.map(({ item }) => item)).toMatchObject(items);
      expect(end).toBe('clean');
    }
  });

  test('one side may go on after the other ended', async () => {
    const [joiner, host] = await channelPair();
    await joiner.end();
    expect(await host.receive()).toBeUndefined();
    await host.send(CHOSEN);
    expect((await joiner.receive())?.item).toEqual(CHOSEN);
    await host.end();
    expect(await joiner.receive()).toBeUndefined();
    await expect(joiner.send(CHOSEN)).rejects.toMatchObject({ code: 'internal' });
  });

  test('a peer that sends and does not read gets one grant to keep, not one for each record', async () => {
    let isFull = true;
    const send = vi.fn(() => !isFull);
    let drain = (): void => {};
    const { host, forger } = await hostAndForger((line, events) => {
      drain = events.onDrain;
      return { ...line, send };
    });
    const take = async (): Promise<void> => {
      const received = await host.receive();
      host.release(received?.cost ?? 0);
    };
    for (let sequence = 0; sequence < 100; sequence++) {
      await forger.send(forger.seal(control(sequence)));
      await take();
    }
    expect(send).toHaveBeenCalledTimes(1);
    // What was given back meanwhile is granted as soon as the line takes more.
    isFull = false;
    drain();
    expect(send).toHaveBeenCalledTimes(2);
  });

  test('a sender waits for credit, and goes on as the receiver gives it back', async () => {
    const [joiner, host] = await channelPair();
    let sent = 0;
    const sending = (async () => {
      for (; sent < 20; sent++) await joiner.send(chunk(100_000, sent * 100_000));
      await joiner.end();
    })();
    await new Promise((resolve) => setImmediate(resolve));
    await host.receive().then((first) => first && host.release(0));
    // What was granted first holds two chunks of this size; nobody gave any back.
    expect(sent).toBeLessThanOrEqual(Math.ceil(Credit.FIRST_BYTES / 100_000));
    host.widen(1_000_000);
    const { received, end } = await drain(host);
    await sending;
    expect(received).toHaveLength(19);
    expect(end).toBe('clean');
  });

  test('a chunk larger than the first credit goes once somebody said yes', async () => {
    const [joiner, host] = await channelPair();
    let gone = false;
    const sending = joiner.send(chunk(2 ** 20)).then(() => (gone = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(gone).toBe(false);
    host.widen(16 * 2 ** 20);
    await sending;
    expect((await host.receive())?.item).toMatchObject({ kind: 'chunk' });
    joiner.destroy();
  });

  test('everything is given back in time, whatever the sizes and the window', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 20 }),
        fc.integer({ min: 0, max: 8 * 2 ** 20 }),
        async (sizes, window) => {
          const [joiner, host] = await channelPair();
          host.widen(window);
          const sending = (async () => {
            for (const size of sizes) await joiner.send(chunk(size));
            await joiner.end();
          })();
          const { received } = await drain(host);
          await sending;
          expect(received).toHaveLength(sizes.length);
          joiner.destroy();
        },
      ),
      { numRuns: 20 },
    );
  });

  test('a dead channel says what it died of to everybody who waits', async () => {
    const [joiner] = await channelPair();
    const waiting = joiner.receive();
    joiner.destroy();
    await expect(waiting).rejects.toMatchObject({ code: 'peer-gone' });
    await expect(joiner.send(CHOSEN)).rejects.toMatchObject({ code: 'peer-gone' });
    await expect(joiner.end()).rejects.toMatchObject({ code: 'peer-gone' });
  });
});

describe('row 18: a cut', () => {
  /** Raw bytes of the joiner's side up to the end of each of its records. */
  async function boundaries(): Promise<number[]> {
    const ends: number[] = [];
    let total = 0;
    const [joiner, host] = await channelPair((bytes) => {
      total += bytes.length;
      return bytes;
    });
    for (let index = 0; index < 4; index++) {
      await joiner.send(chunk(50));
      await host.receive();
      ends.push(total);
    }
    joiner.destroy();
    return ends;
  }

  test('at each record and at every byte of one is never a clean end', async () => {
    const ends = await boundaries();
    const inside = Array.from({ length: ends[2]! - ends[1]! }, (_, index) => ends[1]! + index);
    for (const cutAt of [...ends, ...inside]) {
      const [joiner, host] = await channelPair((bytes, before) =>
        before + bytes.length <= cutAt ? bytes : bytes.subarray(0, Math.max(0, cutAt - before)),
      );
      const sending = (async () => {
        for (let index = 0; index < 4; index++) await joiner.send(chunk(50));
        await joiner.end();
      })().catch(() => undefined);
      const { received, end } = await drain(host);
      expect(end, `cut at ${String(cutAt)}`).toBe('peer-gone');
      expect(received).toHaveLength(ends.filter((at) => at <= cutAt).length);
      host.destroy();
      joiner.destroy();
      await sending;
    }
  });
});

describe('row 19: records that are not those that were sent', () => {
  const deliver = async (
    change: (records: Buffer[]) => Buffer[],
  ): Promise<{ received: number; end: unknown }> => {
    const { host, forger } = await hostAndForger();
    const records = [0, 1, 2].map((sequence) => forger.seal(control(sequence)));
    await forger.send(...change([...records, forger.seal({ kind: 'end', items: 3 })]));
    const { received, end } = await drain(host);
    host.destroy();
    return { received: received.length, end };
  };

  test('unchanged they arrive', async () => {
    expect(await deliver((records) => records)).toEqual({ received: 3, end: 'clean' });
  });

  test.each([
    ['dropped', (all: Buffer[]) => all.toSpliced(1, 1)],
    ['swapped', (all: Buffer[]) => [all[0]!, all[2]!, all[1]!, all[3]!]],
    ['repeated', (all: Buffer[]) => [all[0]!, all[0]!, ...all.slice(1)]],
    ['shortened', (all: Buffer[]) => [all[0]!, all[1]!.subarray(0, -1), ...all.slice(2)]],
    [
      'marked as the last',
      (all: Buffer[]) => [all[0]!, Buffer.concat([Uint8Array.of(1), all[1]!.subarray(1)])],
    ],
    ['empty', (all: Buffer[]) => [all[0]!, Buffer.alloc(16), ...all.slice(2)]],
  ])('%s: nothing after it counts', async (_, change) => {
    expect(await deliver(change)).toEqual({ received: 1, end: 'integrity' });
  });

  test('any flipped bit: nothing from it on counts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 7 }), async (position, bit) => {
        const { received, end } = await deliver((all) => {
          all[1]![position % all[1]!.length]! ^= 1 << bit;
          return all;
        });
        expect({ received, end }).toEqual({ received: 1, end: 'integrity' });
      }),
      { numRuns: 50 },
    );
  });

  test('after the last record nothing may come', async () => {
    const { host, forger } = await hostAndForger();
    const last = forger.seal({ kind: 'end', items: 0 });
    await forger.send(last, last);
    expect(await drain(host)).toMatchObject({ end: 'clean' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(host.send(CHOSEN)).rejects.toMatchObject({ code: 'protocol' });
  });
});

describe('a peer with the right keys and wrong manners', () => {
  test.each<[string, WireRecord[], string]>([
    ['skips a control message', [control(0), control(2)], 'protocol'],
    ['repeats a control message', [control(0), control(0)], 'protocol'],
    ['acknowledges what was never sent', [{ kind: 'credit', granted: 0, acknowledged: 1 }], 'protocol'],
    ['sends more than it may', [sequenced(0, 200_000), sequenced(1, 200_000)], 'limit'],
    ['ends with more items than it sent', [control(0), { kind: 'end', items: 2 }], 'protocol'],
    ['ends with fewer items than it sent', [control(0), { kind: 'end', items: 0 }], 'protocol'],
  ])('%s', async (_, records, code) => {
    const { host, forger } = await hostAndForger();
    await forger.send(...records.map((record) => forger.seal(record)));
    const received: unknown[] = [];
    await expect(
      (async () => {
        for (;;) received.push(await host.receive());
      })(),
    ).rejects.toMatchObject({ code });
    expect(received).toHaveLength(records.length - 1);
  });

  test.each([
    ['an item', (forger: Forger) => forger.seal(control(0), true)],
    ['no end', (forger: Forger) => forger.seal({ kind: 'end', items: 0 }, false)],
  ])('marks %s as the last record', async (_, seal) => {
    const { host, forger } = await hostAndForger();
    await forger.send(seal(forger));
    await expect(host.receive()).rejects.toMatchObject({ code: 'protocol' });
  });

  test('credit never shrinks', async () => {
    const { host, forger } = await hostAndForger();
    await forger.send(
      forger.seal({ kind: 'credit', granted: 2 ** 30, acknowledged: 0 }),
      forger.seal({ kind: 'credit', granted: 5, acknowledged: 0 }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    await host.send(chunk(2 ** 20));
    host.destroy();
  });
});
