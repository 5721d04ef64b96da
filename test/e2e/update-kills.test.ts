/** `xfer receive --update` that is killed at any place: what is there is the older or the new file, and the next one comes to its end. */
import { cp, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectArrival, expectNothingWrong, places, startRun } from '../support/transfer-run.js';
import { noise } from '../support/trees.js';

const MIB = 2 ** 20;
/** `npm run soak` tries more places. */
const KILLS = isSoak ? 20 : 2;

/** Files that stay, that change in the middle, that are others, and that are new. */
async function fill(folder: string, version: 'old' | 'new'): Promise<void> {
  const middle = noise(MIB, version);
  const files: [string, Uint8Array][] = [
    ['a/same.bin', noise(3 * MIB, 'same')],
    ['a/other.bin', noise(5 * MIB + 7, version)],
    ['b/middle.bin', Buffer.concat([noise(4 * MIB, 'start'), middle, noise(4 * MIB, 'end')])],
    ['c/short.bin', noise(version === 'old' ? 4 * MIB : 2 * MIB, 'short')],
    ...Array.from({ length: 120 }, (_, number): [string, Uint8Array] => [
      `${'abc'[number % 3]!}/${number}.txt`,
      noise(number * 90, `${number % 2 === 0 ? version : ''} ${number}`),
    ]),
  ];
  if (version === 'new')
    files.push(['c/new.bin', noise(2 * MIB, 'fresh')], ['d/new.txt', noise(10, 'fresh')]);
  for (const [name, content] of files) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    // Names, sizes and times are often the same: nothing but the content tells.
    await utimes(file, 1, 1);
  }
}

describe('an update that is killed', () => {
  it.each(
    places(KILLS, 8.2 * MIB, 'kills').map(
      (at, index) => [(['receiver', 'sender'] as const)[index % 2]!, at] as const,
    ),
  )('at the %s after %d bytes leaves each file whole, and the next one brings the rest', async (who, at) => {
    const [above, before, to] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
    const from = path.join(above, 'tree');
    await fill(from, 'new');
    await fill(path.join(before, 'tree'), 'old');
    await cp(before, to, { recursive: true, preserveTimestamps: true });
    const options = { from, to, receive: ['--update', '--json'] };
    const first = await startRun({ ...options, holdAfter: at });
    await first.line.held;
    first[who].kill();
    await Promise.all([first.sender.ended, first.receiver.ended]);
    await expectNothingWrong(to, above, before);
    const again = await startRun(options);
    await expectArrival(again, from, to, { merged: true });
    // What both have in common does not travel, neither time, nor in the second what had arrived.
    for (const { line } of [first, again]) expect(line.carried).toBeLessThan(10 * MIB);
    await rm(to, { recursive: true });
  });
});
