import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { joining, listening } from '../support/direct.js';
import { isSoak } from '../support/soak.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, namesIn, noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;
/** `npm run soak` tries more places. */
const KILLS = isSoak ? 50 : 5;
/** What may travel twice after a kill: what was under way, and what waited for the disk with others. */
const MOST_TWICE = 16 * MIB;

/** What tests only read, and its size. */
let mixed: { readonly folder: string; readonly bytes: number };
let from: string;
let to: string;
let home: string;
let proxy: TcpProxy | undefined;

beforeAll(async () => {
  mixed = await fillMixed(path.join(await temporaryFolder(), 'mixed'));
});

beforeEach(async () => {
  from = mixed.folder;
  to = await temporaryFolder();
  home = await temporaryFolder();
});

afterEach(() => {
  proxy?.close();
  proxy = undefined;
});

/** Large and small files, in an order in which each kind comes before and after the other. */
async function fillMixed(folder: string): Promise<typeof mixed> {
  const files: [string, Uint8Array][] = [
    ['a/large.bin', noise(9 * MIB + 77, 'a')],
    ['c/larger.bin', noise(24 * MIB, 'c')],
    ['c/nothing', new Uint8Array(0)],
    ['e/last.bin', noise(3 * MIB + 1, 'e')],
    ...Array.from({ length: 200 }, (_, number): [string, Uint8Array] => [
      `${'bdf'[number % 3]!}/${number}.txt`,
      noise(number * 50, `small ${number}`),
    ]),
  ];
  let bytes = 0;
  for (const [name, content] of files) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    // All have one time, as from an archive: names and sizes alone must not pass for content.
    await utimes(file, 1, 1);
    bytes += content.length;
  }
  return { folder, bytes };
}

const env = (): { env: Record<string, string> } => ({ env: { XFER_HOME: home } });

interface Running {
  readonly sender: XferProcess;
  readonly receiver: XferProcess;
  readonly line: TcpProxy;
}

/** A transfer over a line that stands still after `bytes` of it. */
async function start(bytes = Infinity, flags: readonly string[] = []): Promise<Running> {
  // Whoever loses the other side does not look for it again.
  const { host: sender, code, port } = await listening(['send', from, '--patience', '0']);
  proxy?.close();
  proxy = await TcpProxy.start(port, bytes);
  const join = joining(['send'], code, proxy.port);
  const receiver = await xfer(['receive', ...join, '--yes', '--patience', '0', '--out', to, ...flags], env());
  return { sender, receiver, line: proxy };
}

async function finish({ sender, receiver, line }: Running): Promise<number> {
  const [sent, received] = await Promise.all([sender.status(), receiver.status()]);
  expect([sent, received], receiver.stderr).toEqual([0, 0]);
  await expectSameTree(path.join(to, 'mixed'), from);
  expect(await namesIn(to)).toEqual(['mixed', ...(await namesIn(from)).map((name) => `mixed/${name}`)]);
  return line.carried;
}

/** Fails where something under a final name is not what was sent. */
async function expectNothingWrong(): Promise<void> {
  for (const name of await namesIn(to)) {
    if (name.startsWith('.xfer-') || !name.includes('.')) continue;
    const [there, sent] = await Promise.all(
      [path.join(to, name), path.join(from, path.relative('mixed', name))].map((file) => readFile(file)),
    );
    expect(there!.equals(sent!), name).toBe(true);
  }
}

/** Places in a transfer, the same in every run. */
function places(count: number, length: number): number[] {
  const hash = createHash('shake256', { outputLength: 4 * count })
    .update('places')
    .digest();
  return Array.from({ length: count }, (_, index) => (hash.readUInt32LE(index * 4) / 2 ** 32) * length).map(
    Math.floor,
  );
}

describe('a transfer that was killed', () => {
  it.each(
    places(KILLS, 37 * MIB).map((at, index) => [(['receiver', 'sender'] as const)[index % 2]!, at] as const),
  )('at the %s after %d bytes goes on with a new code, and nothing is wrong in between', async (who, at) => {
    const first = await start(at);
    await first.line.held;
    first[who].kill();
    const other = who === 'sender' ? first.receiver : first.sender;
    expect(await other.status()).toBe(3);
    await expectNothingWrong();
    const again = await finish(await start());
    expect(first.line.carried + again).toBeLessThan(mixed.bytes + MOST_TWICE + 2 * MIB);
  });

  it('again and again comes to its end', async () => {
    for (const at of [6 * MIB, 4 * MIB, 8 * MIB, 5 * MIB]) {
      const run = await start(at);
      await run.line.held;
      run.receiver.kill();
      expect(await run.sender.status()).toBe(3);
      await expectNothingWrong();
    }
    await finish(await start());
  });
});

describe('a large file that was interrupted', () => {
  beforeEach(async () => {
    from = path.join(await temporaryFolder(), 'mixed');
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(30 * MIB, 'large'));
  });

  const interrupted = async (): Promise<number> => {
    const run = await start(20 * MIB);
    await run.line.held;
    run.receiver.kill('SIGINT');
    expect(await run.receiver.status()).toBe(130);
    expect(run.receiver.stderr).toMatch(/what arrived is kept, [\d.]+ MB of it in unfinished files/);
    expect(await run.sender.status()).toBe(3);
    return run.line.carried;
  };

  it('says so on both sides when it goes on', async () => {
    const before = await interrupted();
    const run = await start();
    expect(before + (await finish(run))).toBeLessThan(30 * MIB + MOST_TWICE);
    for (const side of [run.sender, run.receiver])
      expect(side.stderr).toMatch(/\d+ MB are there already of .*large\.bin/);
  });

  it('begins anew where it is another one now, and what was there is kept until then', async () => {
    await interrupted();
    await writeFile(path.join(from, 'large.bin'), noise(30 * MIB, 'another'));
    const once = await start(4 * MIB);
    await once.line.held;
    once.receiver.kill();
    await once.sender.status();
    // The old one comes back: its part is the older of the two, and both are there.
    expect((await namesIn(to)).filter((name) => name.endsWith('.part'))).toHaveLength(2);
    const run = await start();
    await finish(run);
  });

  it('row 31: says where it is another one now', async () => {
    await interrupted();
    await writeFile(path.join(from, 'large.bin'), noise(30 * MIB, 'another'));
    const run = await start();
    await finish(run);
    for (const side of [run.sender, run.receiver])
      expect(side.stderr).toMatch(/not the same as before, so from its start: .*large\.bin/);
  });

  it('goes on in the folder that got another name', async () => {
    await mkdir(path.join(to, 'mixed'));
    await writeFile(path.join(to, 'mixed/mine'), 'mine');
    const first = await start(20 * MIB, ['--rename']);
    await first.line.held;
    first.receiver.kill();
    await first.sender.status();
    const run = await start(Infinity, ['--rename']);
    expect(await Promise.all([run.sender.status(), run.receiver.status()])).toEqual([0, 0]);
    expect(first.line.carried + run.line.carried).toBeLessThan(30 * MIB + MOST_TWICE);
    await expectSameTree(path.join(to, 'mixed (1)'), from);
    expect(await namesIn(to)).toEqual(['mixed', 'mixed (1)', 'mixed (1)/large.bin', 'mixed/mine']);
  });

  it('is not touched by another transfer at the same time', async () => {
    const held = await start(20 * MIB);
    const line = held.line;
    await line.held;
    proxy = undefined;
    const second = await start();
    expect(await second.receiver.status()).toBe(0);
    line.release();
    expect(await held.receiver.status()).toBe(1);
    expect(held.receiver.stderr).toMatch(/large\.bin.*exists/);
    await expectSameTree(path.join(to, 'mixed'), from);
    expect(await namesIn(to)).toEqual(['mixed', 'mixed/large.bin']);
    line.close();
  });
});

describe('files that were there before', () => {
  it('are never taken for those of the transfer, though size and time are the same', async () => {
    const there = path.join(to, 'mixed/f/2.txt');
    await mkdir(path.dirname(there), { recursive: true });
    await writeFile(there, Buffer.alloc(100, 'x'));
    await utimes(there, 1, 1);
    const first = await start(20 * MIB, ['--overwrite']);
    await first.line.held;
    first.receiver.kill();
    await first.sender.status();
    const again = await start(Infinity, ['--overwrite']);
    expect(await Promise.all([again.sender.status(), again.receiver.status()])).toEqual([0, 0]);
    await expectNothingWrong();
    expect(await namesIn(path.join(to, 'mixed'))).toEqual(await namesIn(from));
  });
});

describe('a terminal, whose Ctrl-C is for all that run in it', () => {
  it('does not break off what the disk is asked for, and files that wait for that get their names', async () => {
    from = path.join(await temporaryFolder(), 'small');
    await mkdir(from);
    const names = Array.from({ length: 40 }, (_, index) => `${index}.txt`).sort();
    for (const name of names) await writeFile(path.join(from, name), noise(1_000, name));
    // A disk that takes its time.
    const bin = await temporaryFolder();
    const [asked, answers] = [path.join(bin, 'asked'), path.join(bin, 'answers')];
    const slow = `#!/bin/sh\n: >> '${asked}'\nuntil [ -e '${answers}' ]; do sleep 0.05; done\n`;
    await writeFile(path.join(bin, 'sync'), slow, { mode: 0o755 });

    const { host, code, port } = await listening(['send', from]);
    const args = ['receive', ...joining(['send'], code, port), '--yes', '--out', to];
    const PATH = `${bin}:${process.env['PATH'] ?? ''}`;
    const receiver = await xferOnTerminal(args, { env: { XFER_HOME: home, PATH } });
    await expect.poll(() => existsSync(asked), { timeout: 20_000 }).toBe(true);
    receiver.type('\u0003');
    await receiver.waitFor(/stopping/);
    await writeFile(answers, '');
    expect(await receiver.status()).toBe(130);
    await host.status();
    const arrived = (await namesIn(to)).filter((name) => !name.startsWith('.xfer-'));
    expect(arrived).toEqual(['small', ...names.map((name) => `small/${name}`)]);
    const list = await xfer(['resume'], env());
    expect(await list.status()).toBe(0);
    expect(list.stdout).toContain('40 files arrived whole');
  });
});

describe('xfer resume', () => {
  const resume = async (...args: string[]): Promise<XferProcess> => xfer(['resume', ...args], env());

  it('lists what is left and removes it, and nothing else', async () => {
    const none = await resume();
    expect([await none.status(), none.stdout, none.stderr]).toEqual([
      0,
      '',
      'nothing is left of interrupted transfers\n',
    ]);
    const run = await start(31 * MIB);
    await run.line.held;
    run.receiver.kill();
    await run.sender.status();
    const before = (await namesIn(to)).filter((name) => !name.startsWith('.xfer-'));
    const list = await resume();
    expect(await list.status()).toBe(0);
    expect(list.stdout).toContain(to);
    expect(list.stdout).toMatch(/mixed\/(a\/large|c\/larger)\.bin {2}[\d.]+/);
    expect(list.stderr).toContain('start the transfer again with a new code');
    const clean = await resume('--clean');
    expect(await clean.status()).toBe(0);
    expect(clean.stdout).toContain(to);
    expect(await namesIn(to)).toEqual(before);
    expect(await (await resume()).status()).toBe(0);
    expect((await namesIn(home)).filter((name) => !name.endsWith('transfers'))).toEqual([]);
  });

  it('finds what is left in a folder that moved', async () => {
    const run = await start(31 * MIB);
    await run.line.held;
    run.receiver.kill();
    await run.sender.status();
    const moved = path.join(await temporaryFolder(), 'moved');
    await rename(to, moved);
    await mkdir(to);
    expect((await resume()).stdout).not.toContain(moved);
    const list = await resume(moved, '--json');
    expect(await list.status()).toBe(0);
    expect(JSON.parse(list.stdout.split('\n')[0]!)).toMatchObject({
      event: 'leftover',
      folder: moved,
      roots: ['mixed'],
      parts: [{ path: expect.stringMatching(/^mixed\/.*\.bin$/) as string }],
    });
    await rm(moved, { recursive: true });
  });

  it('leaves alone what is under way', async () => {
    const run = await start(31 * MIB);
    await run.line.held;
    const clean = await resume('--clean', to);
    expect(await clean.status()).toBe(0);
    run.line.release();
    await finish(run);
  });

  it('says which folder is not there', async () => {
    const missing = path.join(to, 'nothing');
    const list = await resume(missing);
    expect(await list.status()).toBe(2);
    expect(list.stderr).toContain(`there is no ${missing}`);
  });
});
