/** What a person decides about speed: a limit, compression, lanes. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { startPrivateDht } from '../support/private-dht.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

let from: string;
let to: string;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
});

/** The `done` of a side with `--json`. */
function doneOf(stdout: string): { readonly bytes: number; readonly elapsedMs: number } {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ReturnType<typeof doneOf>;
}

describe('a limit', () => {
  const BYTES = 300_000;
  // What may go at once, and the record that is under way at the end.
  const EARLIEST_MS = (BYTES / 100_000) * 1000 - 100 - 125;

  it.each([
    ['the sender', ['--limit', '100K'], []],
    ['the receiver', [], ['--limit', '100K']],
    ['both, the lower one,', ['--limit', '8Mbit'], ['--limit', '100KB/s']],
  ])('of %s is kept', async (_, sends, receives) => {
    await writeFile(path.join(from, 'random'), randomBytes(BYTES));
    const { host: sender, join } = await listening(['send', path.join(from, 'random'), ...sends]);
    const receiver = await xfer(['receive', ...join, '--yes', '--json', '--out', to, ...receives]);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
    expect(doneOf(receiver.stdout).elapsedMs).toBeGreaterThan(EARLIEST_MS);
    expect(receiver.stdout).not.toContain('"stalled"');
  });

  it('of the settings is kept, and a flag wins over it', async () => {
    const home = await temporaryFolder();
    const withSettings = { env: { XFER_HOME: home } };
    const set = await xfer(['config', 'set', 'limit', '100K'], withSettings);
    expect(await set.status()).toBe(0);
    await writeFile(path.join(from, 'random'), randomBytes(BYTES));
    for (const [flags, earliestMs] of [
      [[], EARLIEST_MS],
      [['--limit', '100G'], 0],
    ] as const) {
      const { host: sender, join } = await listening(
        ['send', path.join(from, 'random'), ...flags],
        withSettings,
      );
      const receiver = await xfer(['receive', ...join, '--yes', '--overwrite', '--json', '--out', to]);
      expect(await receiver.status()).toBe(0);
      expect(await sender.status()).toBe(0);
      expect(doneOf(receiver.stdout).elapsedMs).toBeGreaterThan(earliestMs);
    }
  });

  it('at its lowest is no stall, nor does it keep Ctrl-C waiting', async () => {
    await writeFile(path.join(from, 'random'), randomBytes(10_000_000));
    const { host: sender, join } = await listening(['send', from, '--limit', '10K']);
    const receiver = await xfer(['receive', ...join, '--yes', '--json', '--out', to]);
    await receiver.waitFor(/"files":0,"bytes":[1-9]/);
    receiver.kill('SIGINT');

    expect(await receiver.status()).toBe(130);
    expect(await sender.status()).toBe(3);
    expect(sender.stderr).toContain('xfer: error: the other side was interrupted');
  });
});

it.each([
  ['travels as it is with --no-compress', ['--no-compress'], 1],
  ['is made less without it', [], 0],
])('what shrinks %s', async (_, flags, least) => {
  const text = 'the same line again and again\n'.repeat(100_000);
  await writeFile(path.join(from, 'text'), text);
  const { host: sender, port, code } = await listening(['send', path.join(from, 'text'), ...flags]);
  const line = await TcpProxy.start(port, Infinity);
  const receiver = await xfer(['receive', code, '--connect', `127.0.0.1:${line.port}`, '--yes', '--out', to]);

  expect(await receiver.status()).toBe(0);
  expect(await sender.status()).toBe(0);
  await expectSameTree(to, from);
  expect(Math.floor(line.carried / text.length)).toBe(least);
  line.close();
});

describe('after a meeting through the DHT', () => {
  it.each([
    ['bytes go directly, and both sides say so', [], 'direct'],
    ['with --lanes 0 they stay where they are', ['--lanes', '0'], 'dht'],
  ])('%s', async (_, flags, carriedBy) => {
    const dht = await startPrivateDht();
    try {
      const over = { bootstrap: dht.bootstrap };
      await writeFile(path.join(from, 'random'), randomBytes(400_000));
      // Long enough for a lane to come about.
      const sender = await xfer(['send', path.join(from, 'random'), '--limit', '200K', ...flags], over);
      const receiver = await xfer(['receive', await sender.code(), '--yes', '--out', to], over);

      expect(await receiver.status()).toBe(0);
      expect(await sender.status()).toBe(0);
      await expectSameTree(to, from);
      for (const { stderr } of [sender, receiver]) {
        expect(stderr).toMatch(/^connected through the network of peers \(dht\)/m);
        expect(/^now connected directly to 127\.0\.0\.1:\d+$/m.test(stderr)).toBe(carriedBy === 'direct');
        expect(stderr).toMatch(new RegExp(`^verified: 1 file, .*, ${carriedBy}$`, 'm'));
      }
    } finally {
      await dht.close();
    }
  });

  it('a port for lanes that is taken is said before there is a code', async () => {
    const taken = createServer().listen(0);
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const sender = await xfer(['send', '--text', 'hello', '--port', String(port)]);

    expect(await sender.status()).toBe(2);
    expect(sender.stdout).toBe('');
    expect(sender.stderr).toContain(`xfer: error: something else listens on ${port}`);
    taken.close();
  });
});
