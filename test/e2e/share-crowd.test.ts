/** Many devices at one share, and one that would use it up. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { devicesPath, useShare, type Share } from '../../src/index.js';
import { machine, pairMachines, type Machine } from '../support/devices.js';
import { freePort } from '../support/direct.js';
import { watchPeak } from '../support/memory-peak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const MOST_MEMORY = 300 * MIB;
/** Sessions of one device at once. */
const SESSIONS = 8;

/** `npm run soak` has a real crowd. */
const CLIENTS = process.env['XFER_SOAK'] === '1' ? 50 : 12;

let pi: Machine;
let shared: string;
let port: number;

beforeEach(async () => {
  pi = await machine();
  shared = await temporaryFolder();
  port = await freePort();
});

async function serving(...flags: readonly string[]): Promise<XferProcess> {
  const process = await xfer(['serve', shared, '--listen', `127.0.0.1:${port}`, ...flags], pi);
  await process.waitFor(/listening at/);
  return process;
}

async function stop(server: XferProcess): Promise<void> {
  server.kill('SIGTERM');
  expect(await server.status(), server.stderr).toBe(0);
}

async function device(name: string): Promise<Machine> {
  const made = await machine();
  await pairMachines(made, pi, { name: 'pi', otherName: name });
  return made;
}

/** A session of a device in this process. */
function use<T>(on: Machine, work: (share: Share) => Promise<T>): Promise<T> {
  return useShare(
    {
      device: { name: 'pi', devices: devicesPath(on.env) },
      connect: { host: '127.0.0.1', port },
      bootstrap: ['127.0.0.1:9'],
      lan: false,
      onEvent: () => undefined,
    },
    work,
  );
}

const yes = async (): Promise<{ accept: true; conflicts: 'refuse' }> => ({
  accept: true,
  conflicts: 'refuse',
});

describe('a crowd at a share', () => {
  it(`of ${CLIENTS} lists, fetches and puts at the same time, whatever one of them that is stuck does`, async () => {
    const devices = await Promise.all(
      Array.from({ length: Math.ceil((CLIENTS + 1) / SESSIONS) }, (_, number) => device(`device-${number}`)),
    );
    await mkdir(path.join(shared, 'docs'));
    await writeFile(path.join(shared, 'docs/big'), noise(4 * MIB, 'big'));
    for (let number = 0; number < 200; number++) {
      await writeFile(path.join(shared, 'docs', `small-${number}`), `content ${number}`);
    }
    await writeFile(path.join(shared, 'huge'), noise(64 * MIB, 'huge'));
    const server = await serving('--write');
    const peak = watchPeak(server);
    const place = await temporaryFolder();
    const stuck = await xfer(['get', 'pi:huge', place, '--addr', `127.0.0.1:${port}`, '--json'], devices[0]);
    await stuck.waitFor(/"progress"/);
    stuck.kill('SIGSTOP');

    // They come one after the other, and begin together.
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const client = async (number: number, here: () => void): Promise<void> => {
      const from = path.join(await temporaryFolder(), `put-${number}`);
      const out = await temporaryFolder();
      await mkdir(from);
      await writeFile(path.join(from, 'noise'), noise(2 * MIB, String(number)));
      await writeFile(path.join(from, 'text'), `of client ${number}`);
      await use(devices[(number + 1) % devices.length]!, async (share) => {
        here();
        await begun;
        expect((await share.list(['docs'])).map(({ name }) => name)).toContain('small-199');
        const { files } = await share.get([['docs']], { out, decide: yes });
        expect(files).toBe(201);
        await share.put({ kind: 'files', paths: [from] }, [], 'refuse');
        expect((await share.list([`put-${number}`])).map(({ name }) => name)).toEqual(['noise', 'text']);
      });
      await expectSameTree(path.join(out, 'docs'), path.join(shared, 'docs'));
      await expectSameTree(path.join(shared, `put-${number}`), from);
    };
    const clients: Promise<void>[] = [];
    for (let number = 0; number < CLIENTS; number++) {
      await new Promise<void>((resolve) => clients.push(client(number, resolve)));
    }
    begin();
    await Promise.all(clients);
    expect(peak()).toBeGreaterThan(0);
    expect(peak()).toBeLessThan(MOST_MEMORY);

    stuck.kill('SIGCONT');
    expect(await stuck.status(), stuck.stderr).toBe(0);
    expect((await readFile(path.join(place, 'huge'))).equals(await readFile(path.join(shared, 'huge')))).toBe(
      true,
    );
    await stop(server);
    expect(await readdir(shared)).toHaveLength(CLIENTS + 2);
  });
});

describe('a device that takes all that it can get', () => {
  it('has so many sessions and no more, is told so, and keeps nobody else out', async () => {
    const [greedy, honest] = await Promise.all([device('greedy'), device('honest')]);
    await writeFile(path.join(shared, 'note.txt'), 'hello');
    const server = await serving();
    const peak = watchPeak(server);
    let leave = (): void => undefined;
    const left = new Promise<void>((resolve) => (leave = resolve));
    let here = 0;
    const held = Array.from({ length: SESSIONS }, () =>
      use(greedy, async (share) => {
        await share.list([]);
        here += 1;
        await left;
      }),
    );
    await expect.poll(() => here, { timeout: 20_000 }).toBe(SESSIONS);
    for (let round = 0; round < 4; round++) {
      const more = Array.from({ length: 4 }, () => use(greedy, (share) => share.list([])));
      for (const each of await Promise.allSettled(more)) {
        expect(each).toMatchObject({ reason: { code: 'peer-busy' } });
      }
    }
    const process = await xfer(['ls', 'pi:', '--addr', `127.0.0.1:${port}`], greedy);
    expect(await process.status(), process.stderr).toBe(3);
    expect(process.stderr).toContain('xfer: error: the other side has as many sessions as it takes');
    expect(await use(honest, (share) => share.list([]))).toHaveLength(1);
    leave();
    await Promise.all(held);
    expect(await use(greedy, (share) => share.list([]))).toHaveLength(1);
    expect(peak()).toBeLessThan(MOST_MEMORY);
    await stop(server);
  });
});

describe('a second share of the same machine', () => {
  it('at the same port says so, and leaves the first one alone', async () => {
    const laptop = await device('laptop');
    await writeFile(path.join(shared, 'note.txt'), 'hello');
    const server = await serving();
    const second = await xfer(['serve', shared, '--listen', `127.0.0.1:${port}`], pi);
    expect(await second.status(), second.text).toBe(2);
    expect(second.stderr).toContain(`xfer: error: something else listens on`);
    expect(second.stderr).toContain('xfer: hint: choose another one');
    expect(await use(laptop, (share) => share.list([]))).toHaveLength(1);
    await stop(server);
  });
});
