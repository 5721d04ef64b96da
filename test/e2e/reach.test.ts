/** One code, and whatever lies between two machines. `npm run soak` writes what was seen to docs/reach.md. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Internet, type Place, type RouterOptions } from '../support/internet.js';
import { Machine, isInstalled, whyNoNetworks } from '../support/networks.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const unavailable = whyNoNetworks() ?? (isInstalled('nft') ? undefined : 'needs nftables');
const MIB = 2 ** 20;
const content = noise((isSoak ? 64 : 4) * MIB, 'reach');
const DOCUMENT = path.resolve(import.meta.dirname, '../../docs/reach.md');

/** What a receiver with `--json` says. */
interface Said {
  readonly event: string;
  readonly path?: string;
  readonly bytes?: number;
  readonly elapsedMs?: number;
}

const seen: string[] = [];

describe.skipIf(unavailable !== undefined)(
  `reach (${unavailable ?? 'in namespaces'})`,
  { timeout: 150_000 },
  () => {
    let internet: Internet;
    let from: string;
    let to: string;

    async function startInternet(): Promise<void> {
      internet = new Internet();
      await internet.startDht();
    }
    beforeAll(startInternet);
    afterAll(async () => {
      await internet.remove();
      if (isSoak) await writeDocument();
    });

    beforeEach(async () => {
      from = path.join(await temporaryFolder(), 'file');
      to = await temporaryFolder();
      await writeFile(from, content);
    });

    const on = (machine: Machine, args: readonly string[], lan = 'off', relay = ''): Promise<XferProcess> =>
      xfer(args, {
        wrapper: machine.wrapper,
        bootstrap: internet.bootstrap,
        env: { XFER_LAN: lan, XFER_RELAY: relay },
      });

    /** Sends from one to the other. Gives the ways that the bytes went, and notes what it took. */
    async function transfer(
      scenario: string,
      [alice, bob]: readonly [Machine, Machine],
      sendFlags: readonly string[] = [],
      receiveFlags: readonly string[] = [],
      lan?: string,
      relay?: string,
      onConnected: () => void = () => undefined,
    ): Promise<string[]> {
      const sender = await on(alice, ['send', from, ...sendFlags], lan, relay);
      const code = await sender.code();
      const startedMs = performance.now();
      const flags = ['--yes', '--json', '--out', to, ...receiveFlags];
      const receiver = await on(bob, ['receive', code, ...flags], lan, relay);
      // Where routers draw ports a hole is found by chance.
      await receiver.waitFor(/"event":"connected"/, 90_000);
      const connectedMs = performance.now() - startedMs;
      onConnected();
      expect([await sender.status(), await receiver.status()], sender.text + receiver.text).toEqual([0, 0]);
      expect((await readFile(path.join(to, 'file'))).equals(content)).toBe(true);

      const said = receiver.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Said);
      const ways = said.flatMap(({ event, path }) => (/^(connected|path)$/.test(event) ? [path ?? ''] : []));
      const { bytes = 0, elapsedMs = 1 } = said.find(({ event }) => event === 'done') ?? {};
      const rate = (bytes / 1e6 / (elapsedMs / 1e3)).toFixed(0);
      seen.push(
        `| ${scenario} | ${ways.join(', then ')} | ${(connectedMs / 1e3).toFixed(1)} s | ${rate} MB/s |`,
      );
      return ways;
    }

    /** The key of a relay. */
    async function startRelay(): Promise<string> {
      const { machine, address } = internet.machine();
      const node = await on(machine, ['node', '--host', address, '--json']);
      const [, key = ''] = await node.waitFor(/"relay":"([0-9a-f]{64})"/);
      return key;
    }

    const random = { mapping: 'random' } as const;
    const outside = (): Place => internet.machine();
    const behind = (options?: RouterOptions): Place => internet.behindRouter(options);

    // A lane goes to whoever has an address that can be dialled. Behind two routers the bytes take the hole in both.
    it.each<[string, () => [Place, Place], string[]]>([
      ['no router', () => [outside(), outside()], ['dht', 'direct']],
      ['the sender behind a router', () => [behind(), outside()], ['dht', 'direct']],
      ['the receiver behind a router', () => [outside(), behind()], ['dht', 'direct']],
      ['both behind routers that keep ports', () => [behind(), behind()], ['dht']],
      [
        'the sender behind a router that draws ports, the receiver behind one that keeps them',
        () => [behind({ mapping: 'random' }), behind()],
        ['dht'],
      ],
      [
        'the receiver behind a router that draws ports, the sender behind one that keeps them',
        () => [behind(), behind({ mapping: 'random' })],
        ['dht'],
      ],
    ])('%s', async (scenario, places, ways) => {
      const [alice, bob] = places();
      expect(await transfer(scenario, [alice.machine, bob.machine])).toEqual(ways);
    });

    describe('by a relay', () => {
      // A relay is a node of the DHT too: one that is gone would be asked by those who come next.
      afterEach(async () => {
        await internet.remove();
        await startInternet();
      });

      // A relay carries the bytes until there is a hole, and the first of them within 5 s.
      it.each<[string, () => [Place, Place], RegExp]>([
        ['both behind routers that draw ports', () => [behind(random), behind(random)], /^relay$/],
        [
          'the sender behind a router that draws ports, the receiver behind one that keeps them',
          () => [behind(random), behind()],
          /^(dht|relay(,dht)?)$/,
        ],
        [
          'the receiver behind a router that draws ports, the sender behind one that keeps them',
          () => [behind(), behind(random)],
          /^(dht|relay(,dht)?)$/,
        ],
      ])('%s, and a relay', async (scenario, places, ways) => {
        const key = await startRelay();
        const [alice, bob] = places();
        const both = [alice.machine, bob.machine] as const;
        const went = await transfer(`${scenario}, and a relay`, both, [], [], 'off', key);
        expect(went.join()).toMatch(ways);
      });

      it('moves from a relay to the hole as soon as there is one', async () => {
        const key = await startRelay();
        const [alice, bob] = [behind(), behind()];
        const drop = `ip daddr ${bob.address} meta l4proto udp drop;`;
        alice.machine.run(
          'nft',
          `table ip shut { chain out { type filter hook output priority 0; ${drop} }; }`,
        );
        const ways = await transfer(
          'both behind routers that keep ports, nothing but a relay let through at first, `--limit` so that it takes 20 s',
          [alice.machine, bob.machine],
          ['--limit', String(content.length / 20)],
          [],
          'off',
          key,
          () => alice.machine.run('nft', 'delete table ip shut'),
        );
        expect(ways).toEqual(['relay', 'dht']);
      });
    });

    it('both behind routers, one with an open port', async () => {
      const [alice, bob] = [behind({ forward: 7_400 }), behind()];
      const ways = await transfer(
        'both behind routers, `--port` open at the sender',
        [alice.machine, bob.machine],
        ['--port', '7400'],
      );
      expect(ways).toEqual(['dht', 'direct']);
    });

    it('no UDP: TCP with --listen and --connect', async () => {
      const [alice, bob] = [behind({ forward: 7_337, dropsUdp: true }), behind({ dropsUdp: true })];
      const scenario = 'no UDP on either side, `--listen` behind an open port and `--connect`';
      const connect = ['--connect', `${alice.address}:7337`];
      expect(await transfer(scenario, [alice.machine, bob.machine], ['--listen'], connect)).toEqual([
        'direct',
      ]);
    });

    it('IPv6 alone: the local network', async () => {
      const [alice, bob] = [new Machine('six-a'), new Machine('six-b')];
      try {
        alice.cableTo(bob, 'cable', ['fd77::1/64'], ['fd77::2/64']);
        expect(await transfer('IPv6 alone, one local network', [alice, bob], [], [], 'on')).toEqual([
          'direct',
        ]);
        const connect = ['--connect', '[fd77::1]:7337'];
        to = await temporaryFolder();
        const ways = await transfer(
          'IPv6 alone, `--listen` and `--connect`',
          [alice, bob],
          ['--listen'],
          connect,
        );
        expect(ways).toEqual(['direct']);
      } finally {
        alice.remove();
        bob.remove();
      }
    });
  },
);

async function writeDocument(): Promise<void> {
  const text = `# What lies between two machines, and how the bytes get there

Written by \`npm run soak -- test/e2e/reach.test.ts\`: real routers (Linux, nftables) between network namespaces of one machine, a DHT of ten nodes on addresses of their own, ${content.length / MIB} MiB of random bytes, their digest checked. Time runs from the start of the receiver, the program's own start included, to the connection.

| between them | path | connected after | then |
|---|---|---|---|
${seen.join('\n')}

\`dht\`: through the hole that both sides punch into their routers with the help of the DHT (UDP). \`direct\`: over TCP. \`relay\`: by way of a node of one's own (\`xfer node\`) that both sides were told of, sealed as all else, until there is a hole.

Two routers that both draw a new port for every connection let no hole be punched. There a relay carries the bytes ([own-network.md](own-network.md)); with none, the receiver says so, and one side needs a port that can be reached: \`--listen\` there, \`--connect\` on the other side. Where no UDP gets through, that is the way too.
`;
  await writeFile(DOCUMENT, text);
}
