/** A side that says nothing any more, on a line that is never closed: the other one finds out by the clock. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectArrival, startRun } from '../support/transfer-run.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

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
  it('two sides whose lanes and pairing are gone meet again', async () => {
    const dht = await startPrivateDht();
    try {
      const over = { bootstrap: dht.bootstrap };
      const sender = await xfer(['send', from, '--limit', '4M'], over);
      const receiver = await xfer(['receive', await sender.code(), '--yes', '--out', to], over);
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
  }, 120_000);
});
