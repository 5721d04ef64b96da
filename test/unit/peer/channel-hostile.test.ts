import { randomBytes } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { SealedChannel } from '../../../src/peer/channel.js';
import type { Lane } from '../../../src/peer/lane.js';
import type { WireRecord } from '../../../src/transfer/records.js';
import { channelPair, hostAndForger, lanePair, laneForger } from '../../support/channels.js';

const CREDIT: WireRecord = { kind: 'credit', granted: 2 ** 18, acknowledged: 0 };

function control(sequence: number): WireRecord {
  return { kind: 'control', sequence, message: { type: 'verified' } };
}

/** A list of addresses of which one is longer than any. */
function longHint(): WireRecord {
  return {
    kind: 'control',
    sequence: 0,
    message: { type: 'hints', hints: [{ host: 'f'.repeat(46), port: 7337 }] },
  };
}

function chunk(sequence: number, length: number): WireRecord {
  const body = { compression: 'stored', rawLength: length, bytes: randomBytes(length) } as const;
  return { kind: 'chunk', sequence, transfer: 1, entry: 0, offset: 0, body };
}

/** A host with a lane on which a peer with the key says what it likes. */
async function attacked(): Promise<{
  host: SealedChannel;
  onGone: ReturnType<typeof vi.fn>;
  /** Seals for the lane. */
  say: (record: WireRecord, last?: boolean) => void;
  raw: (bytes: Uint8Array) => void;
  /** The pairing connection. */
  pairing: Awaited<ReturnType<typeof hostAndForger>>['forger'];
}> {
  const { host, forger } = await hostAndForger();
  const [near, far] = lanePair();
  const { seal, write } = laneForger(forger, near);
  near.socket.resume();
  const onGone = vi.fn();
  const added = host.addLane(far, onGone);
  write(seal(CREDIT));
  expect(await added).toBe(true);
  return { host, onGone, say: (record, last) => write(seal(record, last)), raw: write, pairing: forger };
}

describe('on a lane a peer with the key', () => {
  test.each<[string, WireRecord, boolean, string]>([
    ['ends its direction there', { kind: 'end', items: 0 }, true, 'protocol'],
    ['says the end without ending', { kind: 'end', items: 0 }, false, 'protocol'],
    ['ends with an item', control(0), true, 'protocol'],
    ['acknowledges what was never sent', { ...CREDIT, acknowledged: 1 }, false, 'protocol'],
    ['says more than it may', chunk(5, 2 ** 18), false, 'limit'],
    ['says more than a record holds', chunk(0, 2 ** 20 + 1), false, 'limit'],
    ['says a message with a field too long', longHint(), false, 'limit'],
  ])('%s: the session ends', async (_, record, last, code) => {
    const { host, say } = await attacked();
    say(record, last);
    await expect(host.receive()).rejects.toMatchObject({ code });
  });

  test('row 20: sends one item a thousand times: it costs once and comes once', async () => {
    const { host, say } = await attacked();
    for (let time = 0; time < 1000; time++) say(chunk(1, 1000));
    say(control(0));
    expect((await host.receive())?.item).toEqual({ type: 'verified' });
    expect((await host.receive())?.item).toMatchObject({ kind: 'chunk' });
    say(control(2));
    expect((await host.receive())?.item).toEqual({ type: 'verified' });
  });

  test('row 20: keeps back the first of many: what waits for it is bounded by credit', async () => {
    const { host, say } = await attacked();
    for (let sequence = 1; sequence < 4000; sequence++) say(control(sequence * 1e9));
    await expect(host.receive()).rejects.toMatchObject({ code: 'limit' });
  });

  test('row 18: goes beyond its own end: the session ends', async () => {
    const { host, say, pairing } = await attacked();
    await pairing.send(pairing.seal({ kind: 'end', items: 2 }));
    say(control(2));
    say(control(1));
    say(control(0));
    await host.receive();
    await host.receive();
    await host.receive();
    await expect(host.receive()).rejects.toMatchObject({ code: 'protocol' });
  });

  test.each([
    ['bytes that are no record', () => Buffer.concat([Buffer.of(0, 0, 0, 40), randomBytes(40)])],
    ['a length beyond all', () => Buffer.of(255, 255, 255, 255)],
  ])('or anybody on the way says %s: the lane ends, and nothing else', async (_, bytes) => {
    const { host, onGone, raw, pairing } = await attacked();
    raw(bytes());
    await vi.waitFor(() => expect(onGone).toHaveBeenCalledOnce());
    await pairing.send(pairing.seal(control(0)));
    expect((await host.receive())?.item).toEqual({ type: 'verified' });
    host.destroy();
  });

  test('row 19: says a record of another lane, or again: the lane ends, and nothing else', async () => {
    const { host, forger } = await hostAndForger();
    const gone = vi.fn();
    const lanes = await Promise.all(
      [0, 1].map(async () => {
        const [near, far] = lanePair();
        const { seal, write } = laneForger(forger, near);
        near.socket.resume();
        const added = host.addLane(far, gone);
        write(seal(CREDIT));
        await added;
        return { seal, write };
      }),
    );
    const [one, other] = lanes as [(typeof lanes)[0], (typeof lanes)[0]];
    other.write(one.seal(control(0)));
    await vi.waitFor(() => expect(gone).toHaveBeenCalledTimes(1));
    const sealed = one.seal(control(0));
    // The one before it went astray, so this is not the next of its lane either.
    one.write(sealed);
    await vi.waitFor(() => expect(gone).toHaveBeenCalledTimes(2));
    expect(host.laneCount).toBe(0);
    await forger.send(forger.seal(control(0)));
    expect((await host.receive())?.item).toEqual({ type: 'verified' });
    host.destroy();
  });
});

describe('a lane', () => {
  /** A lane whose listener's bytes wait until they are let go. */
  function slowLane(): { dialler: Lane; listener: Lane; letGo: () => void } {
    const [near, far] = lanePair();
    const write = near.socket.write.bind(near.socket);
    const waiting: Uint8Array[] = [];
    const hold = vi.spyOn(near.socket, 'write').mockImplementation(((
      bytes: Uint8Array,
      done?: () => void,
    ) => {
      waiting.push(bytes);
      done?.();
      return true;
    }) as typeof near.socket.write);
    return {
      listener: { ...near, isDialler: false },
      dialler: { ...far, isDialler: true },
      letGo: () => {
        hold.mockRestore();
        for (const bytes of waiting) write(bytes);
      },
    };
  }

  test('may be slower with its first record than the pairing connection with what comes after', async () => {
    const [joiner, host] = await channelPair(undefined, 'dht');
    const { dialler, listener, letGo } = slowLane();
    const counts = Promise.all([
      joiner.addLane(dialler, () => undefined),
      host.addLane(listener, () => undefined),
    ]);
    await vi.waitFor(() => expect(host.laneCount).toBe(1));
    const record = { kind: 'hole', transfer: 1, entry: 0, offset: 0, length: 5 } as const;
    await host.send(record);
    await host.send({ type: 'verified' });
    const received = joiner.receive();
    await new Promise(setImmediate);
    letGo();
    expect(await counts).toEqual([true, true]);
    expect((await received)?.item).toMatchObject(record);
    expect((await joiner.receive())?.item).toEqual({ type: 'verified' });
    joiner.destroy();
  });

  test('may be lost after the peer ended, and nothing with it', async () => {
    const [joiner, host] = await channelPair(undefined, 'dht');
    const { dialler, listener, letGo } = slowLane();
    const counts = Promise.all([
      joiner.addLane(dialler, () => undefined),
      host.addLane(listener, () => undefined),
    ]);
    await vi.waitFor(() => expect(host.laneCount).toBe(1));
    await joiner.end();
    expect(await host.receive()).toBeUndefined();
    const record = { kind: 'hole', transfer: 1, entry: 0, offset: 0, length: 5 } as const;
    await host.send(record);
    const ended = host.end();
    letGo();
    listener.socket.destroy();
    await counts;
    expect((await joiner.receive())?.item).toMatchObject(record);
    expect(await joiner.receive()).toBeUndefined();
    await ended;
  });
});
