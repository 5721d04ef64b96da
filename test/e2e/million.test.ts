/** Very many entries, and a kill in the middle of them. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { watchPeak } from '../support/memory-peak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { doneOf, startRun, statuses } from '../support/transfer-run.js';

const MIB = 2 ** 20;
const isSoak = process.env['XFER_SOAK'] === '1';
/** Folders, and files in each. */
const [FOLDERS, FILES] = isSoak ? [1_000, 1_000] : [20, 100];
const COUNT = FOLDERS * FILES;

let made: string | undefined;
afterEach(async () => {
  if (made !== undefined) await rm(made, { recursive: true, force: true });
});

/** In memory where there is room: a million files are for a disk what this test is not about. */
async function roomyFolder(): Promise<string> {
  if (!isSoak || !existsSync('/dev/shm')) return temporaryFolder();
  return (made = await mkdtemp('/dev/shm/xfer-test-'));
}

/** Each tenth file has its number in it; the others have nothing, or they would fill the memory. */
const contentOf = (number: number): string => (number % 10 === 0 ? String(number) : '');

async function fill(folder: string): Promise<void> {
  for (let number = 0; number < COUNT; number++) {
    if (number % FILES === 0) await mkdir(path.join(folder, String(number / FILES)), { recursive: true });
    const fd = openSync(path.join(folder, String(Math.floor(number / FILES)), String(number)), 'w');
    writeSync(fd, contentOf(number));
    closeSync(fd);
  }
}

/** How many files are there; each of them must be what was sent. */
async function countFiles(folder: string): Promise<number> {
  let count = 0;
  for (const below of await readdir(folder).catch(() => [])) {
    for (const name of await readdir(path.join(folder, below))) {
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
  it(
    `${COUNT} of them go on after a kill in the middle, in little memory`,
    async () => {
      const room = await roomyFolder();
      const [from, to] = [path.join(room, 'many'), path.join(room, 'to')];
      await mkdir(to);
      await fill(from);
      const first = await startRun({ from, to, receive: ['--json'] });
      const firstPeaks = [watchPeak(first.sender), watchPeak(first.receiver)];
      // Some have their names, and the rest is still to come.
      while ((await readdir(path.join(to, 'many')).catch(() => [])).length < FOLDERS / 2)
        await new Promise((resolve) => setTimeout(resolve, 5));
      first.receiver.kill();
      await first.sender.status();
      const there = await countFiles(path.join(to, 'many'));
      expect(there).toBeLessThan(COUNT);

      const startedMs = performance.now();
      const run = await startRun({ from, to, receive: ['--json'] });
      const peaks = [...firstPeaks, watchPeak(run.sender), watchPeak(run.receiver)];
      expect(await statuses(run, 590_000), run.sender.screen).toEqual([0, 0]);
      const tookMs = performance.now() - startedMs;
      expect(doneOf(run.receiver)).toMatchObject({ files: COUNT - there, alreadyFiles: there });
      expect(await countFiles(path.join(to, 'many'))).toBe(COUNT);
      expect(await readdir(to)).toEqual(['many']);
      const mostBytes = peaks.map((peak) => peak());
      for (const bytes of mostBytes) expect(bytes).toBeLessThan(300 * MIB);
      if (!isSoak) return;
      process.stdout.write(
        `${there} of ${COUNT} files were there; the resume took ${(tookMs / 1000).toFixed(1)} s; ` +
          `peaks ${mostBytes.map((bytes) => Math.round(bytes / MIB)).join(', ')} MiB\n`,
      );
    },
    isSoak ? 1_800_000 : 60_000,
  );
});
