import { execFileSync } from 'node:child_process';
import { chmod, mkdir, open, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, namesIn } from '../support/trees.js';
import { xfer, xferOnTerminal } from '../support/xfer-process.js';

const MIB = 2 ** 20;

let from: string;
let to: string;
let tree: string;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  tree = path.join(from, 'tree');
  await mkdir(tree);
  await writeFile(path.join(tree, 'file'), 'plain');
});

describe('row 47: what is no file and no folder', () => {
  it('is skipped, named and counted', async () => {
    await symlink('/etc/passwd', path.join(tree, 'outside'));
    await symlink('file', path.join(tree, 'inside'));
    await symlink('.', path.join(tree, 'loop'));
    await symlink('nowhere', path.join(tree, 'dangling'));
    execFileSync('mkfifo', [path.join(tree, 'fifo')]);

    const { host: sender, join } = await listening(['send', tree]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    const statuses = await Promise.all([receiver.status(), sender.status()]);

    expect(await namesIn(to)).toEqual(['tree', 'tree/file']);
    for (const name of ['outside', 'inside', 'loop', 'dangling', 'fifo'])
      expect(sender.stderr).toContain(name);
    expect(sender.stderr).toMatch(/\b5\b/);
    expect(statuses.every((status) => status === 0 || status === 1)).toBe(true);
  });

  it('is sent with --follow where a link stays inside its root', async () => {
    await symlink('/etc/passwd', path.join(tree, 'outside'));
    await symlink('file', path.join(tree, 'inside'));
    const { join } = await listening(['send', '--follow', tree]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    await receiver.status();
    expect(await namesIn(to)).toEqual(['tree', 'tree/file', 'tree/inside']);
  });
});

describe('a sparse file', () => {
  it('keeps its holes', async () => {
    const sparse = path.join(tree, 'disk.img');
    const file = await open(sparse, 'w');
    await file.write('head', 0);
    await file.write('middle', 32 * MIB);
    await file.truncate(64 * MIB);
    await file.close();

    const { host: sender, join } = await listening(['send', tree]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
    const { blocks } = await stat(path.join(to, 'tree/disk.img'));
    expect(blocks * 512).toBeLessThan(4 * MIB);
  });
});

describe('the x bit', () => {
  it('is dropped with --no-exec', async () => {
    await writeFile(path.join(tree, 'run.sh'), '#!/bin/sh\n');
    await chmod(path.join(tree, 'run.sh'), 0o755);
    const { join } = await listening(['send', tree]);
    const receiver = await xfer(['receive', ...join, '--yes', '--no-exec', '--out', to]);
    expect(await receiver.status()).toBe(0);
    const { mode } = await stat(path.join(to, 'tree/run.sh'));
    expect(mode & 0o777).toBe(0o644);
  });

  it('row 54: comes without setuid', async () => {
    await writeFile(path.join(tree, 'su'), 'x');
    await chmod(path.join(tree, 'su'), 0o4755);
    const { join } = await listening(['send', tree]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(0);
    const { mode } = await stat(path.join(to, 'tree/su'));
    expect(mode & 0o7777).toBe(0o755);
  });
});

describe('names that attack the terminal', () => {
  const NAMES = [
    'plain\u202Egpj.exe',
    'zero\u200Bwidth',
    'wide漢字'.repeat(8),
    'csi\u009B31mred',
    'esc\u001B[2J',
    'new\nline',
  ];

  it('row 55: never reach it as they are', async () => {
    for (const name of NAMES) await writeFile(path.join(tree, name), name);
    const { host: sender, join } = await listening(['send', tree]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(/\[y\/n/i);
    receiver.type('y\r');
    await Promise.all([receiver.status(), sender.status()]);

    for (const screen of [receiver.text, sender.screen]) {
      expect(screen).not.toMatch(/[\u0000-\u0007\u000B\u000C\u000E-\u001F\u007F-\u009F\u200B\u202E]/);
    }
    // Names with control characters are refused by the protocol and stay at the sender.
    const arrived = await namesIn(to);
    expect(arrived).toContain('tree/file');
    expect(arrived.join('\n')).not.toMatch(/\u001B|\u009B/);
  });
});
