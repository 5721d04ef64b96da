/** A relay passes on what it is asked to, and no more than its limits say. */
import { randomBytes } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import HyperDHT from 'hyperdht';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openDiscreetDht } from '../../../src/peer/discreet-dht.js';
import type { RawStream } from '../../../src/peer/noise.js';
import { Relay, parseAllowed, type RelayLimits } from '../../../src/share/relay.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';

const KIB = 2 ** 10;
const REFUSED_MS = 2_000;
const WAIT = { timeout: 10_000, interval: 20 };

/** A UDX stream, and the other side of a relay: both without types. */
interface Raw extends RawStream {
  readonly id: number;
  readonly socket: unknown;
  connect(socket: unknown, id: number, port: number, host: string): void;
  write(bytes: Uint8Array): boolean;
}
type Stream = ReturnType<HyperDHT['connect']>;
interface Client {
  pair(isInitiator: boolean, token: Uint8Array, raw: Pick<Raw, 'id'>): EventEmitter;
}
const { Client } = createRequire(import.meta.url)('blind-relay') as {
  Client: new (stream: unknown, options: { id: Uint8Array }) => Client;
};

let dht: PrivateDht;
beforeAll(async () => (dht = await startPrivateDht()));
afterAll(() => dht.close());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(limits: Partial<RelayLimits>): Promise<{ relay: Relay; key: Uint8Array }> {
  const all = { connections: 16, connectionsPerAddress: 16, bytesPerAddress: 1e9, allow: [], ...limits };
  const node = openDiscreetDht({ bootstrap: dht.bootstrap, relays: [] });
  cleanups.push(() => node.destroy({ force: true }));
  const relay = new Relay(node, all, parseAllowed(all.allow));
  cleanups.push(() => relay.close());
  const keyPair = HyperDHT.keyPair();
  await relay.listen(keyPair);
  return { relay, key: keyPair.publicKey };
}

/** Who uses a relay from an address of loopback. */
async function userAt(host: string): Promise<User> {
  const node = new HyperDHT({ bootstrap: dht.bootstrap, host, ephemeral: true, firewalled: false });
  cleanups.push(() => node.destroy({ force: true }));
  await node.fullyBootstrapped();
  return new User(node);
}

class User {
  readonly #node: HyperDHT;

  constructor(node: HyperDHT) {
    this.#node = node;
  }

  /** A connection to the relay; `undefined` where it takes nobody in. */
  async connect(key: Uint8Array): Promise<Stream | undefined> {
    const stream = this.#node.connect(key, { keyPair: HyperDHT.keyPair() });
    cleanups.push(() => stream.destroy());
    stream.on('error', () => undefined);
    // Whoever is taken in is so within milliseconds. hyperdht gives up only after 8 s.
    const refused = setTimeout(() => stream.destroy(), REFUSED_MS);
    const isOpen = await stream.opened;
    clearTimeout(refused);
    if (!isOpen) return undefined;
    // It may have been taken for a moment only.
    await Promise.race([stream.flush(), new Promise((resolve) => stream.once('close', resolve))]);
    return stream;
  }

  /** One end of what the relay joins. */
  join(stream: Stream, isInitiator: boolean, token: Uint8Array): Promise<Raw> {
    const raw = this.#node.createRawStream({}) as Raw;
    raw.on('error', () => undefined);
    const pairing = new Client(stream, { id: stream.publicKey! }).pair(isInitiator, token, raw);
    pairing.on('error', () => undefined);
    return new Promise((resolve) =>
      pairing.once('data', (id: number) => {
        const { socket, remoteHost, remotePort } = stream.rawStream as Raw;
        raw.connect(socket, id, remotePort!, remoteHost!);
        resolve(raw);
      }),
    );
  }
}

interface End {
  readonly raw: Raw;
  /** To the relay. */
  readonly stream: Stream;
}

/** Two users, joined by the relay. */
async function joined(key: Uint8Array, ...hosts: [string, string]): Promise<[End, End]> {
  const token = randomBytes(32);
  const end = async (host: string, isInitiator: boolean): Promise<End> => {
    const user = await userAt(host);
    const stream = await user.connect(key);
    if (stream === undefined) throw new Error('not taken in');
    return { stream, raw: await user.join(stream, isInitiator, token) };
  };
  return Promise.all([end(hosts[0], true), end(hosts[1], false)]);
}

/** Says so many bytes to the other end, and waits for them. */
async function pass([{ raw: from }, { raw: to }]: readonly [End, End], bytes: number): Promise<void> {
  let heard = 0;
  to.on('data', (data: Uint8Array) => (heard += data.length));
  // Whoever listens is known to the relay once it said something.
  to.write(randomBytes(1));
  for (let sent = 0; sent < bytes; sent += 16 * KIB) from.write(randomBytes(16 * KIB));
  await vi.waitFor(() => expect(heard).toBe(bytes), WAIT);
}

const closed = ({ stream }: End): Promise<unknown> => new Promise((resolve) => stream.once('close', resolve));

test('it counts what it passes on, also of who is gone before the next count', async () => {
  const { relay, key } = await start({});
  const ends = await joined(key, '127.0.0.2', '127.0.0.3');
  expect(relay.state).toMatchObject({ connections: 2, transfers: 1 });
  await pass(ends, 512 * KIB);
  for (const { stream } of ends) stream.destroy();
  await vi.waitFor(() => expect(relay.state).toMatchObject({ connections: 0, transfers: 0 }), WAIT);
  expect(relay.state.bytes).toBeGreaterThan(512 * KIB);
  // Headers and acknowledgements come to it.
  expect(relay.state.bytes).toBeLessThan(640 * KIB);
});

test('row 30: it takes no more connections than it may, and another when one is gone', async () => {
  const { relay, key } = await start({ connections: 3 });
  const users = await Promise.all(['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'].map(userAt));
  const [first, second, third, fourth] = users;
  const streams = [await first!.connect(key), await second!.connect(key), await third!.connect(key)];
  expect(streams.every((stream) => stream !== undefined)).toBe(true);
  expect(await fourth!.connect(key)).toBeUndefined();
  expect(relay.state.connections).toBe(3);
  streams[0]!.destroy();
  await vi.waitFor(() => expect(relay.state.connections).toBe(2), WAIT);
  expect(await fourth!.connect(key)).toBeDefined();
}, 30_000);

test('row 30: it takes no more of one address, and those of others', async () => {
  const { relay, key } = await start({ connectionsPerAddress: 2 });
  const [near, far] = [await userAt('127.0.0.2'), await userAt('127.0.0.3')];
  const some = await Promise.all(Array.from({ length: 6 }, () => near.connect(key)));
  await vi.waitFor(() => expect(relay.state.connections).toBe(2), WAIT);
  expect(some.filter((stream) => stream !== undefined && !stream.destroyed)).toHaveLength(2);
  expect(await far.connect(key)).toBeDefined();
  expect(relay.state.connections).toBe(3);
}, 30_000);

test('an address that has had its bytes of the day is cut, and may come again the next day; others go on', async () => {
  const { relay, key } = await start({ bytesPerAddress: 256 * KIB });
  const ends = await joined(key, '127.0.0.2', '127.0.0.3');
  const cut = closed(ends[0]);
  await pass(ends, 512 * KIB);
  await cut;
  const user = await userAt('127.0.0.2');
  expect(await user.connect(key)).toBeUndefined();
  await pass(await joined(key, '127.0.0.4', '127.0.0.5'), 128 * KIB);
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 86_400_000);
  await vi.waitFor(async () => expect(await user.connect(key)).toBeDefined(), WAIT);
  expect(relay.state.bytes).toBeGreaterThan(512 * KIB);
}, 60_000);

test('it serves only whom it is for', async () => {
  const { relay, key } = await start({ allow: ['127.0.0.2', '127.1.0.0/16'] });
  const isTaken = async (host: string): Promise<boolean> =>
    (await (await userAt(host)).connect(key)) !== undefined;
  const hosts = ['127.0.0.2', '127.0.0.3', '127.1.200.1', '127.2.0.1'];
  expect(await Promise.all(hosts.map(isTaken))).toEqual([true, false, true, false]);
  expect(relay.state.connections).toBe(2);
}, 30_000);

test('row 30: who asks for many joinings with nobody is dropped', async () => {
  const { relay, key } = await start({});
  const user = await userAt('127.0.0.2');
  const stream = (await user.connect(key))!;
  const client = new Client(stream, { id: stream.publicKey! });
  const gone = new Promise((resolve) => stream.once('close', resolve));
  for (let index = 0; index < 200; index++) {
    const pairing = client.pair(true, randomBytes(32), { id: index + 1 });
    pairing.on('error', () => undefined).once('data', () => undefined);
  }
  await gone;
  expect(relay.state.connections).toBe(0);
});
