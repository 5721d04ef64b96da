/** Whoever starts first, and however long the other takes: a host and a joiner meet, and the DHT forgets the host when it is over. */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { parseCode, topicOf } from '../../../src/crypto/code.js';
import { openDht, type DhtNode } from '../../../src/peer/dht.js';
import { host, join, meet, mistyped, type HostRun } from '../../support/meetings.js';
import { startPrivateDht, type PrivateDht } from '../../support/private-dht.js';
import { isSoak } from '../../support/soak.js';

const TEN_MINUTES_MS = 600_000;
const WAIT = { timeout: 10_000, interval: 50 };

let dht: PrivateDht;
let stranger: DhtNode;
beforeAll(async () => {
  dht = await startPrivateDht();
  stranger = openDht(dht.bootstrap);
});
afterAll(async () => {
  await stranger.close();
  await dht.close();
});
afterEach(() => vi.restoreAllMocks());

const crypto = createRequire(import.meta.url)('node:crypto') as {
  randomInt: (...range: number[]) => number;
};
const { randomInt } = crypto;

/** A host whose code is known before it starts: what it draws is decided. */
async function hostOf(nameplate: number, ways: Parameters<typeof host>[0]): Promise<HostRun> {
  // A nameplate is drawn from 1 on, a word from 0.
  crypto.randomInt = (...range) => (range.length === 2 ? nameplate : 7);
  syncBuiltinESMExports();
  const run = host(ways);
  await run.code;
  crypto.randomInt = randomInt;
  syncBuiltinESMExports();
  return run;
}

/** The code of such a host. */
async function codeOf(nameplate: number): Promise<string> {
  const run = await hostOf(nameplate, { listen: { host: '127.0.0.1', port: 0 } });
  run.stop();
  await run.outcome;
  return run.code;
}

const found = async (code: string): Promise<number> =>
  (await stranger.lookup(topicOf(parseCode(code)))).length;
const forgotten = (code: string): Promise<unknown> =>
  vi.waitFor(async () => expect(await found(code)).toBe(0), WAIT);

test('the joiner first', async () => {
  const { bootstrap } = dht;
  const b = join(await codeOf(401), { bootstrap });
  await b.event('waiting');
  await meet(await hostOf(401, { bootstrap }), b);
});

test('the host first, and the record is gone when both are', async () => {
  const { bootstrap } = dht;
  const a = host({ bootstrap });
  await a.event('dht-ready');
  const code = await a.code;
  expect(await found(code)).toBe(1);
  await meet(a, join(code, { bootstrap }));
  await forgotten(code);
});

test('both in the same instant', async () => {
  const { bootstrap } = dht;
  const code = await codeOf(402);
  const b = join(code, { bootstrap });
  await meet(await hostOf(402, { bootstrap }), b);
});

test.each(['the host', 'the joiner'])('%s ten minutes before the other', async (first) => {
  const { bootstrap } = dht;
  const code = await codeOf(403);
  const ways = { bootstrap, expireMs: 2 * TEN_MINUTES_MS };
  const now = performance.now.bind(performance);
  const pass = (): unknown => vi.spyOn(performance, 'now').mockImplementation(() => now() + TEN_MINUTES_MS);
  if (first === 'the host') {
    const a = await hostOf(403, ways);
    await a.event('dht-ready');
    pass();
    await meet(a, join(code, ways));
  } else {
    const b = join(code, ways);
    await b.event('waiting');
    pass();
    await meet(await hostOf(403, ways), b);
  }
});

test('after a try that was stopped, and one that failed', async () => {
  const { bootstrap } = dht;
  const a = host({ bootstrap });
  const code = await a.code;
  const stopped = join(code, { bootstrap });
  stopped.stop();
  expect(await stopped.outcome).toBe('interrupted');
  await a.event('dht-ready');
  expect(await join(mistyped(code), { bootstrap }).outcome).toBe('wrong-code');
  await meet(a, join(code, { bootstrap }));
});

test.each([
  ['interrupted', { expireMs: 60_000 }],
  ['code-expired', { expireMs: 1_500 }],
])('the record is gone from the DHT when the host ends with %s', async (outcome, { expireMs }) => {
  const a = host({ bootstrap: dht.bootstrap, expireMs });
  await a.event('dht-ready');
  const code = await a.code;
  expect(await found(code)).toBe(1);
  if (outcome === 'interrupted') a.stop();
  expect(await a.outcome).toBe(outcome);
  await forgotten(code);
});

test.runIf(isSoak)(
  'either side ten minutes before the other, by the clock',
  { timeout: TEN_MINUTES_MS + 30_000 },
  async () => {
    const ways = { bootstrap: dht.bootstrap, expireMs: 2 * TEN_MINUTES_MS };
    const code = await codeOf(501);
    const a = await hostOf(502, ways);
    const b = join(code, ways);
    await setTimeout(TEN_MINUTES_MS);
    await meet(a, join(await a.code, ways));
    await meet(await hostOf(501, ways), b);
  },
);
