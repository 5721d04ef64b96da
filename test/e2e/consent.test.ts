import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { freePort, joining, listening } from '../support/direct.js';
import { expectEnding } from '../support/endings.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, namesIn } from '../support/trees.js';
import { xfer, xferOnTerminal } from '../support/xfer-process.js';

const QUESTION = /\[y\/n/i;

let from: string;
let to: string;
let file: string;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  file = path.join(from, 'note');
  await writeFile(file, 'new');
});

describe('an offer', () => {
  it('is refused where nobody can be asked and nobody said --yes', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--out', to]);

    const error = 'there is a question to answer and nobody to ask';
    await expectEnding(receiver, { status: 2, error, hint: '--yes', in: to });
    await expectEnding(sender, {
      status: 1,
      error: 'the other side declined: nobody there to ask',
      hint: 'ask the other person, then send again',
    });
  });

  it('is shown with its names and sizes and taken with y', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(QUESTION);
    expect(receiver.text).toMatch(/note +3 B/);
    expect(await namesIn(to)).toEqual([]);
    receiver.type('y\r');

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('is not answered by what was typed before it was on the screen', async () => {
    const port = await freePort();
    const args = ['receive', '--new', '--out', to];
    const receiver = await xferOnTerminal([...args, '--listen', `127.0.0.1:${port}`]);
    const code = await receiver.code();
    await receiver.waitFor(/waiting for the other side/);
    receiver.type('\r\ry\ry');
    const sender = await xfer(['send', file, ...joining(args, code, port)]);
    await receiver.waitFor(QUESTION);
    receiver.type('n\r');

    await expectEnding(receiver, { status: 1, error: 'you declined, nothing was received', in: to });
    expect(await sender.status()).toBe(1);
  });

  it('is declined with n, and both sides say so', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(QUESTION);
    receiver.type('n\r');

    // Who said no knows what to do next.
    await expectEnding(receiver, { status: 1, error: 'you declined, nothing was received', in: to });
    await expectEnding(sender, {
      status: 1,
      error: 'the other side declined',
      hint: 'ask the other person, then send again',
    });
  });

  it('row 44: of a name that begins with a dot is not taken by --yes alone', async () => {
    const dotted = path.join(from, '.bashrc');
    await writeFile(dotted, 'echo owned');
    const first = await listening(['send', dotted]);
    const refusing = await xfer(['receive', ...first.join, '--yes', '--out', to]);
    const error = '.bashrc is a name that other programs may obey';
    await expectEnding(refusing, { status: 2, error, hint: '--allow-dotfiles', in: to });

    const second = await listening(['send', dotted]);
    const taking = await xfer(['receive', ...second.join, '--yes', '--allow-dotfiles', '--out', to]);
    expect(await taking.status()).toBe(0);
    expect(await namesIn(to)).toEqual(['.bashrc']);
  });

  it('row 44: is not taken into the home folder by --yes alone', async () => {
    const { join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--yes'], { cwd: to, env: { HOME: to } });
    const error = 'this would be put into your home folder';
    await expectEnding(receiver, { status: 2, error, hint: '--allow-dotfiles', in: to });
  });

  it('is only looked at with --dry-run', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--dry-run', '--out', to]);

    expect(await receiver.status()).toBe(0);
    expect(receiver.screen).toContain('note');
    expect(await sender.status()).toBe(1);
    expect(await namesIn(to)).toEqual([]);
  });
});

describe('row 43: a file that exists', () => {
  let target: string;

  beforeEach(async () => {
    target = path.join(to, 'note');
    await writeFile(target, 'old');
  });

  async function receive(flags: readonly string[]) {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to, ...flags]);
    return { receiver, sender, status: await receiver.status() };
  }

  it('is kept, and --yes is not enough', async () => {
    const { receiver, sender } = await receive([]);
    const hint = 'choose --overwrite, --update, --rename or --skip';
    await expectEnding(receiver, { status: 2, error: 'note exists already', hint, in: to, kept: ['note'] });
    await expectEnding(sender, {
      status: 1,
      error: 'the other side declined: exists already',
      hint: 'ask the other person, then send again',
    });
    expect(await readFile(target, 'utf8')).toBe('old');
  });

  it('is replaced with --overwrite', async () => {
    const { status } = await receive(['--overwrite']);
    expect(status).toBe(0);
    expect(await readFile(target, 'utf8')).toBe('new');
    expect(await namesIn(to)).toEqual(['note']);
  });

  it('gets a neighbour with --rename', async () => {
    const { receiver, status } = await receive(['--rename']);
    expect(status).toBe(0);
    expect(await readFile(target, 'utf8')).toBe('old');
    const renamed = receiver.stdout.trim();
    expect(path.dirname(renamed)).toBe(to);
    expect(await readFile(renamed, 'utf8')).toBe('new');
  });

  it('stays with --skip', async () => {
    await receive(['--skip']);
    expect(await readFile(target, 'utf8')).toBe('old');
    expect(await namesIn(to)).toEqual(['note']);
  });

  it('does not end the session before the person has chosen', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(QUESTION);
    receiver.type('y\r');
    await receiver.waitFor(/overwrite them/);
    receiver.type('o\r');

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(await readFile(target, 'utf8')).toBe('new');
  });
});

describe('--out', () => {
  it('gives a single file a new name', async () => {
    const { join } = await listening(['send', file]);
    const target = path.join(to, 'other name');
    const receiver = await xfer(['receive', ...join, '--yes', '--out', target]);
    expect(await receiver.status()).toBe(0);
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  it('merges a folder into one that exists', async () => {
    await mkdir(path.join(from, 'photos'));
    await writeFile(path.join(from, 'photos/b'), 'b');
    await mkdir(path.join(to, 'photos'));
    await writeFile(path.join(to, 'photos/a'), 'a');
    const { join } = await listening(['send', `${path.join(from, 'photos')}/`]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(0);
    expect(await namesIn(to)).toEqual(['photos', 'photos/a', 'photos/b']);
  });
});
