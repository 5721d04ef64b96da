import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { SealedChannel } from '../../../src/peer/channel.js';
import type { Lane } from '../../../src/peer/lane.js';
import type { Channel, Chunk } from '../../../src/transfer/ports.js';
import { channelPair, lanePair } from '../../support/channels.js';

const WINDOW = 4 * 2 ** 20;

function chunk(offset: number, length: number): Chunk {
  const bytes = randomBytes(length);
  const body = { compression: 'stored', rawLength: length, bytes } as const;
  return { kind: 'chunk', transfer: 1, entry: 0, offset, body };
}

/** Adds a lane to both ends and waits until it counts. */
async function join(
  joiner: SealedChannel,
  host: SealedChannel,
  [near, far] = lanePair(),
  onGone: () => void = () => undefined,
): Promise<[Lane, Lane]> {
  const counts = await Promise.all([joiner.addLane(near, onGone), host.addLane(far, () => undefined)]);
  expect(counts).toEqual([true, true]);
  return [near, far];
}

/** Which chunk it is: fast to compare. */
function named({ offset, body }: Chunk): string {
  return `${offset} ${createHash('sha256').update(body.bytes).digest('hex')}`;
}

/** Takes everything up to the end, and names the chunks in the order they come. */
async function drain(channel: Channel): Promise<string[]> {
  const items: string[] = [];
  for (let next = await channel.receive(); next !== undefined; next = await channel.receive()) {
    if ('kind' in next.item && next.item.kind === 'chunk') items.push(named(next.item));
    channel.release(next.cost);
  }
  return items;
}

async function pair(): Promise<[SealedChannel, SealedChannel]> {
  const [joiner, host] = await channelPair(undefined, 'dht');
  host.widen(WINDOW);
  return [joiner, host];
}

describe('lanes of a channel', () => {
  test('a lane counts when each side opened a record on it, and carries the data from then on', async () => {
    const [joiner, host] = await pair();
    expect([joiner.path, joiner.laneCount]).toEqual(['dht', 0]);
    const [near] = await join(joiner, host);
    expect([joiner.path, joiner.laneCount, host.laneCount]).toEqual(['direct', 1, 1]);
    const write = vi.spyOn(near.socket, 'write');
    const done = vi.fn();
    const sent = chunk(0, 100_000);
    await joiner.send(sent, done);
    expect((await host.receive())?.item).toMatchObject(sent);
    expect(write).toHaveBeenCalled();
    // It is kept until the peer has it, however slowly that one asks for more.
    await vi.waitFor(() => expect(done).toHaveBeenCalledOnce());
    await Promise.all([joiner.end(), host.end()]);
  });

  test('a direct pairing connection carries data beside them', async () => {
    const [joiner, host] = await channelPair();
    host.widen(WINDOW);
    const [near] = await join(joiner, host);
    const write = vi.spyOn(near.socket, 'write');
    await joiner.send(chunk(0, 1000));
    expect((await host.receive())?.item).toMatchObject({ kind: 'chunk' });
    expect(write).not.toHaveBeenCalled();
    // It is full: what comes next takes the lane.
    const receiving = drain(host);
    for (let offset = 1; write.mock.calls.length === 0 && offset < 100; offset++)
      await joiner.send(chunk(offset, 2 ** 19));
    expect(write).toHaveBeenCalled();
    await joiner.end();
    await receiving;
    joiner.destroy();
  });

  test('what goes over several paths arrives in its order, and once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(39), { maxLength: 4 }),
        async (sizes, joinAt) => {
          const [joiner, host] = await pair();
          const items = sizes.map((size, index) => chunk(index, size));
          const receiving = drain(host);
          for (const [index, item] of items.entries()) {
            if (joinAt.includes(index)) await join(joiner, host);
            await joiner.send(item);
            if (index % 3 === 0)
              await joiner.send({ type: 'counting', transfer: 1, entries: index, bytes: 0 });
          }
          await joiner.end();
          expect(await receiving).toEqual(items.map(named));
          joiner.destroy();
        },
      ),
      { numRuns: 20 },
    );
  });

  test('what was under way on a lane that died is sent again, and no more than once delivered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100, max: 600_000 }), fc.boolean(), async (cutAt, second) => {
        const [joiner, host] = await pair();
        await join(
          joiner,
          host,
          lanePair((bytes, before) =>
            before + bytes.length <= cutAt ? bytes : bytes.subarray(0, Math.max(0, cutAt - before)),
          ),
        );
        if (second) await join(joiner, host);
        const items = Array.from({ length: 30 }, (_, index) => chunk(index, 20_000));
        const receiving = drain(host);
        for (const item of items) await joiner.send(item);
        await joiner.end();
        expect(await receiving).toEqual(items.map(named));
        joiner.destroy();
      }),
      { numRuns: 30 },
    );
  });

  test('a lane that is closed is gone at both ends, and the pairing connection goes on', async () => {
    const [joiner, host] = await pair();
    const gone = vi.fn();
    const [near] = await join(joiner, host, lanePair(), gone);
    joiner.closeLane(near);
    await vi.waitFor(() => expect([joiner.laneCount, host.laneCount]).toEqual([0, 0]));
    expect(gone).toHaveBeenCalledOnce();
    const sent = chunk(0, 1000);
    await joiner.send(sent);
    expect((await host.receive())?.item).toMatchObject(sent);
    joiner.destroy();
  });

  test('changed bytes cost the lane, and nothing else', async () => {
    const [joiner, host] = await pair();
    const flip = (bytes: Buffer, before: number): Buffer => {
      // The middle of what was sealed, never a length.
      if (before > 50_000 && bytes.length > 10_000) bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    };
    await join(joiner, host, lanePair(flip));
    const items = Array.from({ length: 20 }, (_, index) => chunk(index, 20_000));
    const receiving = drain(host);
    for (const item of items) await joiner.send(item);
    await joiner.end();
    expect(await receiving).toEqual(items.map(named));
    joiner.destroy();
  });

  test('a lane without the key never counts', async () => {
    const [joiner, host] = await pair();
    const [stranger, far] = lanePair();
    const added = host.addLane(far, () => undefined);
    stranger.socket.write(Buffer.concat([Buffer.from([0, 0, 0, 40]), randomBytes(40)]));
    expect(await added).toBe(false);
    expect(host.laneCount).toBe(0);
    const sent = chunk(0, 1000);
    await joiner.send(sent);
    expect((await host.receive())?.item).toMatchObject(sent);
    joiner.destroy();
  });

  test('credit waits for no lane: a receiver that grants over a dying one is still heard', async () => {
    const [joiner, host] = await channelPair(undefined, 'dht');
    host.widen(2 ** 19);
    const [, far] = await join(joiner, host);
    const items = Array.from({ length: 60 }, (_, index) => chunk(index, 50_000));
    const receiving = drain(host);
    for (const [index, item] of items.entries()) {
      if (index === 30) far.socket.destroy();
      await joiner.send(item);
    }
    await joiner.end();
    expect(await receiving).toEqual(items.map(named));
    joiner.destroy();
  });

  test('what is said about lanes never reaches the transfer', async () => {
    const [joiner, host] = await pair();
    const hints = { type: 'hints', hints: [{ host: '127.0.0.1', port: 7337 }] } as const;
    await joiner.send(hints);
    await joiner.send({ type: 'verified' });
    expect((await host.receive())?.item).toEqual({ type: 'verified' });
    const heard: unknown[] = [];
    host.listenForLanes((message) => heard.push(message));
    await joiner.send({ type: 'lanes', count: 2 });
    await joiner.send({ type: 'verified' });
    await host.receive();
    expect(heard).toEqual([hints, { type: 'lanes', count: 2 }]);
    joiner.destroy();
  });
});
