/** A real small disk that fills up at any place, and gets more room before the transfer goes on. */
import { cp, mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { smallDisk } from '../support/small-disk.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import {
  doneOf,
  eventsOf,
  expectArrival,
  expectNothingWrong,
  places,
  startRun,
  statuses,
} from '../support/transfer-run.js';
import { namesIn, noise } from '../support/trees.js';

const MIB = 2 ** 20;
const PAGE = 4096;

let above: string;
let from: string;
let home: string;

beforeEach(async () => {
  above = await temporaryFolder();
  from = path.join(above, 'mixed');
  home = await temporaryFolder();
});

/** Fills the source with large and small files, some 13 MB on a disk; `version` changes the content of most. */
async function fill(version: string): Promise<void> {
  const files: [string, Uint8Array][] = [
    ['a/large.bin', noise(3 * MIB + 77, `a ${version}`)],
    ['c/larger.bin', Buffer.concat([noise(4 * MIB, 'c'), noise(MIB, `c ${version}`)])],
    ['e/last.bin', noise(1 * MIB + 1, `e ${version}`)],
    ...Array.from({ length: 300 }, (_, number): [string, Uint8Array] => [
      `${'bdf'[number % 3]!}/${number}.txt`,
      noise(number * 50, `small ${number % 7 === 0 ? '' : version} ${number}`),
    ]),
  ];
  await rm(from, { recursive: true, force: true });
  for (const [name, content] of files) {
    await mkdir(path.dirname(path.join(from, name)), { recursive: true });
    await writeFile(path.join(from, name), content);
  }
}

/** The bytes of what is under a final name. */
async function namedBytes(to: string): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(to)) {
    const one = await stat(path.join(to, name));
    if (!name.startsWith('.xfer-') && one.isFile()) bytes += one.size;
  }
  return bytes;
}

/** Fails until there is room; gives what the second run did not have to be sent. */
async function survive(size: number, flags: readonly string[], older?: string): Promise<boolean> {
  const disk = await smallDisk(64 * MIB);
  if (disk === undefined) return false;
  const to = disk.folder;
  if (older !== undefined) await cp(older, to, { recursive: true, preserveTimestamps: true });
  const { blocks, bfree, bsize } = await statfs(to);
  await disk.resize((blocks - bfree) * bsize + Math.ceil((size + 1) / PAGE) * PAGE);
  const options = {
    from,
    to,
    receive: ['--json', ...flags],
    receiver: { env: { XFER_HOME: home } },
  };
  const first = await startRun(options);
  const [sent, received] = await statuses(first);
  const about = `with room for ${size} bytes: ${first.receiver.screen}`;
  expect([sent, received], about).toEqual([1, 3]);
  const last = eventsOf(first.receiver).at(-1);
  expect(last, about).toMatchObject({ event: 'error', code: 'disk-full', exitCode: 3 });
  expect(first.receiver.stdout).toContain('there is not enough space');
  expect(first.sender.stderr).toContain('the other side stopped because of an error: the disk is full');
  // Nobody looks for a side that ends, and says that it does.
  expect(first.receiver.text + first.sender.text).not.toMatch(/reconnecting|connection is lost/);
  await expectNothingWrong(to, above, ...(older === undefined ? [] : [older]));

  await disk.resize(64 * MIB);
  const named = await namedBytes(to);
  const kept = eventsOf(first.receiver).find(({ event }) => event === 'kept')?.['bytes'] ?? 0;
  const again = await startRun(options);
  await expectArrival(again, from, to, { merged: older !== undefined });
  const { continuedBytes, alreadyBytes } = doneOf(again.receiver);
  if (older === undefined) {
    // Whole leaves of 1 MiB count, and at most one file was under way.
    expect(continuedBytes, about).toBeGreaterThanOrEqual(Math.max(0, Number(kept) - MIB + 1));
    expect(alreadyBytes, about).toBe(named);
  }
  return true;
}

describe.skipIf(process.platform !== 'linux')('row 35: a small disk that is full', () => {
  it.for(isSoak ? places(40, 11 * MIB, 'disk') : [5_000_000, 11_158_876])(
    'after %d bytes gives nothing a wrong name, and what arrived is not sent again when there is room',
    async (size, { skip }) => {
      await fill('new');
      if (!(await survive(size, []))) skip('no tmpfs can be mounted here');
    },
  );

  it.for(isSoak ? places(20, 5_000_000, 'update') : [4_000_000])(
    'after %d bytes of an update leaves the older files, and the next one comes to its end',
    async (size, { skip }) => {
      await fill('old');
      const older = await temporaryFolder();
      await cp(above, older, { recursive: true, preserveTimestamps: true });
      await fill('new');
      if (!(await survive(size, ['--update'], older))) skip('no tmpfs can be mounted here');
    },
  );
});
