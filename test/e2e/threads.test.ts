/** A thread that hashes, where there are processors for it. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const nodeArgs = ['--import', path.resolve(import.meta.dirname, '../support/many-processors.js')];

it.each([
  ['hashes a large file at both ends', 24, 2],
  ['does not start for less', 12, 0],
])('%s', async (_, mebibytes, threads) => {
  const [from, to, started] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
  await writeFile(path.join(from, 'noise'), randomBytes(mebibytes * 2 ** 20));
  await writeFile(path.join(from, 'text'), Buffer.alloc(mebibytes * 2 ** 20 + 5, 'again and again '));
  const options = { nodeArgs, env: { XFER_TEST_THREADS: started } };
  const { host: sender, join } = await listening(['send', from], options);
  const receiver = await xfer(['receive', ...join, '--yes', '--out', to], options);
  expect(await receiver.status()).toBe(0);
  expect(await sender.status()).toBe(0);
  await expectSameTree(path.join(to, path.basename(from)), from);
  expect(readdirSync(started)).toHaveLength(threads);
});

it('a receiver of another machine does without', async () => {
  const [from, to] = [await temporaryFolder(), await temporaryFolder()];
  await writeFile(path.join(from, 'noise'), randomBytes(20 * 2 ** 20));
  const { host: sender, join } = await listening(['send', path.join(from, 'noise')], { nodeArgs });
  const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
  expect(await receiver.status()).toBe(0);
  expect(await sender.status()).toBe(0);
  await expectSameTree(to, from);
});
