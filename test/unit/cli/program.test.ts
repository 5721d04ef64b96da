import { describe, expect, test } from 'vitest';
import type { Actions } from '../../../src/cli/commands/spec.js';
import { runProgram } from '../../../src/cli/program.js';
import { Collected } from './world.js';

/** What the action was called with, or what was refused. */
async function run(
  line: string,
  columns = 80,
): Promise<{ called: unknown[]; status: number; out: string; err: string }> {
  let called: unknown[] = [];
  const note =
    (name: string) =>
    async (...values: unknown[]): Promise<number> => {
      called = [name, ...values.slice(0, 2).filter((value) => value !== undefined)];
      return 7;
    };
  const actions: Actions = {
    send: note('send'),
    receive: note('receive'),
    resume: note('resume'),
    chat: note('chat'),
    pair: note('pair'),
    devices: note('devices'),
    renameDevice: note('rename device'),
    removeDevice: note('remove device'),
    setAddress: note('set address'),
    node: note('node'),
    doctor: note('doctor'),
    serve: note('serve'),
    stop: note('stop'),
    ls: note('ls'),
    get: note('get'),
    put: note('put'),
    cat: note('cat'),
    rm: note('rm'),
    mv: note('mv'),
    edit: note('edit'),
    shell: note('shell'),
    mkdir: note('mkdir'),
    run: note('run'),
    configPath: note('config path'),
    configGet: note('config get'),
    configSet: note('config set'),
    completion: note('completion'),
    complete: async (words) => note('complete')(words),
    misdirected: note('misdirected'),
    refuse: async (sentence, hint) => {
      called = ['refused', sentence, hint];
      throw new Error('refused');
    },
  };
  const stdout = new Collected({ columns });
  const stderr = new Collected({ columns });
  const words = line.split(' ').filter((word) => word !== '');
  const status = await runProgram(words, actions, { stdout, stderr }).catch(() => 2);
  return { called, status, out: stdout.text, err: stderr.text };
}

describe('a command line becomes options', () => {
  test.each<[string, unknown[]]>([
    ['send a b/', ['send', ['a', 'b/'], { compress: true }]],
    ['run pi', ['run', ['pi'], {}]],
    ['run pi one a --json b', ['run', ['pi', 'one', 'a', 'b'], { json: true }]],
    ['run pi one -x --evil=1 --json', ['run', ['pi', 'one', '-x', '--evil=1'], { json: true }]],
    ['run pi one -- --json -x', ['run', ['pi', 'one', '--json', '-x'], {}]],
    ['run --evil pi', ['run', ['--evil', 'pi'], {}]],
    ['send -', ['send', ['-'], { compress: true }]],
    ['pair', ['pair', {}]],
    [
      'serve /srv --write --delete --listen 9000',
      ['serve', '/srv', { write: true, delete: true, listen: '9000' }],
    ],
    [
      'serve . --inbox --allow pc=read,write --allow tv=none',
      ['serve', '.', { inbox: true, allow: ['pc=read,write', 'tv=none'] }],
    ],
    ['ls -l pi: pi:docs --addr 10.0.0.7:9', ['ls', ['pi:', 'pi:docs'], { long: true, addr: '10.0.0.7:9' }]],
    ['get pi:a pi:b . --update', ['get', ['pi:a', 'pi:b', '.'], { update: true, exec: true, sync: true }]],
    [
      'put a b/ pi:docs --overwrite --gitignore',
      ['put', ['a', 'b/', 'pi:docs'], { overwrite: true, gitignore: true, compress: true }],
    ],
    ['cat pi:a', ['cat', 'pi:a', {}]],
    ['rm -r pi:a', ['rm', ['pi:a'], { recursive: true }]],
    ['mv pi:a pi:b --overwrite', ['mv', ['pi:a', 'pi:b'], { overwrite: true }]],
    ['stop pi', ['stop', 'pi', {}]],
    ['serve --set-password', ['serve', { setPassword: true }]],
    [
      'serve --no-write --no-exec --sync --no-listen',
      ['serve', { write: false, exec: false, sync: true, listen: false }],
    ],
    ['mkdir pi:a', ['mkdir', ['pi:a'], {}]],
    ['pair 417 apple tiger --name pi', ['pair', '417 apple tiger', { name: 'pi' }]],
    ['pair --addr pi.home:7337 --yes', ['pair', { addr: 'pi.home:7337', yes: true }]],
    ['devices', ['devices', {}]],
    ['devices --json', ['devices', { json: true }]],
    ['devices rename pi cupboard', ['rename device', 'pi', 'cupboard']],
    ['devices remove pi', ['remove device', 'pi']],
    ['devices address pi pi.home:7337', ['set address', 'pi', 'pi.home:7337']],
    ['devices address pi', ['set address', 'pi']],
    ['send --text hello', ['send', [], { compress: true, text: 'hello' }]],
    ['send --text -', ['send', [], { compress: true, text: '-' }]],
    ['send --code 417-apple-tiger a', ['send', ['a'], { compress: true, code: '417-apple-tiger' }]],
    [
      'send a --words 4 --expire 2h --copy --qr',
      ['send', ['a'], { compress: true, words: '4', expire: '2h', copy: true, qr: true }],
    ],
    [
      'send a --exclude *.o --exclude tmp b',
      ['send', ['a', 'b'], { compress: true, exclude: ['*.o', 'tmp'] }],
    ],
    [
      'send a --follow --gitignore --portable --dry-run',
      ['send', ['a'], { compress: true, follow: true, gitignore: true, portable: true, dryRun: true }],
    ],
    ['send --files-from list.txt', ['send', [], { compress: true, filesFrom: 'list.txt' }]],
    ['doctor --json --port 7337', ['doctor', { json: true, port: '7337' }]],
    ['send a --listen', ['send', ['a'], { compress: true, listen: true }]],
    ['send a --listen 7338', ['send', ['a'], { compress: true, listen: '7338' }]],
    [
      'send a --listen=[::1]:0 --also-dht',
      ['send', ['a'], { compress: true, listen: '[::1]:0', alsoDht: true }],
    ],
    ['send a --connect 10.0.0.1:7337', ['send', ['a'], { compress: true, connect: '10.0.0.1:7337' }]],
    [
      'send a --verify --json --quiet --debug',
      ['send', ['a'], { compress: true, verify: true, json: true, quiet: true, debug: true }],
    ],
    ['send a --no-compress', ['send', ['a'], { compress: false }]],
    [
      'send a --limit 80Mbit --lanes 0 --port 7337',
      ['send', ['a'], { compress: true, limit: '80Mbit', lanes: '0', port: '7337' }],
    ],
    ['receive --limit 10M --lanes 4', ['receive', { exec: true, sync: true, limit: '10M', lanes: '4' }]],
    ['send -- --odd-name', ['send', ['--odd-name'], { compress: true }]],
    ['receive', ['receive', { exec: true, sync: true }]],
    ['receive 417-apple-tiger', ['receive', '417-apple-tiger', { exec: true, sync: true }]],
    ['receive 417 apple tiger', ['receive', '417 apple tiger', { exec: true, sync: true }]],
    ['recv -', ['receive', '-', { exec: true, sync: true }]],
    ['receive --new --words 3', ['receive', { exec: true, sync: true, new: true, words: '3' }]],
    ['receive --out d --overwrite', ['receive', { exec: true, sync: true, out: 'd', overwrite: true }]],
    ['receive --stdout --yes', ['receive', { exec: true, sync: true, stdout: true, yes: true }]],
    ['receive --rename --no-exec', ['receive', { exec: false, sync: true, rename: true }]],
    ['receive --no-sync', ['receive', { exec: true, sync: false }]],
    [
      'receive --skip --allow-dotfiles --dry-run --only *.jpg --only *.png',
      [
        'receive',
        { exec: true, sync: true, skip: true, allowDotfiles: true, dryRun: true, only: ['*.jpg', '*.png'] },
      ],
    ],
    ['config path', ['config path']],
    ['config get', ['config get']],
    ['config get words', ['config get', 'words']],
    ['config set bootstrap a:1 b:2', ['config set', 'bootstrap', ['a:1', 'b:2']]],
    ['completion zsh', ['completion', 'zsh']],
    ['complete -- send --fo', ['complete', ['send', '--fo']]],
    ['photos/', ['misdirected', ['photos/']]],
    ['417-apple-tiger --yes', ['misdirected', ['417-apple-tiger', '--yes']]],
  ])('xfer %s', async (line, called) => {
    expect(await run(line)).toEqual({ called, status: 7, out: '', err: '' });
  });
});

test.each([
  ['send --foo', "unknown option '--foo'"],
  ['send --code', "option '--code <code>' argument missing"],
  ['completion zsh fish', "too many arguments for 'completion'. Expected 1 argument but got 2."],
  ['receive --rename --skip', "option '--rename' cannot be used with option '--skip'"],
  ['receive --stdout --out d', "option '--stdout' cannot be used with option '--out <path>'"],
  ['receive --stdout --json', "option '--stdout' cannot be used with option '--json'"],
  ['get --stdout --out d pi:a', "option '--stdout' cannot be used with option '--out <path>'"],
  ['get --stdout --json pi:a', "option '--stdout' cannot be used with option '--json'"],
  ['cat --json pi:a', "unknown option '--json'"],
  ['send --code 1-a-b --words 3 x', "option '--code <code>' cannot be used with option '--words <count>'"],
])('xfer %s is refused', async (line, sentence) => {
  const { called, status } = await run(line);
  expect(called.slice(0, 2)).toEqual(['refused', expect.stringContaining(sentence) as string]);
  expect(status).toBe(2);
});

describe('help', () => {
  test('comes on stdout with status 0 when it is asked for', async () => {
    for (const line of ['--help', '-h', 'send --help', 'send -h', 'config --help', '--version']) {
      const { status, out, err } = await run(line);
      expect({ status, err }).toEqual({ status: 0, err: '' });
      expect(out).not.toBe('');
    }
  });

  test.each([
    ['', 'send'],
    ['config', 'path'],
  ])('comes on stderr with status 2 when `xfer %s` asks for nothing', async (line, contains) => {
    expect(await run(line)).toMatchObject({
      called: [],
      status: 2,
      out: '',
      err: expect.stringContaining(contains) as string,
    });
  });

  test('fits 80 columns', async () => {
    for (const line of ['--help', 'send --help', 'receive --help']) {
      for (const text of (await run(line)).out.split('\n')) expect(text.length).toBeLessThanOrEqual(80);
    }
  });

  test('what flags do fits 40 columns, under their names', async () => {
    for (const line of ['send --help', 'receive --help']) {
      const { out } = await run(line, 40);
      expect(out).toContain('\n  --limit <rate>\n      ');
      const [, options = ''] = out.split('Options:\n');
      for (const text of options.split('\n')) expect(text.length).toBeLessThanOrEqual(40);
    }
  });

  test('keeps what is internal to itself', async () => {
    expect((await run('--help')).out).not.toContain('complete --');
  });
});
