import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { freePort, listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, xferOnTerminal, type StartOptions } from '../support/xfer-process.js';

let one: StartOptions;
let other: StartOptions;

beforeEach(async () => {
  [one, other] = [await machine(), await machine()];
});

/** A machine with settings of its own. */
async function machine(): Promise<StartOptions & { readonly env: { readonly XFER_HOME: string } }> {
  return { env: { XFER_HOME: await temporaryFolder() } };
}

async function devices(of: StartOptions): Promise<readonly string[]> {
  const list = await xfer(['devices'], of);
  expect(await list.status()).toBe(0);
  return list.stdout.split('\n').filter((line) => line !== '');
}

async function run(
  args: readonly string[],
  on: StartOptions,
): Promise<{ status: number | null; stderr: string }> {
  const process = await xfer(args, on);
  return { status: await process.status(), stderr: process.stderr };
}

const folderOf = (machine: StartOptions): string => path.join(machine.env!['XFER_HOME']!, 'devices');

describe('xfer pair', () => {
  it('makes two machines known to each other, under a name each', async () => {
    const { host, code, port } = await listening(['pair', '--yes', '--name', 'laptop'], one);
    const joiner = await xfer(
      ['pair', code, '--connect', `127.0.0.1:${port}`, '--yes', '--name', 'pi', '--addr', 'pi.home'],
      other,
    );
    expect(await joiner.status(), joiner.stderr).toBe(0);
    expect(await host.status(), host.stderr).toBe(0);

    expect(host.stdout).toBe(`${code}\nlaptop\n`);
    expect(joiner.stdout).toBe('pi\n');
    expect(await devices(one)).toEqual(['laptop']);
    expect(await devices(other)).toEqual(['pi\tpi.home:7337']);
    const [mine, theirs] = await Promise.all([one, other].map(entryOf));
    expect(mine!.secret).toBe(theirs!.secret);
    expect(mine!.publicKey).not.toBe(theirs!.publicKey);
  });

  it('keeps what it knows where nobody else of this machine can read it', async () => {
    await pair();
    const folder = folderOf(one);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const names = await readdir(folder);
    expect(names.sort()).toEqual(['1.json', 'identity']);
    for (const name of names) expect((await stat(path.join(folder, name))).mode & 0o777).toBe(0o600);
  });

  it('asks both people, and shows what the other machine calls itself', async () => {
    const port = await freePort();
    const host = await xferOnTerminal(['pair', '--listen', `127.0.0.1:${port}`], one);
    const code = await host.code();
    const joiner = await xferOnTerminal(['pair', code, '--connect', `127.0.0.1:${port}`], other);
    for (const side of [host, joiner]) {
      await side.waitFor(/it calls itself \S+\r?\nremember it as '[\w.-]+'\? \[Y\/n\] $/);
      side.type('y\r');
    }
    expect(await host.status()).toBe(0);
    expect(await joiner.status()).toBe(0);
    expect(await devices(one)).toHaveLength(1);
  });

  it.each(['host', 'joiner'])(
    'of which one person says no, the %s, leaves nothing on either machine',
    async (who) => {
      const port = await freePort();
      const host = await xferOnTerminal(['pair', '--listen', `127.0.0.1:${port}`], one);
      const joiner = await xferOnTerminal(
        ['pair', await host.code(), '--connect', `127.0.0.1:${port}`],
        other,
      );
      const sides = { host, joiner };
      for (const [name, side] of Object.entries(sides)) {
        await side.waitFor(/\[Y\/n\] $/);
        if (name !== who) side.type('y\r');
      }
      const decliner = who === 'host' ? host : joiner;
      decliner.type('n\r');
      expect(await host.status()).toBe(1);
      expect(await joiner.status()).toBe(1);
      expect((who === 'host' ? joiner : host).text).toContain('the other side declined');
      expect([...(await devices(one)), ...(await devices(other))]).toEqual([]);
    },
  );

  it('that one person said yes to can be given up by them, while the other one thinks', async () => {
    const port = await freePort();
    const host = await xfer(['pair', '--yes', '--listen', `127.0.0.1:${port}`], one);
    const code = await host.code();
    const joiner = await xferOnTerminal(['pair', code, '--connect', `127.0.0.1:${port}`], other);
    await joiner.waitFor(/\[Y\/n\] $/);
    host.kill('SIGINT');
    expect(await host.status()).toBe(130);
    expect(await joiner.status()).toBe(3);
    expect(joiner.text).toContain('the other side was interrupted');
    expect([...(await devices(one)), ...(await devices(other))]).toEqual([]);
  });

  it('compares words first where one of them wants that', async () => {
    const port = await freePort();
    const host = await xferOnTerminal(['pair', '--verify', '--listen', `127.0.0.1:${port}`], one);
    const joiner = await xferOnTerminal(['pair', await host.code(), '--connect', `127.0.0.1:${port}`], other);
    for (const side of [host, joiner]) {
      await side.waitFor(/do both screens show the same words\? \[y\/N\] $/);
      expect(side.text).not.toContain('it calls itself');
      side.type('y\r');
    }
    for (const side of [host, joiner]) {
      await side.waitFor(/\[Y\/n\] $/);
      side.type('\r');
    }
    expect(await host.status()).toBe(0);
    expect(await joiner.status()).toBe(0);
  });

  it('with a code of a transfer is refused, and a transfer with a code of xfer pair', async () => {
    const file = path.join(await temporaryFolder(), 'missing');
    const { code, port, host } = await listening(['pair', '--yes'], one);
    const receiver = await xfer(['receive', code, '--yes', '--connect', `127.0.0.1:${port}`], other);
    expect(await receiver.status(), receiver.stderr).toBe(4);
    expect(receiver.stderr).toContain('the code is wrong');
    host.kill('SIGINT');
    expect(await host.status()).toBe(130);

    const sender = await listening(['send', '--text', file], one);
    const joiner = await xfer(['pair', sender.code, '--yes', '--connect', `127.0.0.1:${sender.port}`], other);
    expect(await joiner.status(), joiner.stderr).toBe(4);
    expect(await devices(other)).toEqual([]);
  });

  it('again of two machines that know each other goes on with their names', async () => {
    await pair(['--name', 'pi'], ['--name', 'laptop']);
    const before = await entryOf(one);
    await pair();
    expect(await devices(one)).toEqual(['pi']);
    expect(await devices(other)).toEqual(['laptop']);
    expect((await entryOf(one)).secret).not.toBe(before.secret);
    expect((await entryOf(one)).secret).toBe((await entryOf(other)).secret);
  });

  it('with a name that is taken, without a person to ask, or with a bad name fails before there is a code', async () => {
    await pair(['--name', 'pi'], ['--name', 'laptop']);
    for (const [args, status, error] of [
      [['pair', '--yes', '--name', 'PI'], 2, "a device is called 'pi' already"],
      [['pair', '--yes', '--name', 'a b'], 2, "'a b' cannot be the name of a device"],
      [['pair'], 2, 'there is a question to answer and nobody to ask'],
      [['pair', '--yes', '--addr', '7337'], 2, "'7337' cannot be used as an address"],
    ] as const) {
      const process = await xfer(args, one);
      expect(await process.status()).toBe(status);
      expect(process.stderr).toContain(`xfer: error: ${error}`);
      expect(process.stdout).toBe('');
    }
  });

  it('says to a script what happened', async () => {
    const { host, code, port } = await listening(['pair', '--yes', '--json', '--name', 'laptop'], one);
    const joiner = await xfer(['pair', code, '--connect', `127.0.0.1:${port}`, '--yes'], other);
    expect(await joiner.status()).toBe(0);
    expect(await host.status()).toBe(0);
    const events = host.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.map(({ event }) => event)).toEqual(['code', 'listening', 'connected', 'paired']);
    expect(events.at(-1)).toEqual({ event: 'paired', name: 'laptop' });
  });
});

describe('xfer devices', () => {
  it('renames, removes, keeps an address and lists', async () => {
    await pair(['--name', 'pi'], ['--name', 'laptop']);
    expect((await run(['devices', 'address', 'pi', '[fe80::1]:7000'], one)).status).toBe(0);
    expect((await run(['devices', 'rename', 'PI', 'cupboard'], one)).status).toBe(0);
    const list = await xfer(['devices', '--json'], one);
    expect(await list.status()).toBe(0);
    const { pairedMs, ...device } = JSON.parse(list.stdout) as { pairedMs: number };
    expect(device).toEqual({ event: 'device', name: 'cupboard', address: '[fe80::1]:7000' });
    expect(Math.abs(Date.now() - pairedMs)).toBeLessThan(60_000);
    const terminal = await xferOnTerminal(['devices'], one);
    expect(await terminal.status()).toBe(0);
    expect(terminal.text).toMatch(/cupboard {2}paired \d{4}-\d\d-\d\d {2}\[fe80::1\]:7000\r\n1 device/);
    expect((await run(['devices', 'remove', 'cupboard'], one)).status).toBe(0);
    expect(await devices(one)).toEqual([]);
  });

  it('names what is not there, and what is wrong with the list', async () => {
    for (const args of [
      ['remove', 'pi'],
      ['rename', 'pi', 'x'],
      ['address', 'pi', 'a:1'],
    ]) {
      const { status, stderr } = await run(['devices', ...args], one);
      expect(status).toBe(2);
      expect(stderr).toContain("xfer: error: no device is called 'pi'");
    }
    await pair();
    const file = path.join(folderOf(one), '1.json');
    await writeFile(file, '{"format":1,"devices":[{"name":"pi"}]}');
    const { status, stderr } = await run(['devices'], one);
    expect(status).toBe(2);
    expect(stderr).toContain(`the settings in ${file} are not valid: the public key of 'pi'`);
  });

  it('loses nothing where many processes change it at once', async () => {
    const names = Array.from({ length: 3 }, (_, index) => `machine-${index}`);
    for (const name of names) {
      other = await machine();
      await pair(['--name', name]);
    }
    const changes = names.flatMap((name) => [
      run(['devices', 'address', name, `${name}.home:1`], one),
      run(['devices', 'rename', name, `${name}-new`], one),
    ]);
    const statuses = (await Promise.all(changes)).map(({ status }) => status);
    // Who came too late for the old name says so; nobody else fails.
    expect(statuses.filter((status) => status !== 0 && status !== 2)).toEqual([]);
    expect((await devices(one)).map((line) => line.split('\t')[0])).toEqual(
      names.map((name) => `${name}-new`),
    );
  });

  it('completes their names', async () => {
    await pair(['--name', 'Pi']);
    for (const words of [
      ['devices', 'remove', 'p'],
      ['send', '--to', 'p'],
      ['devices', 'rename', ''],
    ]) {
      const completed = await xfer(['complete', '--', ...words], one);
      expect(await completed.status()).toBe(0);
      expect(completed.stdout, words.join(' ')).toBe('Pi\n');
    }
  });
});

async function pair(hostFlags: readonly string[] = [], joinerFlags: readonly string[] = []): Promise<void> {
  const { host, code, port } = await listening(['pair', '--yes', ...hostFlags], one);
  const joiner = await xfer(['pair', code, '--connect', `127.0.0.1:${port}`, '--yes', ...joinerFlags], other);
  expect(await joiner.status(), joiner.stderr).toBe(0);
  expect(await host.status(), host.stderr).toBe(0);
}

interface Entry {
  readonly publicKey: string;
  readonly secret: string;
}

async function entryOf(machine: StartOptions): Promise<Entry> {
  const folder = folderOf(machine);
  const [name = ''] = (await readdir(folder)).filter((each) => each.endsWith('.json'));
  const { devices } = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as { devices: Entry[] };
  return devices[0]!;
}
