import { spawnSync } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { displayWidth } from '../../src/cli/display-width.js';
import { freePort, joining, listening } from '../support/direct.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, namesIn, noise } from '../support/trees.js';
import {
  PROGRAM,
  xfer,
  xferOnTerminal,
  type XferProcess,
  type XferTerminal,
} from '../support/xfer-process.js';

const MIB = 2 ** 20;

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

describe.skipIf(process.platform !== 'linux')('a disk that is full under the standard output', () => {
  const script = (line: string): { status: number | null; stderr: string } =>
    spawnSync('bash', ['-c', line, 'bash', process.execPath, PROGRAM], { cwd: to, encoding: 'utf8' });

  it('is no success where it takes a part of what is written', async () => {
    const whole = script('"$1" "$2" --help > whole');
    expect(whole).toMatchObject({ status: 0, stderr: '' });
    const { size } = await stat(path.join(to, 'whole'));
    expect(size).toBeGreaterThan(2_048);
    // In KiB. A disk with so much space says the same.
    const { status, stderr } = script('ulimit -f 2; "$1" "$2" --help > cut');
    expect((await stat(path.join(to, 'cut'))).size).toBe(2_048);
    expect(stderr).toContain('xfer: error: there is not enough space for the standard output\n');
    expect(status).toBe(3);
  });

  it('is no success where it takes nothing', () => {
    const { status, stderr } = script('"$1" "$2" --help > /dev/full');
    expect(stderr).toContain('xfer: error: there is not enough space for the standard output\n');
    expect(status).toBe(3);
  });

  it('is nothing to a reader that has what it wanted', () => {
    expect(script('"$1" "$2" --help | head -c 10 > /dev/null; exit ${PIPESTATUS[0]}').status).toBe(0);
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

describe('the code', () => {
  it('is shown as a QR code with --qr', async () => {
    const { host: sender } = await listening(['send', file, '--qr']);
    await sender.waitFor(/(?:[█▀▄ ]{21,}\n){10,}/);
    expect(sender.stdout).not.toMatch(/[█▀▄]/);
  });

  it('that cannot be copied with --copy is no reason to fail', async () => {
    // No display and no clipboard belong to the environment of the tests.
    const { host: sender, join } = await listening(['send', file, '--copy']);
    await sender.waitFor(/the clipboard cannot be reached|the code is in the clipboard/);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
  });
});

describe('a stall', () => {
  it('is named after 10 s, and over when the other side goes on', async ({ onTestFinished }) => {
    const big = path.join(from, 'big.bin');
    await writeFile(big, noise(16 * MIB, 'big'));
    const { host: sender, code, port } = await listening(['send', big]);
    const line = await TcpProxy.start(port, 5 * MIB);
    onTestFinished(() => line.close());
    const receiver = await xfer(['receive', ...joining(['send'], code, line.port), '--yes', '--out', to]);
    await line.held;
    receiver.kill('SIGSTOP');
    line.release();

    await sender.waitFor(/^no data for 1\d s from the other side$/m);
    receiver.kill('SIGCONT');
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(await namesIn(to)).toEqual(['big.bin']);
  });
});

describe('on a terminal of 40 columns', () => {
  it('no line is longer', async () => {
    const long = path.join(from, `${'a name that is too long for a line '.repeat(3)}.txt`);
    await writeFile(long, 'x');
    const port = await freePort();
    const narrow = { columns: 40 };
    const sender = await xferOnTerminal(['send', long, file, '--listen', `127.0.0.1:${port}`], narrow);
    const join = joining(['send'], await sender.code(), port);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to], narrow);
    await receiver.waitFor(/\[y\/n/i);
    receiver.type('y\r');
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    const failing = await xferOnTerminal(['send', 'nothing'], narrow);
    expect(await failing.status()).toBe(2);

    for (const side of [sender, receiver, failing]) {
      // What is there to be copied is whole, and the terminal breaks it: commands, paths, the code.
      const sentences = side.lines.filter((line) => !/^ {2}xfer |^\//.test(line));
      expect(sentences.length).toBeGreaterThan(1);
      for (const line of sentences) expect(displayWidth(line), line).toBeLessThanOrEqual(40);
    }
  });
});

describe('on a terminal that says it has 0 columns', () => {
  it('is drawn as on one of 80, and SIGTERM is served', async () => {
    const receiver = await xferOnTerminal(
      ['receive', '417-apple-tiger', '--connect', `127.0.0.1:${await freePort()}`, '--out', to],
      { wrapper: ['sh', '-c', 'stty cols 0 rows 0; exec "$@"', 'sh'] },
    );
    // Drawn, taken away and drawn again.
    await receiver.waitFor(/(?:looking for the other side[^]*){3}/);
    receiver.kill('SIGTERM');
    expect(await receiver.status()).toBe(130);
    expect(receiver.screen.length).toBeLessThan(100_000);
  });
});

describe('without a terminal', () => {
  it('progress is a line now and then', async () => {
    const { host: sender, join } = await listening(['send', '-'], { keepInputOpen: true });
    const receiver = await xfer(['receive', ...join, '--yes', '--out', path.join(to, 'stream')]);
    const feeding = setInterval(() => sender.input.write(noise(2 ** 16, 'stream')), 100);
    try {
      for (const side of [sender, receiver]) {
        await side.waitFor(/^(sending|receiving) {2}[1-9][\d.]* [kM]B {2}.*\/s {2}direct$/m);
      }
    } finally {
      clearInterval(feeding);
    }
    sender.input.end();
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(receiver.stderr.match(/^receiving /gm)?.length).toBeLessThan(10);
  });

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

  it('is refused where nobody can compare, before the code is used up', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--verify', '--yes', '--out', to]);
    expect(await receiver.status()).toBe(2);
    expect(receiver.stderr).toMatch(/xfer: error: --verify needs somebody/);
    const again = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await again.status()).toBe(0);
    expect(await sender.status()).toBe(0);
  });

  it('ends with 4 where nobody can compare at the other side', async () => {
    const port = await freePort();
    const sender = await xferOnTerminal(['send', file, '--verify', '--listen', `127.0.0.1:${port}`]);
    const join = joining(['send'], await sender.code(), port);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(4);
    expect(await sender.status()).toBe(4);
    expect(await namesIn(to)).toEqual([]);
  });

  it('ends with 4 where the one that was to have it could not compare', async () => {
    const port = await freePort();
    const listen = ['--receivers', '1', '--listen', `127.0.0.1:${port}`];
    const sender = await xferOnTerminal(['send', file, '--verify', ...listen]);
    const join = joining(['send'], await sender.code(), port);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status()).toBe(4);
    expect(await sender.status()).toBe(4);
  });

  /** What stands above the question. */
  async function wordsOn(terminal: XferTerminal): Promise<string | undefined> {
    await terminal.waitFor(/do both screens show the same words/);
    return terminal.lines[terminal.lines.findIndex((line) => line.startsWith('do both')) - 1];
  }

  async function comparing() {
    const port = await freePort();
    const sender = await xferOnTerminal(['send', file, '--verify', '--listen', `127.0.0.1:${port}`]);
    const join = joining(['send'], await sender.code(), port);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    const [sendersWords, receiversWords] = [await wordsOn(sender), await wordsOn(receiver)];
    expect(sendersWords).toMatch(/^(?:[a-z]{3,8} ){5}[a-z]{3,8}$/);
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
