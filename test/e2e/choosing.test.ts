import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

let from: string;
let to: string;
let tree: string;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  tree = path.join(from, 'tree');
  await mkdir(path.join(tree, 'node_modules/dep'), { recursive: true });
  await mkdir(path.join(tree, 'docs'));
  const files = ['a.txt', 'b.log', 'docs/c.txt', 'docs/d.log', 'node_modules/dep/e.txt'];
  for (const name of files) await writeFile(path.join(tree, name), name);
});

async function arrive(
  sendArgs: readonly string[],
  receiveArgs: readonly string[] = [],
  stdin = '',
): Promise<string[]> {
  const { host: sender, join } = await listening(['send', ...sendArgs], { cwd: from, stdin });
  const receiver = await xfer(['receive', ...join, '--yes', '--out', to, ...receiveArgs]);
  expect(await receiver.status()).toBe(0);
  expect(await sender.status()).toBe(0);
  return namesIn(to);
}

describe('what is sent', () => {
  it('leaves out what --exclude names', async () => {
    expect(await arrive(['tree', '--exclude', '*.log', '--exclude', 'node_modules'])).toEqual([
      'tree',
      'tree/a.txt',
      'tree/docs',
      'tree/docs/c.txt',
    ]);
  });

  it('leaves out what .gitignore files name', async () => {
    await writeFile(path.join(tree, '.gitignore'), 'node_modules/\n*.log\n!b.log\n');
    await writeFile(path.join(tree, 'docs/.gitignore'), 'c.txt\n');
    expect(await arrive(['tree', '--gitignore'])).toEqual([
      'tree',
      'tree/.gitignore',
      'tree/a.txt',
      'tree/b.log',
      'tree/docs',
      'tree/docs/.gitignore',
    ]);
  });

  it('comes from a list with --files-from', async () => {
    await writeFile(path.join(from, 'list'), 'tree/a.txt\ntree/docs\n');
    expect(await arrive(['--files-from', 'list'])).toEqual(['a.txt', 'docs', 'docs/c.txt', 'docs/d.log']);
  });

  it('comes from a list on standard input', async () => {
    expect(await arrive(['--files-from', '-'], [], 'tree/a.txt\n')).toEqual(['a.txt']);
  });

  it('is listed and not sent with --dry-run', async () => {
    const sender = await xfer(['send', 'tree', '--dry-run', '--exclude', '*.log'], { cwd: from });
    expect(await sender.status()).toBe(0);
    expect(sender.screen).toContain('a.txt');
    expect(sender.screen).not.toContain('b.log');
    expect(sender.screen).not.toMatch(/xfer receive/);
  });

  it('may not have two roots of one name', async () => {
    const sender = await xfer(['send', 'tree/a.txt', path.join(tree, 'a.txt')], { cwd: from });
    expect(await sender.status()).toBe(2);
    expect(sender.stderr).toMatch(/xfer: error: .*a\.txt/);
  });

  it('is named after the folder for `send .`', async () => {
    const { join } = await listening(['send', '.'], { cwd: tree });
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(0);
    expect(await namesIn(to)).toContain('tree/docs/c.txt');
  });
});

describe('what is received', () => {
  it('is only what --only names', async () => {
    const arrived = await arrive(['tree'], ['--only', '**/*.txt']);
    expect(arrived.filter((name) => /\.(txt|log)$/.test(name))).toEqual([
      'tree/a.txt',
      'tree/docs/c.txt',
      'tree/node_modules/dep/e.txt',
    ]);
  });

  it('is no success for either side where a file is missing, whatever was left out on purpose', async () => {
    for (const name of ['one', 'two', 'three']) await symlink('a.txt', path.join(tree, name));
    await mkdir(path.join(to, 'tree/a.txt'), { recursive: true });
    const { host: sender, join } = await listening(['send', 'tree'], { cwd: from });
    const receiver = await xfer(['receive', ...join, '--yes', '--overwrite', '--out', to]);
    expect(await receiver.status()).toBe(1);
    expect(await sender.status()).toBe(1);
    expect(receiver.stderr).toContain('1 entry left out:\n  tree/a.txt  exists already\n');
    expect(sender.stderr).toContain('4 entries left out:\n');
  });
});
