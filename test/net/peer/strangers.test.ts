/** What somebody learns and costs who knows no code. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import HyperDHT, { type Address, type PeerRecord, type ServerOptions } from 'hyperdht';
import { expect, test, vi } from 'vitest';
import type { Topic } from '../../../src/crypto/code.js';
import { blake2b256, loadHashing } from '../../../src/crypto/sodium.js';
import { Admission, MAX_STRANGERS_PER_PREFIX } from '../../../src/peer/admission.js';
import { DhtNode, openDht } from '../../../src/peer/dht.js';
import { openDiscreetDht } from '../../../src/peer/discreet-dht.js';
import { listen } from '../../../src/peer/direct.js';
import { MAX_PENDING_HANDSHAKES } from '../../../src/peer/pending-handshakes.js';
import { deferred } from '../../../src/transfer/deferred.js';
import { startPrivateDht } from '../../support/private-dht.js';

// Not part of hyperdht's documented interface, and without types.
const NOISE_WRAP = ['hyperdht', 'lib', 'noise-wrap.js'].join('/');
const TOPIC = Buffer.alloc(32, 9) as Uint8Array as Topic;

test('row 16: the handshake of a host tells a stranger no address but the one it comes from', async () => {
  const dht = await startPrivateDht();
  const host = openDht(dht.bootstrap);
  await host.announce(TOPIC, new Admission(), () => undefined);
  const stranger = new HyperDHT({ bootstrap: dht.bootstrap, host: '127.0.0.1', ephemeral: true });
  const [peer] = await openAndLookUp(dht.bootstrap);
  const payload = await handshakePayload(stranger, peer!.publicKey);
  const local = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address)
    .filter((address) => address !== '127.0.0.1');
  expect(payload.addresses4.map((address) => address.host)).toEqual(['127.0.0.1']);
  expect(payload.addresses6 ?? []).toEqual([]);
  expect(local.some((address) => JSON.stringify(payload).includes(`"${address}"`))).toBe(false);
  await Promise.all([stranger.destroy(), host.close()]);
  await dht.close();
});

test('a stranger cannot make a host dial a relay', async () => {
  const dht = await startPrivateDht();
  const host = openDht(dht.bootstrap);
  let accepted = 0;
  await host.announce(TOPIC, new Admission(), () => (accepted += 1));
  const stranger = new HyperDHT({
    bootstrap: dht.bootstrap,
    host: '127.0.0.1',
    ephemeral: true,
    firewalled: false,
  });
  const [peer] = await openAndLookUp(dht.bootstrap);
  const hook = { relayThrough: HyperDHT.keyPair().publicKey };
  const stream = stranger.connect(peer!.publicKey, hook);
  stream.on('error', () => undefined);
  expect(
    await Promise.race([stream.opened, once(AbortSignal.timeout(2_000), 'abort').then(() => 'silence')]),
  ).not.toBe(true);
  expect(accepted).toBe(0);
  stream.destroy();
  await Promise.all([stranger.destroy(), host.close()]);
  await dht.close();
});

test('row 30: strangers that begin handshakes and go no further lock nobody out, and hold at most so many', async () => {
  await loadHashing();
  const network = await startPrivateDht();
  const { bootstrap } = network;
  const dht = openDiscreetDht({ bootstrap, relays: [] });
  const host = new DhtNode(dht);
  const taken = deferred<undefined>();
  await host.announce(TOPIC, new Admission(), () => taken.resolve(undefined));
  const [peer] = await openAndLookUp(bootstrap);
  const strangers = new HyperDHT({ bootstrap, host: '127.0.0.1', ephemeral: true });
  const before = dht.rawStreams.size;
  let mostHeld = 0;
  for (let begun = 0; begun < 2 * MAX_PENDING_HANDSHAKES; begun++) {
    await beginHandshake(strangers, peer!);
    mostHeld = Math.max(mostHeld, dht.rawStreams.size - before);
  }
  expect(mostHeld).toBe(MAX_PENDING_HANDSHAKES);
  const joiner = openDht(bootstrap);
  const connection = await joiner.connect(peer!, AbortSignal.timeout(8_000));
  await taken.promise;
  connection.destroy();
  await Promise.all([strangers.destroy(), joiner.close(), host.close()]);
  await network.close();
});

test('row 16: a stranger who plays the host cannot make a joiner dial a relay', async () => {
  const dht = await startPrivateDht();
  const open = { bootstrap: dht.bootstrap, host: '127.0.0.1', ephemeral: true, firewalled: false };
  const [third, stranger] = [new HyperDHT(open), new HyperDHT(open)];
  let dialled = 0;
  const trap = third.createServer({ firewall: () => ++dialled > 0 });
  await trap.listen();
  const hook = { relayThrough: trap.publicKey } as ServerOptions;
  const host = stranger.createServer(hook, (stream) => stream.on('error', () => undefined));
  await host.listen();
  const joiner = openDht(dht.bootstrap);
  const peer = { publicKey: host.publicKey!, relayAddresses: [] };
  const connection = await joiner.connect(peer, AbortSignal.timeout(3_000)).catch(() => undefined);
  // Whoever does as it is told dials at once, and so after this one would have.
  const naive = new HyperDHT(open);
  naive.connect(host.publicKey!).on('error', () => undefined);
  await vi.waitFor(() => expect(dialled).toBeGreaterThan(0), { timeout: 10_000 });
  expect(dialled).toBe(1);
  connection?.destroy();
  await Promise.all([joiner.close(), naive.destroy(), stranger.destroy(), third.destroy()]);
  await dht.close();
});

test('rows 23, 30: two hundred strangers with large frames cost a listener no memory', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0 }, new Admission(), () => undefined);
  const port = Number(listener.addresses[0]!.split(':')[1]);
  const before = process.memoryUsage().arrayBuffers;
  const sockets = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = await open(port);
      socket.write(Buffer.concat([Buffer.from('xfer\x01\x01'), Buffer.from([0xff, 0xff, 0xff, 1, 2, 3])]));
      return socket;
    }),
  );
  await Promise.all(sockets.map(closed));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 2 ** 20);
  listener.close();
});

test('a listener closes what is no hello without a word', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0 }, new Admission(), () => undefined);
  const port = Number(listener.addresses[0]!.split(':')[1]);
  for (const words of [
    'GET / HTTP/1.1\r\n\r\n',
    'xfer\x02\x01',
    'xfer\x01\x04',
    'xfes\x01\x01',
    `xfer\x01\x03${'i'.repeat(16)}`,
  ]) {
    const socket = await open(port);
    let answer = 0;
    socket.on('data', (bytes) => (answer += bytes.length));
    socket.write(Buffer.from(words, 'latin1'));
    await once(socket, 'close');
    expect(answer).toBe(0);
  }
  listener.close();
});

test('a listener that closes drops strangers at once, before their hello and after it', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0 }, new Admission(), () => undefined);
  const port = Number(listener.addresses[0]!.split(':')[1]);
  const sockets = await Promise.all([open(port), open(port)]);
  sockets[1].write('xfer\x01\x01');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const started = performance.now();
  listener.close();
  await Promise.all(sockets.map(closed));
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('rows 28, 29, 30: strangers that say nothing hold at most so many places', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0 }, new Admission(), () => undefined);
  const port = Number(listener.addresses[0]!.split(':')[1]);
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open(port)));
  const waiting = (): Socket[] => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded);
  await vi.waitFor(() => expect(waiting()).toHaveLength(MAX_STRANGERS_PER_PREFIX), { timeout: 8_000 });
  const started = performance.now();
  await Promise.all(sockets.map(closed));
  // The last of them leave when their 10 s are over, whatever they do.
  expect(performance.now() - started).toBeLessThan(20_000);
  listener.close();
});

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

async function openAndLookUp(bootstrap: readonly string[]): ReturnType<ReturnType<typeof openDht>['lookup']> {
  const node = openDht(bootstrap);
  try {
    return await node.lookup(TOPIC);
  } finally {
    await node.close();
  }
}

interface Payload {
  readonly addresses4: readonly { readonly host: string }[];
  readonly addresses6: readonly unknown[] | null;
}

/** Says the first word of a handshake to a host, by way of a node that knows it, and hears the answer, as one whom no hole leads to. */
async function beginHandshake(strangers: HyperDHT, { publicKey, relayAddresses }: PeerRecord): Promise<void> {
  const { default: NoiseWrap } = (await import(NOISE_WRAP)) as {
    default: new (keyPair: unknown, key: Uint8Array) => { send(payload: object): Uint8Array };
  };
  const noise = new NoiseWrap(HyperDHT.keyPair(), publicKey).send({
    error: 0,
    firewall: 0,
    holepunch: null,
    addresses4: [],
    addresses6: [],
    udx: { reusableSocket: false, id: 1, seq: 0 },
    secretStream: {},
    relayThrough: null,
  });
  const { _router: router } = strangers as unknown as {
    readonly _router: { peerHandshake(target: Uint8Array, said: object, to: Address): Promise<unknown> };
  };
  const node = relayAddresses.at(-1)!;
  await router.peerHandshake(blake2b256(publicKey), { noise }, node);
}

/** What the host says in its half of the handshake, decoded as its dialler does. */
async function handshakePayload(stranger: HyperDHT, publicKey: Uint8Array): Promise<Payload> {
  interface Handshake {
    recv(noise: Uint8Array): Promise<Payload> | Payload;
  }
  const { default: NoiseWrap } = (await import(NOISE_WRAP)) as {
    default: new (keyPair: unknown, key: Uint8Array) => Handshake;
  };
  return new Promise((resolve, reject) => {
    const hook = {
      createHandshake: (keyPair: unknown, key: Uint8Array) => {
        const handshake = new NoiseWrap(keyPair, key);
        const recv = handshake.recv.bind(handshake);
        handshake.recv = async (noise) => {
          const payload = await recv(noise);
          resolve(payload);
          return payload;
        };
        return handshake;
      },
    };
    const stream = stranger.connect(publicKey, hook as object);
    stream.on('error', reject);
    void once(AbortSignal.timeout(5_000), 'abort').then(() => stream.destroy());
  });
}
