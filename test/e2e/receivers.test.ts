import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { startPrivateDht } from '../support/private-dht.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { eventsOf } from '../support/transfer-run.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess } from '../support/xfer-process.js';

let from: string;
const lines: TcpProxy[] = [];

beforeEach(async () => {
  from = path.join(await temporaryFolder(), 'sample');
});

afterEach(() => {
  for (const line of lines.splice(0)) line.close();
});

async function receiver(join: readonly string[], to?: string): Promise<{ side: XferProcess; to: string }> {
  const out = to ?? (await temporaryFolder());
  return { side: await xfer(['receive', ...join, '--yes', '--patience', '0', '--out', out]), to: out };
}

/** The arguments of a receiver whose line stands still after so many bytes. */
async function held(join: readonly string[], port: number, afterBytes: number): Promise<readonly string[]> {
  const line = await TcpProxy.start(port, afterBytes);
  lines.push(line);
  return join.map((word) => (word === `127.0.0.1:${port}` ? `127.0.0.1:${line.port}` : word));
}

describe('xfer send --receivers', () => {
  it('sends one folder to three at once with one code', async () => {
    await fillSampleTree(from);
    await writeFile(path.join(from, 'large.bin'), noise(20 * 2 ** 20 + 12_345, 'large'));
    const { host, join } = await listening(['send', from, '--receivers', '3']);
    const receivers = await Promise.all([1, 2, 3].map(() => receiver(join)));
    for (const { side, to } of receivers) {
      expect(await side.status(), side.screen).toBe(0);
      await expectSameTree(path.join(to, 'sample'), from);
    }
    expect(await host.status(), host.screen).toBe(0);
    expect(host.stderr).toContain('3 of 3 receivers have it\n');
    for (const number of [1, 2, 3]) expect(host.stderr).toMatch(new RegExp(`^${number}: verified: `, 'm'));
    expect(host.stderr).not.toContain('used up');
  });

  it('sends to one after another, what is there by then where nobody else is served', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'a.txt'), 'first');
    const { host, join } = await listening(['send', from, '--receivers', '2']);
    const first = await receiver(join);
    expect(await first.side.status(), first.side.screen).toBe(0);
    await expectSameTree(path.join(first.to, 'sample'), from);
    await host.waitFor(/1: verified/);
    await writeFile(path.join(from, 'a.txt'), 'second, and longer');
    await writeFile(path.join(from, 'b.txt'), 'new');
    const second = await receiver(join);
    expect(await second.side.status(), second.side.screen).toBe(0);
    await expectSameTree(path.join(second.to, 'sample'), from);
    expect(await host.status(), host.screen).toBe(0);
  });

  it('sends a text', async () => {
    const { host, join } = await listening(['send', '--text', 'hello to all', '--receivers', '2']);
    const sides = await Promise.all([1, 2].map(() => xfer(['receive', ...join, '--yes'])));
    for (const side of sides) {
      expect(await side.status(), side.screen).toBe(0);
      expect(side.stdout).toBe('hello to all');
    }
    expect(await host.status()).toBe(0);
  });

  it('refuses a pipe, before there is a code', async () => {
    const side = await xfer(['send', '-', '--receivers', '2'], { stdin: 'once' });
    expect(await side.status()).toBe(2);
    expect(side.stdout).toBe('');
    expect(side.stderr).toBe(
      'xfer: error: a pipe can be read only once, so it goes to one receiver\n' +
        'xfer: hint: write it into a file first, and send that\n',
    );
  });

  it.each(['0', '-1', '10001', 'all', '2.5'])('refuses %s as a number of them', async (count) => {
    const side = await xfer(['send', '--text', 'x', `--receivers=${count}`]);
    expect(await side.status()).toBe(2);
    expect(side.stderr).toContain(`or any, not '${count}'`);
  });

  it('goes on with the others where one is killed, who may come again and goes on where it stopped', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(30 * 2 ** 20, 'killed'));
    const { host, join, port } = await listening(['send', from, '--receivers', '2', '--patience', '0']);
    const slow = await receiver(await held(join, port, 8 * 2 ** 20));
    await host.waitFor(/1: sending/);
    const other = await receiver(join);
    expect(await other.side.status(), other.side.screen).toBe(0);
    await expectSameTree(path.join(other.to, 'sample'), from);
    slow.side.kill('SIGINT');
    await slow.side.status();
    await host.waitFor(/receiver 1: the other side was interrupted/);

    const again = await receiver(join, slow.to);
    expect(await again.side.status(), again.side.screen).toBe(0);
    await expectSameTree(path.join(slow.to, 'sample'), from);
    expect(again.side.stderr).toMatch(/are there already of sample\/large\.bin/);
    expect(await host.status(), host.screen).toBe(0);
    expect(host.stderr).toContain('2 of 2 receivers have it, 1 broke off\n');
  });

  it('lets no slow one keep the fast ones', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(100 * 2 ** 20, 'slow'));
    const { host, join, port } = await listening(['send', from, '--receivers', '3']);
    const slow = await receiver(await held(join, port, 3 * 2 ** 20));
    await host.waitFor(/1: sending/);
    const fast = await Promise.all([receiver(join), receiver(join)]);
    for (const { side, to } of fast) {
      expect(await side.status(), side.screen).toBe(0);
      await expectSameTree(path.join(to, 'sample'), from);
    }
    for (const line of lines) line.release();
    expect(await slow.side.status(), slow.side.screen).toBe(0);
    await expectSameTree(path.join(slow.to, 'sample'), from);
    expect(await host.status(), host.screen).toBe(0);
  });

  it('has one budget of wrong codes for all; those who have the right one are not disturbed', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(30 * 2 ** 20, 'budget'));
    const { host, join, port, code } = await listening(['send', from, '--receivers', 'any']);
    const first = await receiver(await held(join, port, 8 * 2 ** 20));
    await host.waitFor(/1: sending/);
    const wrong = code.replace(/-[a-z]+$/, code.endsWith('-apple') ? '-tiger' : '-apple');
    const guesser = await xfer(['receive', wrong, '--connect', `127.0.0.1:${port}`, '--yes']);
    expect(await guesser.status(), guesser.screen).toBe(4);
    await host.waitFor(/somebody tried a wrong code; after 7 more the code is dead/);
    for (const line of lines) line.release();
    expect(await first.side.status(), first.side.screen).toBe(0);
    await host.waitFor(/1: verified/);
    host.kill('SIGINT');
    expect(await host.status(), host.screen).toBe(0);
    expect(host.stderr).toContain('1 receiver has it\n');
  });

  it('ends with 130 where Ctrl-C comes before all were there, and tells whoever receives', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(30 * 2 ** 20, 'ctrl-c'));
    const { host, join, port } = await listening(['send', from, '--receivers', '3']);
    const done = await receiver(join);
    expect(await done.side.status(), done.side.screen).toBe(0);
    const cut = await receiver(await held(join, port, 8 * 2 ** 20));
    await host.waitFor(/2: sending/);
    host.kill('SIGINT');
    for (const line of lines) line.release();
    expect(await host.status(), host.screen).toBe(130);
    expect(host.stderr).toContain('1 of 3 receivers have it, 1 broke off\n');
    expect(await cut.side.status()).toBe(3);
    expect(cut.side.stderr).toContain('the other side was interrupted');
  });

  it('ends with 130 where nobody came before Ctrl-C', async () => {
    const { host } = await listening(['send', '--text', 'x', '--receivers', 'any']);
    host.kill('SIGINT');
    expect(await host.status()).toBe(130);
    expect(host.stderr).not.toContain('receivers have it');
  });

  it('counts a no, and says in the exit status what became of all', async () => {
    const { host, join } = await listening(['send', '--text', 'x', '--receivers', '2', '--json']);
    const no = await xfer(['receive', ...join, '--dry-run']);
    expect(await no.status(), no.screen).toBe(0);
    const yes = await xfer(['receive', ...join, '--yes']);
    expect(await yes.status()).toBe(0);
    expect(await host.status(), host.screen).toBe(1);
    const events = eventsOf(host);
    expect(events.at(-1)).toEqual({
      event: 'distributed',
      received: 1,
      incomplete: 0,
      declined: 1,
      brokenOff: 0,
      exitCode: 1,
    });
    expect(events.find(({ event }) => event === 'error')).toMatchObject({ code: 'declined', receiver: 1 });
    expect(events.find(({ event }) => event === 'done')).toMatchObject({ files: 1, receiver: 2 });
  });

  it('is over when the code expires, whoever still receives', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(30 * 2 ** 20, 'expire'));
    const { host, join, port } = await listening(['send', from, '--receivers', '2', '--expire', '4s']);
    const first = await receiver(await held(join, port, 8 * 2 ** 20));
    await host.waitFor(/1: sending/);
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    const late = await xfer(['receive', ...join, '--yes', '--expire', '1s']);
    expect(await late.status()).not.toBe(0);
    for (const line of lines) line.release();
    expect(await first.side.status(), first.side.screen).toBe(0);
    expect(await host.status(), host.screen).toBe(4);
    expect(host.stderr).toContain('1 of 2 receivers have it\n');
  });

  it.each([80, 40])('has a line for each on a terminal of %i columns', async (columns) => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(30 * 2 ** 20, 'terminal'));
    const side = await xferOnTerminal(['send', from, '--receivers', '3', '--listen', '127.0.0.1:0'], {
      columns,
    });
    const code = await side.code();
    const [, port] = await side.waitFor(/127\.0\.0\.1:(\d+)/);
    const join = [code, '--connect', `127.0.0.1:${port}`];
    for (const _ of [1, 2]) await receiver(await held(join, Number(port), 8 * 2 ** 20));
    // Once the speed is known, a narrow line leaves the word out.
    await side.waitFor(
      /1: (?:sending|\d+ %)[^\n]*\r?\n +2: (?:sending|\d+ %)[^\n]*\r?\n +waiting for receivers, 0 of 3 done/,
    );
    const drawn = side.screen.slice(side.screen.indexOf('waiting for receivers'));
    for (const line of drawn.split(/\r?\n|\u001b\[\d*[AGK]/)) {
      expect(line.replace(/\u001b\[[?\d]*[a-z]/g, '').length, line).toBeLessThanOrEqual(columns);
    }
    for (const line of lines) line.release();
    await side.waitFor(/2 of 3 done/);
    side.kill('SIGINT');
    expect(await side.status()).toBe(130);
  });

  it('goes on with one whose connection was lost, also when no place is left for newcomers', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(24 * 2 ** 20, 'lost'));
    const { host, join, port } = await listening(['send', from, '--receivers', '2']);
    const out = [await temporaryFolder(), await temporaryFolder()];
    const lost = await xfer(['receive', ...(await held(join, port, 8 * 2 ** 20)), '--yes', '--out', out[0]!]);
    await host.waitFor(/1: sending/);
    const other = await receiver(join, out[1]);
    expect(await other.side.status(), other.side.screen).toBe(0);
    lines[0]!.cut();
    await host.waitFor(/1: the connection is lost/);
    lines[0]!.release();
    expect(await lost.status(), lost.screen).toBe(0);
    await expectSameTree(path.join(out[0]!, 'sample'), from);
    expect(await host.status(), host.screen).toBe(0);
    expect(host.stderr).toContain('2 of 2 receivers have it\n');
  });

  it('refuses whoever comes while every place is taken', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'large.bin'), noise(24 * 2 ** 20, 'taken'));
    const { host, join, port } = await listening(['send', from, '--receivers', '1']);
    const first = await receiver(await held(join, port, 8 * 2 ** 20));
    await host.waitFor(/1: sending/);
    const late = await receiver(join);
    // The first may yet fail, and its place be free again.
    expect(await late.side.status()).toBe(3);
    expect(late.side.stderr).toContain('the other side has as many sessions as it takes');
    for (const line of lines) line.release();
    expect(await first.side.status(), first.side.screen).toBe(0);
    expect(await host.status()).toBe(0);
  });

  it('meets them through the DHT too', async () => {
    await fillSampleTree(from);
    const dht = await startPrivateDht();
    try {
      const over = { bootstrap: dht.bootstrap };
      const host = await xfer(['send', from, '--receivers', '2'], over);
      const code = await host.code();
      const out = [await temporaryFolder(), await temporaryFolder()];
      const sides = await Promise.all(out.map((to) => xfer(['receive', code, '--yes', '--out', to], over)));
      for (const [index, side] of sides.entries()) {
        expect(await side.status(), side.screen).toBe(0);
        await expectSameTree(path.join(out[index]!, 'sample'), from);
      }
      expect(await host.status(), host.screen).toBe(0);
    } finally {
      await dht.close();
    }
  });

  it('gives those who come later nothing where the file is gone', async () => {
    await mkdir(from);
    await writeFile(path.join(from, 'a.txt'), 'here');
    const { host, join } = await listening(['send', path.join(from, 'a.txt'), '--receivers', 'any']);
    const first = await receiver(join);
    expect(await first.side.status()).toBe(0);
    await host.waitFor(/1: verified/);
    await rm(path.join(from, 'a.txt'));
    const second = await receiver(join);
    expect(await second.side.status()).toBe(1);
    await host.waitFor(/receiver 2: /);
    host.kill('SIGINT');
    expect(await host.status()).toBe(2);
  });
});
