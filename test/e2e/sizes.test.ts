/** Files of every size at which something changes in how they are sent, and very large ones. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { doneOf, expectArrival, startRun, statuses } from '../support/transfer-run.js';
import { noise } from '../support/trees.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Up to where files travel together, what such a record holds, a chunk, what travels before the receiver has room again. */
const EDGES = [256 * KIB, 512 * KIB, MIB, ...(isSoak ? [2 * MIB, 16 * MIB] : [])];
const SIZES = [
  0,
  1,
  2,
  63,
  64,
  4095,
  4096,
  4097,
  65_535,
  65_536,
  ...EDGES.flatMap((edge) => [edge - 1, edge, edge + 1]),
];

let from: string;
let to: string;

beforeEach(async () => {
  from = path.join(await temporaryFolder(), 'sizes');
  to = await temporaryFolder();
  await mkdir(from);
});

describe('files of every size', () => {
  it.each([[[]], [['--no-compress', '--no-sync']]].slice(0, isSoak ? 2 : 1))(
    'from nothing to 64 MiB arrive whole (%j)',
    async (flags) => {
      for (const size of [...SIZES, 64 * MIB])
        await writeFile(path.join(from, `${size}`), noise(size, `${size}`));
      // One byte that is none of the others, and what shrinks to almost nothing.
      for (const size of SIZES)
        await writeFile(path.join(from, `${size}.txt`), 'x'.repeat(size).slice(1) + 'y');
      const send = flags.filter((flag) => flag !== '--no-sync');
      const receive = flags.filter((flag) => flag === '--no-sync');
      await expectArrival(await startRun({ from, to, send, receive }), from, to);
    },
  );

  it.skipIf(!isSoak)('and each of them alone, as a file of its own', async () => {
    for (const size of SIZES) {
      const file = path.join(from, `alone-${size}`);
      await writeFile(file, noise(size, `${size}`));
      const run = await startRun({ from: file, to });
      expect(await statuses(run), run.receiver.screen).toEqual([0, 0]);
      expect(await digestOf(path.join(to, `alone-${size}`))).toBe(await digestOf(file));
    }
    expect(await readdir(to)).toHaveLength(SIZES.length);
  });
});

describe.skipIf(!isSoak)('a sparse file of many GiB', () => {
  it('arrives whole and sparse, and goes on after it was killed in the middle', async () => {
    const { bavail, bsize } = await statfs(to);
    // Were it not sparse at the receiver, the disk must not fill up.
    const size = bavail * bsize > 30 * GIB ? 10 * GIB : 6 * GIB;
    const file = path.join(from, 'disk.img');
    const handle = await open(file, 'w');
    await handle.truncate(size);
    for (let at = 0; at < size; at += size / 64)
      await handle.write(noise(4 * MIB + 77, `${at}`), 0, undefined, Math.floor(at) + 12_345);
    await handle.write('end', size - 3);
    await handle.close();

    const first = await startRun({ from, to, receive: ['--json'], holdAfter: 130 * MIB });
    await first.line.held;
    await first.receiver.waitFor(/"progress":\{"files":\d+,"bytes":[3-9]\d{9},/, 120_000);
    first.receiver.kill();
    await first.sender.status();
    const run = await startRun({ from, to, receive: ['--json'] });
    expect(await statuses(run, 590_000), run.receiver.screen).toEqual([0, 0]);
    const done = doneOf(run.receiver);
    expect(done.continuedBytes).toBeGreaterThan(3e9);
    const { blocks } = await stat(path.join(to, 'sizes/disk.img'));
    expect(await digestOf(path.join(to, 'sizes/disk.img'))).toBe(await digestOf(file));
    expect(blocks * 512).toBeLessThan(64 * 5 * MIB);
    process.stdout.write(
      `${size / GIB} GiB, ${Math.round((blocks * 512) / MIB)} MiB of disk, ` +
        `${(done.continuedBytes / GIB).toFixed(1)} GiB were there already, the rest took ${done.elapsedMs} ms; ` +
        `on the line ${Math.round((first.line.carried + run.line.carried) / MIB)} MiB\n`,
    );
  }, 1_800_000);
});

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file, { highWaterMark: 4 * MIB })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
