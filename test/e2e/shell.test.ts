import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { expectEnding } from '../support/endings.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { PROGRAM, xfer } from '../support/xfer-process.js';

const run = promisify(execFile);

/** The script for a shell, in a file. */
async function scriptFor(shell: string): Promise<string> {
  const printed = await xfer(['completion', shell]);
  expect(await printed.status()).toBe(0);
  const file = path.join(await temporaryFolder(), `xfer.${shell}`);
  await writeFile(file, printed.stdout);
  return file;
}

async function hasShell(shell: string): Promise<boolean> {
  return run(shell, ['-c', 'true']).then(
    () => true,
    () => false,
  );
}

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('is a script that %s can read', async (shell) => {
    const script = await scriptFor(shell);
    if (await hasShell(shell)) await run(shell, ['-n', script]);
    else expect(await readFile(script, 'utf8')).toContain('xfer complete');
  });

  it.each([
    [['rec'], ['receive']],
    [['send', '--exc'], ['--exclude']],
    [['receive', '417-app'], ['417-apple-']],
    [['config', 'set', 'boot'], ['bootstrap']],
    // Files are the shell's own business.
    [['send', 'pho'], []],
  ])('in bash makes of %j one of %j', async (words, expected) => {
    const script = await scriptFor('bash');
    const line = `
      xfer() { '${process.execPath}' '${PROGRAM}' "$@"; }
      compopt() { :; }
      source '${script}'
      COMP_WORDS=(xfer ${words.map((word) => `'${word}'`).join(' ')})
      COMP_CWORD=${String(words.length)}
      _xfer
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['--norc', '-c', line]);
    expect(stdout.split('\n').filter((found) => found !== '')).toEqual(expected);
  });

  it('is asked for by the name of a shell', async () => {
    const asked = await xfer(['completion', 'tcsh']);
    expect(await asked.status()).toBe(2);
    expect(asked.stderr).toMatch(/xfer: error: .*tcsh.*\nxfer: hint: /);
  });
});

describe('config', () => {
  it('says where the settings are, takes one, shows it, and xfer goes by it', async () => {
    const home = await temporaryFolder();
    const options = { env: { XFER_HOME: home } };
    const config = async (...words: readonly string[]): Promise<string> => {
      const side = await xfer(['config', ...words], options);
      expect(await side.status(), side.stderr).toBe(0);
      return side.stdout.trim();
    };
    expect(await config('path')).toBe(path.join(home, 'config.toml'));
    expect(await config('get')).toBe('');
    await config('set', 'words', '4');
    expect(await config('get', 'words')).toBe('4');
    expect(await config('get')).toContain('words');
    const sender = await xfer(['send', '--text', 'hello', '--listen', '127.0.0.1:0'], options);
    expect((await sender.code()).split('-')).toHaveLength(5);
    await config('set', 'words');
    expect(await config('get')).toBe('');
  });

  it('refuses a setting that there is not', async () => {
    const side = await xfer(['config', 'set', 'colour', 'red']);
    await expectEnding(side, {
      status: 2,
      error: "there is no setting 'colour'",
      hint: 'the settings are bootstrap',
    });
  });
});

describe('a path in place of a command', () => {
  it.each([
    [['photos/'], 'what to do with photos/ is missing', 'xfer send photos/'],
    [['417-apple-tiger'], 'what to do with the code is missing', 'xfer receive 417-apple-tiger'],
    [['sned'], "there is no command 'sned'", 'the commands are send, receive'],
  ])('%j hints at the command', async (words, error, hint) => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'photos'));
    const side = await xfer(words, { cwd: folder });
    await expectEnding(side, { status: 2, error, hint });
    expect(side.stdout).toBe('');
  });
});
