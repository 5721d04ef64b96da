import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree } from '../support/trees.js';

const examples = path.resolve(import.meta.dirname, '../../examples');

it('the examples send and receive', async ({ onTestFinished }) => {
  const from = await temporaryFolder();
  const to = await temporaryFolder();
  await writeFile(path.join(from, 'note'), 'for you');
  const dht = await startPrivateDht();
  onTestFinished(() => dht.close());
  const run = (...args: readonly string[]) => {
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env['PATH'], XFER_BOOTSTRAP: dht.bootstrap.join(',') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };

  const sender = run(path.join(examples, 'send.js'), path.join(from, 'note'));
  const lines: AsyncIterator<string, undefined> = createInterface(sender.stdout)[Symbol.asyncIterator]();
  const { value: code = '' } = await lines.next();
  const receiver = run(path.join(examples, 'receive.js'), code, to);

  expect(await text(receiver.stdout)).toBe(`${path.join(to, 'note')}\n`);
  expect((await lines.next()).value).toMatch(/^1 files, 7 bytes/);
  await expectSameTree(to, from);
});
