/** Sessions whose file bytes take lanes, from end to end of the library. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { receive, send, type MeetingOptions, type XferEvent } from '../../src/index.js';
import { deferred } from '../../src/transfer/deferred.js';
import { freePort } from '../support/direct.js';
import { startPrivateDht, type PrivateDht } from '../support/private-dht.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';

interface Side extends Omit<MeetingOptions, 'code' | 'onEvent'> {
  readonly watch?: (event: XferEvent) => void;
}

interface Story {
  readonly sent: readonly XferEvent[];
  readonly received: readonly XferEvent[];
}

let dht: PrivateDht;
beforeAll(async () => (dht = await startPrivateDht()));
afterAll(() => dht.close());

/** Sends one file, and gives what both sides said meanwhile; fails unless it arrived as it was. */
async function transfer(
  { watch: watchSender, ...sender }: Side,
  { watch: watchReceiver, ...receiver }: Side,
  bytes = 30_000_000,
): Promise<Story> {
  const folder = await temporaryFolder();
  const content = randomBytes(bytes);
  const file = path.join(folder, 'content');
  await writeFile(file, content);
  const code = deferred<string>();
  const sent: XferEvent[] = [];
  const received: XferEvent[] = [];
  const sending = send(
    { kind: 'files', paths: [file] },
    {
      ...sender,
      onEvent: (event) => {
        sent.push(event);
        watchSender?.(event);
        if (event.type === 'code') code.resolve(event.code);
      },
    },
  );
  sending.catch(code.reject);
  const receiving = receive({
    ...receiver,
    code: await code.promise,
    out: path.join(folder, 'arrived'),
    decide: () => Promise.resolve({ accept: true, conflicts: 'refuse' }),
    onEvent: (event) => {
      received.push(event);
      watchReceiver?.(event);
    },
  });
  const [outcome] = await Promise.all([receiving, sending]);
  const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
  expect(digest(await readFile(outcome.paths[0]!))).toBe(digest(content));
  return { sent, received };
}

const paths = (events: readonly XferEvent[]): Extract<XferEvent, { type: 'path' }>[] =>
  events.filter((event) => event.type === 'path');

describe('after a meeting through the DHT', () => {
  test('file bytes move to a lane, and both sides say so once', async () => {
    const { bootstrap } = dht;
    const { sent, received } = await transfer({ bootstrap }, { bootstrap });
    for (const events of [sent, received]) {
      expect(events.find(({ type }) => type === 'connected')).toMatchObject({ path: 'dht' });
      expect(paths(events)).toMatchObject([{ path: 'direct', lanes: 1 }]);
      expect(paths(events)[0]?.address).toMatch(/^127\.0\.0\.1:\d+$/);
    }
  });

  test.each(['sender', 'receiver'])('they stay where the %s wants no lanes', async (who) => {
    const { bootstrap } = dht;
    const none = { bootstrap, lanes: 0 };
    const { sent, received } = await transfer(
      who === 'sender' ? none : { bootstrap },
      who === 'receiver' ? none : { bootstrap },
    );
    expect([...paths(sent), ...paths(received)]).toEqual([]);
  });

  test('a lane goes to the port that was asked for', async () => {
    const lanePort = await freePort();
    const { bootstrap } = dht;
    let isOpen: Promise<unknown> | undefined;
    const watch = (event: XferEvent): void => {
      if (event.type === 'path') isOpen = once(connect(lanePort, '127.0.0.1'), 'connect');
    };
    const { sent } = await transfer({ bootstrap }, { bootstrap, lanePort, watch });
    expect(paths(sent)).toMatchObject([{ path: 'direct', lanes: 1 }]);
    await isOpen;
    expect(isOpen).toBeDefined();
  });

  test('a port that is taken is named before there is a code', async () => {
    const server = createServer().listen(0, '::');
    await once(server, 'listening');
    const { port: lanePort } = server.address() as AddressInfo;
    const events: XferEvent[] = [];
    const { bootstrap } = dht;
    const onEvent = (event: XferEvent): void => void events.push(event);
    await expect(send({ kind: 'text', text: 'x' }, { bootstrap, lanePort, onEvent })).rejects.toMatchObject({
      code: 'port-in-use',
      subject: String(lanePort),
    });
    expect(events).toEqual([]);
    server.close();
  });
});

describe('over a direct connection', () => {
  test('several lanes carry one file', async () => {
    const at = { host: '127.0.0.1', port: await freePort() };
    const { sent, received } = await transfer({ listen: at, lanes: 4 }, { connect: at });
    for (const events of [sent, received])
      expect(paths(events)).toMatchObject([{ path: 'direct', lanes: 1 }]);
  });

  test('a lane that is cut in the middle loses nothing', async () => {
    const at = { host: '127.0.0.1', port: await freePort() };
    const proxy = await TcpProxy.start(at.port, Infinity);
    let cuts = 0;
    const cutAt = [0.2, 0.5, 0.8];
    const { received } = await transfer(
      { listen: at, lanes: 2 },
      {
        connect: { host: '127.0.0.1', port: proxy.port },
        watch: (event) => {
          if (event.type !== 'progress') return;
          const { bytes, totalBytes } = event.progress;
          // The pairing connection is the oldest.
          if (bytes / totalBytes < (cutAt[cuts] ?? 2) || proxy.connections < 2) return;
          cuts += 1;
          proxy.cutNewest();
        },
      },
      200_000_000,
    );
    proxy.close();
    expect(cuts).toBeGreaterThan(0);
    expect(paths(received)[0]).toMatchObject({ lanes: 1 });
  });
});

test('a listener that throws when a lane comes ends the session, and not the process', async () => {
  const { bootstrap } = dht;
  const bug = new Error('of the listener');
  const code = deferred<string>();
  const sending = send(
    { kind: 'text', text: 'x' },
    {
      bootstrap,
      onEvent: (event) => {
        if (event.type === 'code') code.resolve(event.code);
      },
    },
  );
  sending.catch(code.reject);
  const receiving = receive({
    bootstrap,
    code: await code.promise,
    // The person thinks.
    decide: () => new Promise(() => undefined),
    onEvent: ({ type }) => {
      if (type === 'path') throw bug;
    },
  });
  await Promise.all([
    expect(receiving).rejects.toMatchObject({ code: 'internal', cause: bug }),
    expect(sending).rejects.toMatchObject({ code: 'peer-interrupted' }),
  ]);
});
