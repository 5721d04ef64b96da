import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServedFolder, stop } from '../support/served-folder.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess, type XferTerminal } from '../support/xfer-process.js';

const MIB = 2 ** 20;

let served: ServedFolder;
let here: string;

beforeEach(async () => {
  served = await ServedFolder.make();
  here = await temporaryFolder();
  await mkdir(served.at('my docs'));
  await writeFile(served.at('my docs/a [1].txt'), 'one');
  await writeFile(served.at('my docs/a 1.txt'), 'other');
  await writeFile(served.at('notes.txt'), 'first\n');
});

async function piped(...lines: readonly string[]): Promise<XferProcess> {
  const { env } = served.laptop;
  return xfer(['shell', 'pi', ...served.flags], { env, cwd: here, stdin: lines.join('\n') });
}

async function atTerminal(env: Readonly<Record<string, string>> = {}, columns = 80): Promise<XferTerminal> {
  const terminal = await xferOnTerminal(['shell', 'pi', ...served.flags], {
    env: { ...served.laptop.env, ...env },
    cwd: here,
    columns,
  });
  await terminal.waitFor(/pi:\/> $/);
  return terminal;
}

describe('commands that are piped in', () => {
  it('work with the share one after the other', async () => {
    const server = await served.serve('--write', '--delete');
    await writeFile(path.join(here, 'b.pdf'), 'b');
    const process = await piped(
      'pwd',
      'ls',
      "cd 'my docs'",
      'pwd',
      'ls a*',
      "cat 'a [1].txt'",
      '',
      "get 'a [1].txt'",
      "rm 'a [1].txt'",
      'put b.pdf',
      'mkdir ../new',
      'mv b.pdf ../new',
      'lls',
      'cd',
      'pwd',
    );
    expect(await process.status(), process.stderr).toBe(0);
    expect(process.stdout.split('\n')).toEqual([
      '/',
      'my docs/',
      'notes.txt',
      '/my docs',
      'a 1.txt',
      'a [1].txt',
      'onea [1].txt',
      'a [1].txt',
      'b.pdf',
      '/',
      '',
    ]);
    expect(process.stderr).not.toContain('pi:/');
    expect(await readdir(served.at('my docs'))).toEqual(['a 1.txt']);
    expect(await readFile(served.at('new/b.pdf'), 'utf8')).toBe('b');
    expect(await readFile(path.join(here, 'a [1].txt'), 'utf8')).toBe('one');
    await stop(server);
    expect(server.stderr.match(/laptop: gone/g)).toHaveLength(1);
  });

  it('go on after an error, and the last one is the status', async () => {
    const server = await served.serve();
    const failing = await piped('cat nope', 'ls -x', "ls '", 'frobnicate', 'rm notes.txt', 'pwd');
    expect(await failing.status()).toBe(1);
    expect(failing.stdout).toBe('/\n');
    for (const error of [
      'there is no pi:nope',
      'ls knows no -x',
      'a quote is not closed',
      "there is no command 'frobnicate' here",
      'this share does not let you delete',
    ]) {
      expect(failing.stderr).toContain(`xfer: error: ${error}`);
    }
    const left = await piped('cd ..', 'exit', 'pwd');
    expect(await left.status()).toBe(2);
    expect(left.stdout).toBe('');
    await stop(server);
  });

  it('cannot begin without a share, nor as JSON', async () => {
    const process = await xfer(['shell', 'pi', ...served.flags, '--expire', '1s'], served.laptop);
    expect(await process.status()).toBe(3);
    const json = await xfer(['shell', 'pi', '--json'], served.laptop);
    expect(await json.status()).toBe(2);
  });
});

describe('at a terminal a person', () => {
  it('is greeted in whole words, however narrow it is', async () => {
    await served.serve();
    const terminal = await atTerminal({}, 40);
    expect(terminal.text).toContain('help lists the commands, menu leads\r\nthrough them, ');
  });

  it('completes names with the Tab key, and finds lines again', async () => {
    const server = await served.serve();
    const terminal = await atTerminal();
    expect(terminal.text).toContain('menu leads through them');
    // Keys one by one: a Tab in the middle of what is pasted is a letter.
    const complete = async (begun: string, completed: RegExp): Promise<void> => {
      terminal.type(begun);
      await terminal.waitFor(new RegExp(`> ${begun}$`));
      terminal.type('\t');
      await terminal.waitFor(completed);
      terminal.type('\r');
    };
    await complete('cat no', /cat notes\.txt $/);
    await terminal.waitFor(/first\r\n/);
    await complete('cd my', /cd 'my docs\/'$/);
    await terminal.waitFor(/pi:\/my docs> $/);
    await complete('pw', /pwd $/);
    await terminal.waitFor(/\r\n\/my docs\r\n/);
    terminal.type('cd ..\r');
    await terminal.waitFor(/pi:\/> $/);
    terminal.type('\u001b[A\u001b[A\r');
    await terminal.waitFor(/\r\n\/\r\n/);
    await terminal.waitFor(/> $/);
    terminal.type('\u0004');
    expect(await terminal.status()).toBe(0);
    await stop(server);
  });

  it('is asked again for what is not there', async () => {
    const server = await served.serve('--write');
    await writeFile(path.join(here, 'mine.txt'), 'mine');
    const terminal = await atTerminal();
    terminal.type('get nots.txt\r');
    await terminal.waitFor(/there is no pi:nots\.txt; another one/);
    terminal.type('notes.txt\r');
    await terminal.waitFor(/verified: 1 file/);
    terminal.type('put min.txt\r');
    await terminal.waitFor(/there is no min\.txt; another one/);
    terminal.type('mine.txt\r');
    await terminal.waitFor(/verified: 1 file[\s\S]*verified: 1 file[\s\S]*> $/);
    terminal.type('cd docs\r');
    await terminal.waitFor(/there is no pi:docs; another one/);
    terminal.type('\r');
    await terminal.waitFor(/xfer: error: there is no pi:docs[\s\S]*pi:\/> $/);
    terminal.type('exit\r');
    expect(await terminal.status()).toBe(0);
    expect(await readFile(path.join(here, 'notes.txt'), 'utf8')).toBe('first\n');
    expect(await readFile(served.at('mine.txt'), 'utf8')).toBe('mine');
    await stop(server);
  });

  it('is led by a menu', async () => {
    const server = await served.serve();
    const terminal = await atTerminal();
    terminal.type('menu\r');
    await terminal.waitFor(/1 {2}see what is in this folder[\s\S]*a number/);
    terminal.type('1\r');
    await terminal.waitFor(/notes\.txt\r\n[\s\S]*a number/);
    terminal.type('3\r');
    await terminal.waitFor(/which one\?/);
    terminal.type('notes.txt\r');
    await terminal.waitFor(/verified: 1 file[\s\S]*a number/);
    terminal.type('\r');
    await terminal.waitFor(/pi:\/> $/);
    terminal.type('exit\r');
    expect(await terminal.status()).toBe(0);
    expect(await readdir(here)).toEqual(['notes.txt']);
    await stop(server);
  });

  it('edits a file', async () => {
    const server = await served.serve('--write', '--delete');
    const editor = path.join(await temporaryFolder(), 'editor');
    await writeFile(editor, '#!/bin/sh\necho ready\nread line\necho "$line" > "$1"\n');
    await chmod(editor, 0o755);
    const terminal = await atTerminal({ VISUAL: editor });
    terminal.type('edit notes.txt\r');
    await terminal.waitFor(/ready/);
    terminal.type('typed\r');
    await terminal.waitFor(/verified: 1 file[\s\S]*pi:\/> $/);
    expect(await readFile(served.at('notes.txt'), 'utf8')).toBe('typed\n');
    await terminal.waitFor(/> $/);
    terminal.type('\u0004');
    expect(await terminal.status()).toBe(0);
    await stop(server);
  });

  it('ends what runs with Ctrl-C, and the shell with two of them', async () => {
    await writeFile(served.at('big'), noise(40 * MIB, 'big'));
    const server = await served.serve('--limit', '4M');
    const terminal = await atTerminal();
    terminal.type('get big\r');
    await terminal.waitFor(/receiving .*%/);
    terminal.type('\u0003');
    await terminal.waitFor(/xfer: error: [\s\S]*pi:\/> $/);
    expect(await readdir(here)).not.toContain('big');
    // The share is told, and takes nothing that follows for a breach.
    expect(terminal.text).not.toContain('the connection is lost');
    terminal.type('cat notes.txt\r');
    await terminal.waitFor(/first\r\n[^]*pi:\/> $/);
    terminal.type('half a line\u0003pwd\r');
    await terminal.waitFor(/\r\n\/\r\n/);
    terminal.type('\u0003');
    await terminal.waitFor(/Ctrl-C again/);
    terminal.type('\u0003');
    expect(await terminal.status()).toBe(0);
    await stop(server);
  });

  it('comes back from a question with Ctrl-C', async () => {
    const server = await served.serve();
    const terminal = await atTerminal();
    terminal.type('menu\r');
    await terminal.waitFor(/Enter to go back to the prompt: $/);
    terminal.type('\u0003');
    await terminal.waitFor(/Ctrl-C again, .*\r\npi:\/> $/);
    terminal.type('cat notes.txt\r');
    await terminal.waitFor(/first\r\n[^]*pi:\/> $/);
    terminal.kill('SIGINT');
    await terminal.waitFor(/first\r\n[^]*Ctrl-C again, [^]*pi:\/> $/);
    terminal.kill('SIGINT');
    expect(await terminal.status(), terminal.text).toBe(0);
    await stop(server);
  });

  it('goes on when the share was started anew', async () => {
    let server = await served.serve();
    const terminal = await atTerminal();
    terminal.type('pwd\r');
    await terminal.waitFor(/\r\n\/\r\n/);
    await stop(server);
    server = await served.serve();
    terminal.type('ls\r');
    await terminal.waitFor(/xfer: error: |notes\.txt/);
    await terminal.waitFor(/pi:\/> $/);
    terminal.type('cat notes.txt\r');
    await terminal.waitFor(/first\r\n/);
    await terminal.waitFor(/> $/);
    terminal.type('\u0004');
    expect(await terminal.status()).toBe(0);
    await stop(server);
  });
});
