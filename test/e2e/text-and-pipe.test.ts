import { beforeEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

let to: string;

beforeEach(async () => {
  to = await temporaryFolder();
});

describe('a text', () => {
  it('is printed by the receiver', async () => {
    const { host: sender, join } = await listening(['send', '--text', 'meet me at eight']);
    const receiver = await xfer(['receive', ...join, '--yes'], { cwd: to });

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(receiver.stdout).toBe('meet me at eight');
    expect(await namesIn(to)).toEqual([]);
  });

  it('comes from standard input', async () => {
    const { join } = await listening(['send', '--text', '-'], { stdin: 'first line\nsecond line' });
    const receiver = await xfer(['receive', ...join, '--yes'], { cwd: to });

    expect(await receiver.status()).toBe(0);
    expect(receiver.stdout.trimEnd()).toBe('first line\nsecond line');
  });
});

describe('a pipe', () => {
  it('streams from standard input to standard output', async () => {
    const content = noise(5 * 2 ** 20 + 3, 'pipe');
    const { host: sender, join } = await listening(['send', '-'], { stdin: content });
    const receiver = await xfer(['receive', ...join, '--stdout', '--yes'], { cwd: to });

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(receiver.stdoutBytes.equals(content)).toBe(true);
    expect(await namesIn(to)).toEqual([]);
  });

  it('hands on what it has before it ends', async () => {
    const { host: sender, join } = await listening(['send', '-'], { keepInputOpen: true });
    const receiver = await xfer(['receive', ...join, '--stdout', '--yes'], { cwd: to });
    sender.input.write('tick\n');
    await receiver.waitFor(/tick/);
    sender.input.end('tock\n');

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(receiver.stdout).toBe('tick\ntock\n');
  });

  it('exits 1 and says how many bytes were good when it breaks after output', async () => {
    const { host: sender, join } = await listening(['send', '-'], { keepInputOpen: true });
    const args = ['receive', ...join, '--stdout', '--yes', '--patience', '0'];
    const receiver = await xfer(args, { cwd: to });
    sender.input.write('tick\n');
    await receiver.waitFor(/tick/);
    sender.kill();

    expect(await receiver.status()).toBe(1);
    expect(receiver.stdout).toBe('tick\n');
    expect(receiver.stderr).toMatch(/xfer: error: .*\b5 (B|bytes)/);
  });

  it('ends when nobody reads its output any more', async () => {
    const { host: sender, join } = await listening(['send', '-'], { stdin: noise(8 * 2 ** 20, 'unread') });
    const receiver = await xfer(['receive', ...join, '--stdout', '--yes'], { cwd: to });
    receiver.output.once('data', () => receiver.output.destroy());

    expect(await receiver.status()).toBe(1);
    expect(await sender.status()).not.toBe(0);
  });
});
