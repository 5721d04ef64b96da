import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { freePort, joining, listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

let from: string;
let to: string;
let file: string;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  file = path.join(from, 'note');
  await writeFile(file, 'for you');
});

function eventsOf(side: XferProcess): { readonly event: string }[] {
  return side.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string });
}

describe('--json', () => {
  it('prints one event per line on stdout, on both sides', async () => {
    const { host: sender, join, code } = await listening(['send', file, '--json']);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to, '--json']);
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);

    expect(eventsOf(sender)).toContainEqual(expect.objectContaining({ event: 'code', code }));
    const events = eventsOf(receiver).map(({ event }) => event);
    expect(events.filter((event) => ['connected', 'offer', 'done'].includes(event))).toEqual([
      'connected',
      'offer',
      'done',
    ]);
  });

  it('tells an error with its code', async () => {
    const sender = await xfer(['send', path.join(from, 'nothing'), '--json']);
    expect(await sender.status()).toBe(2);
    expect(eventsOf(sender)).toContainEqual(
      expect.objectContaining({ event: 'error', code: 'path-missing', exitCode: 2 }),
    );
  });
});

describe('--quiet', () => {
  it('leaves the code, the paths and nothing else', async () => {
    const { host: sender, join, code } = await listening(['send', file, '--quiet']);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to, '--quiet']);
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(sender.stdout.trim()).toBe(code);
    expect(sender.stderr).toBe('');
    expect(receiver.stderr).toBe('');
    expect(receiver.stdout.trim()).toBe(path.join(to, 'note'));
  });

  it('still says what went wrong', async () => {
    const sender = await xfer(['send', path.join(from, 'nothing'), '--quiet']);
    expect(await sender.status()).toBe(2);
    expect(sender.stderr).toMatch(/^xfer: error: /);
  });
});

describe('without a terminal', () => {
  it('nothing is coloured or drawn in place', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    for (const side of [sender, receiver]) expect(side.screen).toBe(side.text);
    expect(sender.stderr).toMatch(/1 file\b.*7 B/);
  });
});

describe('--verify', () => {
  it('shows both people the same six words and waits for both', async () => {
    const { sender, receiver } = await comparing();
    sender.type('y\r');
    receiver.type('y\r');
    await receiver.waitFor(/note/);
    receiver.type('y\r');
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('ends both sides with 4 and offers nothing when one says no', async () => {
    const { sender, receiver } = await comparing();
    sender.type('n\r');
    expect(await sender.status()).toBe(4);
    expect(await receiver.status()).toBe(4);
    expect(receiver.text).not.toContain('note');
  });

  it('ends with 4 where nobody can compare', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--verify', '--yes', '--out', to]);
    expect(await receiver.status()).not.toBe(0);
    expect(await sender.status()).toBe(4);
  });

  async function comparing() {
    const port = await freePort();
    const sender = await xferOnTerminal(['send', file, '--verify', '--listen', `127.0.0.1:${port}`]);
    const join = joining(['send'], await sender.code(), port);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    const words = /((?:[a-z]{3,8} ){5}[a-z]{3,8})\s+do both screens show the same words/;
    const [, sendersWords] = await sender.waitFor(words);
    const [, receiversWords] = await receiver.waitFor(words);
    expect(receiversWords).toBe(sendersWords);
    return { sender, receiver };
  }
});

describe('the program', () => {
  it.each(['--version', '--help', 'send --help', 'receive --help'])('answers %s', async (line) => {
    const answer = await xfer(line.split(' '));
    expect(await answer.status()).toBe(0);
    expect(answer.stdout).not.toBe('');
  });

  it('hints at send for a path in place of a command', async () => {
    const answer = await xfer(['note'], { cwd: from });
    expect(await answer.status()).toBe(2);
    expect(answer.stderr).toMatch(/xfer: hint: .*xfer send note/);
  });
});
