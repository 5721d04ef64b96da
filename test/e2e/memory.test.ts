import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { watchPeak } from '../support/memory-peak.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;

describe.skipIf(process.platform !== 'linux')('neither side holds in memory', () => {
  it('a large file', async () => {
    const from = await temporaryFolder();
    const big = path.join(from, 'big.bin');
    execFileSync('dd', ['if=/dev/urandom', `of=${big}`, 'bs=1M', 'count=512', 'status=none']);
    await expectPeaksBelow(200 * MIB, big);
  });

  it.skipIf(!isSoak).each([
    ['100,000 entries in 100 folders', 100, 1_000],
    ['a million entries in one folder', 1, 1_000_000],
    ['a million entries in 10,000 folders', 10_000, 100],
  ])('%s', { timeout: 3_600_000 }, async (_, folders, files) => {
    const from = await temporaryFolder();
    for (let folder = 0; folder < folders; folder++) {
      await mkdir(path.join(from, `many/${folder}`), { recursive: true });
      for (let file = 0; file < files; file++) writeFileSync(path.join(from, `many/${folder}/${file}`), 'x');
    }
    const to = await expectPeaksBelow(300 * MIB, path.join(from, 'many'));
    // With a million names Node takes gigabytes to remove them.
    await promisify(execFile)('rm', ['-rf', from, to]);
  });
});

/** Sends `what` from one program to another and looks at the most memory that either had. Gives back where it arrived. */
async function expectPeaksBelow(limit: number, what: string): Promise<string> {
  const to = await temporaryFolder();
  const { host: sender, join } = await listening(['send', what]);
  const sendersPeak = watchPeak(sender);
  const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
  const receiversPeak = watchPeak(receiver);
  expect(await receiver.status(3_000_000)).toBe(0);
  expect(await sender.status()).toBe(0);
  for (const peak of [sendersPeak(), receiversPeak()]) {
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(limit);
  }
  return to;
}
