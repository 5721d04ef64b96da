/** Looking for a device, and waiting for all that are remembered. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { daysAround, deviceTopic, type KnownDevice } from '../../../src/crypto/device.js';
import { Secret } from '../../../src/crypto/secret.js';
import { loadHashing } from '../../../src/crypto/sodium.js';
import { generateKeyPair, type KeyPair } from '../../../src/crypto/x25519.js';
import { joinDevice, type DeviceJoinOptions } from '../../../src/peer/device-join.js';
import { openDht } from '../../../src/peer/dht.js';
import { dial } from '../../../src/peer/direct.js';
import type { PairedChannel, PeerEvent } from '../../../src/peer/meeting.js';
import { Reception, type ReceptionOptions } from '../../../src/peer/reception.js';
import { HARMLESS_JOINERS } from '../../support/hostile-peer.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const WAIT = { timeout: 20_000, interval: 100 };

interface Named extends KnownDevice {
  readonly name: string;
}

const [laptop, phone, pi] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const secretOf = (byte: number): Secret => new Secret(Buffer.alloc(32, byte));
const KNOWN: readonly Named[] = [
  { name: 'laptop', publicKey: laptop.publicKey, secret: secretOf(1) },
  { name: 'phone', publicKey: phone.publicKey, secret: secretOf(2) },
];

/** What waits in this test, and what came. */
class Waiter {
  readonly sessions: { readonly name: string; readonly paired: PairedChannel }[] = [];
  readonly events: PeerEvent[] = [];
  devices = KNOWN;
  readonly over = new AbortController();
  reception!: Reception<Named>;

  static async start(ways: Partial<ReceptionOptions<Named>>): Promise<Waiter> {
    const waiter = new Waiter();
    waiter.reception = await Reception.open<Named>({
      bootstrap: 'off',
      lan: false,
      own: pi,
      remembered: () => Promise.resolve(waiter.devices),
      onSession: async (paired, { name }) => {
        waiter.sessions.push({ name, paired });
        await paired.closed;
      },
      onEvent: (event) => waiter.events.push(event),
      signal: waiter.over.signal,
      ...ways,
    });
    waiters.add(waiter);
    waiter.welcome(KNOWN);
    return waiter;
  }

  welcome(devices: readonly Named[]): void {
    this.devices = devices;
    this.reception.welcome(devices);
  }

  get endpoint(): { readonly host: string; readonly port: number } {
    const event = this.events.find(({ type }) => type === 'listening');
    const [address = ''] = event?.type === 'listening' ? event.addresses : [];
    return { host: '127.0.0.1', port: Number(address.split(':').at(-1)) };
  }
}

const waiters = new Set<Waiter>();
const greeted = new Set<object>();
afterEach(async () => {
  await Promise.all([...waiters].map(({ reception }) => reception.close()));
  waiters.clear();
});

function look(own: KeyPair, byte: number, ways: Partial<DeviceJoinOptions>): Promise<PairedChannel> {
  return joinDevice({
    bootstrap: 'off',
    lan: false,
    own,
    device: { publicKey: pi.publicKey, secret: secretOf(byte) },
    name: 'pi',
    expireMs: 20_000,
    onEvent: () => undefined,
    signal: new AbortController().signal,
    ...ways,
  });
}

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  );

/** One word from the device, as proof that there is a channel; then both ends are closed. */
async function greet(joined: PairedChannel, waiter: Waiter, name: string): Promise<void> {
  await joined.channel.send({ type: 'verified' });
  const { paired } = await vi.waitFor(() => {
    const session = waiter.sessions.find((each) => each.name === name && !greeted.has(each));
    if (session === undefined) throw new Error(`${name} did not come`);
    greeted.add(session);
    return session;
  }, WAIT);
  expect((await paired.channel.receive())?.item).toEqual({ type: 'verified' });
  joined.channel.destroy();
  await Promise.all([joined.closed, paired.closed]);
}

describe('at an address', () => {
  test('devices come one after the other, and at once', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT });
    const connect = waiter.endpoint;
    await greet(await look(laptop, 1, { connect }), waiter, 'laptop');
    const [a, b] = await Promise.all([look(phone, 2, { connect }), look(laptop, 1, { connect })]);
    await greet(a, waiter, 'phone');
    await greet(b, waiter, 'laptop');
    expect(waiter.sessions).toHaveLength(3);
  });

  test('row 75: who is not remembered, or has another secret, is refused', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT });
    const connect = waiter.endpoint;
    expect(await codeOf(look(generateKeyPair(), 1, { connect }))).toBe('device-refused');
    expect(await codeOf(look(laptop, 2, { connect }))).toBe('device-refused');
    waiter.welcome(KNOWN.slice(1));
    expect(await codeOf(look(laptop, 1, { connect }))).toBe('device-refused');
    expect(waiter.sessions).toEqual([]);
    await greet(await look(phone, 2, { connect }), waiter, 'phone');
  });

  test('rows 30, 75: strangers of every kind cost it nothing, and a device gets through', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT });
    const connect = waiter.endpoint;
    const knock = (): ReturnType<typeof dial> => dial(connect, new AbortController().signal);
    for (const stranger of Object.values(HARMLESS_JOINERS)) {
      await stranger(await knock(), secretOf(1));
    }
    const flood = await Promise.all(Array.from({ length: 40 }, () => knock().catch(() => undefined)));
    await greet(await look(laptop, 1, { connect }), waiter, 'laptop');
    for (const connection of flood) connection?.destroy();
    expect(waiter.sessions).toHaveLength(1);
  });

  test('fifty devices of one network come in the same moment', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT });
    const connect = waiter.endpoint;
    const keys = Array.from({ length: 50 }, () => generateKeyPair());
    waiter.welcome(
      keys.map(({ publicKey }, index) => ({ name: `device-${index}`, publicKey, secret: secretOf(index) })),
    );
    const joined = await Promise.all(keys.map((own, index) => look(own, index, { connect })));
    await vi.waitFor(() => expect(new Set(waiter.sessions.map(({ name }) => name)).size).toBe(50), WAIT);
    for (const { channel } of joined) channel.destroy();
    await Promise.all(
      [...joined, ...waiter.sessions.map(({ paired }) => paired)].map(({ closed }) => closed),
    );
  }, 60_000);

  test('one device has eight sessions at once, and no more', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT });
    const connect = waiter.endpoint;
    const joined: PairedChannel[] = [];
    for (let index = 0; index < 9; index++) joined.push(await look(laptop, 1, { connect }));
    await vi.waitFor(() => expect(waiter.sessions).toHaveLength(8), WAIT);
    expect((await joined[8]!.channel.receive())?.item).toEqual({ type: 'error', code: 'peer-busy' });
    await greet(await look(phone, 2, { connect }), waiter, 'phone');
    for (const { channel } of joined) channel.destroy();
    await Promise.all(
      [...joined, ...waiter.sessions.map(({ paired }) => paired)].map(({ closed }) => closed),
    );
    for (const session of waiter.sessions) greeted.add(session);
    await greet(await look(laptop, 1, { connect }), waiter, 'laptop');
  });

  test('all devices together have so many sessions at once, and no more', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT, mostSessions: 3 });
    const connect = waiter.endpoint;
    const joined = [await look(laptop, 1, { connect })];
    for (let index = 0; index < 2; index++) joined.push(await look(phone, 2, { connect }));
    await vi.waitFor(() => expect(waiter.sessions).toHaveLength(3), WAIT);
    for (const [own, byte] of [
      [laptop, 1],
      [phone, 2],
    ] as const) {
      const refused = await look(own, byte, { connect });
      expect((await refused.channel.receive())?.item).toEqual({ type: 'error', code: 'peer-busy' });
    }
    joined[0]!.channel.destroy();
    await Promise.all([joined[0]!.closed, waiter.sessions[0]!.paired.closed]);
    for (const session of waiter.sessions) greeted.add(session);
    await greet(await look(laptop, 1, { connect }), waiter, 'laptop');
    for (const { channel } of joined) channel.destroy();
  });

  test('a port that is in use is named, and nobody who is looked for in vain is met', async () => {
    const waiter = await Waiter.start({ listen: ANY_PORT });
    expect(await codeOf(Waiter.start({ listen: waiter.endpoint }))).toBe('port-in-use');
    const { endpoint } = waiter;
    await waiter.reception.close();
    expect(await codeOf(look(laptop, 1, { connect: endpoint, expireMs: 1_500 }))).toBe('no-peer');
  });
});

describe('through a private DHT', () => {
  let dht: PrivateDht;
  beforeAll(async () => {
    await loadHashing();
    dht = await startPrivateDht();
  });
  afterAll(() => dht.close());

  const topicsOf = (byte: number, shiftDays = 0) =>
    daysAround(Date.now()).map((day) => deviceTopic(secretOf(byte), pi.publicKey, day + shiftDays));

  /** The keys that are announced under these topics. */
  async function announced(topics: ReturnType<typeof topicsOf>): Promise<string[]> {
    const node = openDht(dht.bootstrap);
    try {
      const found = await Promise.all(topics.map((topic) => node.lookup(topic)));
      return found.flat().map(({ publicKey }) => Buffer.from(publicKey).toString('hex'));
    } finally {
      await node.close();
    }
  }

  test('devices come, again and again', async () => {
    const { bootstrap } = dht;
    const waiter = await Waiter.start({ bootstrap });
    for (const [own, byte, name] of [
      [laptop, 1, 'laptop'],
      [phone, 2, 'phone'],
      [laptop, 1, 'laptop'],
    ] as const) {
      await greet(await look(own, byte, { bootstrap }), waiter, name);
    }
    expect(waiter.events.map(({ type }) => type)).toEqual(['dht-ready']);
  });

  test('row 74: a side is announced for each device under a key of its own, which is fresh each time', async () => {
    const waiter = await Waiter.start({ bootstrap: dht.bootstrap });
    const keysFor = async (byte: number): Promise<string[]> => {
      let keys: string[] = [];
      await vi.waitFor(async () => {
        keys = await announced(topicsOf(byte));
        expect(keys).toHaveLength(daysAround(Date.now()).length);
      }, WAIT);
      return keys;
    };
    const before = [...(await keysFor(1)), ...(await keysFor(2))];
    expect(new Set(before).size).toBe(before.length);
    const own = [laptop, phone, pi].map(({ publicKey }) => Buffer.from(publicKey).toString('hex'));
    expect(before.filter((key) => own.includes(key))).toEqual([]);
    // Nobody is announced for a day that it is not.
    expect(await announced(topicsOf(1, 3))).toEqual([]);

    waiter.welcome(KNOWN.slice(1));
    await vi.waitFor(async () => expect(await announced(topicsOf(1))).toEqual([]), WAIT);
    waiter.welcome(KNOWN);
    const after = await keysFor(1);
    expect(after.filter((key) => before.includes(key))).toEqual([]);
    expect(await keysFor(2)).toEqual(before.slice(after.length));
  });
});
