import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { joining, listening } from '../support/direct.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;

let from: string;
let to: string;
let big: string;
let proxy: TcpProxy | undefined;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  big = path.join(from, 'big.bin');
  await writeFile(big, noise(32 * MIB, 'big'));
});

afterEach(() => {
  proxy?.close();
  proxy = undefined;
});

/** A transfer that stands still after `bytes` of it went over the line. */
async function heldTransfer(bytes: number) {
  const { host: sender, code, port } = await listening(['send', big]);
  proxy = await TcpProxy.start(port, bytes);
  const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
  await proxy.held;
  return { sender, receiver, line: proxy };
}

function expectExplained(ended: XferProcess): void {
  expect(ended.stderr).toMatch(/xfer: error: [^A-Z].*[^.]$/m);
  expect(ended.stderr).toMatch(/xfer: hint: [^A-Z].*[^.]$/m);
}

describe('a missing path', () => {
  it('ends with 2 before a code is shown', async () => {
    const sender = await xfer(['send', path.join(from, 'nothing')]);
    expect(await sender.status()).toBe(2);
    expectExplained(sender);
    expect(sender.stdout).toBe('');
  });
});

describe('no network', () => {
  it.each([
    ['the sender', ['send', '--text', 'hello']],
    ['the receiver', ['receive', '417-apple-tiger', '--yes']],
  ])('ends %s with 3 within 15 s', async (_who, args) => {
    // Nothing listens on the discard port; a code of the list comes first for `receive`.
    const side = await xfer(args[0] === 'send' ? args : ['receive', await anyCode(), '--yes']);
    expect(await side.status(15_000)).toBe(3);
    expectExplained(side);
    expect(side.stderr).toMatch(/xfer: hint: .*--listen/);
  });

  async function anyCode(): Promise<string> {
    const { host, code } = await listening(['send', '--text', 'hello']);
    host.kill();
    return code;
  }
});

describe('row 18: a connection that is cut', () => {
  it.each([64 * 1024, 5 * MIB, 31 * MIB])('after %d bytes leaves no file', async (bytes) => {
    const { sender, receiver, line } = await heldTransfer(bytes);
    line.cut();
    expect(await receiver.status(20_000)).toBe(3);
    expect(await sender.status(20_000)).toBe(3);
    expectExplained(receiver);
    expectExplained(sender);
    expect(await namesIn(to)).toEqual([]);
  });
});

describe('a peer that is killed in the middle', () => {
  it('leaves no file at the receiver when it was the sender', async () => {
    const { sender, receiver } = await heldTransfer(5 * MIB);
    sender.kill();
    expect(await receiver.status(30_000)).toBe(3);
    expectExplained(receiver);
    expect(await namesIn(to)).toEqual([]);
  });

  it('ends the sender when it was the receiver, and left no final name', async () => {
    const { sender, receiver } = await heldTransfer(5 * MIB);
    receiver.kill();
    expect(await sender.status(30_000)).toBe(3);
    expectExplained(sender);
    expect(await namesIn(to)).not.toContain('big.bin');
  });
});

describe('row 35: a full disk', () => {
  const mounted = path.join('/tmp', `xfer-small-disk-${process.pid}`);

  afterEach(async () => {
    await promisify(execFile)('umount', [mounted]).catch(() => {});
    await rm(mounted, { recursive: true, force: true });
  });

  it('ends both sides with 3 and leaves no file', async ({ skip }) => {
    await mkdir(mounted);
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted]).catch(() =>
      skip('no tmpfs can be mounted here'),
    );
    const { host: sender, join } = await listening(['send', big]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', mounted]);
    expect(await receiver.status()).toBe(3);
    expect(receiver.stderr).toMatch(/xfer: error: .*space/);
    expectExplained(receiver);
    expect(await sender.status()).not.toBe(0);
    expect(await namesIn(mounted)).toEqual([]);
  });

  it('is noticed where the size was not known before', async ({ skip }) => {
    await mkdir(mounted);
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted]).catch(() =>
      skip('no tmpfs can be mounted here'),
    );
    const { join } = await listening(['send', '-'], { stdin: noise(8 * MIB, 'pipe') });
    const receiver = await xfer(['receive', ...join, '--yes', '--out', path.join(mounted, 'stream')]);
    expect(await receiver.status()).toBe(3);
    expect(receiver.stderr).toMatch(/xfer: error: .*space/);
    expect(await namesIn(mounted)).toEqual([]);
  });
});
