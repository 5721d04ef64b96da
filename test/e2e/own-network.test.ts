/** Three nodes of one's own and nothing else, of which one may be down. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Internet, type Place } from '../support/internet.js';
import { isInstalled, whyNoNetworks } from '../support/networks.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const unavailable = whyNoNetworks() ?? (isInstalled('nft') ? undefined : 'needs nftables');
const content = noise(4 * 2 ** 20, 'own network');
const PORT = 49_737;

describe.skipIf(unavailable !== undefined)(
  `a network of one's own (${unavailable ?? 'in namespaces'})`,
  { timeout: 240_000 },
  () => {
    let internet: Internet;
    beforeAll(() => (internet = new Internet()));
    afterAll(() => internet.remove());

    it('moves files with three nodes, and with two', async () => {
      const machines = [internet.machine(), internet.machine(), internet.machine()];
      const addresses = machines.map(({ address }) => `${address}:${PORT}`);
      const homes = await Promise.all(machines.map(() => temporaryFolder()));
      const start = (index: number): Promise<XferProcess> => {
        const { machine, address } = machines[index]!;
        return xfer(['node', '--host', address, '--json'], {
          wrapper: machine.wrapper,
          bootstrap: addresses,
          env: { XFER_HOME: homes[index]! },
        });
      };
      const nodes = await Promise.all([0, 1, 2].map(start));
      const keys = await Promise.all(
        nodes.map(async (node) => (await node.waitFor(/"relay":"([0-9a-f]{64})"/))[1]!),
      );

      const transfer = async (alice: Place, bob: Place): Promise<string> => {
        const from = path.join(await temporaryFolder(), 'file');
        const to = await temporaryFolder();
        await writeFile(from, content);
        const on = ({ machine }: Place, args: readonly string[]): Promise<XferProcess> =>
          xfer(args, {
            wrapper: machine.wrapper,
            bootstrap: addresses,
            env: { XFER_LAN: 'off', XFER_RELAY: keys.join() },
          });
        const sender = await on(alice, ['send', from]);
        const receiver = await on(bob, ['receive', await sender.code(), '--yes', '--json', '--out', to]);
        const [, way = ''] = await receiver.waitFor(/"event":"connected"[^\n]*"path":"(\w+)"/);
        expect([await sender.status(), await receiver.status()], sender.text + receiver.text).toEqual([0, 0]);
        expect((await readFile(path.join(to, 'file'))).equals(content)).toBe(true);
        return way;
      };
      const everywhere = async (): Promise<void> => {
        const outside = await transfer(internet.machine(), internet.machine());
        expect(outside).toMatch(/^(dht|direct)$/);
        const behind = await transfer(internet.behindRouter(), internet.behindRouter());
        expect(behind).toMatch(/^(dht|relay)$/);
        const random = { mapping: 'random' } as const;
        expect(await transfer(internet.behindRouter(random), internet.behindRouter(random))).toBe('relay');
      };

      await everywhere();
      for (const dead of isSoak ? [0, 1, 2] : [0]) {
        nodes[dead]!.kill('SIGKILL');
        await nodes[dead]!.ended;
        await everywhere();
        nodes[dead] = await start(dead);
        // It is the same relay as before.
        await nodes[dead].waitFor(new RegExp(`"relay":"${keys[dead]!}"`));
      }
      for (const node of nodes) {
        node.kill('SIGTERM');
        expect(await node.status()).toBe(0);
      }
    });
  },
);
