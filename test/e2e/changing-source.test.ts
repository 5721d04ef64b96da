/** What is sent changes while it is sent: that file fails alone, is named, and comes with the next transfer as it is then. */
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { canBeNobody, NOBODY, openFolder } from '../support/nobody.js';
import { isSoak } from '../support/soak.js';
import {
  doneOf,
  expectArrival,
  expectNothingWrong,
  startRun,
  statuses,
  type Run,
} from '../support/transfer-run.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
/** So much more than the line takes at once that its end is not read yet while the line stands. */
const LARGE = 48 * MIB;

let from: string;
let to: string;
let large: string;

beforeEach(async () => {
  from = path.join(await openFolder(), 'tree');
  to = await openFolder();
  large = path.join(from, 'a/large.bin');
  await mkdir(path.dirname(large), { recursive: true });
  await writeFile(large, noise(LARGE, 'large'));
  await utimes(large, 1_700_000_000, 1_700_000_000);
});

/** A transfer that stands still in the middle of the large file. */
async function held(options: Partial<Parameters<typeof startRun>[0]> = {}): Promise<Run> {
  const run = await startRun({
    from,
    to,
    holdAfter: 4 * MIB,
    send: ['--json'],
    receive: ['--json'],
    ...options,
  });
  await run.line.held;
  return run;
}

async function overwrite(file: string, at: number, text: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(text, at);
  await handle.close();
}

const withoutPrefix = (file: string): string => path.relative(from, file);

describe('row 32: a large file that changes in the middle of it', () => {
  const changes: readonly [string, () => Promise<void>][] = [
    ['is written to', () => overwrite(large, LARGE - 5, 'other')],
    ['is shortened', () => truncate(large, 30 * MIB)],
    ['grows', () => appendFile(large, 'more')],
    ['is emptied and written anew', () => writeFile(large, noise(LARGE, 'anew'))],
  ];
  it.each(isSoak ? changes : changes.slice(1, 2))(
    'and %s is left out, named by both sides, and comes with the next transfer',
    async (_, change) => {
      await writeFile(path.join(from, 'z.txt'), 'behind it');
      const run = await held();
      await change();
      run.line.release();
      expect(await statuses(run), run.receiver.screen).toEqual([1, 1]);
      for (const side of [run.sender, run.receiver]) {
        const leftOut = [
          { path: expect.stringMatching(/a\/large\.bin$/) as string, reason: 'source-changed' },
        ];
        expect(doneOf(side)).toMatchObject({ files: 1, leftOut, exitCode: 1 });
      }
      expect(await namesIn(to)).toEqual(['tree', 'tree/a', 'tree/z.txt']);
      await expectArrival(await startRun({ from, to, receive: ['--update'] }), from, to, { merged: true });
    },
  );

  const removals: readonly [string, () => Promise<void>][] = [
    ['is deleted', () => rm(large)],
    [
      'is moved away for another one',
      () => writeFile(`${large}.new`, 'new').then(() => rename(`${large}.new`, large)),
    ],
    ['goes with its folder', () => rm(path.dirname(large), { recursive: true })],
    ['may not be read any more', () => chmod(large, 0)],
  ];
  it.skipIf(!isSoak).each(removals)('and %s is open, and arrives whole as it was', async (_, remove) => {
    const whole = noise(LARGE, 'large');
    const run = await held(canBeNobody() ? { sender: { user: NOBODY } } : {});
    await remove();
    run.line.release();
    expect(await statuses(run), run.receiver.screen).toEqual([0, 0]);
    await mkdir(path.join(to, 'was/tree/a'), { recursive: true });
    await writeFile(path.join(to, 'was/tree/a/large.bin'), whole);
    expect(await expectNothingWrong(path.join(to, 'tree'), path.join(to, 'was/tree'))).toBe(LARGE);
  });
});

describe('row 32: files that change before it is their turn', () => {
  /** What happens to each, and why it does not come then. */
  const FATES: Readonly<
    Record<string, readonly [change: (file: string) => Promise<unknown>, reason: string]>
  > = {
    changed: [(file) => writeFile(file, 'x'.repeat(5000)), 'source-changed'],
    shortened: [(file) => truncate(file, 10), 'source-changed'],
    emptied: [(file) => truncate(file, 0), 'source-changed'],
    grown: [(file) => appendFile(file, 'more'), 'source-changed'],
    deleted: [(file) => rm(file), 'source-vanished'],
    replaced: [(file) => writeFile(`${file}~`, 'new').then(() => rename(`${file}~`, file)), 'source-changed'],
    'a link': [(file) => rm(file).then(() => symlink('/etc/passwd', file)), 'source-changed'],
    'a folder': [(file) => rm(file).then(() => mkdir(file)), 'source-changed'],
    unreadable: [(file) => chmod(file, 0), 'path-unreadable'],
    'gone/with its folder': [(file) => rm(path.dirname(file), { recursive: true }), 'source-vanished'],
  };

  it('are left out one by one, each for its reason, and come with the next transfer as they are then', async ({
    skip,
  }) => {
    if (!canBeNobody()) skip('programs cannot be started as another user here');
    // One that travels with others, and one alone.
    const files = Object.entries(FATES).flatMap(([name, fate]) =>
      [5000, 2 * MIB].map((size) => ({ file: path.join(from, `b/${name} ${size}`), size, fate })),
    );
    for (const { file, size } of files) {
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, noise(size, file));
    }
    await writeFile(path.join(from, 'b/same'), 'same');
    const run = await held({ sender: { user: NOBODY } });
    const isOnce = new Set<unknown>();
    for (const { file, fate } of files) {
      if (fate[1] === 'source-vanished' && path.dirname(file) !== path.join(from, 'b')) {
        if (isOnce.has(fate)) continue;
        isOnce.add(fate);
      }
      await fate[0](file);
    }
    run.line.release();
    expect(await statuses(run), run.receiver.screen).toEqual([1, 1]);
    for (const side of [run.sender, run.receiver]) {
      const reasons = doneOf(side).leftOut.map(
        (one) => `${one.path.slice(one.path.indexOf('/b/') + 1)}: ${one.reason}`,
      );
      expect(reasons.sort()).toEqual(
        files.map(({ file, fate }) => `${withoutPrefix(file)}: ${fate[1]}`).sort(),
      );
    }
    const there = (await readdir(path.join(to, 'tree/b'))).filter((name) => !name.endsWith('folder'));
    expect(there.sort()).toEqual(['gone', 'same']);
    await expectNothingWrong(to, path.dirname(from));
    expect((await readdir(to)).filter((name) => name.startsWith('.'))).toEqual([]);

    for (const { file, fate } of files) {
      if (fate[1] === 'path-unreadable') await chmod(file, 0o644);
      if (fate === FATES['a link']) await rm(file, { force: true });
    }
    await rm(path.join(to, 'tree'), { recursive: true });
    await expectArrival(await startRun({ from, to, sender: { user: NOBODY } }), from, to);
  });
});

describe('row 31: a source that is another one when an interrupted transfer goes on', () => {
  beforeEach(async () => {
    await writeFile(path.join(from, 'z.txt'), 'behind it');
  });

  const interrupted = async (): Promise<void> => {
    const run = await held({ holdAfter: 20 * MIB });
    // 11 MB at least, which are ten whole leaves.
    await run.receiver.waitFor(/"progress":\{"files":\d+,"bytes":(?:1[1-9]|[2-9]\d)\d{6},/);
    run.receiver.kill();
    await run.sender.status();
  };

  const changes: readonly [string, () => Promise<void>, goesOn: boolean][] = [
    ['grew goes on with what is there', () => appendFile(large, 'more'), true],
    ['was cut behind what is there goes on', () => truncate(large, 30 * MIB), true],
    ['was cut to less than what is there comes as it is', () => truncate(large, 3 * MIB + 5), false],
    ['changed in its first bytes begins anew', () => overwrite(large, 0, 'other'), false],
    ['is empty now comes as it is', () => truncate(large, 0), false],
  ];
  it.each(isSoak ? changes : changes.slice(2, 3))('that %s', async (_, change, goesOn) => {
    await interrupted();
    await change();
    const run = await startRun({ from, to, receive: ['--json'] });
    await expectArrival(run, from, to);
    expect(doneOf(run.receiver).continuedBytes > 9 * MIB, run.receiver.stdout).toBe(goesOn);
  });

  it.each(isSoak ? ['deleted', 'unreadable'] : ['unreadable'])(
    'that is %s: the rest comes, and what is there stays until somebody removes it',
    async (how) => {
      await interrupted();
      if (how === 'deleted') await rm(large);
      else if (canBeNobody()) await chmod(large, 0);
      else return;
      await chown(to, 0, 0);
      const run = await startRun({ from, to, receive: ['--json'], sender: { user: NOBODY } });
      expect(await statuses(run)).toEqual(how === 'deleted' ? [0, 0] : [1, 1]);
      const left = (await namesIn(to)).filter((name) => !name.startsWith('.xfer-'));
      expect(left).toEqual(['tree', 'tree/a', 'tree/z.txt']);
      expect((await namesIn(to)).filter((name) => name.endsWith('.part'))).toHaveLength(1);
      if (how === 'unreadable') {
        await chmod(large, 0o644);
        const again = await startRun({ from, to, receive: ['--json'] });
        await expectArrival(again, from, to);
        expect(doneOf(again.receiver).continuedBytes).toBeGreaterThan(9 * MIB);
        return;
      }
      const clean = await xfer(['resume', '--clean', to]);
      expect(await clean.status()).toBe(0);
      expect(await readdir(to)).toEqual(['tree']);
    },
  );
});
