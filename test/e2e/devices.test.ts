import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { machine, pairMachines, runOn, type Machine } from '../support/devices.js';
import { freePort } from '../support/direct.js';
import { startPrivateDht, type PrivateDht } from '../support/private-dht.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;

/** Two machines that know each other, which no test touches: each has copies of its own. */
let known: readonly [Machine, Machine];
let laptop: Machine;
let pi: Machine;
let from: string;
let to: string;
let port: number;

beforeAll(async () => {
  const [one, other] = (known = [await machine(), await machine()]);
  await pairMachines(one, other, { name: 'pi', otherName: 'laptop' });
});

beforeEach(async () => {
  [laptop, pi] = [await copyOf(known[0]), await copyOf(known[1])];
  [from, to] = [await temporaryFolder(), await temporaryFolder()];
  port = await freePort();
});

async function copyOf(one: Machine): Promise<Machine> {
  const copy = await machine();
  await cp(one.env['XFER_HOME']!, copy.env['XFER_HOME']!, { recursive: true });
  return copy;
}

/** Waits on the Raspberry Pi in the cupboard. */
async function waiting(...flags: readonly string[]): Promise<XferProcess> {
  const address = `127.0.0.1:${port}`;
  const process = await xfer(['receive', '--wait', '--yes', '--out', to, '--listen', address, ...flags], pi);
  await process.waitFor(flags.includes('--json') ? /"listening"/ : /listening at/);
  return process;
}

function send(name: string, ...flags: readonly string[]): Promise<XferProcess> {
  return xfer(['send', path.join(from, name), '--to', 'pi', '--addr', `127.0.0.1:${port}`, ...flags], laptop);
}

async function stop(waiter: XferProcess): Promise<number | null> {
  waiter.kill('SIGINT');
  return waiter.status();
}

describe('a device that waits', () => {
  it('takes files and folders from another one without a code, again and again, and ends well', async () => {
    await fillSampleTree(path.join(from, 'photos'));
    await writeFile(path.join(from, 'note'), 'hello');
    const waiter = await waiting();
    for (const name of ['photos', 'note']) {
      const sender = await send(name);
      expect(await sender.status(), sender.stderr).toBe(0);
      expect(sender.stderr).toMatch(/connected directly to 127\.0\.0\.1:\d+\n/);
      expect(sender.stderr).not.toContain('code');
    }
    await waiter.waitFor(/laptop: verified: 1 file, 5 B/);
    expect(await stop(waiter)).toBe(0);
    await expectSameTree(to, from);
    expect(waiter.stdout).toBe(`${path.join(to, 'photos')}\n${path.join(to, 'note')}\n`);
    expect(waiter.stderr).toContain('laptop: connected directly');
  });

  it('is found where it was said to be, though no network of peers answers', async () => {
    await writeFile(path.join(from, 'note'), 'hello');
    await runOn(laptop, 'devices', 'address', 'pi', `127.0.0.1:${port}`);
    const sender = await xfer(['send', path.join(from, 'note'), '--to', 'PI'], laptop);
    await sender.waitFor(/'PI' is not there yet; still looking/);
    const waiter = await waiting();
    expect(await sender.status(), sender.stderr).toBe(0);
    await expectSameTree(to, from);
    expect(await stop(waiter)).toBe(0);
  });

  it('takes what several send at once', async () => {
    const phone = await machine();
    await pairMachines(phone, pi, { name: 'pi', otherName: 'phone' });
    const waiter = await waiting();
    const senders: XferProcess[] = [];
    for (const [index, by] of [laptop, phone, laptop, phone].entries()) {
      const name = `file-${index}`;
      await writeFile(path.join(from, name), noise(3 * MIB, name));
      const address = `127.0.0.1:${port}`;
      senders.push(await xfer(['send', path.join(from, name), '--to', 'pi', '--addr', address], by));
    }
    for (const sender of senders) expect(await sender.status(), sender.stderr).toBe(0);
    expect(await stop(waiter)).toBe(0);
    await expectSameTree(to, from);
    expect(waiter.stderr).toContain('phone: verified');
    expect(waiter.stderr).toContain('laptop: verified');
  });

  it('asks for each transfer where somebody is there to ask', async () => {
    await writeFile(path.join(from, 'note'), 'hello');
    const address = `127.0.0.1:${port}`;
    const waiter = await xferOnTerminal(['receive', '--wait', '--out', to, '--listen', address], pi);
    await waiter.waitFor(/listening at/);
    for (const [key, status] of [
      ['n', 1],
      ['y', 0],
    ] as const) {
      const sender = await send('note');
      await waiter.waitFor(/receive\? \[Y\/n\] $/);
      waiter.type(`${key}\r`);
      expect(await sender.status(), sender.stderr).toBe(status);
    }
    waiter.type('\u0003');
    expect(await waiter.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('tells a script which device each event is about', async () => {
    await writeFile(path.join(from, 'note'), 'hello');
    const waiter = await waiting('--json');
    for (let session = 1; session <= 2; session++) {
      const sender = await send('note', '--json');
      const events = async (): Promise<Record<string, unknown>[]> => {
        await sender.status();
        return sender.stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      };
      expect(await events()).toContainEqual(expect.objectContaining({ event: 'connected', device: 'pi' }));
      await waiter.waitFor(new RegExp(`"event":"(done|error)","device":"laptop","session":${session}`));
    }
    expect(await stop(waiter)).toBe(0);
  });

  it('moves the bytes of several over as many lanes as they like, all at one port', async () => {
    const phone = await machine();
    await pairMachines(phone, pi, { name: 'pi', otherName: 'phone' });
    const waiter = await waiting();
    const senders: XferProcess[] = [];
    for (const [name, by] of [
      ['one', laptop],
      ['other', phone],
    ] as const) {
      await writeFile(path.join(from, name), noise(8 * MIB, name));
      const args = ['--to', 'pi', '--addr', `127.0.0.1:${port}`, '--lanes', '3', '--limit', '4M', '--json'];
      senders.push(await xfer(['send', path.join(from, name), ...args], by));
    }
    for (const sender of senders) {
      expect(await sender.status(), sender.stdout).toBe(0);
      expect(sender.stdout).toMatch(/"event":"path","path":"direct","address":"127\.0\.0\.1:\d+","lanes":1/);
    }
    await expectSameTree(to, from);
    expect(await stop(waiter)).toBe(0);
  });

  it('goes on in the same session where the line is cut', async () => {
    await writeFile(path.join(from, 'large'), noise(24 * MIB, 'large'));
    const waiter = await waiting('--lanes', '0');
    const proxy = await TcpProxy.start(port, Infinity);
    try {
      const args = ['--to', 'pi', '--addr', `127.0.0.1:${proxy.port}`, '--json', '--limit', '8M'];
      const sender = await xfer(['send', path.join(from, 'large'), ...args], laptop);
      await sender.waitFor(/"bytes":[1-9]\d*,"totalFiles"/);
      proxy.cut();
      await sender.waitFor(/"reconnected"/);
      expect(await sender.status(), sender.stdout).toBe(0);
      expect(waiter.stderr).toContain('laptop: connected again directly');
      await expectSameTree(to, from);
      expect(await stop(waiter)).toBe(0);
    } finally {
      proxy.close();
    }
  });

  it('interrupted in the middle says so to the other one, and keeps what arrived', async () => {
    await writeFile(path.join(from, 'large'), noise(24 * MIB, 'large'));
    const waiter = await waiting('--limit', '2M');
    const sender = await send('large');
    await sender.waitFor(/the other side said yes/);
    await waiter.waitFor(/laptop: receiving|laptop: what arrived|connected/);
    expect(await stop(waiter)).toBe(130);
    expect(await sender.status()).toBe(3);
    expect(sender.stderr).toContain('the other side was interrupted');
    expect(sender.stderr).toContain('xfer: hint: start it again');
    const again = await waiting();
    expect(await (await send('large')).status()).toBe(0);
    await expectSameTree(to, from);
    expect(await stop(again)).toBe(0);
  });
});

describe('who is no device', () => {
  beforeEach(() => writeFile(path.join(from, 'note'), 'hello'));

  it('is not looked for', async () => {
    const sender = await xfer(['send', path.join(from, 'note'), '--to', 'phone'], laptop);
    expect(await sender.status()).toBe(2);
    expect(sender.stderr).toContain("xfer: error: no device is called 'phone'");
  });

  it('row 76: is refused from the moment on in which it is removed, by a program that runs', async () => {
    const waiter = await waiting();
    expect(await (await send('note')).status()).toBe(0);
    await runOn(pi, 'devices', 'remove', 'laptop');
    const sender = await send('note');
    expect(await sender.status(), sender.stderr).toBe(4);
    expect(sender.stderr).toContain("who answered for 'pi' does not take this machine for one that it knows");
    expect(await stop(waiter)).toBe(0);
    expect(waiter.stderr.match(/laptop: connected/g)).toHaveLength(1);
  });

  it.each(['pi', 'laptop'])(
    'row 76: is removed on the %s in the middle of a session, which ends',
    async (where) => {
      await writeFile(path.join(from, 'large'), noise(24 * MIB, 'large'));
      const waiter = await waiting('--limit', '1M');
      const sender = await send('large');
      await sender.waitFor(/the other side said yes/);
      const started = performance.now();
      if (where === 'pi') await runOn(pi, 'devices', 'remove', 'laptop');
      else await runOn(laptop, 'devices', 'remove', 'pi');
      const [status, mine] = where === 'pi' ? [4, waiter] : [1, sender];
      expect(await sender.status(), sender.stderr).toBe(status);
      expect(performance.now() - started).toBeLessThan(10_000);
      await mine.waitFor(/the device '(laptop|pi)' was removed here/);
      await (where === 'pi' ? sender : waiter).waitFor(/does not take this machine for one that it knows/);
      expect(await readdir(to)).not.toContain('large');
      expect(await stop(waiter)).toBe(0);
    },
  );

  it('row 76: is removed after the line was cut and another one made, which ends the session all the same', async () => {
    await writeFile(path.join(from, 'large'), noise(24 * MIB, 'large'));
    const waiter = await waiting('--lanes', '0', '--limit', '1M');
    const proxy = await TcpProxy.start(port, Infinity);
    try {
      const args = ['--to', 'pi', '--addr', `127.0.0.1:${proxy.port}`, '--json'];
      const sender = await xfer(['send', path.join(from, 'large'), ...args], laptop);
      await sender.waitFor(/"bytes":[1-9]\d*,"totalFiles"/);
      proxy.cut();
      await sender.waitFor(/"reconnected"/);
      await runOn(laptop, 'devices', 'remove', 'pi');
      expect(await sender.status(), sender.stdout).toBe(1);
      expect(sender.stdout).toContain('"code":"device-removed"');
      await waiter.waitFor(/does not take this machine for one that it knows/);
      expect(await stop(waiter)).toBe(0);
    } finally {
      proxy.close();
    }
  });

  it('is taken up when it is paired, and called by its new name, by a program that runs', async () => {
    const waiter = await waiting();
    const phone = await machine();
    await pairMachines(phone, pi, { name: 'pi', otherName: 'phone' });
    await runOn(pi, 'devices', 'rename', 'laptop', 'desk');
    const address = `127.0.0.1:${port}`;
    const other = await xfer(['send', path.join(from, 'note'), '--to', 'pi', '--addr', address], phone);
    expect(await other.status(), other.stderr).toBe(0);
    await writeFile(path.join(from, 'other'), 'hello');
    expect(await (await send('other')).status()).toBe(0);
    await waiter.waitFor(/desk: connected/);
    expect(waiter.stderr).toContain('phone: verified');
    expect(await stop(waiter)).toBe(0);
  });

  it('row 75: a machine that answers in its place learns nothing and gets nothing', async () => {
    const impostor = await machine();
    const other = await machine();
    await pairMachines(other, impostor, { name: 'pi', otherName: 'laptop' });
    const address = `127.0.0.1:${port}`;
    const trap = await xfer(['receive', '--wait', '--yes', '--out', to, '--listen', address], impostor);
    await trap.waitFor(/listening at/);
    const sender = await send('note');
    expect(await sender.status()).toBe(4);
    expect(sender.stderr).toContain("who answered for 'pi'");
    expect(trap.stderr).not.toContain('connected');
    expect(await readdir(to)).toEqual([]);
    // Nor does it where it has what the machine calls itself, and all but the private key.
    const [list = ''] = (await readdir(path.join(pi.env['XFER_HOME']!, 'devices'))).filter((name) =>
      name.endsWith('.json'),
    );
    const known = await readFile(path.join(pi.env['XFER_HOME']!, 'devices', list));
    await writeFile(path.join(impostor.env['XFER_HOME']!, 'devices', '99.json'), known);
    expect(await (await send('note')).status()).toBe(4);
    expect(await stop(trap)).toBe(0);
  });

  it('row 75: whose secret is of another pairing is refused, whoever has its keys', async () => {
    const waiter = await waiting();
    const folder = path.join(laptop.env['XFER_HOME']!, 'devices');
    const [name = ''] = (await readdir(folder)).filter((each) => each.endsWith('.json'));
    const list = await readFile(path.join(folder, name), 'utf8');
    await writeFile(path.join(folder, name), list.replace(/"secret": "\w{4}/, '"secret": "0123'));
    const sender = await send('note');
    expect(await sender.status(), sender.stderr).toBe(4);
    expect(await stop(waiter)).toBe(0);
    expect(waiter.stderr).not.toContain('connected');
  });

  it('a waiting program ends at once, also where no network of peers answers it', async () => {
    const waiter = await xfer(['receive', '--wait', '--yes', '--out', to, '--debug'], pi);
    await waiter.waitFor(/waiting for devices/);
    const started = performance.now();
    expect(await stop(waiter)).toBe(0);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('a waiting program without anybody to ask, or two that want the same port, says so at once', async () => {
    const idle = await xfer(['receive', '--wait', '--out', to], pi);
    expect(await idle.status()).toBe(2);
    expect(idle.stderr).toContain('there is a question to answer and nobody to ask');
    const waiter = await waiting();
    const address = `127.0.0.1:${port}`;
    const second = await xfer(['receive', '--wait', '--yes', '--listen', address], pi);
    expect(await second.status()).toBe(2);
    expect(second.stderr).toContain('something else listens on');
    expect(await stop(waiter)).toBe(0);
  });
});

describe('through a network of peers', () => {
  let dht: PrivateDht;
  beforeAll(async () => (dht = await startPrivateDht()));
  afterAll(() => dht.close());
  beforeEach(() => writeFile(path.join(from, 'note'), 'hello'));

  /** The machine with this DHT, and with a clock that is so many hours ahead. */
  function on(one: Machine, hours = 0): Machine {
    const clock = path.resolve(import.meta.dirname, '../support/shifted-clock.js');
    const env = { ...one.env, XFER_TEST_HOURS: String(hours) };
    return { ...one, env, bootstrap: dht.bootstrap, nodeArgs: ['--import', clock] };
  }

  it('devices find each other by what they alone know', async () => {
    const waiter = await xfer(['receive', '--wait', '--yes', '--out', to, '--json'], on(pi));
    await waiter.waitFor(/dht-ready/);
    for (const name of ['note', 'note']) {
      const sender = await xfer(['send', path.join(from, name), '--to', 'pi'], on(laptop));
      await sender.status();
      expect(sender.stderr).toContain('connected through the network of peers (dht)');
    }
    await expectSameTree(to, from);
    expect(await stop(waiter)).toBe(0);
  });

  it('row 74: on the day that it is: who has yesterday for today finds nobody', async () => {
    const waiter = await xfer(['receive', '--wait', '--yes', '--out', to, '--json'], on(pi, 48));
    await waiter.waitFor(/dht-ready/);
    const early = await xfer(['send', path.join(from, 'note'), '--to', 'pi', '--expire', '8s'], on(laptop));
    expect(await early.status(), early.stderr).toBe(3);
    expect(early.stderr).toContain("xfer: error: the device 'pi' was not found");
    const right = await xfer(['send', path.join(from, 'note'), '--to', 'pi'], on(laptop, 48));
    expect(await right.status(), right.stderr).toBe(0);
    await expectSameTree(to, from);
    expect(await stop(waiter)).toBe(0);
  });
});
