/** A side that says nothing any more, on a line that is never closed: the other one finds out by the clock. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { introduceMachines, machine } from '../support/devices.js';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectArrival, startRun } from '../support/transfer-run.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, type StartOptions, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const PATIENT = ['--patience', '10m'];

let from: string;
let to: string;

beforeAll(async () => {
  from = path.join(await temporaryFolder(), 'mixed');
  await fillSampleTree(from);
  await writeFile(path.join(from, 'large.bin'), noise(24 * MIB, 'large'));
});

beforeEach(async () => {
  to = await temporaryFolder();
});

describe('a peer that is frozen', () => {
  it.each(['sender', 'receiver'] as const)(
    'the %s, for longer than silence is borne, is met again',
    async (who) => {
      const run = await startRun({ from, to, holdAfter: 5 * MIB, send: PATIENT, receive: PATIENT });
      await run.line.held;
      run[who].kill('SIGSTOP');
      const other = run[who === 'sender' ? 'receiver' : 'sender'];
      await other.waitFor(/the connection is lost/);
      run[who].kill('SIGCONT');
      run.line.cut();
      run.line.release();
      await expectArrival(run, from, to);
    },
  );
});

describe('over the DHT', () => {
  it.each<[string, (over: StartOptions) => Promise<[XferProcess, XferProcess]>]>([
    [
      'that met by a code',
      async (over) => {
        const sender = await xfer(['send', from, '--limit', '4M'], over);
        return [sender, await xfer(['receive', await sender.code(), '--yes', '--out', to], over)];
      },
    ],
    [
      'that know each other',
      async (over) => {
        const [laptop, pi] = [await machine(over), await machine(over)];
        await introduceMachines(laptop, pi, { name: 'pi', otherName: 'laptop' });
        const receiver = await xfer(['receive', '--wait', '--yes', '--out', to], pi);
        const sender = await xfer(['send', from, '--to', 'pi', '--limit', '4M'], laptop);
        void sender.ended.then(() => receiver.kill('SIGTERM'));
        return [sender, receiver];
      },
    ],
  ])(
    'two sides %s, and whose lanes and pairing are gone, meet again',
    async (_how, start) => {
      const dht = await startPrivateDht();
      try {
        const [sender, receiver] = await start({ bootstrap: dht.bootstrap });
        await receiver.waitFor(/receiving +\d+ %/);
        // Both stand still for so long that each of them misses the other.
        for (const side of [sender, receiver]) side.kill('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 500));
        sender.kill('SIGCONT');
        await sender.waitFor(/the connection is lost/);
        receiver.kill('SIGCONT');
        expect(
          await Promise.all([sender.status(60_000), receiver.status(60_000)]),
          `${sender.stderr}\n${receiver.stderr}`,
        ).toEqual([0, 0]);
        await expectSameTree(path.join(to, 'mixed'), from);
      } finally {
        await dht.close();
      }
    },
    120_000,
  );
});
