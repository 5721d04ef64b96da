import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseCode, passwordOf, topicOf } from '../../src/crypto/code.js';
import { loadHashing, loadPairingSodium } from '../../src/crypto/sodium.js';
import { WORDS } from '../../src/crypto/wordlist.js';
import { openDht } from '../../src/peer/dht.js';
import { dialFrom } from '../support/connections.js';
import { freePort, listening } from '../support/direct.js';
import { expectEnding, type Ending } from '../support/endings.js';
import { guessWrong } from '../support/hostile-peer.js';
import { startPrivateDht } from '../support/private-dht.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, namesIn } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

let from: string;
let to: string;
let file: string;

beforeAll(() => Promise.all([loadHashing(), loadPairingSodium()]));

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  file = path.join(from, 'note');
  await writeFile(file, 'for you');
});

/** The code with its last word changed for another one of the list. */
function mistyped(code: string): string {
  const words = code.split('-');
  const last = words.pop();
  return [...words, WORDS.find((word) => word !== last)].join('-');
}

const WAIT = { timeout: 20_000, interval: 200 };
const WRONG: Ending = { status: 4, error: 'the code is wrong', hint: 'compare it, word for word' };

describe('a wrong code', () => {
  it('row 1: ends the receiver with 4 and leaves the sender waiting for the right one', async () => {
    const { host: sender, code, port } = await listening(['send', file]);
    const join = ['--connect', `127.0.0.1:${port}`, '--yes', '--out', to];

    const wrong = await xfer(['receive', mistyped(code), ...join]);
    await expectEnding(wrong, { ...WRONG, in: to });
    await sender.waitFor(/somebody tried a wrong code; after 7 more the code is dead/);

    const started = performance.now();
    const right = await xfer(['receive', code, ...join]);
    expect(await right.status()).toBe(0);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('row 1: does the same over the DHT', async () => {
    const dht = await startPrivateDht();
    try {
      const over = { bootstrap: dht.bootstrap };
      const sender = await xfer(['send', file], over);
      const code = await sender.code();

      const wrong = await xfer(['receive', mistyped(code), '--yes', '--out', to], over);
      await expectEnding(wrong, { ...WRONG, in: to });

      const started = performance.now();
      const right = await xfer(['receive', code, '--yes', '--out', to], over);
      expect(await right.status()).toBe(0);
      // Nobody is kept waiting for the guess of another; how long a meeting takes depends on the machine.
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(await sender.status()).toBe(0);
      await expectSameTree(to, from);
    } finally {
      await dht.close();
    }
  });

  // From one place each wrong guess would make the next one wait longer; an attacker has many places.
  it('row 2: kills the code after eight guesses, for who knows it too', async () => {
    const { host: sender, code, port, join } = await listening(['send', file]);
    const wrong = passwordOf(parseCode(mistyped(code)));
    const guess = async (_: unknown, place: number): Promise<void> =>
      guessWrong(await dialFrom(`127.0.${String(place + 1)}.1`, port), wrong);
    await Promise.allSettled(Array.from({ length: 12 }, guess));

    await expectEnding(sender, {
      status: 4,
      error: 'the code is dead: it was guessed wrong too often',
      hint: 'start again for a new code',
    });
    expect(sender.stderr.match(/somebody tried a wrong code/g)).toHaveLength(8);
    const right = await xfer(['receive', ...join, '--yes', '--out', to]);
    await right.waitFor(/nobody is there under this code yet/);
    expect(await namesIn(to)).toEqual([]);
  });

  it('is refused before anything is sent when a word is not in the list', async () => {
    const receiver = await xfer(['receive', '417-aple-tiger']);
    expect(await receiver.status()).toBe(2);
    expect(receiver.stderr).toMatch(/xfer: error: .*aple/);
    expect(receiver.stderr).toMatch(/did you mean/);
  });

  it('is refused when it is no code at all', async () => {
    const receiver = await xfer(['receive', 'hello']);
    expect(await receiver.status()).toBe(2);
    expect(receiver.stderr).toMatch(/^xfer: error: .*\nxfer: hint: .*/m);
  });
});

describe('a code', () => {
  it('row 4: is used up by the first receiver, and both sides say so', async () => {
    const dht = await startPrivateDht();
    const stranger = openDht(dht.bootstrap);
    try {
      const over = { bootstrap: dht.bootstrap };
      const address = `127.0.0.1:${await freePort()}`;
      const listen = ['--listen', address, '--also-dht'];
      const sender = await xfer(['send', '-', ...listen], { ...over, keepInputOpen: true });
      const code = await sender.code();
      const topic = topicOf(parseCode(code));
      await vi.waitFor(async () => expect(await stranger.lookup(topic)).toHaveLength(1), WAIT);
      const first = await xfer(['receive', code, '--stdout', '--yes'], over);
      sender.input.write('for the first');
      await first.waitFor(/for the first/);
      for (const side of [sender, first]) await side.waitFor(/connected .*; the code is used up/);

      // The host is still there: it listens no more, and its record is gone from the DHT.
      await vi.waitFor(async () => expect(await stranger.lookup(topic)).toEqual([]), WAIT);
      await expect(dialFrom('127.0.0.1', Number(address.split(':')[1]))).rejects.toThrow('ECONNREFUSED');
      const late = [
        'receive',
        code,
        '--connect',
        address,
        '--also-dht',
        '--stdout',
        '--yes',
        '--expire',
        '3s',
      ];
      const second = await xfer(late, over);
      await second.waitFor(/nobody is there under this code yet; still looking/);
      expect(await second.status()).toBe(3);
      expect(second.stderr).toMatch(/error: nobody was found under this code\n.*hint: ask whether/);
      expect(second.stdout).toBe('');

      sender.input.end();
      expect(await first.status()).toBe(0);
      expect(await sender.status()).toBe(0);
      expect(first.stdout).toBe('for the first');
    } finally {
      await stranger.close();
      await dht.close();
    }
  });

  it('row 4: is used up for who proved to know it while another one was chosen', async () => {
    const { host: sender, code, port, join } = await listening(['send', file]);
    // The longest message of the pairing is the joiner's proof. What it says after it waits on the line.
    const proxy = await TcpProxy.start(port, Infinity, 1_216);
    const slow = await xfer(['receive', code, '--connect', `127.0.0.1:${proxy.port}`, '--yes', '--out', to]);
    await proxy.held;
    const fast = await xfer(['receive', ...join, '--yes', '--out', to]);

    await expectEnding(slow, { status: 4, error: 'the code is used up', hint: 'a code works once' });
    expect(await fast.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
    proxy.close();
  });

  it('row 13: is wiped from the list of processes', async () => {
    const { port, code } = await listening(['send', file]);
    // Listens where nobody comes: it stays until the test is over.
    const receiver = await xfer(['receive', code, '--connect', `127.0.0.1:${port + 1}`, '--debug']);
    await receiver.waitFor(/./);
    const cmdline = await readFile(`/proc/${receiver.pid}/cmdline`, 'utf8');
    for (const word of code.split('-').slice(1)) expect(cmdline).not.toContain(word);
  });

  const tellAtExit = `process.on('exit', () => console.error('XFER_CODE is', process.env.XFER_CODE))`;
  it('row 13: comes from XFER_CODE, which no other program inherits', async () => {
    const { host: sender, code, port } = await listening(['send', file]);
    const receiver = await xfer(['receive', '--connect', `127.0.0.1:${port}`, '--yes', '--out', to], {
      env: { XFER_CODE: code },
      nodeArgs: ['--import', `data:text/javascript,${encodeURIComponent(tellAtExit)}`],
    });
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    expect(receiver.stderr).toContain('XFER_CODE is undefined');
    await expectSameTree(to, from);
  });

  it('row 14: is in no line that --debug adds', async () => {
    const { host: sender, join, code } = await listening(['send', file, '--debug']);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to, '--debug']);
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);

    expect(sender.stderr.split('\n').length).toBeGreaterThan(3);
    const hint = /xfer receive .*/g;
    for (const output of [receiver.screen, sender.stderr.replaceAll(hint, '')]) {
      for (const word of code.split('-').slice(1)) expect(output).not.toMatch(new RegExp(`\\b${word}\\b`));
    }
  });
});
