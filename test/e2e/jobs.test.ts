/** Whole jobs that people had other tools for, each from its first command to its last. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { machine, pairMachines, runOn } from '../support/devices.js';
import { ServedFolder, stop } from '../support/served-folder.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;

let served: ServedFolder;
let here: string;

beforeEach(async () => {
  served = await ServedFolder.make();
  here = await temporaryFolder();
});

const inHere = (name: string): string => path.join(here, name);

function run(...args: readonly string[]): Promise<XferProcess> {
  return xfer([...args, ...served.flags], served.laptop);
}

async function succeed(...args: readonly string[]): Promise<string> {
  const process = await run(...args);
  expect(await process.status(), process.stderr).toBe(0);
  return process.stdout;
}

it('a machine that always runs takes separate files or a whole folder, and a wrong path is asked for again', async () => {
  await fillSampleTree(inHere('photos'));
  for (const name of ['a.txt', 'b.txt']) await writeFile(inHere(name), name);
  const server = await served.serve('--write');
  const { env } = served.laptop;
  const terminal = await xferOnTerminal(['shell', 'pi', ...served.flags], { env, cwd: here });
  await terminal.waitFor(/pi:\/> $/);
  terminal.type('put photo\r');
  await terminal.waitFor(/there is no photo; another one/);
  terminal.type('photos\r');
  await terminal.waitFor(/verified: \d+ files[\s\S]*pi:\/> $/);
  terminal.type('exit\r');
  expect(await terminal.status()).toBe(0);
  // The machine is still there, for the next one.
  await succeed('put', inHere('a.txt'), inHere('b.txt'), 'pi:');
  await stop(server);
  await expectSameTree(served.folder, here);
});

it('several clients at once, with progress on both ends and a chat beside it', async () => {
  const phone = await machine();
  await pairMachines(phone, served.pi, { name: 'pi', otherName: 'phone' });
  const server = await served.serve('--write', '--json', '--limit', '12M');
  const text = 'a line that shrinks\n'.repeat(100_000);
  await writeFile(inHere('text'), text);
  await writeFile(inHere('noise'), noise(12 * MIB, 'noise'));
  const flags = ['--json', '--limit', '6M', ...served.flags];
  const putting = [
    await xfer(['put', inHere('text'), 'pi:', ...flags], served.laptop),
    await xfer(['put', inHere('noise'), 'pi:', ...flags], phone),
  ];
  const room = await xfer(['chat', '--name', 'ann', '--listen', '127.0.0.1:0'], { keepInputOpen: true });
  const code = await room.code();
  await room.waitFor(/--connect 127\.0\.0\.1:\d+/);
  const [, address = ''] = /--connect (127\.0\.0\.1:\d+)/.exec(room.text) ?? [];
  const other = await xfer(['chat', code, '--name', 'bob', '--connect', address], { keepInputOpen: true });
  await other.waitFor(/you are bob/);
  other.input.write('is it there?\n');
  await room.waitFor(/bob: is it there\?/);
  for (const process of putting) expect(await process.status(), process.text).toBe(0);
  room.input.end('all of it\n');
  await other.waitFor(/ann: all of it/);
  expect(await room.status(), room.text).toBe(0);
  expect(await other.status(), other.text).toBe(0);
  for (const { stdout } of [...putting, server]) expect(stdout).toMatch(/"event":"progress"/);
  await stop(server);
  await expectSameTree(served.folder, here);
});

it('upload, download, editing and commands from the far side, with an error for what exists or is missing', async () => {
  await writeFile(
    served.settings,
    `[actions.count]\nprogram = "/usr/bin/wc"\narguments = ["-c", "${served.at('a.txt')}"]\ndevices = ["laptop"]\n`,
  );
  await writeFile(inHere('a.txt'), 'mine');
  const server = await served.serve('--write', '--delete', '--run');
  await succeed('put', inHere('a.txt'), 'pi:');
  for (const [args, error] of [
    [['put', inHere('a.txt'), 'pi:'], 'pi:a.txt exists already'],
    [['put', inHere('b.txt'), 'pi:'], `there is no ${inHere('b.txt')}`],
    [['get', 'pi:b.txt', here], 'there is no pi:b.txt'],
    [['get', 'pi:a.txt', here], 'a.txt exists already'],
  ] as const) {
    const process = await run(...args);
    expect(await process.status()).toBe(2);
    expect(process.stderr).toContain(`xfer: error: ${error}`);
  }
  const editing = await xfer(['edit', 'pi:a.txt', ...served.flags], {
    env: { ...served.laptop.env, VISUAL: `sed -i s/mine/ours/` },
  });
  expect(await editing.status(), editing.stderr).toBe(0);
  await succeed('get', 'pi:a.txt', inHere('copy.txt'));
  expect(await readFile(inHere('copy.txt'), 'utf8')).toBe('ours');
  expect(await succeed('run', 'pi', 'count')).toBe(`4 ${served.at('a.txt')}\n`);
  await stop(server);
});

it('list and get by host, port and command, with a usage error that says how', async () => {
  await mkdir(served.at('docs'));
  await writeFile(served.at('docs/a.txt'), 'a');
  const server = await served.serve();
  expect(await succeed('ls', 'pi:docs')).toBe('a.txt\n');
  await succeed('get', 'pi:docs/a.txt', here);
  expect(await readFile(inHere('a.txt'), 'utf8')).toBe('a');
  for (const [args, hint] of [
    [['get', 'docs/a.txt', here], 'put the device and a colon before it: pi:docs/a.txt'],
    [['put', inHere('a.txt')], 'xfer put a.pdf photos/ pi:docs'],
    [['ls', 'pi:docs', '--addr', 'nowhere:99999'], 'xfer: hint: '],
    [['fetch', 'pi:docs'], 'the commands are '],
  ] as const) {
    const process = await xfer(args, served.laptop);
    expect(await process.status(), process.text).toBe(2);
    expect(process.stderr).toMatch(/^xfer: error: /m);
    expect(process.stderr).toContain(hint);
  }
  await stop(server);
});

it('upload, list and download by many, and an end by password only, which all others hear of', async () => {
  const password = 'correct horse battery';
  const setting = await xfer(['serve', '--set-password'], { ...served.pi, stdin: `${password}\n` });
  expect(await setting.status(), setting.stderr).toBe(0);
  const server = await served.serve('--write');
  const names = Array.from({ length: 4 }, (_, index) => `file-${index}`);
  for (const name of names) await writeFile(inHere(name), noise(MIB, name));
  const puts = await Promise.all(names.map((name) => run('put', inHere(name), 'pi:')));
  for (const process of puts) expect(await process.status(), process.stderr).toBe(0);
  expect(await succeed('ls', 'pi:')).toBe(`${names.join('\n')}\n`);
  const idle = await xfer(['shell', 'pi', ...served.flags], { ...served.laptop, keepInputOpen: true });
  idle.input.write('pwd\n');
  await idle.waitFor(/^\/$/m);

  const stopWith = (text: string): Promise<XferProcess> =>
    xfer(['stop', 'pi', ...served.flags], { ...served.laptop, stdin: `${text}\n` });
  const wrong = await stopWith('correct horse baterry');
  expect(await wrong.status()).toBe(4);
  idle.input.write('cat file-0\n');
  await idle.waitFor(/verified|file-0|[\s\S]{100}/);
  const right = await stopWith(password);
  expect(await right.status(), right.stderr).toBe(0);
  expect(await server.status(), server.stderr).toBe(0);
  idle.input.end('pwd\nls\n');
  // It has nothing to list any more, and says so.
  expect(await idle.status()).not.toBe(0);
  expect(idle.stderr).toContain('xfer: error: ');
  await expectSameTree(served.folder, here);
  expect(await runOn(served.laptop, 'devices')).toContain('pi');
}, 90_000);
