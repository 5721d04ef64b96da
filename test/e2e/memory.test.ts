import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;

/** The most memory a process had, in bytes, as far as it was seen while it ran. */
function watchPeak(side: XferProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    void readFile(`/proc/${side.pid}/status`, 'utf8').then(
      (status) => (peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024)),
      () => clearInterval(timer),
    );
  }, 50);
  void side.ended.finally(() => clearInterval(timer));
  return () => peak;
}

it.skipIf(process.platform !== 'linux')('neither side holds a large file in memory', async () => {
  const from = await temporaryFolder();
  const to = await temporaryFolder();
  const big = path.join(from, 'big.bin');
  execFileSync('dd', ['if=/dev/urandom', `of=${big}`, 'bs=1M', 'count=512', 'status=none']);

  const { host: sender, join } = await listening(['send', big]);
  const sendersPeak = watchPeak(sender);
  const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
  const receiversPeak = watchPeak(receiver);
  expect(await receiver.status(60_000)).toBe(0);
  expect(await sender.status()).toBe(0);

  for (const peak of [sendersPeak(), receiversPeak()]) {
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(200 * MIB);
  }
});
