/** `xfer doctor` in networks of which a test knows what is wrong with them. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Internet, type Place, type RouterOptions } from '../support/internet.js';
import { isInstalled, Machine, whyNoNetworks } from '../support/networks.js';
import { freePort } from '../support/direct.js';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn } from '../support/trees.js';
import { xfer, type StartOptions } from '../support/xfer-process.js';

interface Report {
  readonly status: number | null;
  readonly tookMs: number;
  /** By the name of its check. */
  readonly findings: ReadonlyMap<string, Record<string, unknown>>;
  readonly verdict: unknown;
}

async function examine(options: StartOptions, ...flags: string[]): Promise<Report> {
  const startedMs = performance.now();
  const doctor = await xfer(['doctor', '--json', ...flags], options);
  const status = await doctor.status();
  const lines = doctor.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const verdict = lines.pop();
  return {
    status,
    tookMs: performance.now() - startedMs,
    findings: new Map(lines.map((line) => [String(line['check']), line])),
    verdict,
  };
}

/** The program's own start and end come on top of the 10 s, on a machine that does other things too. */
const IN_TIME_MS = 13_000;

describe('on this machine', () => {
  it('with a DHT all is well, said in words, and nothing is left', async () => {
    const dht = await startPrivateDht();
    try {
      const cwd = await temporaryFolder();
      const doctor = await xfer(['doctor'], { bootstrap: dht.bootstrap, cwd });
      expect(await doctor.status(), doctor.text).toBe(0);
      expect(doctor.stdout).toMatch(/^ok +dht +your network of peers \(127\.0\.0\.1:\d+.* answers after/m);
      expect(doctor.stdout).toMatch(/^ok +nat +none/m);
      expect(doctor.stdout).toMatch(/^- +multicast +off \(XFER_LAN=off\)/m);
      expect(doctor.stdout).toMatch(/^ok +versions +xfer \d+\.\d+\.\d+, Node .*BLAKE3 native/m);
      expect(doctor.stdout).toMatch(/\na transfer would work from here\n$/);
      expect(await namesIn(cwd)).toEqual([]);
    } finally {
      await dht.close();
    }
  });

  it('a port that is taken, a proxy that is not there and a locked folder are found', async () => {
    const taken = await freePort();
    const holder = await xfer(['receive', '--new', '--listen', `127.0.0.1:${taken}`]);
    await holder.code();
    const away = await freePort();
    const home = path.join(await temporaryFolder(), 'settings');
    await mkdir(home);
    const env = { HTTPS_PROXY: `http://zoe:hunter2@127.0.0.1:${away}`, XFER_HOME: home };
    const { findings, status } = await examine({ env, cwd: '/proc' }, '--port', String(taken));
    expect(status).toBe(3);
    expect(findings.get('ports')).toMatchObject({ state: 'limited', port: taken, problem: 'port-in-use' });
    expect(findings.get('proxy')).toMatchObject({ proxy: `127.0.0.1:${away}`, problem: 'unreachable' });
    expect(findings.get('disk')).toMatchObject({
      state: 'limited',
      folders: [
        { purpose: 'target', folder: '/proc', problem: 'locked' },
        { purpose: 'state', folder: home },
      ],
    });
    expect(JSON.stringify([...findings])).not.toContain('hunter2');
  });
});

const unavailable = whyNoNetworks() ?? (isInstalled('nft') ? undefined : 'needs nftables');
describe.skipIf(unavailable !== undefined)(`on a machine (${unavailable ?? 'in namespaces'})`, () => {
  let internet: Internet;

  beforeAll(async () => {
    internet = new Internet();
    await internet.startDht();
  });
  afterAll(() => internet.remove());

  const at = ({ machine }: Pick<Place, 'machine'>): StartOptions => ({
    wrapper: machine.wrapper,
    bootstrap: internet.bootstrap,
    env: { XFER_LAN: 'on' },
  });

  it('with a public address all is well', async () => {
    const place = internet.machine();
    const { findings, status, verdict, tookMs } = await examine(at(place));
    expect(findings.get('interfaces')).toMatchObject({ state: 'fine', interfaces: [{ name: 'wan' }] });
    expect(findings.get('dht')).toMatchObject({ state: 'fine', seenAs: place.address });
    expect(findings.get('nat')).toMatchObject({ state: 'fine', kind: 'none' });
    expect(findings.get('multicast')).toMatchObject({ state: 'fine' });
    expect([status, verdict]).toEqual([0, { event: 'verdict', ready: true, exitCode: 0 }]);
    expect(tookMs).toBeLessThan(IN_TIME_MS);
  });

  it.each<[string, RouterOptions, string, string]>([
    ['keeps ports', { mapping: 'consistent' }, 'consistent', 'fine'],
    ['draws ports', { mapping: 'random' }, 'random', 'limited'],
  ])('behind a router that %s', async (_, options, kind, state) => {
    const place = internet.behindRouter(options);
    const { findings, status } = await examine(at(place));
    expect(findings.get('nat')).toMatchObject({ kind, state });
    expect(findings.get('dht')).toMatchObject({ state: 'fine', seenAs: place.address });
    expect(status).toBe(0);
  });

  it('behind a router that lets no UDP through', async () => {
    const { findings, status, tookMs } = await examine(at(internet.behindRouter({ dropsUdp: true })));
    expect(findings.get('dht')).toMatchObject({ state: 'broken' });
    expect(String(findings.get('dht')?.['hint'])).toContain('--listen on one side and --connect');
    // The local network is another matter.
    expect(findings.get('multicast')).toMatchObject({ state: 'fine' });
    expect(status).toBe(0);
    expect(tookMs).toBeLessThan(IN_TIME_MS);
  });

  it('in no network', async () => {
    const machine = new Machine('alone');
    try {
      const { findings, status, tookMs } = await examine(at({ machine }));
      expect(findings.get('interfaces')).toMatchObject({ state: 'broken', interfaces: [] });
      expect(findings.get('dht')).toMatchObject({ state: 'broken' });
      expect(findings.get('multicast')).toMatchObject({ state: 'limited', heardFrom: [] });
      expect(status).toBe(3);
      expect(tookMs).toBeLessThan(IN_TIME_MS);
    } finally {
      machine.remove();
    }
  });

  it('beside a VPN and containers, which are named', async () => {
    const { machine } = internet.machine();
    for (const [name, address] of [
      ['docker0', '172.17.0.1/16'],
      ['wg0', '10.8.0.1/24'],
    ] as const) {
      machine.ip('link', 'add', name, 'type', 'bridge');
      machine.ip('addr', 'add', address, 'dev', name);
      machine.ip('link', 'set', name, 'up');
    }
    const { findings } = await examine(at({ machine }));
    expect(findings.get('interfaces')?.['sentence']).toMatch(
      /docker0 \(172\.17\.0\.1.*, of containers or virtual machines\), wg0 \(10\.8\.0\.1.*, a VPN\)/,
    );
  });
});
