import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../../src/crypto/secret.js';
import { generateKeyPair } from '../../../src/crypto/x25519.js';
import { XferError } from '../../../src/errors.js';
import { parseDeviceName, proposeName } from '../../../src/share/device-name.js';
import { DeviceStore, type Device, type NewDevice } from '../../../src/share/device-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let folder: string;
let store: DeviceStore;

beforeEach(async () => {
  folder = path.join(await temporaryFolder(), 'devices');
  store = new DeviceStore(folder);
});

function newDevice(changes: Partial<NewDevice> = {}): NewDevice {
  const { publicKey } = generateKeyPair();
  const secret = new Secret(Buffer.alloc(32, 7));
  return { publicKey, secret, address: undefined, pairedMs: 1_000, ...changes };
}

const add = (name: string, device = newDevice()): Promise<Device> =>
  store.add(device, { name, foreign: 'unused' });
const names = async (of = store): Promise<string[]> => (await of.list()).map(({ name }) => name);
const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'no error',
    (error: unknown) => (error instanceof XferError ? error.code : error),
  );

describe('the devices of a machine', () => {
  it('are none at first, and to look for them makes nothing', async () => {
    expect(await store.list()).toEqual([]);
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('are there again in another process, with all that belongs to them', async () => {
    const device = newDevice({ address: 'pi.home:7337', pairedMs: 1_700_000_000_000 });
    await add('pi', device);
    const [read] = await new DeviceStore(folder).list();
    expect(read).toEqual({ ...device, name: 'pi', publicKey: Uint8Array.from(device.publicKey) });
    expect(read!.secret.expose()).toEqual(Uint8Array.from(device.secret.expose()));
  });

  it('are found under their names, however these are written, in their order', async () => {
    for (const name of ['pi', 'Laptop', 'desk']) await add(name);
    expect(await names()).toEqual(['desk', 'Laptop', 'pi']);
    expect((await store.find('PI')).name).toBe('pi');
    expect(await codeOf(store.find('p'))).toBe('device-unknown');
  });

  it('are renamed and removed, and get and lose an address', async () => {
    await add('pi');
    await store.rename('pi', 'Pi');
    await store.rename('pi', 'cupboard');
    await store.setAddress('cupboard', 'pi.home:7337');
    expect((await store.find('cupboard')).address).toBe('pi.home:7337');
    await store.setAddress('cupboard', undefined);
    expect((await store.find('cupboard')).address).toBeUndefined();
    await store.remove('cupboard');
    expect(await store.list()).toEqual([]);
    const changes = [
      () => store.rename('pi', 'x'),
      () => store.remove('pi'),
      () => store.setAddress('pi', 'a:1'),
    ];
    for (const change of changes) {
      expect(await codeOf(change())).toBe('device-unknown');
    }
  });

  it('that are changed or removed leave all others as they were', async () => {
    for (const name of ['a', 'b', 'c']) await add(name);
    const before = await store.list();
    await store.setAddress('b', 'pi.home:7337');
    expect(await store.list()).toEqual(
      before.map((device) => (device.name === 'b' ? { ...device, address: 'pi.home:7337' } : device)),
    );
    await store.remove('b');
    expect(await store.list()).toEqual(before.filter(({ name }) => name !== 'b'));
  });

  it('get no name that could not be one', async () => {
    expect(await codeOf(add('a b'))).toBe('usage');
    await add('pi');
    expect(await codeOf(store.rename('pi', 'pi:docs'))).toBe('usage');
    expect(await names()).toEqual(['pi']);
  });

  it('cannot be where the folder is a file', async () => {
    await writeFile(folder, '');
    const attempts = [() => store.list(), () => store.ownKeys(), () => add('pi'), () => store.remove('pi')];
    for (const attempt of attempts) expect(await codeOf(attempt())).toBe('disk-failed');
  });

  it('have one name each', async () => {
    await add('pi');
    await add('desk');
    expect(await codeOf(add('PI'))).toBe('name-taken');
    expect(await codeOf(store.rename('desk', 'Pi'))).toBe('name-taken');
    expect(await names()).toEqual(['desk', 'pi']);
  });

  it('that are paired again keep their name and address, and have the new secret', async () => {
    const device = newDevice({ address: 'pi.home:7337' });
    await add('pi', device);
    const secret = new Secret(Buffer.alloc(32, 8));
    await store.add({ ...device, secret, address: undefined }, { name: undefined, foreign: 'raspberry' });
    const [again, ...others] = await store.list();
    expect(others).toEqual([]);
    expect(again).toMatchObject({ name: 'pi', address: 'pi.home:7337' });
    expect(again!.secret.expose()).toEqual(Uint8Array.from(secret.expose()));
    await store.add({ ...device, secret }, { name: 'cupboard', foreign: 'raspberry' });
    expect(await names()).toEqual(['cupboard']);
  });

  it('that many processes add at once are all there', async () => {
    const processes = Array.from({ length: 8 }, () => new DeviceStore(folder));
    await Promise.all(
      processes.map(async (each, process) => {
        for (let index = 0; index < 5; index++) {
          await each.add(newDevice(), { name: `d-${process}-${index}`, foreign: '' });
        }
      }),
    );
    expect(await names()).toHaveLength(40);
  });

  it('that all call themselves the same have different names, also at once', async () => {
    const stores = Array.from({ length: 6 }, () => new DeviceStore(folder));
    await Promise.all(
      stores.map((each) => each.add(newDevice(), { name: undefined, foreign: 'raspberrypi' })),
    );
    expect(new Set(await names()).size).toBe(6);
  });

  it('are told of to who follows them, until that is over', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const told: string[][] = [];
      const over = new AbortController();
      store.follow(
        (devices) => told.push(devices.map(({ name }) => name)),
        (error) => told.push([error.code]),
        over.signal,
      );
      vi.advanceTimersByTime(500);
      await vi.waitFor(() => expect(told).toEqual([[]]));
      const other = new DeviceStore(folder);
      await other.add(newDevice(), { name: 'pi', foreign: '' });
      vi.advanceTimersByTime(500);
      await vi.waitFor(() => expect(told).toEqual([[], ['pi']]));
      await other.remove('pi');
      vi.advanceTimersByTime(500);
      await vi.waitFor(() => expect(told).toEqual([[], ['pi'], []]));
      await writeFile(path.join(folder, '3.json'), 'broken');
      vi.advanceTimersByTime(500);
      await vi.waitFor(() => expect(told.at(-1)).toEqual(['config-invalid']));
      expect(vi.getTimerCount()).toBe(0);
      expect(told).toHaveLength(4);
      over.abort();
    } finally {
      vi.useRealTimers();
    }
  });

  it('are told of once for each change, and not at all when that is over', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const told: number[] = [];
      const over = new AbortController();
      const onChange = (devices: readonly Device[]): void => void told.push(devices.length);
      const onError = (): void => void told.push(-1);
      const looked = vi.spyOn(store, 'list');
      store.follow(onChange, onError, over.signal);
      for (let tick = 0; tick < 5; tick++) {
        vi.advanceTimersByTime(500);
        await vi.waitFor(() => expect(told).toEqual([0]));
      }
      expect(looked).toHaveBeenCalledTimes(1);
      over.abort();
      expect(vi.getTimerCount()).toBe(0);
      store.follow(onChange, onError, over.signal);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('print no secret', async () => {
    await add('pi');
    expect(JSON.stringify(await store.list())).not.toContain('07070707');
  });
});

describe('the key of this machine', () => {
  it('is made once, for all who ask at once, and lies where nobody else can read it', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => new DeviceStore(folder).ownKeys()));
    expect(new Set(keys.map(({ publicKey }) => publicKey.join())).size).toBe(1);
    expect((await stat(path.join(folder, 'identity'))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await readdir(folder)).toEqual(['identity']);
  });

  it('is not replaced where it is broken', async () => {
    await store.ownKeys();
    const file = path.join(folder, 'identity');
    await writeFile(file, 'abc');
    await expect(store.ownKeys()).rejects.toMatchObject({ code: 'config-invalid', subject: file });
    expect(await readFile(file, 'utf8')).toBe('abc');
  });

  it('stays with the machine when all devices go', async () => {
    const before = await store.ownKeys();
    await add('pi');
    await store.remove('pi');
    expect((await new DeviceStore(folder).ownKeys()).publicKey).toEqual(before.publicKey);
  });
});

describe('a list that is not as it should be', () => {
  const key = 'ab'.repeat(32);
  const entry = { name: 'pi', publicKey: key, secret: key };
  const list = (...devices: unknown[]): string => JSON.stringify({ format: 1, devices });

  it.each([
    ['no JSON', '{', 'it is no JSON'],
    ['no object', '7', 'it is no object'],
    ['another format', '{"format":2,"devices":[]}', 'it was written by another version of xfer'],
    ['no list', '{"format":1}', 'there is no list of devices'],
    ['null', 'null', 'it is no object'],
    ['no device', list(null), 'device 1 is no object'],
    ['a text for a device', list('pi'), 'device 1 is no object'],
    ['a number for a name', list({ ...entry, name: 7 }), 'device 1 has no name that can be one'],
    [
      'a number for a key',
      list({ ...entry, publicKey: 7 }),
      "the public key of 'pi' has not 64 hexadecimal digits",
    ],
    ['no name', list(entry, { ...entry, name: '../x' }), 'device 2 has no name that can be one'],
    [
      'a short key',
      list({ ...entry, publicKey: 'ab' }),
      "the public key of 'pi' has not 64 hexadecimal digits",
    ],
    ...['x' + key, key + 'x', key.toUpperCase(), `${key}\n`, [key]].map((publicKey) => [
      `${JSON.stringify(publicKey)} for a key`,
      list({ ...entry, publicKey }),
      "the public key of 'pi' has not 64 hexadecimal digits",
    ]),
    ['no secret', list({ name: 'pi', publicKey: key }), "the secret of 'pi' has not 64 hexadecimal digits"],
    ['a number for an address', list({ ...entry, address: 7 }), "the address of 'pi' is no text"],
    [
      'one name twice',
      list(entry, { ...entry, name: 'PI', publicKey: 'cd'.repeat(32) }),
      "two devices are called 'PI'",
    ],
    ['one device twice', list(entry, { ...entry, name: 'other' }), "'pi' and 'other' are one device"],
  ])('row 72: %s is named, and nobody is let in by what is left of it', async (_, text, detail) => {
    await add('pi');
    const file = path.join(folder, '2.json');
    await writeFile(file, text);
    const attempts = [() => store.list(), () => store.find('pi'), () => store.remove('pi'), () => add('new')];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ code: 'config-invalid', subject: file, detail });
    }
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('row 72: whatever stands there, it is a list of whole devices or an error', async () => {
    await add('pi');
    const good = await readFile(path.join(folder, '1.json'), 'utf8');
    const change = fc.tuple(fc.nat(good.length - 1), fc.constantFrom('', '"', '}', '0', 'x', ',', ':'));
    await fc.assert(
      fc.asyncProperty(change, async ([at, character]) => {
        await writeFile(path.join(folder, '1.json'), good.slice(0, at) + character + good.slice(at + 1));
        try {
          for (const device of await new DeviceStore(folder).list()) {
            expect(device.publicKey).toHaveLength(32);
            expect(device.secret.expose()).toHaveLength(32);
            expect(parseDeviceName(device.name)).toBe(device.name);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'config-invalid' });
        }
      }),
    );
  });

  it('that does not say when a device was paired is read all the same', async () => {
    await add('pi');
    await writeFile(path.join(folder, '2.json'), list({ ...entry, pairedMs: 'yesterday' }));
    expect((await store.find('pi')).pairedMs).toBe(0);
  });

  it('fields of a later version are ignored', async () => {
    await add('pi');
    const later = JSON.stringify({ format: 1, devices: [{ ...entry, rights: ['read'] }], more: true });
    await writeFile(path.join(folder, '2.json'), later);
    expect(await names()).toEqual(['pi']);
  });

  it.skipIf(process.getuid?.() === 0)('that cannot be read is an error', async () => {
    await add('pi');
    await chmod(path.join(folder, '1.json'), 0);
    expect(await codeOf(new DeviceStore(folder).list())).toBe('disk-failed');
  });
});

describe('a name', () => {
  it.each(['pi', 'Office-2', 'a', '7', 'x'.repeat(32), 'a.b_c'])('can be %s', (name) => {
    expect(parseDeviceName(name)).toBe(name);
  });

  it.each(['', '-pi', '.pi', 'a b', 'pi:', 'a/b', 'x'.repeat(33), 'pí', 'a\u202eb', '..', 'a\nb'])(
    'cannot be %j',
    (name) => {
      expect(() => parseDeviceName(name)).toThrow(XferError);
    },
  );

  it.each([
    ['raspberrypi', [], 'raspberrypi'],
    ['raspberrypi', ['RaspberryPi'], 'raspberrypi-2'],
    ['pi', ['pi', 'pi-2'], 'pi-3'],
    ['Zoës-MacBook.local', [], 'Zoes-MacBook'],
    ['desk.lan', [], 'desk'],
    ['\u001b[31mred\u202e', [], '31mred'],
    ['', [], 'device'],
    ['日本', ['device'], 'device-2'],
    ['x'.repeat(40), ['x'.repeat(32)], `${'x'.repeat(30)}-2`],
  ])('for a machine that calls itself %j besides %j is %s', (foreign, taken, name) => {
    expect(proposeName(foreign, taken)).toBe(name);
  });

  it('row 55: that is proposed can be one, whatever a machine calls itself, and is free', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string()), (foreign, taken) => {
        const name = proposeName(foreign, taken);
        expect(parseDeviceName(name)).toBe(name);
        expect(taken.map((other) => other.toLowerCase())).not.toContain(name.toLowerCase());
      }),
    );
  });
});
