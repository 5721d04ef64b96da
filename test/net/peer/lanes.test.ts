/** Lanes of a session over loopback: how many there come to be, what strangers and hostile peers make of them. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Secret } from '../../../src/crypto/secret.js';
import { MAX_STRANGERS_PER_PREFIX } from '../../../src/peer/admission.js';
import { dialLane } from '../../../src/peer/lane-handshake.js';
import type { LaneRoute } from '../../../src/peer/lanes.js';
import { byHints, laneListener, pour, session, UNREACHABLE, type End } from '../../support/lanes.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const WAIT = { timeout: 10_000, interval: 20 };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function pair(transport?: 'dht' | 'direct'): Promise<{ sender: End; receiver: End }> {
  const ends = await session(transport);
  cleanups.push(ends.sender.close, ends.receiver.close);
  return ends;
}

/** Waits until both ends have so many lanes, and sees that it stays so. */
async function expectLanes(
  { sender, receiver }: { sender: End; receiver: End },
  count: number,
): Promise<void> {
  const counts = (): number[] => [sender.channel.laneCount, receiver.channel.laneCount];
  await vi.waitFor(() => expect(counts()).toEqual([count, count]), WAIT);
  await sleep(150);
  expect(counts()).toEqual([count, count]);
}

/** A direct pairing: this end listens, the other dials to the same port. */
async function direct(
  through: (port: number) => Promise<number> | number = (port) => port,
): Promise<{ listening: LaneRoute; dialling: LaneRoute }> {
  const listener = await laneListener();
  cleanups.push(() => listener.close());
  return {
    listening: { by: 'listening', listener },
    dialling: { by: 'dialling', to: { host: '127.0.0.1', port: await through(listener.port) } },
  };
}

describe('after a meeting through the DHT there', () => {
  test('is one lane, though both sides dial at once, and both say so', async () => {
    const ends = await pair();
    await Promise.all([ends.sender.open(byHints()), ends.receiver.open(byHints())]);
    await expectLanes(ends, 1);
    for (const { events } of [ends.sender, ends.receiver]) {
      expect(events).toMatchObject([{ type: 'path', path: 'direct', lanes: 1 }]);
    }
    await pour(ends.sender.channel, ends.receiver.channel, 100);
    await pour(ends.receiver.channel, ends.sender.channel, 100);
  });

  test.each<[number | undefined, number | undefined, number]>([
    [4, undefined, 4],
    [undefined, 3, 3],
    [4, 2, 2],
    [2, 8, 2],
    [1, 1, 1],
    [0, undefined, 0],
    [undefined, 0, 0],
    [0, 4, 0],
  ])('with %s lanes at the sender and %s at the receiver are %s', async (send, receive, count) => {
    const ends = await pair();
    await Promise.all([
      ends.sender.open(byHints(), { count: send }),
      ends.receiver.open(byHints(), { count: receive }),
    ]);
    if (count === 0) await sleep(300);
    await expectLanes(ends, count);
    await pour(ends.sender.channel, ends.receiver.channel, 50);
  });

  test.each<[string, LaneRoute, LaneRoute]>([
    ['the sender', byHints(), byHints(UNREACHABLE)],
    ['the receiver', byHints(UNREACHABLE), byHints()],
  ])('are as many where only %s can be reached', async (_, sender, receiver) => {
    const ends = await pair();
    await Promise.all([ends.sender.open(sender, { count: 3 }), ends.receiver.open(receiver)]);
    await expectLanes(ends, 3);
  });

  test('is none where nobody can be reached, and content goes on as before', async () => {
    const ends = await pair();
    await Promise.all([ends.sender.open(byHints(UNREACHABLE)), ends.receiver.open(byHints(UNREACHABLE))]);
    await pour(ends.sender.channel, ends.receiver.channel, 100);
    await expectLanes(ends, 0);
  });
});

describe('after a direct pairing there', () => {
  test.each<[number | undefined, number | undefined, number]>([
    [undefined, undefined, 0],
    [4, undefined, 3],
    [undefined, 4, 3],
    [2, 4, 1],
    [1, undefined, 0],
    [undefined, 0, 0],
  ])(
    'with %s lines at the sender and %s at the receiver are %s lanes, whoever dials',
    async (send, receive, count) => {
      for (const senderDials of [true, false]) {
        const ends = await pair('direct');
        const { listening, dialling } = await direct();
        await Promise.all([
          ends.sender.open(senderDials ? dialling : listening, { count: send }),
          ends.receiver.open(senderDials ? listening : dialling, { count: receive }),
        ]);
        if (count === 0) await sleep(200);
        await expectLanes(ends, count);
        await pour(ends.sender.channel, ends.receiver.channel, 50);
      }
    },
  );

  test('may be one side that is ready before the other', async () => {
    const ends = await pair('direct');
    const { listening, dialling } = await direct();
    await ends.sender.open(dialling, { count: 2 });
    await sleep(300);
    await ends.receiver.open(listening);
    await expectLanes(ends, 1);
  });
});

describe('a lane that is cut', () => {
  test('loses nothing, and comes back', async () => {
    const ends = await pair('direct');
    const proxies: TcpProxy[] = [];
    const { listening, dialling } = await direct(async (port) => {
      const proxy = await TcpProxy.start(port, Infinity);
      cleanups.push(() => proxy.close());
      proxies.push(proxy);
      return proxy.port;
    });
    await Promise.all([ends.receiver.open(dialling), ends.sender.open(listening, { count: 3 })]);
    await expectLanes(ends, 2);
    for (let round = 0; round < 2; round++) {
      await pour(ends.sender.channel, ends.receiver.channel, 400, (index) => {
        if (index === 100) proxies[0]!.cut();
      });
      await expectLanes(ends, 2);
    }
    expect(ends.receiver.events.map(({ lanes }) => lanes)).toEqual([1, 0, 1, 0, 1]);
  });
});

describe('a lane port', () => {
  async function open(port: number): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    cleanups.push(() => socket.destroy());
    return socket;
  }

  /** Says something and gives what came back until the end. */
  async function say(port: number, words: Uint8Array): Promise<number> {
    const socket = await open(port);
    let answer = 0;
    socket.on('data', (bytes) => (answer += bytes.length));
    socket.write(words);
    if (!socket.closed) await once(socket, 'close');
    return answer;
  }

  /** A session whose receiver listens, and that has one lane. */
  async function listening(): Promise<{
    ends: { sender: End; receiver: End };
    port: number;
    recorded: Buffer;
  }> {
    const ends = await pair();
    const listener = await laneListener();
    const recorded: Buffer[] = [];
    // Somebody on the way who sees it all.
    const tap = createServer((near) => {
      const far = connect(listener.port, '127.0.0.1');
      for (const socket of [near, far]) socket.on('error', () => undefined);
      near.on('data', (bytes) => recorded.push(bytes)).pipe(far);
      far.pipe(near);
      near.on('close', () => far.destroy());
      cleanups.push(() => near.destroy());
    });
    tap.listen(0, '127.0.0.1');
    await once(tap, 'listening');
    cleanups.push(() => tap.close());
    await ends.receiver.open({ by: 'listening', listener });
    const { port } = tap.address() as AddressInfo;
    await ends.sender.open({ by: 'dialling', to: { host: '127.0.0.1', port } }, { count: 2 });
    await expectLanes(ends, 1);
    return { ends, port: listener.port, recorded: Buffer.concat(recorded) };
  }

  test('tells nothing to who has no key, whatever they say', async () => {
    const { ends, port } = await listening();
    const lane = Buffer.from('xfer\x01\x02', 'latin1');
    const { id } = ends.sender.key.laneKeys(0, 5, 'host');
    const foreign = ends.receiver.key.laneKeys(0, 5, 'joiner');
    const words = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from('xfer\x01\x01', 'latin1'),
      Buffer.concat([lane, randomBytes(64)]),
      Buffer.concat([lane, id, randomBytes(48)]),
      Buffer.concat([lane, foreign.id, randomBytes(48)]),
      Buffer.concat([lane, id, Buffer.alloc(48)]),
    ];
    for (const each of words) expect(await say(port, each)).toBe(0);
    // The right id and another key.
    const socket = await open(port);
    await expect(dialLane(socket, { id, psk: new Secret(randomBytes(32)) })).rejects.toMatchObject({
      code: 'peer-gone',
    });
    await expectLanes(ends, 1);
    await pour(ends.sender.channel, ends.receiver.channel, 50);
  });

  test('row 5: a recorded lane opens none again, and takes no id away before its dialler used it', async () => {
    const { ends, port, recorded } = await listening();
    expect(await say(port, recorded)).toBe(0);
    // A dial that somebody kept from arriving, and sends in its place.
    const kept: Buffer[] = [];
    const trap = createServer((socket) =>
      socket.on('data', (bytes) => kept.push(bytes)).on('error', () => undefined),
    );
    trap.listen(0, '127.0.0.1');
    await once(trap, 'listening');
    const aside = await open((trap.address() as AddressInfo).port);
    void dialLane(aside, ends.sender.key.laneKeys(0, 9, 'host')).catch(() => undefined);
    await vi.waitFor(() => expect(Buffer.concat(kept)).toHaveLength(70), WAIT);
    trap.close();
    // It gets the answer of the handshake, 48 bytes that say nothing, and not a record.
    const replayed = await open(port);
    let answer = 0;
    replayed.on('data', (bytes) => (answer += bytes.length));
    replayed.write(Buffer.concat(kept));
    await vi.waitFor(() => expect(answer).toBe(48), WAIT);
    replayed.write(randomBytes(200));
    await once(replayed, 'close');
    expect(answer).toBe(48);
    const socket = await open(port);
    const lane = await dialLane(socket, ends.sender.key.laneKeys(0, 9, 'host'));
    expect(await ends.sender.channel.addLane(lane, () => undefined)).toBe(true);
    await expectLanes(ends, 2);
  });

  test('rows 23, 28, 30: strangers hold few places for a short time, and the peer gets in', async () => {
    const { ends, port } = await listening();
    const sockets = await Promise.all(Array.from({ length: 60 }, () => open(port)));
    for (const [index, socket] of sockets.entries()) {
      socket.resume();
      if (index % 3 > 0) socket.write('xfer\x01\x02', 'latin1');
      if (index % 3 > 1) socket.write(randomBytes(63));
    }
    const waiting = (): Socket[] => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded);
    await vi.waitFor(() => expect(waiting().length).toBeLessThanOrEqual(MAX_STRANGERS_PER_PREFIX), WAIT);
    const lane = await dialLane(await open(port), ends.sender.key.laneKeys(0, 9, 'host'));
    expect(await ends.sender.channel.addLane(lane, () => undefined)).toBe(true);
    await expectLanes(ends, 2);
    await vi.waitFor(() => expect(waiting()).toEqual([]), { timeout: 15_000, interval: 100 });
    await pour(ends.sender.channel, ends.receiver.channel, 50);
  });

  test('row 30: forgets who left before there is a session', async () => {
    const listener = await laneListener();
    cleanups.push(() => listener.close());
    for (let stranger = 0; stranger < 40; stranger++) {
      const socket = await open(listener.port);
      socket.end('xfer\x01\x02', 'latin1');
      socket.resume();
      await once(socket, 'close');
    }
    const take = vi.fn(() => Promise.resolve());
    listener.takeLanes(take, () => true);
    await sleep(50);
    expect(take).not.toHaveBeenCalled();
  });

  test('closes with the session', async () => {
    const { ends, port } = await listening();
    ends.receiver.close();
    ends.sender.close();
    const socket = connect(port, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});

describe('a hostile peer', () => {
  /** A service that counts who knocks. */
  async function service(
    host = '127.0.0.1',
  ): Promise<{ port: number; knocks: () => number; heard: () => number }> {
    let [knocks, heard] = [0, 0];
    const server = createServer((socket) => {
      knocks += 1;
      socket.on('error', () => undefined).on('data', (bytes) => (heard += bytes.length));
      cleanups.push(() => socket.destroy());
    });
    server.listen(0, host);
    await once(server, 'listening');
    cleanups.push(() => server.close());
    return { port: (server.address() as AddressInfo).port, knocks: () => knocks, heard: () => heard };
  }

  test('row 16: cannot make us knock at our own loopback by its hints, where it is on another machine', async () => {
    const { sender, receiver } = await pair();
    const trap = await service();
    await receiver.open({ by: 'hints', listener: UNREACHABLE, seenAs: undefined, isLocal: false });
    const hosts = [
      '127.0.0.1',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '0.0.0.0',
      '::',
      'localhost',
      '127.1',
    ];
    await sender.channel.send({ type: 'hints', hints: hosts.map((host) => ({ host, port: trap.port })) });
    await sleep(500);
    expect(trap.knocks()).toBe(0);
  });

  test('makes us knock once where a hint may lead, with a hello and nothing of us, and hears nothing of it', async () => {
    const { sender, receiver } = await pair();
    const traps = await Promise.all([service(), service()]);
    await receiver.open(byHints(UNREACHABLE));
    const said: unknown[] = [];
    sender.channel.listenForLanes((message) => said.push(message));
    const hints = [...traps, ...traps, ...traps].map(({ port }) => ({ host: '127.0.0.1', port }));
    await sender.channel.send({ type: 'hints', hints });
    await sleep(4_000);
    expect(traps.map(({ knocks }) => knocks())).toEqual([1, 1]);
    expect(traps.map(({ heard }) => heard())).toEqual([70, 70]);
    expect(said).toEqual([{ type: 'hints', hints: [] }]);
  });

  test('that asks for lanes without end gets 64 dials', async () => {
    const { sender, receiver } = await pair('direct');
    const trap = await service();
    await receiver.open({ by: 'dialling', to: { host: '127.0.0.1', port: trap.port } });
    for (let index = 0; index < 30; index++) {
      await sender.channel.send({ type: 'lanes', count: 8 });
      await sender.channel.send({ type: 'lanes', count: 0 });
    }
    await sleep(500);
    expect(trap.knocks()).toBeLessThanOrEqual(64);
    await pour(sender.channel, receiver.channel, 20);
  });

  test('row 16: that says twice where it is ends the session, and makes us knock no more', async () => {
    const { sender, receiver } = await pair();
    const [first, second] = await Promise.all([service(), service()]);
    await receiver.open(byHints(UNREACHABLE));
    const hint = ({ port }: { port: number }): { host: string; port: number } => ({
      host: '127.0.0.1',
      port,
    });
    await sender.channel.send({ type: 'hints', hints: [hint(first)] });
    await sender.channel.send({ type: 'hints', hints: [hint(second)] });
    await expect(receiver.channel.receive()).rejects.toMatchObject({ code: 'protocol' });
    await sleep(100);
    expect(second.knocks()).toBe(0);
  });

  test('that tells a sender again and again how many lanes it wants gets one answer', async () => {
    const { sender, receiver } = await pair('direct');
    const { listening } = await direct();
    const say = vi.spyOn(sender.channel, 'send');
    await sender.open(listening);
    for (let count = 0; count < 30; count++) {
      await receiver.channel.send({ type: 'lanes', count: 3 + (count % 2) });
    }
    await pour(sender.channel, receiver.channel, 1);
    const said = say.mock.calls.filter(([item]) => 'type' in item);
    expect(said).toEqual([[{ type: 'lanes', count: 3 }]]);
  });

  test('that talks of lanes to who wants none is not listened to', async () => {
    const { sender, receiver } = await pair();
    await receiver.open(byHints(), { count: 0 });
    await sender.channel.send({ type: 'hints', hints: [{ host: '127.0.0.1', port: 7337 }] });
    for (let count = 0; count < 8; count++) await sender.channel.send({ type: 'lanes', count });
    await pour(sender.channel, receiver.channel, 5);
  });

  test('opens no more lanes than eight at once', async () => {
    const { sender, receiver } = await pair('direct');
    const listener = await laneListener();
    await receiver.open({ by: 'listening', listener });
    for (let number = 0; number < 12; number++) {
      const socket = connect(listener.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await dialLane(socket, sender.key.laneKeys(0, number, 'host')).then(
        (lane) => sender.channel.addLane(lane, () => undefined),
        () => false,
      );
    }
    await vi.waitFor(() => expect(receiver.channel.laneCount).toBe(8), WAIT);
  });
});
