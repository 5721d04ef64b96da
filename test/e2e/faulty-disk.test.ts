import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { differences, treeOf } from '../../scripts/tree.js';
import { listening } from '../support/direct.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectNothingWrong } from '../support/transfer-run.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const PRELOAD = path.resolve(import.meta.dirname, '../support/faulty-disk.js');
const ERRORS = ['EIO', 'EDQUOT', 'ENOSPC'] as const;
/** Of `npm test`; `npm run soak` has every call fail. */
const SAMPLE = [1, 4, 9, 17, 26, 38, 53, 71];

async function fill(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'deep/er'), { recursive: true });
  await writeFile(path.join(folder, 'large.bin'), noise(3 * MIB + 5, 'large'));
  for (const name of ['a', 'deep/b', 'deep/er/c']) await writeFile(path.join(folder, name), noise(500, name));
}

/** What the receiver has of it already: one file as it is, and two that are others. */
async function fillOlder(folder: string): Promise<void> {
  await fill(folder);
  await writeFile(path.join(folder, 'large.bin'), noise(2 * MIB, 'large'));
  await writeFile(path.join(folder, 'deep/b'), 'old');
}

interface Fault {
  /** The call that failed; nothing where there are not so many. */
  readonly call: string | undefined;
}

/** A transfer in which the receiver's call of that number fails, and then one in which none does; with `update` onto an older copy. */
async function survive(at: number, errno: string, update = false): Promise<Fault> {
  const [above, before] = [await temporaryFolder(), await temporaryFolder()];
  const from = path.join(above, 'tree');
  await fill(from);
  const to = await temporaryFolder();
  const flags = update ? ['--update'] : [];
  if (update) for (const folder of [to, before]) await fillOlder(path.join(folder, 'tree'));
  const log = path.join(await temporaryFolder(), 'fault');
  const env = { XFER_FAULT_AT: String(at), XFER_FAULT: errno, XFER_FAULT_IN: to, XFER_FAULT_LOG: log };
  const first = await listening(['send', from, '--patience', '0']);
  const receiver = await xfer(['receive', ...first.join, '--yes', '--patience', '0', '--out', to, ...flags], {
    nodeArgs: ['--import', PRELOAD],
    env,
  });
  const status = await receiver.status();
  const call = existsSync(log) ? await readFile(log, 'utf8') : undefined;
  const about = `call ${at}, ${call ?? 'none'}: ${receiver.stderr}`;
  // Not a bug, not a hang, and no success that is none.
  expect([0, 1, 2, 3], about).toContain(status);
  if (status === 0) await expectSameFiles(to, from);
  else expect(receiver.stderr, about).toMatch(/xfer: error: /);
  await expectNothingWrong(to, above, before);
  first.host.kill();
  if (status === 0) return { call };

  const again = await listening(['send', from]);
  const next = await xfer([
    'receive',
    ...again.join,
    '--yes',
    update ? '--update' : '--overwrite',
    '--out',
    to,
  ]);
  expect([await next.status(), await again.host.status()], `${about}\n${next.stderr}`).toEqual([0, 0]);
  await expectSameFiles(to, from);
  expect(
    (await namesIn(to)).filter((name) => name.startsWith('.xfer-')),
    about,
  ).toEqual([]);
  await rm(to, { recursive: true });
  return { call };
}

/** All of it is there; a folder that was there before has a time of its own. */
async function expectSameFiles(to: string, from: string): Promise<void> {
  const [expected, actual] = [await treeOf(from), await treeOf(path.join(to, 'tree'))];
  const differ = differences(expected, actual).filter((line) => !/^deep(\/er)?: last change/.test(line));
  expect(differ).toEqual([]);
}

describe.skipIf(process.platform !== 'linux')('row 35: a disk on which one call fails', () => {
  if (isSoak) {
    it.each(ERRORS)(
      'with %s, whichever it is: nothing is wrong, and the next transfer goes on',
      async (errno) => {
        let at = 1;
        while ((await survive(at, errno)).call !== undefined) at += 1;
        expect(at).toBeGreaterThan(50);
      },
      3_600_000,
    );

    it.each(ERRORS)(
      'with %s, whichever it is, while older files are brought up to date',
      async (errno) => {
        let at = 1;
        while ((await survive(at, errno, true)).call !== undefined) at += 1;
        expect(at).toBeGreaterThan(50);
      },
      3_600_000,
    );
  } else {
    it.each(SAMPLE.map((at, index) => [at, ERRORS[index % ERRORS.length]!] as const))(
      'the one with the number %d, with %s: nothing is wrong, and the next transfer goes on',
      async (at, errno) => {
        expect((await survive(at, errno)).call).toBeDefined();
      },
    );

    it.each([29, 31, 52, 59].map((at, index) => [at, ERRORS[index % ERRORS.length]!] as const))(
      'the one with the number %d, with %s, while older files are brought up to date',
      async (at, errno) => {
        expect((await survive(at, errno, true)).call).toBeDefined();
      },
    );
  }
});
