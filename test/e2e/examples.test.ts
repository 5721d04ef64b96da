import { spawn, spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { machine, pairMachines, type Machine } from '../support/devices.js';
import { freePort } from '../support/direct.js';
import { isInstalled } from '../support/networks.js';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

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

it('the example of settings is one, and shares what it says as it says', async () => {
  const shared = await temporaryFolder();
  const [pi, laptop, phone, tv] = [await machine(), await machine(), await machine(), await machine()];
  await pairMachines(laptop, pi, { name: 'pi', otherName: 'laptop' });
  await pairMachines(phone, pi, { name: 'pi', otherName: 'phone' });
  await pairMachines(tv, pi, { name: 'pi', otherName: 'tv' });
  const example = await readFile(path.join(examples, 'config.toml'), 'utf8');
  // Of this machine; and nobody may be looked for elsewhere.
  const port = await freePort();
  const own = example
    .replace('"/srv/share"', JSON.stringify(shared))
    .replace('listen = 7337', `listen = "127.0.0.1:${port}"`)
    .replace('also-dht = true', 'also-dht = false');
  await writeFile(path.join(pi.env['XFER_HOME']!, 'config.toml'), own);
  const server = await xfer(['serve'], pi);
  await server.waitFor(new RegExp(`listening at 127\\.0\\.0\\.1:${port}`));
  const status = async (on: Machine, ...args: readonly string[]): Promise<number | null> =>
    (await xfer([...args, '--addr', `127.0.0.1:${port}`], on)).status();
  const note = path.join(await temporaryFolder(), 'note');
  await writeFile(note, 'a');
  expect(await status(laptop, 'put', note, 'pi:')).toBe(0);
  expect(await status(laptop, 'rm', 'pi:note')).toBe(0);
  expect(await status(phone, 'put', note, 'pi:')).toBe(0);
  expect(await status(phone, 'ls', 'pi:')).toBe(1);
  expect(await status(tv, 'put', note, 'pi:')).toBe(1);
  server.kill('SIGTERM');
  expect(await server.status(), server.stderr).toBe(0);
  expect(await readdir(shared)).toEqual(['phone']);
});

describe('the unit for systemd', () => {
  const unit = path.join(examples, 'xfer-node.service');
  const read = async (): Promise<{ readonly text: string; readonly command: string[] }> => {
    const text = await readFile(unit, 'utf8');
    const [, line = ''] = /^ExecStart=(.*)$/m.exec(text) ?? [];
    return { text, command: line.split(' ') };
  };

  it('starts a node with flags that there are', async () => {
    const { command } = await read();
    expect(command.slice(0, 2)).toEqual(['/usr/local/bin/xfer', 'node']);
    const node = await xfer([...command.slice(1), '--print-config']);
    expect(await node.status(), node.text).toBe(0);
    expect(node.stdout).toMatch(
      /^xfer config set bootstrap 203\.0\.113\.5:49737\nxfer config set relay [0-9a-f]{64}\n$/,
    );
  });

  const has = isInstalled('systemd-analyze');
  it.skipIf(!has)(
    `says nothing that systemd does not know (${has ? 'checked' : 'needs systemd'})`,
    async () => {
      const { text } = await read();
      const copy = path.join(await temporaryFolder(), path.basename(unit));
      // The program has to be there.
      const complaints = async (content: string): Promise<string> => {
        await writeFile(copy, content.replace('/usr/local/bin/xfer', process.execPath));
        return spawnSync('systemd-analyze', ['verify', '--man=no', copy], { encoding: 'utf8' }).stderr;
      };
      expect(await complaints(text)).toBe('');
      expect(await complaints(text.replace('ProtectHome=', 'ProtectHouse='))).toContain('ProtectHouse');
    },
  );
});
