import { describe, expect, test } from 'vitest';
import { examine, type ExamineOptions, type Finding, type Surroundings } from '../../src/doctor.js';
import { surveyInterfaces } from '../../src/peer/surroundings.js';
import { proxyFor } from '../../src/index.js';

const KEY = 'ab'.repeat(32);
const OTHER_KEY = 'cd'.repeat(32);

const options: ExamineOptions = {
  bootstrap: ['10.0.0.1:49737'],
  lan: true,
  version: '1.2.3',
  folders: { target: '/here', state: '/state' },
  proxy: () => undefined,
};

/** A machine on which all is well. Its clocks go on while somebody sleeps; nobody is ever too late. */
function world(changes: Partial<Surroundings> = {}): Surroundings {
  let elapsedMs = 0;
  return {
    interfaces: () => [{ name: 'eth0', kind: 'network', addresses: ['10.0.0.2'] }],
    askDht: async (_bootstrap, relays) => ({
      isReachable: true,
      afterMs: 12.4,
      nat: 'consistent',
      seenAs: '203.0.113.7',
      relays,
    }),
    hearMulticast: async () => ['10.0.0.2'],
    tryPort: async () => undefined,
    reachProxy: async () => true,
    lookAtFolder: async () => ({ freeBytes: 5e9, isWritable: true }),
    wallMs: () => Date.UTC(2030, 0, 1) + elapsedMs,
    steadyMs: () => elapsedMs,
    runtime: async () => ({ node: '22.15.0', platform: 'linux x64', blake3: 'native', zstd: true }),
    sleep: (ms) => {
      if (ms > 1_000) return new Promise(() => undefined);
      elapsedMs += ms;
      return Promise.resolve();
    },
    ...changes,
  };
}

async function find(
  check: Finding['check'],
  changes: Partial<Surroundings> = {},
  more: Partial<ExamineOptions> = {},
): Promise<Finding> {
  const { findings } = await examine({ ...options, ...more }, world(changes));
  return findings.find((finding) => finding.check === check)!;
}

const silent: Surroundings['askDht'] = async () => ({
  isReachable: false,
  afterMs: 8_000,
  nat: 'unknown',
  seenAs: undefined,
  relays: [],
});

test('where all is well everything is fine, or not used', async () => {
  const { findings, isReady } = await examine(options, world());
  expect(findings.map(({ check, state }) => [check, state])).toEqual([
    ['interfaces', 'fine'],
    ['dht', 'fine'],
    ['nat', 'fine'],
    ['relays', 'off'],
    ['multicast', 'fine'],
    ['ports', 'fine'],
    ['proxy', 'off'],
    ['clock', 'fine'],
    ['disk', 'fine'],
    ['versions', 'fine'],
  ]);
  expect(isReady).toBe(true);
});

describe('a transfer would work', () => {
  test('within the local network alone', async () => {
    expect((await examine(options, world({ askDht: silent }))).isReady).toBe(true);
  });

  test('through the DHT alone', async () => {
    expect((await examine(options, world({ hearMulticast: async () => [] }))).isReady).toBe(true);
    expect((await examine({ ...options, lan: false }, world())).isReady).toBe(true);
  });

  test('with neither it would not', async () => {
    const neither = world({ askDht: silent, hearMulticast: async () => [] });
    expect((await examine(options, neither)).isReady).toBe(false);
  });
});

test('which DHT is asked, and the public one only where none is configured', async () => {
  const asked: unknown[] = [];
  const askDht: Surroundings['askDht'] = async (bootstrap, relays) => {
    asked.push([bootstrap, relays]);
    return silent(bootstrap, relays);
  };
  await examine({ ...options, relays: [KEY] }, world({ askDht }));
  const { bootstrap: _, ...without } = options;
  await examine(without, world({ askDht }));
  expect(asked).toEqual([
    [['10.0.0.1:49737'], [KEY]],
    ['public', []],
  ]);
});

test.each([
  ['none', 'fine'],
  ['consistent', 'fine'],
  ['random', 'limited'],
  ['unknown', 'limited'],
] as const)('a NAT of the kind %s is %s', async (nat, state) => {
  const askDht: Surroundings['askDht'] = async (_, relays) => ({
    isReachable: true,
    afterMs: 1,
    nat,
    seenAs: undefined,
    relays,
  });
  expect(await find('nat', { askDht })).toEqual({ check: 'nat', state, kind: nat });
});

test('of a DHT that does not answer nothing is known', async () => {
  expect(await find('dht', { askDht: silent })).toMatchObject({ state: 'broken', afterMs: 8_000 });
  expect(await find('nat', { askDht: silent })).toEqual({ check: 'nat', state: 'off', kind: 'unknown' });
});

test.each([
  [[], [], 'off'],
  [[KEY], [KEY], 'fine'],
  [[KEY, OTHER_KEY], [OTHER_KEY], 'limited'],
  [[KEY], [], 'broken'],
] as const)('of the relays %j those %j answer: %s', async (relays, answering, state) => {
  const askDht: Surroundings['askDht'] = async () => ({
    isReachable: true,
    afterMs: 1,
    nat: 'none',
    seenAs: undefined,
    relays: answering,
  });
  const expected = { check: 'relays', state, known: relays.length, answering: answering.length };
  expect(await find('relays', { askDht }, { relays })).toEqual(expected);
});

test('a port that is taken', async () => {
  const tryPort: Surroundings['tryPort'] = async (port) => (port === 7_337 ? 'port-in-use' : undefined);
  const taken = { check: 'ports', state: 'limited', port: 7_337, problem: 'port-in-use' };
  expect(await find('ports', { tryPort }, { lanePort: 7_337 })).toEqual(taken);
  expect(await find('ports', { tryPort })).toEqual({ check: 'ports', state: 'fine', port: undefined });
});

test('a proxy is named without its password', async () => {
  const proxy = () => proxyFor({ host: 'x', port: 1 }, { HTTPS_PROXY: 'http://zoe:hunter2@10.0.0.9:3128' });
  const found = await find('proxy', {}, { proxy });
  expect(found).toEqual({ check: 'proxy', state: 'fine', proxy: '10.0.0.9:3128' });
  const gone = await find('proxy', { reachProxy: async () => false }, { proxy });
  expect(gone).toEqual({ ...found, state: 'limited', problem: 'unreachable' });
  const wrong = await find(
    'proxy',
    {},
    { proxy: () => proxyFor({ host: 'x', port: 1 }, { ALL_PROXY: '://' }) },
  );
  expect(wrong).toMatchObject({ state: 'limited', problem: 'invalid' });
});

test('a clock that stood still for years, and one that jumps', async () => {
  expect(await find('clock', { wallMs: () => 1_000, steadyMs: () => 0 })).toEqual({
    check: 'clock',
    state: 'limited',
    nowMs: 1_000,
    problem: 'past',
  });
  let looks = 0;
  const wallMs = (): number => Date.UTC(2030, 0, 1) + looks++ * 3_600_000;
  expect(await find('clock', { wallMs })).toMatchObject({ state: 'limited', problem: 'jumping' });
});

test('folders that are full or locked', async () => {
  const lookAtFolder: Surroundings['lookAtFolder'] = async (folder) =>
    folder === '/here' ? { freeBytes: 1e6, isWritable: true } : { freeBytes: undefined, isWritable: false };
  expect(await find('disk', { lookAtFolder })).toEqual({
    check: 'disk',
    state: 'limited',
    folders: [
      { purpose: 'target', folder: '/here', freeBytes: 1e6, problem: 'full' },
      { purpose: 'state', folder: '/state', freeBytes: undefined, problem: 'locked' },
    ],
  });
});

test.each([
  ['20.18.1', 'native', 'limited'],
  ['20.19.0', 'native', 'fine'],
  ['21.0.0', 'native', 'fine'],
  ['22.15.0', 'wasm', 'limited'],
] as const)('Node %s with BLAKE3 %s is %s', async (node, blake3, state) => {
  const runtime: Surroundings['runtime'] = async () => ({ node, platform: 'x', blake3, zstd: false });
  const versions = { xfer: '1.2.3', node, platform: 'x', blake3, zstd: false };
  expect(await find('versions', { runtime })).toEqual({ check: 'versions', state, versions });
});

test('a machine in no network', async () => {
  expect(await find('interfaces', { interfaces: () => [] })).toMatchObject({ state: 'broken' });
});

describe('a check that does not come to an end', () => {
  const forever = (): Promise<never> => new Promise(() => undefined);

  test('is a finding all the same, and holds up no other', async () => {
    const stuck = world({
      askDht: forever,
      hearMulticast: forever,
      lookAtFolder: forever,
      reachProxy: forever,
    });
    // Nobody waits in a test: what sleeps that long is too late at once.
    const { findings, isReady } = await examine(options, {
      ...stuck,
      sleep: (ms) => (ms > 1_000 ? new Promise((resolve) => setImmediate(resolve)) : stuck.sleep(ms)),
    });
    const late = findings.filter((finding) => finding.late === true).map(({ check }) => check);
    expect(late).toEqual(['dht', 'nat', 'relays', 'multicast', 'disk']);
    expect(isReady).toBe(false);
  });

  test('nor does one that fails', async () => {
    const failing = (): Promise<never> => Promise.reject(new Error('a bug of a package'));
    const { findings, isReady } = await examine(options, world({ askDht: failing, hearMulticast: failing }));
    expect(findings.find(({ check }) => check === 'dht')).toMatchObject({ state: 'broken' });
    expect(isReady).toBe(false);
  });
});

test('interfaces are known by their names, and the address that people know comes first', () => {
  const info = (address: string, internal = false) => ({ address, internal });
  const found = surveyInterfaces({
    lo: [info('127.0.0.1', true)],
    eth0: [info('fe80::1'), info('10.0.0.2')],
    docker0: [info('172.17.0.1')],
    tailscale0: [info('100.64.0.1')],
    'vEthernet (WSL)': [info('172.20.0.1')],
    down0: [],
  });
  expect(found).toEqual([
    { name: 'eth0', kind: 'network', addresses: ['10.0.0.2', 'fe80::1'] },
    { name: 'docker0', kind: 'virtual', addresses: ['172.17.0.1'] },
    { name: 'tailscale0', kind: 'vpn', addresses: ['100.64.0.1'] },
    { name: 'vEthernet (WSL)', kind: 'virtual', addresses: ['172.20.0.1'] },
  ]);
});
