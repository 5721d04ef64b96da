/** A nameplate that strangers crowd, and a DHT that is not all honest: who belongs together meets all the same, and soon. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { networkInterfaces, hostname } from 'node:os';
import HyperDHT, { type KeyPair } from 'hyperdht';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseCode, topicOf, type Topic } from '../../../src/crypto/code.js';
import { XferError } from '../../../src/errors.js';
import { Admission } from '../../../src/peer/admission.js';
import type { Connection } from '../../../src/peer/connection.js';
import { openDht } from '../../../src/peer/dht.js';
import { seek } from '../../../src/peer/seeker.js';
import { LIES, lyingNodes } from '../../support/lying-dht.js';
import { host, join, meet, type Run } from '../../support/meetings.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';
import { isSoak } from '../../support/soak.js';

/** However many strangers there are. */
const SOON_MS = 10_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function strangerNode(bootstrap: readonly string[]): Promise<HyperDHT> {
  const node = new HyperDHT({ bootstrap, host: '127.0.0.1', ephemeral: true, firewalled: false });
  cleanups.push(() => node.destroy());
  await node.fullyBootstrapped();
  return node;
}

/** A host that can be found, a stranger's node, and what a joiner sees. */
async function scene(bootstrap: readonly string[]) {
  const a = host({ bootstrap });
  const code = await a.code;
  await a.event('dht-ready');
  const node = await strangerNode(bootstrap);
  const seen = openDht(bootstrap);
  cleanups.push(() => seen.close());
  const topic = topicOf(parseCode(code));
  return { a, code, node, lookup: () => seen.lookup(topic), topic };
}

/** Fails unless the two meet, and within 10 s from now. */
async function meetSoon(one: Run, other: Run): Promise<void> {
  const started = performance.now();
  const outcomes = await Promise.all([one.outcome, other.outcome]);
  expect(outcomes.map((outcome) => typeof outcome)).toEqual(['object', 'object']);
  expect(performance.now() - started).toBeLessThan(SOON_MS);
  await meet(one, other);
}

describe('a nameplate that strangers crowd', () => {
  let dht: PrivateDht;
  beforeAll(async () => (dht = await startPrivateDht()));
  afterAll(() => dht.close());

  const announcers = isSoak ? 500 : 60;
  test(`row 17: ${announcers} announcers behind whom nobody is`, { timeout: 120_000 }, async () => {
    const { bootstrap } = dht;
    const { a, code, node, lookup, topic } = await scene(bootstrap);
    const announce = (): Promise<void> => node.announce(topic, HyperDHT.keyPair(), []).finished();
    await Promise.all(Array.from({ length: announcers }, announce));
    // More than a node tells at once: the host is not always among them.
    expect((await lookup()).length).toBeGreaterThan(20);
    await meetSoon(a, join(code, { bootstrap }));
  });

  const diallers = isSoak ? 300 : 100;
  test(`row 30: ${diallers} strangers that dial the host, say nothing and come back`, async () => {
    const { bootstrap } = dht;
    const { a, code, node, lookup } = await scene(bootstrap);
    const [peer] = await lookup();
    let opened = 0;
    let isOver = false;
    cleanups.push(() => (isOver = true));
    const keepUp = async (): Promise<void> => {
      while (!isOver) {
        const stream = node.connect(peer!.publicKey, { keyPair: HyperDHT.keyPair() });
        stream.on('error', () => undefined);
        stream.once('open', () => (opened += 1));
        cleanups.push(() => stream.destroy());
        await new Promise((resolve) => stream.once('close', resolve));
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };
    for (let index = 0; index < diallers; index++) void keepUp();
    await vi.waitFor(() => expect(opened).toBeGreaterThan(16), { timeout: 20_000 });
    await meetSoon(a, join(code, { bootstrap }));
    isOver = true;
  }, 60_000);

  test('two pairs that drew the same nameplate in the same moment', async () => {
    const { bootstrap } = dht;
    const crypto = createRequire(import.meta.url)('node:crypto') as {
      randomInt: (...range: number[]) => number;
    };
    const { randomInt } = crypto;
    // A nameplate is drawn from 1 on, a word from 0.
    crypto.randomInt = (...range) => (range.length === 2 ? 417 : randomInt(...range));
    syncBuiltinESMExports();
    const hosts = [host({ bootstrap }), host({ bootstrap })] as const;
    const codes = await Promise.all(hosts.map(({ code }) => code));
    crypto.randomInt = randomInt;
    syncBuiltinESMExports();
    expect(codes.map((code) => code.split('-')[0])).toEqual(['417', '417']);
    expect(codes[0]).not.toBe(codes[1]);
    await Promise.all(hosts.map((each) => each.event('dht-ready')));
    const joiners = codes.map((code) => join(code, { bootstrap }));
    await Promise.all(hosts.map((each, index) => meetSoon(each, joiners[index]!)));
  }, 30_000);

  test.each([
    ['are guessed at', 'code-dead', 0],
    ['refuse', 'no-peer', 61_000],
  ] as const)('ten strangers that %s end the search with a word of them', async (_, code, laterMs) => {
    const { bootstrap } = dht;
    const topic = topicOf(parseCode('10417-apple-tiger'));
    const strangers = openDht(bootstrap);
    cleanups.push(() => strangers.close());
    const held: Connection[] = [];
    const hold = (connection: Connection): unknown => held.push(connection);
    await Promise.all(Array.from({ length: 10 }, () => strangers.announce(topic, new Admission(), hold)));
    const now = performance.now.bind(performance);
    const later = (): unknown => vi.spyOn(performance, 'now').mockImplementation(() => now() + laterMs);
    let refusals = 0;
    const search = seek(
      {
        topics: () => [topic],
        authenticate: () => {
          refusals += 1;
          // Once it was seen how many they are, as late as that, without the wait.
          if (refusals === 9 && laterMs > 0) setTimeout(later, 500);
          return Promise.reject(new XferError('wrong-code'));
        },
        endsWith: () => (laterMs === 0 && refusals === 9 ? new XferError('code-dead') : undefined),
        absence: () => new XferError('no-peer'),
        onTransportClosed: () => undefined,
      },
      { bootstrap, lan: false, onEvent: () => undefined, signal: new AbortController().signal },
      { dht: openDht(bootstrap), lan: undefined },
      600_000,
    );
    await expect(search).rejects.toMatchObject({ code, detail: 'crowd' });
  });
});

test('nobody waits longer than for its first answer for a node that is down', async () => {
  const dht = await startPrivateDht();
  cleanups.push(() => dht.close());
  let asked = 0;
  const silent = createSocket('udp4', () => (asked += 1)).bind(0, '127.0.0.1');
  await once(silent, 'listening');
  cleanups.push(() => silent.close());
  const node = openDht([`127.0.0.1:${String(silent.address().port)}`, ...dht.bootstrap]);
  cleanups.push(() => node.close());
  const topic = topicOf(parseCode('417-apple-tiger'));
  expect(await node.isReachable()).toBe(true);
  asked = 0;
  for await (const told of node.told(topic)) expect(told.peers).toEqual([]);
  // hyperdht itself asks six times, a second apart.
  expect(asked).toBeLessThanOrEqual(2);
  expect(await node.announce(topic, new Admission(), () => undefined)).toBe(true);
});

describe('a DHT of which half the nodes', () => {
  test.each(Object.entries(LIES))('%s', { timeout: 60_000 }, async (_, answer) => {
    const dht = await startPrivateDht();
    cleanups.push(() => dht.close());
    const { bootstrap } = dht;
    const liars = await lyingNodes(bootstrap, answer);
    cleanups.push(() => liars.close());
    const a = host({ bootstrap });
    const code = await a.code;
    await a.event('dht-ready');
    await meetSoon(a, join(code, { bootstrap }));
    expect(liars.lies()).toBeGreaterThan(0);
  });
});

test('row 16: who announces under a nameplate learns from a joiner no address but the one it comes from', async () => {
  const dht = await startPrivateDht();
  cleanups.push(() => dht.close());
  const node = await strangerNode(dht.bootstrap);
  const told: unknown[] = [];
  const trap = node.createServer({ firewall: (_key, payload) => told.push(payload) > 0 });
  const keyPair: KeyPair = HyperDHT.keyPair();
  await trap.listen(keyPair);
  const topic: Topic = topicOf(parseCode('417-apple-tiger'));
  await node.announce(topic, keyPair, []).finished();
  const joiner = join('417-apple-tiger', { bootstrap: dht.bootstrap });
  await vi.waitFor(() => expect(told.length).toBeGreaterThan(0), { timeout: 10_000 });
  joiner.stop();
  await joiner.outcome;
  const text = JSON.stringify(told);
  const own = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);
  for (const { address } of own) if (address !== '127.0.0.1') expect(text).not.toContain(`"${address}"`);
  expect(text).not.toContain(hostname());
  expect(told[0]).toMatchObject({ addresses6: [] });
  for (const payload of told as { addresses4: { host: string }[] }[]) {
    expect(payload.addresses4.every((address) => address.host === '127.0.0.1')).toBe(true);
  }
});
