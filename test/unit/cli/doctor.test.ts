import { expect, test } from 'vitest';
import { linesOf, runDoctor, wordsOf } from '../../../src/cli/doctor.js';
import type { ExamineOptions, Examination, Finding } from '../../../src/index.js';
import { makeWorld } from './world.js';

const versions = {
  xfer: '1.2.3',
  node: '20.19.0',
  platform: 'linux x64',
  blake3: 'native',
  zstd: false,
} as const;
const interfaces = [
  { name: 'eth0', kind: 'network', addresses: ['10.0.0.2', 'fe80::1'] },
  { name: 'tun0', kind: 'vpn', addresses: ['10.8.0.2'] },
] as const;

/** One of each kind, well and not so well. */
const WELL: readonly Finding[] = [
  { check: 'interfaces', state: 'fine', interfaces },
  { check: 'dht', state: 'fine', bootstrap: 'public', afterMs: 420, seenAs: '203.0.113.7' },
  { check: 'nat', state: 'fine', kind: 'none' },
  { check: 'nat', state: 'fine', kind: 'consistent' },
  { check: 'relays', state: 'off', known: 0, answering: 0 },
  { check: 'relays', state: 'fine', known: 1, answering: 1 },
  { check: 'relays', state: 'fine', known: 3, answering: 3 },
  { check: 'multicast', state: 'fine', heardFrom: ['10.0.0.2'] },
  { check: 'multicast', state: 'off', heardFrom: [] },
  { check: 'ports', state: 'fine', port: undefined },
  { check: 'ports', state: 'fine', port: 7_337 },
  { check: 'proxy', state: 'off', proxy: undefined },
  { check: 'proxy', state: 'fine', proxy: '10.0.0.9:3128' },
  { check: 'clock', state: 'fine', nowMs: Date.UTC(2030, 0, 1) },
  { check: 'disk', state: 'fine', folders: [{ purpose: 'target', folder: '/x', freeBytes: 5e9 }] },
  { check: 'versions', state: 'fine', versions },
];
const UNWELL: readonly Finding[] = [
  { check: 'interfaces', state: 'broken', interfaces: [] },
  { check: 'dht', state: 'broken', bootstrap: 'public', afterMs: 8_000 },
  { check: 'dht', state: 'broken', bootstrap: ['10.0.0.1:49737'], late: true },
  { check: 'nat', state: 'limited', kind: 'random' },
  { check: 'relays', state: 'limited', known: 2, answering: 1 },
  { check: 'relays', state: 'broken', known: 2, answering: 0 },
  { check: 'multicast', state: 'limited', heardFrom: [] },
  { check: 'multicast', state: 'limited', heardFrom: [], late: true },
  { check: 'ports', state: 'limited', port: 7_337, problem: 'port-in-use' },
  { check: 'proxy', state: 'limited', proxy: '10.0.0.9:3128', problem: 'unreachable' },
  { check: 'proxy', state: 'limited', proxy: undefined, problem: 'invalid' },
  { check: 'clock', state: 'limited', nowMs: 0, problem: 'past' },
  { check: 'clock', state: 'limited', nowMs: Date.UTC(2030, 0, 1), problem: 'jumping' },
  {
    check: 'disk',
    state: 'limited',
    folders: [{ purpose: 'state', folder: '/x', freeBytes: 1, problem: 'full' }],
  },
  {
    check: 'disk',
    state: 'limited',
    folders: [{ purpose: 'target', folder: '/x', freeBytes: undefined, problem: 'locked' }],
  },
  { check: 'versions', state: 'limited', versions: { ...versions, blake3: 'wasm' } },
];

test.each(WELL)('what is well needs nothing: %j', (finding) => {
  const { sentence, hint } = wordsOf(finding);
  expect(sentence).toMatch(/^[a-z0-9].*[^.]$/i);
  expect(hint).toBeUndefined();
});

test.each(UNWELL)('what is not says what to do: %j', (finding) => {
  const { sentence, hint } = wordsOf(finding);
  expect(sentence).toMatch(/^[a-z0-9].*[^.]$/i);
  expect(hint).toMatch(/^[a-z].*[^.]$/);
});

test('networks of other kinds are named as such', () => {
  expect(wordsOf(WELL[0]!).sentence).toBe('eth0 (10.0.0.2 and 1 more), tun0 (10.8.0.2, a VPN)');
  const tunnel = { check: 'interfaces', state: 'fine', interfaces: [interfaces[1]] } as const;
  expect(wordsOf(tunnel).hint).toContain('nothing of the local network is heard');
});

test('a report has a line for each finding, with a mark that is a word', () => {
  const lines = linesOf({ findings: [WELL[1]!, UNWELL[3]!, UNWELL[0]!, WELL[4]!], isReady: true }, Infinity);
  expect(lines.filter((line) => !/^ +hint: /.test(line)).map((line) => line.slice(0, 18).trimEnd())).toEqual([
    'ok    dht',
    'note  nat',
    'BAD   interfaces',
    '-     relays',
    'a transfer would w',
  ]);
  expect(lines.at(-1)).toBe('a transfer would work from here');
});

test('the last line is the verdict', () => {
  const verdict = (findings: readonly Finding[], isReady: boolean): string | undefined =>
    linesOf({ findings, isReady }, Infinity).at(-1);
  expect(verdict([UNWELL[1]!], false)).toMatch(/would not work/);
  expect(verdict([UNWELL[1]!, WELL[7]!], true)).toMatch(/within the local network, and not beyond/);
});

test('nothing is wider than the terminal', () => {
  for (const line of linesOf({ findings: [...WELL, ...UNWELL], isReady: false }, 60)) {
    expect(line.length).toBeLessThanOrEqual(60);
  }
});

test('what strangers say is made harmless', () => {
  const finding = { check: 'dht', state: 'fine', bootstrap: 'public', seenAs: '\u001b[2J' } as const;
  expect(wordsOf(finding).sentence).not.toContain('\u001b');
});

async function run(
  examination: Examination,
  flags: Parameters<typeof runDoctor>[0] = {},
  env: NodeJS.ProcessEnv = {},
): Promise<{ status: number; lines: string[]; asked: ExamineOptions }> {
  let asked: ExamineOptions | undefined;
  const world = makeWorld({
    env,
    library: {
      examine: async (options) => {
        asked = options;
        return examination;
      },
    },
  });
  const status = await runDoctor(flags, world.context);
  return { status, lines: world.stdout.lines, asked: asked! };
}

test('the status is 0 where a transfer would work, and 3 where not', async () => {
  expect((await run({ findings: WELL, isReady: true })).status).toBe(0);
  expect((await run({ findings: UNWELL, isReady: false })).status).toBe(3);
});

test('it asks for what a transfer would use', async () => {
  const env = {
    XFER_BOOTSTRAP: '10.0.0.1:1',
    XFER_LAN: 'off',
    XFER_HOME: '/nonexistent',
    HTTPS_PROXY: 'p:1',
  };
  const { asked } = await run({ findings: [], isReady: true }, { port: '7337' }, env);
  expect(asked).toMatchObject({
    bootstrap: ['10.0.0.1:1'],
    lanePort: 7_337,
    folders: { target: '.', state: '/nonexistent' },
  });
  expect(asked.lan).toBeUndefined();
  expect(asked.proxy()).toMatchObject({ host: 'p', port: 1 });
  await expect(run({ findings: [], isReady: true }, { port: '80' })).rejects.toMatchObject({ code: 'usage' });
});

test('--json writes a line for each finding, and the verdict', async () => {
  const { lines, status } = await run({ findings: [WELL[1]!, UNWELL[3]!], isReady: true }, { json: true });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      event: 'finding',
      check: 'dht',
      state: 'fine',
      bootstrap: 'public',
      afterMs: 420,
      seenAs: '203.0.113.7',
      sentence: 'the public network of peers answers after 0.4 s and sees you at 203.0.113.7',
    },
    {
      event: 'finding',
      check: 'nat',
      state: 'limited',
      kind: 'random',
      sentence: expect.any(String) as string,
      hint: expect.any(String) as string,
    },
    { event: 'verdict', ready: true, exitCode: 0 },
  ]);
  expect(status).toBe(0);
});

test('Ctrl-C ends it at once, and nothing is said of what was not looked at', async () => {
  const world = makeWorld({ library: { examine: () => new Promise(() => undefined) } });
  const status = runDoctor({}, world.context);
  world.interruption.abort();
  expect(await status).toBe(130);
  expect(world.stdout.text).toBe('');
});
