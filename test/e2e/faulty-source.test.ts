/** A disk of the sender on which one call fails: what it could not read is named and left out, and everything else arrives. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { joining, freePort } from '../support/direct.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { doneOf, expectArrival, expectNothingWrong, startRun } from '../support/transfer-run.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const PRELOAD = path.resolve(import.meta.dirname, '../support/faulty-disk.js');
const PATIENCE = ['--patience', '0'];

async function fill(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'deep/er'), { recursive: true });
  await writeFile(path.join(folder, 'large.bin'), noise(3 * MIB + 5, 'large'));
  for (const name of ['a', 'deep/b', 'deep/er/c']) await writeFile(path.join(folder, name), noise(500, name));
}

/** Leaves a part of the large file. */
async function interrupt(from: string, to: string): Promise<void> {
  const run = await startRun({ from, to, holdAfter: 2.5 * MIB, receive: ['--json'] });
  await run.line.held;
  await run.receiver.waitFor(/"progress":\{"files":\d+,"bytes":[12]\d{6},/);
  run.receiver.kill();
  await run.sender.ended;
}

/**
 * A transfer in which the sender's call of that number fails, and then one in which none does; with `resumed` a part of the large
 * file is there already. Gives the call; nothing where there are not so many.
 */
async function survive(at: number, errno: string, resumed: boolean): Promise<string | undefined> {
  const above = await temporaryFolder();
  const from = path.join(above, 'tree');
  await fill(from);
  const to = await temporaryFolder();
  if (resumed) await interrupt(from, to);
  const log = path.join(await temporaryFolder(), 'fault');
  const port = await freePort();
  const sender = await xfer(['send', from, '--json', '--listen', `127.0.0.1:${port}`, ...PATIENCE], {
    nodeArgs: ['--import', PRELOAD],
    env: { XFER_FAULT_AT: String(at), XFER_FAULT: errno, XFER_FAULT_IN: from, XFER_FAULT_LOG: log },
  });
  const [, code] = await sender.waitFor(/"code":"([^"]+)"|"event":"error"/);
  const join = joining(['send'], code ?? '', port);
  const receiver =
    code === undefined
      ? undefined
      : await xfer(['receive', ...join, '--yes', '--json', '--out', to, ...PATIENCE]);
  const ends = [await sender.status(), await receiver?.status()];
  const call = existsSync(log) ? await readFile(log, 'utf8') : undefined;
  const about = `call ${at}, ${call ?? 'none'}: ${ends.join(' ')}\n${sender.screen}\n${receiver?.screen}`;
  // Not a bug, and not a hang.
  for (const end of ends) expect([0, 1, 2, 3, undefined], about).toContain(end);
  const { event, exitCode, leftOutCount } = doneOf(sender) as unknown as Record<string, unknown>;
  expect(exitCode, about).toBe(ends[0]);
  await expectNothingWrong(to, above);
  const missing = (await namesIn(from)).filter((name) => !existsSync(path.join(to, 'tree', name)));
  if (missing.length > 0) {
    // No success that is none, on either side, and the sender says what it was.
    expect(ends, about).not.toContain(0);
    if (event === 'done') expect(leftOutCount, about).toBeGreaterThan(0);
    else expect(event, about).toBe('error');
  }
  if (call === undefined) expect(ends, about).toEqual([0, 0]);
  else {
    await rm(path.join(to, 'tree'), { recursive: true, force: true });
    await expectArrival(await startRun({ from, to }), from, to);
  }
  return call;
}

describe.skipIf(process.platform !== 'linux')('row 32: a disk of the sender on which one call fails', () => {
  const title = 'what cannot be read is left out and named';
  if (isSoak) {
    it.each([
      ['EIO', false],
      ['ENOENT', false],
      ['EIO', true],
    ] as const)(
      `with %s, whichever it is, and a part there already or not (%s): ${title}`,
      async (errno, resumed) => {
        let at = 1;
        while ((await survive(at, errno, resumed)) !== undefined) at += 1;
        expect(at).toBeGreaterThan(35);
      },
      3_600_000,
    );
  } else {
    it.each([
      [4, 'EIO', false],
      [28, 'ENOENT', true],
    ] as const)(`the one with the number %d, with %s (%s): ${title}`, async (at, errno, resumed) => {
      expect(await survive(at, errno, resumed)).toBeDefined();
    });
  }
});
