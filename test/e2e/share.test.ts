import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { machine, pairMachines, runOn, type Machine } from '../support/devices.js';
import { freePort } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;

let laptop: Machine;
let pi: Machine;
/** What the Raspberry Pi shares. */
let shared: string;
let here: string;
let port: number;

beforeEach(async () => {
  [laptop, pi] = [await machine(), await machine()];
  [shared, here] = [await temporaryFolder(), await temporaryFolder()];
  port = await freePort();
  await pairMachines(laptop, pi, { name: 'pi', otherName: 'laptop' });
});

async function serving(...flags: readonly string[]): Promise<XferProcess> {
  const process = await xfer(['serve', shared, '--listen', `127.0.0.1:${port}`, ...flags], pi);
  await process.waitFor(flags.includes('--json') ? /"listening"/ : /listening at/);
  return process;
}

function start(on: Machine, ...args: readonly string[]): Promise<XferProcess> {
  return xfer([...args, '--addr', `127.0.0.1:${port}`], on);
}

/** Runs a command of the laptop, which must succeed. */
async function succeed(...args: readonly string[]): Promise<string> {
  const process = await start(laptop, ...args);
  expect(await process.status(), process.stderr).toBe(0);
  return process.stdout;
}

async function expectFailure(
  args: readonly string[],
  { status, error, on = laptop }: { readonly status: number; readonly error: string; readonly on?: Machine },
): Promise<void> {
  const process = await start(on, ...args);
  expect(await process.status(), process.text).toBe(status);
  expect(process.stderr).toContain(`xfer: error: ${error}`);
  expect(process.stderr).toContain('xfer: hint: ');
}

async function stop(server: XferProcess): Promise<void> {
  server.kill('SIGTERM');
  expect(await server.status(), server.stderr).toBe(0);
}

const inHere = (name: string): string => path.join(here, name);
const inShare = (name: string): string => path.join(shared, name);

describe('a share', () => {
  it('is listed, and its files and folders are fetched', async () => {
    await fillSampleTree(inShare('docs'));
    await writeFile(inShare('note.txt'), 'hello');
    await symlink('/etc/passwd', inShare('link'));
    const server = await serving();
    expect(await succeed('ls', 'pi:')).toBe('docs/\nnote.txt\n');
    expect(await succeed('ls', '-l', 'pi:note.txt')).toMatch(
      /^-rw-r--r-- +5 {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}note\.txt\n$/,
    );
    expect(JSON.parse(await succeed('ls', 'pi:note.txt', '--json', '--quiet').then(lastLine))).toMatchObject({
      event: 'item',
      path: 'note.txt',
      type: 'file',
      size: 5,
    });
    expect(await succeed('cat', 'pi:note.txt')).toBe('hello');
    const paths = await succeed('get', 'pi:docs', 'pi:*.txt', here);
    expect(paths.split('\n').sort()).toEqual(['', inHere('docs'), inHere('note.txt')]);
    await expectFailure(['get', 'pi:link', here], { status: 2, error: 'there is no pi:link' });
    await expectFailure(['cat', 'pi:link'], { status: 2, error: 'there is no pi:link' });
    await stop(server);
    await runOn(pi, 'devices');
    expect(server.stderr).toMatch(/laptop: fetched docs, note\.txt: \d+ files, /);
    await expectSameTree(inHere('docs'), inShare('docs'));
  });

  it('takes files and folders where it may be written', async () => {
    const server = await serving('--write');
    await fillSampleTree(inHere('photos'));
    await writeFile(inHere('a.pdf'), noise(3_000_000, 'a'));
    await succeed('put', inHere('photos'), inHere('a.pdf'), 'pi:');
    await expectSameTree(shared, here);
    await succeed('mkdir', 'pi:docs');
    await succeed('mv', 'pi:a.pdf', 'pi:docs');
    await succeed('mv', 'pi:docs/a.pdf', 'pi:docs/b.pdf');
    await succeed('put', inHere('a.pdf'), 'pi:docs/c.pdf');
    expect(await succeed('ls', 'pi:docs')).toBe('b.pdf\nc.pdf\n');
    await stop(server);
  });

  it('is read-only unless its owner says more', async () => {
    await writeFile(inShare('note.txt'), 'hello');
    await writeFile(inHere('a'), 'a');
    const server = await serving();
    const error = 'this share does not let you write';
    await expectFailure(['put', inHere('a'), 'pi:'], { status: 1, error });
    await expectFailure(['mkdir', 'pi:docs'], { status: 1, error });
    await expectFailure(['mv', 'pi:note.txt', 'pi:b'], { status: 1, error });
    await expectFailure(['rm', 'pi:note.txt'], { status: 1, error: 'this share does not let you delete' });
    await expectFailure(['send', inHere('a'), '--to', 'pi'], { status: 1, error: 'the other side' });
    await stop(server);
    expect(await readdir(shared)).toEqual(['note.txt']);
    expect(server.stderr).toContain(
      'laptop: put into the share: not done, this share does not let you do that',
    );
  });

  it('keeps what exists, unless it may be replaced and somebody says so', async () => {
    await writeFile(inShare('note.txt'), 'old');
    await writeFile(inHere('note.txt'), 'new');
    let server = await serving('--write');
    const exists = { status: 2, error: 'pi:note.txt exists already' };
    await expectFailure(['put', inHere('note.txt'), 'pi:note.txt'], exists);
    await expectFailure(['mkdir', 'pi:note.txt'], exists);
    await expectFailure(['put', inHere('note.txt'), 'pi:note.txt', '--overwrite'], {
      status: 1,
      error: 'this share does not let you replace what is there',
    });
    expect(await readFile(inShare('note.txt'), 'utf8')).toBe('old');
    await stop(server);
    server = await serving('--write', '--delete');
    await succeed('put', inHere('note.txt'), 'pi:', '--overwrite');
    expect(await readFile(inShare('note.txt'), 'utf8')).toBe('new');
    await stop(server);
  });

  it('loses files and folders to who may delete', async () => {
    await fillSampleTree(inShare('old'));
    await mkdir(inShare('outside'));
    for (const name of ['a.tmp', 'b.tmp', 'c.txt', 'outside/kept']) await writeFile(inShare(name), name);
    await symlink(inShare('outside'), inShare('old/link'));
    const server = await serving('--delete');
    await expectFailure(['rm', 'pi:old'], { status: 2, error: 'pi:old is a folder' });
    await succeed('rm', 'pi:*.tmp');
    await succeed('rm', '-r', 'pi:old');
    await expectFailure(['rm', '-r', 'pi:'], { status: 1, error: 'this share does not let you' });
    await stop(server);
    expect((await readdir(shared)).sort()).toEqual(['c.txt', 'outside']);
    expect(await readdir(inShare('outside'))).toEqual(['kept']);
  });

  it('says what is wrong with a path, and asks nothing that leads out', async () => {
    await writeFile(inShare('note.txt'), 'hello');
    await writeFile(inHere('note.txt'), 'mine');
    const server = await serving('--write');
    await expectFailure(['get', 'pi:nope', here], { status: 2, error: 'there is no pi:nope' });
    await expectFailure(['get', 'pi:note.txt', 'pi:nope', here], { status: 2, error: 'there is no pi:nope' });
    await expectFailure(['ls', 'pi:note.txt/x'], { status: 2, error: 'there is no pi:note.txt/x' });
    await expectFailure(['put', inHere('nope'), 'pi:'], {
      status: 2,
      error: `there is no ${inHere('nope')}`,
    });
    await expectFailure(['put', inHere('note.txt'), 'pi:no/where/x'], {
      status: 2,
      error: 'there is no pi:',
    });
    await expectFailure(['ls', 'pi:../etc'], { status: 2, error: 'pi:../etc leads out of what is shared' });
    await expectFailure(['ls', 'docs'], { status: 2, error: 'docs names no device' });
    await expectFailure(['get', 'pi:note.txt', here], {
      status: 2,
      error: 'note.txt exists already',
    });
    await expectFailure(['ls', 'nobody:'], { status: 2, error: "no device is called 'nobody'" });
    expect(await readFile(inHere('note.txt'), 'utf8')).toBe('mine');
    await stop(server);
  });

  it('lets nobody write what programs may obey, unless its owner allows it', async () => {
    await writeFile(inHere('.bashrc'), 'evil');
    await mkdir(inShare('docs'));
    let server = await serving('--write', '--delete');
    const refused = { status: 2, error: '' };
    await expectFailure(['put', inHere('.bashrc'), 'pi:'], refused);
    await expectFailure(['put', inHere('.bashrc'), 'pi:docs', '--overwrite'], refused);
    await expectFailure(['mkdir', 'pi:.ssh'], refused);
    await expectFailure(['mv', 'pi:docs', 'pi:.ssh'], refused);
    expect(await readdir(shared)).toEqual(['docs']);
    expect(await readdir(inShare('docs'))).toEqual([]);
    await stop(server);
    server = await serving('--write', '--allow-dotfiles');
    await succeed('put', inHere('.bashrc'), 'pi:');
    expect(await readdir(shared)).toContain('.bashrc');
    await stop(server);
  });

  it('is one only where somebody shares', async () => {
    const waiter = await xfer(
      ['receive', '--wait', '--yes', '--out', shared, '--listen', `127.0.0.1:${port}`],
      pi,
    );
    await waiter.waitFor(/listening at/);
    await expectFailure(['ls', 'pi:'], { status: 3, error: "'pi' shares no folder just now" });
    await writeFile(inHere('a'), 'a');
    await succeed('send', inHere('a'), '--to', 'pi');
    await stop(waiter);
  });

  it('takes what is sent to the device, too', async () => {
    await writeFile(inHere('a'), 'a');
    const server = await serving('--write');
    await succeed('send', inHere('a'), '--to', 'pi');
    await stop(server);
    await expectSameTree(shared, here);
  });

  it('writes one line of JSON for each thing that is done', async () => {
    await writeFile(inShare('note.txt'), 'hello');
    const server = await serving('--json');
    await succeed('get', 'pi:note.txt', here);
    await expectFailure(['rm', 'pi:note.txt'], { status: 1, error: '' });
    await stop(server);
    const events = server.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toContainEqual({
      event: 'action',
      device: 'laptop',
      session: 1,
      action: 'get',
      paths: ['note.txt'],
      files: 1,
      bytes: 5,
      missingCount: 0,
    });
    expect(events).toContainEqual({
      event: 'action',
      device: 'laptop',
      session: 2,
      action: 'remove',
      paths: ['note.txt'],
      problem: 'not-allowed',
    });
    expect(events.filter(({ event }) => event === 'gone')).toHaveLength(2);
  });
});

describe('devices of a share', () => {
  let phone: Machine;
  beforeEach(async () => {
    phone = await machine();
    await pairMachines(phone, pi, { name: 'pi', otherName: 'phone' });
  });

  it('drop files each into a folder of its own, and see nothing', async () => {
    await writeFile(inHere('a.txt'), 'of the laptop');
    const server = await serving('--inbox');
    await succeed('put', inHere('a.txt'), 'pi:');
    await succeed('send', inHere('a.txt'), '--to', 'pi');
    await writeFile(inHere('a.txt'), 'of the phone');
    const process = await start(phone, 'put', inHere('a.txt'), 'pi:');
    expect(await process.status(), process.stderr).toBe(0);
    const error = 'this share does not let you';
    for (const on of [laptop, phone]) {
      await expectFailure(['ls', 'pi:'], { status: 1, error, on });
      await expectFailure(['get', 'pi:laptop/a.txt', here], { status: 1, error, on });
      await expectFailure(['cat', 'pi:a.txt'], { status: 1, error, on });
      await expectFailure(['put', inHere('a.txt'), 'pi:laptop', '--overwrite'], { status: 1, error, on });
      await expectFailure(['rm', '-r', 'pi:laptop'], { status: 1, error, on });
      await expectFailure(['mv', 'pi:laptop', 'pi:phone'], { status: 1, error, on });
      await expectFailure(['mkdir', 'pi:x'], { status: 1, error, on });
    }
    await stop(server);
    expect((await readdir(shared)).sort()).toEqual(['laptop', 'phone']);
    expect((await readdir(inShare('laptop'))).sort()).toEqual(['a (1).txt', 'a.txt']);
    expect(await readFile(inShare('laptop/a.txt'), 'utf8')).toBe('of the laptop');
    expect(await readFile(inShare('phone/a.txt'), 'utf8')).toBe('of the phone');
    expect((await stat(inShare('phone'))).mode & 0o777).toBe(0o700);
  });

  it('may each do what its owner says, whatever they are called by then', async () => {
    await writeFile(inHere('a'), 'a');
    await expectFailure(['ls', 'pi:', '--expire', '1s'], { status: 3, error: '' });
    const server = await serving('--allow', 'phone=read,write', '--allow', 'laptop=none');
    await expectFailure(['ls', 'pi:'], { status: 1, error: 'this share does not let you read' });
    await runOn(pi, 'devices', 'rename', 'laptop', 'desk');
    await expectFailure(['ls', 'pi:'], { status: 1, error: 'this share does not let you read' });
    const process = await start(phone, 'put', inHere('a'), 'pi:');
    expect(await process.status(), process.stderr).toBe(0);
    await stop(server);
  });

  it('go at once when they are removed, in the middle of something too', async () => {
    await writeFile(inShare('big'), noise(20 * MIB, 'big'));
    const server = await serving();
    const process = await start(laptop, 'get', 'pi:big', here, '--limit', '2M');
    await process.waitFor(/receiving/);
    await runOn(pi, 'devices', 'remove', 'laptop');
    expect(await process.status()).toBe(4);
    expect(process.stderr).toContain('xfer: error: ');
    expect(await readdir(here)).not.toContain('big');
    await expectFailure(['ls', 'pi:'], { status: 4, error: '' });
    await stop(server);
  });

  it('put one name at the same time: one wins whole, the other hears of it', async () => {
    const [one, other] = [await temporaryFolder(), await temporaryFolder()];
    const contents = [noise(12 * MIB, 'one'), noise(12 * MIB, 'other')];
    await writeFile(path.join(one, 'same'), contents[0]!);
    await writeFile(path.join(other, 'same'), contents[1]!);
    const server = await serving('--write');
    const processes = [
      await start(laptop, 'put', path.join(one, 'same'), 'pi:'),
      await start(phone, 'put', path.join(other, 'same'), 'pi:'),
    ];
    const statuses = await Promise.all(processes.map((process) => process.status()));
    expect([...statuses].sort()).not.toEqual([0, 0]);
    const winner = statuses.indexOf(0);
    expect(winner, processes.map(({ stderr }) => stderr).join('\n')).not.toBe(-1);
    expect(Buffer.compare(await readFile(inShare('same')), contents[winner]!)).toBe(0);
    await stop(server);
    expect(await readdir(shared)).toEqual(['same']);
  });
});

describe('what is interrupted', () => {
  it('goes on where it stopped, after the share was stopped in the middle of a put', async () => {
    await writeFile(inHere('big'), noise(24 * MIB, 'big'));
    let server = await serving('--write');
    const process = await start(laptop, 'put', inHere('big'), 'pi:', '--limit', '8M', '--json');
    await process.waitFor(/"progress".*"bytes":\d{7}/);
    await stop(server);
    expect(await process.status(), process.stderr).toBe(3);
    expect(await readdir(shared)).not.toContain('big');
    server = await serving('--write');
    const again = await start(laptop, 'put', inHere('big'), 'pi:');
    expect(await again.status(), again.stderr).toBe(0);
    expect(again.stderr).toMatch(/of it moved/);
    await stop(server);
    await expectSameTree(shared, here);
  });

  it('ends a get by Ctrl-C, and the share goes on', async () => {
    await writeFile(inShare('big'), noise(24 * MIB, 'big'));
    const server = await serving();
    const process = await start(laptop, 'get', 'pi:big', here, '--limit', '4M', '--json');
    await process.waitFor(/"progress".*"bytes":\d{7}/);
    process.kill('SIGINT');
    expect(await process.status()).toBe(130);
    expect(await readdir(here)).not.toContain('big');
    expect(await succeed('ls', 'pi:')).toBe('big\n');
    await succeed('get', 'pi:big', here);
    await stop(server);
    await expectSameTree(here, shared);
    expect(server.text).not.toContain('connection lost');
  });

  it.each([1, 2])('ends by Ctrl-C, %i times, and looks for nobody', async (times) => {
    await writeFile(inShare('big'), noise(24 * MIB, 'big'));
    const server = await serving();
    const idle = await xfer(['shell', 'pi', '--addr', `127.0.0.1:${port}`], {
      ...laptop,
      keepInputOpen: true,
    });
    idle.input.write('ls\n');
    await idle.waitFor(/big/);
    const process = await start(laptop, 'get', 'pi:big', here, '--limit', '4M', '--json');
    await process.waitFor(/"progress".*"bytes":\d{7}/);
    for (let time = 0; time < times; time++) server.kill('SIGINT');
    idle.input.end();
    await Promise.all([server.status(), process.status(), idle.status()]);
    expect(`${server.text}${process.text}${idle.text}`).not.toMatch(/reconnecting|connection (?:is )?lost/);
  });
});

describe('a share that has a password', () => {
  const password = 'correct horse battery';

  async function stopWith(text: string): Promise<XferProcess> {
    const process = await xfer(['stop', 'pi', '--addr', `127.0.0.1:${port}`], {
      ...laptop,
      stdin: `${text}\n`,
    });
    await process.status();
    return process;
  }

  it('is stopped by who knows it, after what is under way, and by nobody else', async () => {
    await writeFile(inHere('big'), noise(12 * MIB, 'big'));
    const server = await serving('--write');
    const without = await stopWith(password);
    expect(await without.status()).toBe(1);
    expect(without.stderr).toContain('this share does not let you stop it: its owner has set no password');
    const setting = await xfer(['serve', '--set-password'], { ...pi, stdin: `${password}\n` });
    expect(await setting.status(), setting.stderr).toBe(0);
    const file = path.join(pi.env['XFER_HOME']!, 'owner-password');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).not.toContain(password);

    const wrong = await stopWith('correct horse baterry');
    expect(await wrong.status()).toBe(4);
    expect(wrong.stderr).toContain('xfer: error: the password is wrong');

    const putting = await start(laptop, 'put', inHere('big'), 'pi:', '--limit', '6M', '--json');
    await putting.waitFor(/"progress".*"bytes":\d{6}/);
    const right = await stopWith(password);
    expect(await right.status(), right.stderr).toBe(0);
    expect(right.stderr).toContain("'pi' shares nothing any more");
    expect(await server.status(), server.stderr).toBe(0);
    expect(await putting.status(), putting.text).toBe(0);
    await expectSameTree(shared, here);
    for (const { text } of [server, wrong, right, setting]) expect(text).not.toContain(password);
  });

  it('row 70: takes five tries a minute from a device', async () => {
    const setting = await xfer(['serve', '--set-password'], { ...pi, stdin: `${password}\n` });
    expect(await setting.status(), setting.stderr).toBe(0);
    const server = await serving();
    for (let tries = 1; tries <= 5; tries++) {
      expect(await stopWith(`wrong try ${tries}`).then((process) => process.status())).toBe(4);
    }
    const more = await stopWith(password);
    expect(await more.status()).toBe(3);
    expect(more.stderr).toContain('xfer: error: too many wrong passwords came from this device');
    await stop(server);
  });

  it('is not stopped by what is no password, and has none that is too short', async () => {
    const setting = await xfer(['serve', '--set-password'], { ...pi, stdin: 'short\n' });
    expect(await setting.status()).toBe(2);
    expect(setting.stderr).toContain('take 8 characters or more');
  });
});

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
