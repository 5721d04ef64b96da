import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { WORDS } from '../../src/crypto/wordlist.js';
import { listening } from '../support/direct.js';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, namesIn } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

let from: string;
let to: string;
let file: string;

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

describe('a wrong code', () => {
  it('row 1: ends the receiver with 4 and leaves the sender waiting for the right one', async () => {
    const { host: sender, code, port } = await listening(['send', file]);
    const join = ['--connect', `127.0.0.1:${port}`, '--yes', '--out', to];

    const wrong = await xfer(['receive', mistyped(code), ...join]);
    expect(await wrong.status(10_000)).toBe(4);
    expect(wrong.stderr).toMatch(/xfer: error: .*code/);
    expect(await namesIn(to)).toEqual([]);
    await sender.waitFor(/wrong code/i);

    const right = await xfer(['receive', code, ...join]);
    expect(await right.status(5_000)).toBe(0);
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
      expect(await wrong.status()).toBe(4);

      const right = await xfer(['receive', code, '--yes', '--out', to], over);
      expect(await right.status(5_000)).toBe(0);
      expect(await sender.status()).toBe(0);
      await expectSameTree(to, from);
    } finally {
      await dht.close();
    }
  });

  // Every wrong guess makes the next one from the same place wait longer: two minutes in all.
  it.skipIf(process.env['XFER_SOAK'] !== '1')(
    'row 2: kills the code after eight guesses',
    { timeout: 240_000 },
    async () => {
      const { host: sender, code, port } = await listening(['send', file]);
      const join = ['--connect', `127.0.0.1:${port}`, '--yes', '--out', to];
      for (let guess = 0; guess < 8; guess++) {
        const wrong = await xfer(['receive', mistyped(code), ...join]);
        expect(await wrong.status(60_000)).toBe(4);
      }
      expect(await sender.status()).toBe(4);
      expect(sender.stderr).toMatch(/xfer: error: .*dead/);
      expect(await namesIn(to)).toEqual([]);
    },
  );

  it('is refused before anything is sent when a word is not in the list', async () => {
    const receiver = await xfer(['receive', '417-aple-tiger']);
    expect(await receiver.status(5_000)).toBe(2);
    expect(receiver.stderr).toMatch(/xfer: error: .*aple/);
    expect(receiver.stderr).toMatch(/did you mean/);
  });

  it('is refused when it is no code at all', async () => {
    const receiver = await xfer(['receive', 'hello']);
    expect(await receiver.status(5_000)).toBe(2);
    expect(receiver.stderr).toMatch(/^xfer: error: .*\nxfer: hint: .*/m);
  });
});

describe('a code', () => {
  it('row 4: is used up by the first receiver', async () => {
    const dht = await startPrivateDht();
    try {
      const over = { bootstrap: dht.bootstrap };
      const sender = await xfer(['send', '-'], { ...over, keepInputOpen: true });
      const code = await sender.code();
      const first = await xfer(['receive', code, '--stdout', '--yes'], over);
      sender.input.write('for the first');
      await first.waitFor(/for the first/);

      // The host is still there, and cannot be found any more.
      const second = await xfer(['receive', code, '--stdout', '--yes'], over);
      await second.waitFor(/nobody|waiting|used/i);
      sender.input.end();
      expect(await first.status()).toBe(0);
      expect(await sender.status()).toBe(0);
      expect(second.stdout).toBe('');
    } finally {
      await dht.close();
    }
  });

  it('row 13: is wiped from the list of processes', async () => {
    const { port, code } = await listening(['send', file]);
    // Listens where nobody comes: it stays until the test is over.
    const receiver = await xfer(['receive', code, '--connect', `127.0.0.1:${port + 1}`, '--debug']);
    await receiver.waitFor(/./);
    const cmdline = await readFile(`/proc/${receiver.pid}/cmdline`, 'utf8');
    for (const word of code.split('-').slice(1)) expect(cmdline).not.toContain(word);
  });

  it('row 13: comes from XFER_CODE', async () => {
    const { host: sender, code, port } = await listening(['send', file]);
    const receiver = await xfer(['receive', '--connect', `127.0.0.1:${port}`, '--yes', '--out', to], {
      env: { XFER_CODE: code },
    });
    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
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
