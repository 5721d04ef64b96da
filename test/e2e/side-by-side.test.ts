/** Two transfers at once into one folder, from two senders. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { doneOf, expectNothingWrong, startRun, statuses, type Run } from '../support/transfer-run.js';
import { namesIn, noise } from '../support/trees.js';

const MIB = 2 ** 20;

let to: string;

beforeEach(async () => {
  to = await temporaryFolder();
});

/** A folder `root` of files, of which the first is large. Gives the folder above it. */
async function source(root: string, names: readonly string[], seed: string): Promise<string> {
  const above = await temporaryFolder();
  for (const name of names) {
    const file = path.join(above, root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, noise(name === names[0] ? 8 * MIB : 1000, `${seed} ${name}`));
  }
  return above;
}

/** A transfer of `root` that stands still when some of its large file is on the disk. */
async function held(above: string, root: string): Promise<Run> {
  const run = await startRun({
    from: path.join(above, root),
    to,
    holdAfter: 4 * MIB,
    receive: ['--json', '--patience', '1m'],
    send: ['--patience', '1m'],
  });
  await run.line.held;
  await run.receiver.waitFor(/"progress":\{"files":\d+,"bytes":[1-9]\d{6},/);
  return run;
}

const stagings = async (): Promise<string[]> =>
  (await namesIn(to)).filter((name) => /^\.xfer-[^/]*$/.test(name));

describe('two transfers into one folder', () => {
  const KINDS = [
    [
      'of different folders',
      ['one', 'two'],
      [
        ['large', 'a/x'],
        ['large', 'a/x'],
      ],
    ],
    [
      'of one folder, with different files in it',
      ['one', 'one'],
      [
        ['large', 'a/x', 'b'],
        ['other', 'a/y', 'c'],
      ],
    ],
  ] as const;
  it.each(isSoak ? KINDS : KINDS.slice(1))('%s both come to their end', async (_, roots, names) => {
    const above = await Promise.all(roots.map((root, index) => source(root, names[index]!, `${index}`)));
    const runs = [await held(above[0]!, roots[0]), await held(above[1]!, roots[1])];
    expect(await stagings()).toHaveLength(2);
    for (const run of runs.reverse()) run.line.release();
    for (const run of runs) expect(await statuses(run), run.receiver.screen).toEqual([0, 0]);
    expect(await stagings()).toEqual([]);
    expect(await expectNothingWrong(to, ...above)).toBe(8 * MIB + 1000 * (names[0].length - 1));
    const files = (await namesIn(to)).filter((name) => /\/(large|other|x|y|b|c)$/.test(name));
    expect(files).toHaveLength(names.flat().length);
  });

  it('of the same names: each file is that of one of them, and whoever came later says so', async () => {
    const above = [
      await source('one', ['large', 'a', 'b'], 'first'),
      await source('one', ['large', 'a', 'b'], 'second'),
    ];
    const [first, second] = [await held(above[0]!, 'one'), await held(above[1]!, 'one')];
    second.line.release();
    expect(await statuses(second)).toEqual([0, 0]);
    first.line.release();
    expect(await statuses(first)).toEqual([1, 1]);
    const leftOut = ['large', 'a', 'b'].map((name) => ({
      path: `one/${name}`,
      reason: 'target-exists',
    }));
    expect([...doneOf(first.receiver).leftOut].sort((a, b) => b.path.localeCompare(a.path))).toEqual(
      leftOut.sort((a, b) => b.path.localeCompare(a.path)),
    );
    // All of the one that was first.
    const bytes = await expectNothingWrong(to, above[1]!);
    expect(bytes).toBe(8 * MIB + 2000);
    expect(await stagings()).toEqual([]);
  });

  it('of which one was killed: it goes on while the other runs, and neither touches what is the other one’s', async () => {
    const above = [await source('one', ['large', 'a'], 'one'), await source('two', ['large', 'a'], 'two')];
    const killed = await held(above[0]!, 'one');
    killed.receiver.kill();
    killed.sender.kill();
    const other = await held(above[1]!, 'two');
    const again = await startRun({ from: path.join(above[0]!, 'one'), to, receive: ['--json'] });
    expect(await statuses(again), again.receiver.screen).toEqual([0, 0]);
    expect(doneOf(again.receiver).continuedBytes).toBeGreaterThanOrEqual(MIB);
    expect(await stagings()).toHaveLength(1);
    other.line.release();
    expect(await statuses(other), other.receiver.screen).toEqual([0, 0]);
    expect(await expectNothingWrong(to, above[0]!, above[1]!)).toBe(8 * MIB + 1000);
    expect((await namesIn(to)).sort()).toEqual(['one', 'one/a', 'one/large', 'two', 'two/a', 'two/large']);
  });

  it.skipIf(!isSoak)(
    'that go on with one that was killed: one has what it left, and the other one begins anew',
    async () => {
      const above = await source('one', ['large', 'a'], 'one');
      const killed = await held(above, 'one');
      killed.receiver.kill();
      killed.sender.kill();
      const runs = await Promise.all(
        [1, 2].map(() => startRun({ from: path.join(above, 'one'), to, receive: ['--json'] })),
      );
      const ends = await Promise.all(runs.map((run) => statuses(run)));
      // The later one may find the files there before it asks, or in the moment of giving them their names.
      expect(ends.map(([, received]) => received).filter((status) => status === 0).length).toBeGreaterThan(0);
      for (const [, received] of ends) expect([0, 1, 2]).toContain(received);
      expect(await expectNothingWrong(to, above)).toBe(8 * MIB + 1000);
      expect(await namesIn(to)).toEqual(['one', 'one/a', 'one/large']);
    },
  );
});
