/** Many devices at one share, and one that would use it up. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { devicesPath, useShare, type Share, type XferEvent } from '../../src/index.js';
import { introduceMachines, machine, pairMachines, type Machine } from '../support/devices.js';
import { freePort } from '../support/direct.js';
import { watchPeak } from '../support/memory-peak.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const MOST_MEMORY = 300 * MIB;
/** Sessions of one device at once. */
const SESSIONS = 8;

/** `npm run soak` has a real crowd. */
const CLIENTS = isSoak ? 50 : 12;
/** So much that all of them are at it when the first is done: how far they are is told ten times a second. */
const FETCHED_BYTES = 16 * MIB;
const PUT_BYTES = 8 * MIB;

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
  // Such as that of Node about many listeners.
  expect(server.stderr).not.toContain('Warning');
}

async function device(name: string): Promise<Machine> {
  const made = await machine();
  await pairMachines(made, pi, { name: 'pi', otherName: name });
  return made;
}

/** A session of a device in this process. */
function use<T>(
  on: Machine,
  work: (share: Share) => Promise<T>,
  onEvent: (event: XferEvent) => void = () => undefined,
): Promise<T> {
  return useShare(
    {
      device: { name: 'pi', devices: devicesPath(on.env) },
      connect: { host: '127.0.0.1', port },
      bootstrap: ['127.0.0.1:9'],
      lan: false,
      onEvent,
    },
    work,
  );
}

const yes = async (): Promise<{ accept: true; conflicts: 'refuse' }> => ({
  accept: true,
  conflicts: 'refuse',
});

/** How far each client is, by what it was told last. */
class Race {
  readonly #bytes: number[];
  readonly #goal: number;
  /** At the moment when the first of them was done. */
  #atFirst: readonly number[] | undefined;

  constructor(count: number, goal: number) {
    this.#bytes = Array.from({ length: count }, () => 0);
    this.#goal = goal;
  }

  at(number: number, bytes: number): void {
    // What waits for the disk at its end is not counted until it has its name.
    this.#bytes[number] = Math.max(bytes, this.#bytes[number] ?? 0);
    if (bytes >= this.#goal) this.#atFirst ??= [...this.#bytes];
  }

  /** What the slowest had then, as a part of what all had on average. */
  get slowest(): number {
    const { length } = this.#bytes;
    const atFirst = this.#atFirst ?? [];
    return Math.min(...atFirst) / (atFirst.reduce((sum, bytes) => sum + bytes, 0) / length);
  }
}

/** Lets everybody go on who waits, once all of them do. */
function gate(count: number): () => Promise<void> {
  let left = count;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return () => {
    left -= 1;
    if (left === 0) open();
    return opened;
  };
}

describe('a crowd at a share', () => {
  it(`of ${CLIENTS} comes, lists, fetches and puts at the same time and in step, whatever one of them that is stuck does`, async () => {
    const devices = await Promise.all(Array.from({ length: CLIENTS + 1 }, () => machine()));
    // One after the other: they are written down in one list.
    for (const [number, one] of devices.entries()) {
      await introduceMachines(one, pi, { name: 'pi', otherName: `device-${number}` });
    }
    await mkdir(path.join(shared, 'docs'));
    await writeFile(path.join(shared, 'docs/big'), noise(FETCHED_BYTES, 'big'));
    for (let number = 0; number < 200; number++) {
      await writeFile(path.join(shared, 'docs', `small-${number}`), `content ${number}`);
    }
    await writeFile(path.join(shared, 'huge'), noise(64 * MIB, 'huge'));
    const server = await serving('--write');
    const peak = watchPeak(server);
    const place = await temporaryFolder();
    const stuck = await xfer(
      ['get', 'pi:huge', place, '--addr', `127.0.0.1:${port}`, '--json'],
      devices[CLIENTS],
    );
    await stuck.waitFor(/"progress"/);
    stuck.kill('SIGSTOP');

    const [fetching, putting] = [new Race(CLIENTS, FETCHED_BYTES), new Race(CLIENTS, PUT_BYTES)];
    const [here, fetched] = [gate(CLIENTS), gate(CLIENTS)];
    const client = async (number: number): Promise<void> => {
      const from = path.join(await temporaryFolder(), `put-${number}`);
      const out = await temporaryFolder();
      await mkdir(from);
      await writeFile(path.join(from, 'noise'), noise(PUT_BYTES, String(number)));
      await writeFile(path.join(from, 'text'), `of client ${number}`);
      let race = fetching;
      const onEvent = (event: XferEvent): void => {
        if (event.type === 'progress') race.at(number, event.progress.bytes);
      };
      const work = async (share: Share): Promise<void> => {
        await here();
        expect((await share.list(['docs'])).map(({ name }) => name)).toContain('small-199');
        const { files } = await share.get([['docs']], { out, decide: yes });
        expect(files).toBe(201);
        await fetched();
        race = putting;
        await share.put({ kind: 'files', paths: [from] }, [], 'refuse');
        expect((await share.list([`put-${number}`])).map(({ name }) => name)).toEqual(['noise', 'text']);
      };
      await use(devices[number]!, work, onEvent);
      await expectSameTree(path.join(out, 'docs'), path.join(shared, 'docs'));
      await expectSameTree(path.join(shared, `put-${number}`), from);
    };
    const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
    await Promise.all(clients);
    const slowest = { fetching: fetching.slowest, putting: putting.slowest };
    expect(peak()).toBeGreaterThan(0);
    expect(peak()).toBeLessThan(MOST_MEMORY);
    expect(slowest.fetching).toBeGreaterThanOrEqual(1 / 4);
    expect(slowest.putting).toBeGreaterThanOrEqual(1 / 4);

    stuck.kill('SIGCONT');
    expect(await stuck.status(), stuck.stderr).toBe(0);
    expect((await readFile(path.join(place, 'huge'))).equals(await readFile(path.join(shared, 'huge')))).toBe(
      true,
    );
    await stop(server);
    // eslint-disable-next-line no-console -- a soak shows what it measured
    console.log(`peak ${Math.round(peak() / MIB)} MiB, of the mean the slowest had`, slowest);
    expect(peak()).toBeLessThan(MOST_MEMORY);
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
