import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { forwardConnections, forwardDatagrams } from '../../bench/delay-line.js';

const LINE = { mbit: 1000, delayMs: 5 };

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

it('carries connections both ways, with their ends', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port, close } = await forwardConnections((server.address() as AddressInfo).port, LINE);
  closing.push(close, () => server.close());

  const sent = [randomBytes(3_000_000), randomBytes(1_000)];
  const received = await Promise.all(
    sent.map(async (bytes) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end(bytes);
      return buffer(socket);
    }),
  );
  expect(received.map((bytes, index) => bytes.equals(sent[index]!))).toEqual([true, true]);
});

it('does not read on for a side that does not read, and lets others pass', async () => {
  let held: Socket | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (held === undefined) held = socket.pause();
    else socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port, close } = await forwardConnections((server.address() as AddressInfo).port, LINE);
  closing.push(close, () => server.close());

  const socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  await once(server, 'connection');
  let done = false;
  // More than the kernel and the line keep.
  const written = new Promise<void>((resolve) => {
    socket.write(Buffer.alloc(128 * 2 ** 20), () => {
      done = true;
      resolve();
    });
  });
  for (let round = 0; round < 10; round++) {
    const other = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    other.end('passes');
    expect(String(await buffer(other))).toBe('passes');
  }
  expect(done).toBe(false);
  held?.resume();
  await written;
});

it('carries datagrams both ways, and nobody else\u2019s', async () => {
  const ends = [createSocket('udp4'), createSocket('udp4')] as const;
  for (const end of ends) {
    end.bind(0, '127.0.0.1');
    await once(end, 'listening');
    closing.push(() => end.close());
  }
  const ports = [ends[0].address().port, ends[1].address().port] as const;
  const { entrances, close } = await forwardDatagrams(ports, LINE);
  closing.push(close);

  const stranger = createSocket('udp4');
  closing.push(() => stranger.close());
  stranger.send('not mine', entrances[0], '127.0.0.1');
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const arrived = once(ends[to], 'message');
    ends[from].send(`from ${from}`, entrances[from], '127.0.0.1');
    expect(String((await arrived)[0])).toBe(`from ${from}`);
  }
});
