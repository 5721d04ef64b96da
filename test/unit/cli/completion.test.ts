import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { completeCode } from '../../../src/cli/code-input.js';
import { completions, completionScript, type CommandShape } from '../../../src/cli/completion.js';
import { SHELLS } from '../../../src/cli/commands/own.js';
import type { Actions } from '../../../src/cli/commands/spec.js';
import { runProgram } from '../../../src/cli/program.js';
import { Collected } from './world.js';

/** The tree of the real program. */
async function realShape(): Promise<CommandShape> {
  let shape: CommandShape | undefined;
  const actions = {
    complete: (_words: readonly string[], found: CommandShape) => {
      shape = found;
      return Promise.resolve(0);
    },
  } as Partial<Actions> as Actions;
  await runProgram(['complete'], actions, { stdout: new Collected(), stderr: new Collected() });
  if (shape === undefined) throw new Error('complete was not called');
  return shape;
}

const shape = await realShape();
const completers = { code: completeCode, key: () => ['words'], device: () => ['pi'] };

test.each([
  [
    [''],
    [
      'send',
      'receive',
      'resume',
      'pair',
      'chat',
      'devices',
      'serve',
      'stop',
      'ls',
      'get',
      'put',
      'cat',
      'edit',
      'rm',
      'mv',
      'mkdir',
      'run',
      'shell',
      'node',
      'doctor',
      'config',
      'completion',
    ],
  ],
  [['se'], ['send', 'serve']],
  [
    ['devices', 'r'],
    ['rename', 'remove'],
  ],
  [['devices', 'remove', ''], ['pi']],
  [['devices', 'rename', 'pi', ''], []],
  [['--v'], ['--version']],
  [['send', '--files-from', ''], []],
  [['send', '--fo'], ['--follow']],
  [['send', 'photos', '--g'], ['--gitignore']],
  [['send', 'pho'], []],
  [['send', '--code', '1-tige'], ['1-tiger-']],
  [['receive', '417-appl'], ['417-apple-']],
  [['receive', '417-apple-tige'], ['417-apple-tiger']],
  [['recv', '--yes', '417-apple-tige'], ['417-apple-tiger']],
  [['receive', '--out', ''], []],
  [['receive', '417-apple-tiger', ''], []],
  [
    ['config', ''],
    ['path', 'get', 'set'],
  ],
  [['config', 'set', ''], ['words']],
  [['config', 'set', 'words', ''], []],
  [['completion', 'z'], ['zsh']],
])('%j completes to %j', (words, expected) => {
  expect(completions(words, shape, completers)).toEqual(expected);
});

describe('scripts', () => {
  test.each(SHELLS)('there is one for %s', (shell) => {
    expect(completionScript(shell)).toContain('xfer complete --');
  });

  test('there is none for another shell', () => {
    expect(completionScript('csh')).toBeUndefined();
    expect(completionScript('constructor')).toBeUndefined();
  });

  test('bash asks for the words up to the cursor', () => {
    const lines = [
      'xfer() { printf "<%s>" "$@" >&2; printf "%s\\n" 417-apple-; }',
      'compopt() { printf "compopt %s %s\\n" "$@"; }',
      completionScript('bash') ?? '',
      'COMP_WORDS=(xfer receive 417-app later) COMP_CWORD=2',
      'exec 2>&1; _xfer; echo "${COMPREPLY[@]}"; complete -p xfer',
    ].join('\n');
    // The function's own `2>/dev/null` hides what the stand-in says, so it is taken off.
    const script = lines.replace(' 2>/dev/null', '');
    const out = execFileSync('bash', ['--norc', '-c', script], {
      encoding: 'utf8',
      // bash takes a socket for a remote shell and would read start-up files.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    });
    expect(out).toContain('<complete><--><receive><417-app>');
    expect(out).toContain('compopt -o nospace');
    expect(out).toContain('complete -o bashdefault -o default -F _xfer xfer');
  });
});
