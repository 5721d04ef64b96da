import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, joining, listening } from '../support/direct.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer, xferOnTerminal } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const CTRL_C = '\u0003';

let to: string;
let big: string;
let proxy: TcpProxy | undefined;

beforeEach(async () => {
  to = await temporaryFolder();
  big = path.join(await temporaryFolder(), 'big.bin');
  await writeFile(big, noise(16 * MIB, 'big'));
});

afterEach(() => {
  proxy?.close();
  proxy = undefined;
});

describe('Ctrl-C while nobody is there yet', () => {
  it('ends a sender', async () => {
    const { host: sender } = await listening(['send', big]);
    sender.kill('SIGINT');
    expect(await sender.status(5_000)).toBe(130);
  });

  it('ends a receiver', async () => {
    const { code } = await listening(['send', big]);
    const receiver = await xfer(['receive', code, '--connect', `127.0.0.1:${await freePort()}`, '--yes']);
    // Until its handler of the signal is there, the signal alone ends it.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    receiver.kill('SIGINT');
    expect(await receiver.status(5_000)).toBe(130);
  });

  it('ends a prompt for the code', async () => {
    const receiver = await xferOnTerminal(['receive']);
    await receiver.waitFor(/code/i);
    receiver.type(CTRL_C);
    expect(await receiver.status(5_000)).toBe(130);
  });
});

describe('Ctrl-C while the receiver thinks', () => {
  it('at the receiver tells the sender', async () => {
    const { host: sender, join } = await listening(['send', big]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(/\[y\/n/i);
    receiver.type(CTRL_C);
    expect(await receiver.status(5_000)).toBe(130);
    expect(await sender.status(5_000)).toBe(3);
    expect(sender.stderr).toContain('the other side was interrupted');
    expect(await namesIn(to)).toEqual([]);
  });

  it('at the sender tells the receiver', async () => {
    const { host: sender, join } = await listening(['send', big]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(/\[y\/n/i);
    sender.kill('SIGINT');
    expect(await sender.status(5_000)).toBe(130);
    expect(await receiver.status(5_000)).toBe(3);
    expect(receiver.text).toContain('the other side was interrupted');
    expect(await namesIn(to)).toEqual([]);
  });
});

describe('Ctrl-C while files move', () => {
  // An endless stream is in the middle for as long as the test needs it.
  it.each(['receiver', 'sender'] as const)('at the %s tells the other side', async (who) => {
    const { host: sender, join } = await listening(['send', '-'], { keepInputOpen: true });
    const receiver = await xfer(['receive', ...join, '--yes', '--debug', '--out', path.join(to, 'stream')]);
    sender.input.write(noise(3 * MIB, 'stream'));
    await receiver.waitFor(/debug: .* progress .*"bytes":[1-9]/);
    const [one, other] = who === 'receiver' ? [receiver, sender] : [sender, receiver];
    one.kill('SIGINT');
    expect(await one.status(5_000)).toBe(130);
    expect(await other.status(5_000)).toBe(3);
    expect(other.stderr).toContain('the other side was interrupted');
    expect(await namesIn(to)).toEqual([]);
  });

  it.each(['receiver', 'sender'] as const)('at the %s works though the line hangs', async (who) => {
    const { host: sender, code, port } = await listening(['send', big]);
    proxy = await TcpProxy.start(port, 5 * MIB);
    const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
    await proxy.held;
    const one = who === 'receiver' ? receiver : sender;
    one.kill('SIGINT');
    expect(await one.status(5_000)).toBe(130);
    if (who === 'receiver') expect(await namesIn(to)).toEqual([]);
  });

  it('twice stops at once', async () => {
    const { host: sender, code, port } = await listening(['send', big]);
    proxy = await TcpProxy.start(port, 5 * MIB);
    const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
    await proxy.held;
    sender.kill('SIGINT');
    receiver.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 50));
    sender.kill('SIGINT');
    receiver.kill('SIGINT');
    expect(await sender.status(1_000)).toBe(130);
    expect(await receiver.status(1_000)).toBe(130);
    expect(await namesIn(to)).not.toContain('big.bin');
  });
});
