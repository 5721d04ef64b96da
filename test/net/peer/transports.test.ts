/** What every transport must do, however it does it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Topic } from '../../../src/crypto/code.js';
import { Admission } from '../../../src/peer/admission.js';
import type { Connection, Transport } from '../../../src/peer/connection.js';
import { openDht } from '../../../src/peer/dht.js';
import { dial, listen } from '../../../src/peer/direct.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';

interface Ends {
  readonly dialled: Connection;
  readonly accepted: Connection;
  close(): Promise<void>;
}

const never = new AbortController().signal;
let dht: PrivateDht;
beforeAll(async () => (dht = await startPrivateDht()));
afterAll(() => dht.close());

async function direct(host: string): Promise<Ends> {
  const accepting = waitFor<Connection>();
  const listener = await listen({ host, port: 0 }, new Admission(), accepting.resolve);
  const port = Number(listener.addresses[0]!.split(':').at(-1));
  const dialled = await dial({ host, port }, never);
  const accepted = await accepting.promise;
  return {
    dialled,
    accepted,
    close: async () => {
      listener.close();
      await Promise.all([dialled, accepted].map((end) => (end.destroy(), end.closed)));
    },
  };
}

async function overDht(): Promise<Ends> {
  const topic = Buffer.alloc(32, Math.floor(Math.random() * 256)) as Uint8Array as Topic;
  const [host, joiner] = [openDht(dht.bootstrap), openDht(dht.bootstrap)];
  const accepting = waitFor<Connection>();
  expect(await host.announce(topic, new Admission(), accepting.resolve)).toBe(true);
  const [peer] = await joiner.lookup(topic);
  const dialled = await joiner.connect(peer!, never);
  await dialled.send([Buffer.from('first')]);
  const accepted = await accepting.promise;
  expect(await accepted.receive()).toEqual(Buffer.from('first'));
  return {
    dialled,
    accepted,
    close: async () => {
      await Promise.all([host.close(), joiner.close()]);
    },
  };
}

/** As many messages as a pairing has in each direction: a line for records takes over after them. */
async function exchangePairing({ dialled, accepted }: Ends): Promise<void> {
  // The first message of the dialling side over the DHT was said to make the other side open.
  const said = dialled.transport === 'dht' ? 1 : 2;
  for (let index = 0; index < said; index++) await dialled.send([Buffer.from('pairing')]);
  for (let index = 0; index < said; index++) await accepted.receive();
  for (let index = 0; index < 2; index++) await accepted.send([Buffer.from('pairing')]);
  for (let index = 0; index < 2; index++) await dialled.receive();
}

function waitFor<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe.each<[string, Transport, RegExp, () => Promise<Ends>]>([
  ['direct, IPv4', 'direct', /^127\.0\.0\.1:\d+$/, () => direct('127.0.0.1')],
  ['direct, IPv6', 'direct', /^\[::1\]:\d+$/, () => direct('::1')],
  ['direct, by name', 'direct', /:\d+$/, () => direct('localhost')],
  ['through the DHT', 'dht', /^127\.0\.0\.1:\d+$/, overDht],
])('a connection: %s', (_, transport, address, open) => {
  let ends: Ends;
  beforeAll(async () => (ends = await open()));
  afterAll(() => ends.close());

  test('knows what it is', () => {
    for (const end of [ends.dialled, ends.accepted]) {
      expect(end).toMatchObject({ transport, path: transport });
      expect(end.remoteAddress).toMatch(address);
      expect(end.handshakeHash).toHaveLength(64);
    }
    expect(ends.dialled.handshakeHash).toEqual(ends.accepted.handshakeHash);
    expect(ends.dialled.publicKey).toEqual(ends.accepted.remotePublicKey);
    expect(ends.dialled.remotePublicKey).toEqual(ends.accepted.publicKey);
  });

  test('keeps messages and their order, both ways, large and small', async () => {
    await exchangePairing(ends);
    await Promise.all([ends.dialled.confirm(), ends.accepted.confirm()]);
    const sizes = [1, 10, 100_000, 2 ** 20, 5, 70_000];
    const send = async (from: Connection): Promise<void> => {
      for (const size of sizes) await from.send([Buffer.alloc(size, size % 251)]);
    };
    const check = async (at: Connection): Promise<void> => {
      for (const size of sizes) {
        const message = await at.receive();
        expect(Buffer.alloc(size, size % 251).equals(message!)).toBe(true);
      }
    };
    await Promise.all([send(ends.dialled), send(ends.accepted), check(ends.dialled), check(ends.accepted)]);
  });

  test('takes ten thousand messages from a sender that does not wait', async () => {
    const sent: Promise<void>[] = [];
    for (let index = 0; index < 10_000; index++) sent.push(ends.dialled.send([Buffer.from(String(index))]));
    for (let index = 0; index < 10_000; index++) {
      expect(Buffer.from((await ends.accepted.receive())!).toString()).toBe(String(index));
    }
    await Promise.all(sent);
    await ends.dialled.flush();
  });

  test('tells both ends when one drops it', async () => {
    const waiting = ends.accepted.receive();
    ends.dialled.destroy();
    await expect(waiting.then((end) => end ?? Promise.reject(new Error('ended')))).rejects.toThrow();
    await expect(ends.dialled.receive()).rejects.toMatchObject({ code: 'peer-gone' });
  });
});
