/** Very many entries, and a kill in the middle of them. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { watchPeak } from '../support/memory-peak.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { doneOf, startRun, statuses } from '../support/transfer-run.js';

const MIB = 2 ** 20;
/** Folders, and files in each. */
const SHAPES = isSoak
  ? [
      [1_000, 1_000],
      [1, 1_000_000],
    ]
  : [[20, 100]];

let made: string | undefined;
afterEach(async () => {
  if (made !== undefined) await rm(made, { recursive: true, force: true });
  made = undefined;
});

/** In memory where there is room: a million files are for a disk what this test is not about. */
async function roomyFolder(): Promise<string> {
  if (!isSoak || !existsSync('/dev/shm')) return temporaryFolder();
  return (made = await mkdtemp('/dev/shm/xfer-test-'));
}

/** Of a million each tenth file has its number in it, and the others have nothing, or they would fill the memory. */
function contentOf(number: number): string {
  if (!isSoak) return String(number).padEnd(500, '.');
  return number % 10 === 0 ? String(number) : '';
}

async function fill(folder: string, folders: number, files: number): Promise<void> {
  for (let number = 0; number < folders * files; number++) {
    const below = path.join(folder, String(Math.floor(number / files)));
    if (number % files === 0) await mkdir(below, { recursive: true });
    const fd = openSync(path.join(below, String(number)), 'w');
    writeSync(fd, contentOf(number));
    closeSync(fd);
  }
}

/** Names of the folders there, and how many files each has. */
async function namesIn(folder: string): Promise<[string, string[]][]> {
  const folders = await readdir(folder).catch(() => []);
  return Promise.all(
    folders.map(async (below): Promise<[string, string[]]> => [
      below,
      await readdir(path.join(folder, below)),
    ]),
  );
}

/** How many files are there; each of them must be what was sent. */
async function countFiles(folder: string): Promise<number> {
  let count = 0;
  for (const [below, names] of await namesIn(folder)) {
    for (const name of names) {
      const content = contentOf(Number(name));
      const file = path.join(folder, below, name);
      if (content === '') expect((await stat(file)).size, file).toBe(0);
      else expect(await readFile(file, 'utf8'), file).toBe(content);
      count++;
    }
  }
  return count;
}

describe.skipIf(process.platform !== 'linux')('a tree of very many files', () => {
  it.each(SHAPES)(
    '%d folders of %d files go on after a kill in the middle, in little memory',
    async (folders, files) => {
      const count = folders * files;
      const room = await roomyFolder();
      const [from, to] = [path.join(room, 'many'), path.join(room, 'to')];
      const arrived = path.join(to, 'many');
      await mkdir(to);
      await fill(from, folders, files);
      const options = { from, to, send: ['--no-compress'], receive: ['--json', '--no-sync'] };
      // Few files would all have come before the kill.
      const first = await startRun({ ...options, holdAfter: isSoak ? Infinity : 700_000 });
      const firstPeaks = [watchPeak(first.sender), watchPeak(first.receiver)];
      const named = async (): Promise<number> =>
        (await namesIn(arrived)).reduce((sum, [, names]) => sum + names.length, 0);
      const over = new AbortController();
      void first.receiver.ended.then(() => over.abort());
      const enough = isSoak ? count / 2 : count / 4;
      while (!over.signal.aborted && (await named()) < enough) await sleep(isSoak ? 1_000 : 20);
      first.receiver.kill();
      await first.sender.status();
      const there = await countFiles(arrived);
      expect(there).toBeGreaterThan(count / 20);
      expect(there).toBeLessThan(count);

      const startedMs = performance.now();
      const run = await startRun(options);
      const peaks = [...firstPeaks, watchPeak(run.sender), watchPeak(run.receiver)];
      expect(await statuses(run, 590_000), run.sender.screen).toEqual([0, 0]);
      const tookMs = performance.now() - startedMs;
      expect(doneOf(run.receiver)).toMatchObject({ files: count - there, alreadyFiles: there });
      // What was there did not come again: no more than the rest, and the list of all.
      if (!isSoak) expect(run.line.carried).toBeLessThan((count - there) * 510 + count * 40);
      expect(await countFiles(arrived)).toBe(count);
      expect(await readdir(to)).toEqual(['many']);
      const mostBytes = peaks.map((peak) => peak());
      for (const bytes of mostBytes) expect(bytes).toBeLessThan(300 * MIB);
      if (!isSoak) return;
      process.stdout.write(
        `${there} of ${count} files in ${folders} folders were there; the resume took ${(tookMs / 1000).toFixed(1)} s; ` +
          `peaks ${mostBytes.map((bytes) => Math.round(bytes / MIB)).join(', ')} MiB\n`,
      );
    },
    isSoak ? 1_800_000 : 60_000,
  );
});
