import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { forwardConnections } from '../../bench/delay-line.js';
import { parseCode, topicOf } from '../../src/crypto/code.js';
import { loadHashing } from '../../src/crypto/sodium.js';
import { openDht, type DhtNode } from '../../src/peer/dht.js';
import { freePort, joining, listening } from '../support/direct.js';
import { expectEnding, type Ending } from '../support/endings.js';
import { startPrivateDht, type PrivateDht } from '../support/private-dht.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer, xferOnTerminal, type XferProcess, type XferTerminal } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const CTRL_C = '\u0003';

const MINE: Ending = {
  status: 130,
  error: 'interrupted',
  hint: 'start again on both sides with a new code',
};
const UNUSED: Ending = { ...MINE, hint: 'the code was not used and may be tried again' };
const THEIRS: Ending = {
  status: 3,
  error: 'the other side was interrupted',
  hint: 'start again on both sides with a new code',
};

let to: string;
let big: string;
let proxy: TcpProxy | undefined;
let closeLine = (): void => {};

beforeAll(async () => {
  big = path.join(await temporaryFolder(), 'big.bin');
  await writeFile(big, noise(16 * MIB, 'big'));
});

beforeEach(async () => {
  to = await temporaryFolder();
});

afterEach(() => {
  proxy?.close();
  proxy = undefined;
  closeLine();
});

/** Nobody looks for a side that ends, and says that it does. */
function expectNothingLost(...sides: readonly (XferProcess | XferTerminal)[]): void {
  for (const { text } of sides) expect(text).not.toMatch(/connection (?:is )?lost/);
}

describe('Ctrl-C while nobody is there yet', () => {
  it('ends a sender', async () => {
    const { host: sender } = await listening(['send', big]);
    sender.kill('SIGINT');
    await expectEnding(sender, MINE);
  });

  it('ends a receiver', async () => {
    const { code } = await listening(['send', big]);
    const receiver = await xfer([
      'receive',
      code,
      '--connect',
      `127.0.0.1:${await freePort()}`,
      '--yes',
      '--out',
      to,
    ]);
    await receiver.waitFor(/looking for the other side/);
    receiver.kill('SIGINT');
    await expectEnding(receiver, { ...UNUSED, in: to });
  });

  it('ends a prompt for the code', async () => {
    const receiver = await xferOnTerminal(['receive']);
    await receiver.waitFor(/code/i);
    receiver.type(CTRL_C);
    await expectEnding(receiver, UNUSED);
  });
});

describe('a code that nobody used', () => {
  let dht: PrivateDht;
  let stranger: DhtNode;
  beforeAll(async () => {
    await loadHashing();
    dht = await startPrivateDht();
    stranger = openDht(dht.bootstrap);
  });
  afterAll(async () => {
    await stranger.close();
    await dht.close();
  });

  it.each([
    ['Ctrl-C', 'SIGINT', 130],
    ['SIGTERM', 'SIGTERM', 130],
    ['its time', undefined, 4],
  ] as const)('has left the DHT when %s ended its process', async (_, signal, status) => {
    const expire = signal === undefined ? ['--expire', '3s'] : [];
    const sender = await xfer(['send', big, ...expire], { bootstrap: dht.bootstrap });
    const topic = topicOf(parseCode(await sender.code()));
    await vi.waitFor(async () => expect(await stranger.lookup(topic)).toHaveLength(1), {
      timeout: 10_000,
      interval: 50,
    });
    if (signal !== undefined) sender.kill(signal);
    expect(await sender.status()).toBe(status);
    expect(await stranger.lookup(topic)).toEqual([]);
  });
});

describe('Ctrl-C while the receiver thinks', () => {
  it('at the receiver tells the sender', async () => {
    const { host: sender, join } = await listening(['send', big]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(/\[y\/n/i);
    receiver.type(CTRL_C);
    await expectEnding(receiver, { ...MINE, in: to });
    await expectEnding(sender, THEIRS);
    expectNothingLost(sender, receiver);
  });

  it('at the sender tells the receiver', async () => {
    const { host: sender, join } = await listening(['send', big]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(/\[y\/n/i);
    sender.kill('SIGINT');
    await expectEnding(sender, MINE);
    await expectEnding(receiver, { ...THEIRS, in: to });
    expectNothingLost(sender, receiver);
  });
});

describe('a terminal that is closed', () => {
  it('while a question is open is no answer, and ends it as Ctrl-C does', async () => {
    const { host: sender, join } = await listening(['send', big]);
    const receiver = await xferOnTerminal(['receive', ...join, '--out', to]);
    await receiver.waitFor(/\[y\/n/i);
    receiver.hangUp();
    expect(await receiver.status()).toBe(130);
    await expectEnding(sender, THEIRS);
    expectNothingLost(sender);
  });

  it('while it asks for the code ends it', async () => {
    const receiver = await xferOnTerminal(['receive']);
    await receiver.waitFor(/code/i);
    receiver.hangUp();
    expect(await receiver.status()).toBe(130);
  });
});

describe('Ctrl-C while files move', () => {
  // An endless stream is in the middle for as long as the test needs it.
  it.each(['receiver', 'sender'] as const)('at the %s tells the other side', async (who) => {
    const { host: sender, join } = await listening(['send', '-'], { keepInputOpen: true });
    const receiver = await xfer(['receive', ...join, '--yes', '--debug', '--out', path.join(to, 'stream')]);
    const feeding = setInterval(() => sender.input.write(noise(MIB / 4, 'stream')), 50);
    await receiver.waitFor(/debug: .* progress .*"bytes":[1-9]/).finally(() => clearInterval(feeding));
    const [one, other] = who === 'receiver' ? [receiver, sender] : [sender, receiver];
    one.kill('SIGINT');
    await expectEnding(one, MINE);
    await expectEnding(other, { ...THEIRS, in: to });
    expectNothingLost(one, other);
  });

  it.each(['receiver', 'sender'] as const)(
    'at the %s tells the other side by a slow line that is full',
    async (who) => {
      const { host: sender, code, port } = await listening(['send', big, '--no-compress']);
      const line = await forwardConnections(port, { mbit: 10, delayMs: 5 });
      closeLine = line.close;
      const receiver = await xfer([
        'receive',
        ...joining(['send'], code, line.port),
        '--yes',
        '--debug',
        '--out',
        to,
      ]);
      await receiver.waitFor(/debug: .* progress .*"bytes":[1-9]\d{6}/);
      const [one, other] = who === 'receiver' ? [receiver, sender] : [sender, receiver];
      one.kill('SIGINT');
      await expectEnding(one, who === 'receiver' ? { ...MINE, in: to, goesOn: true } : MINE);
      await expectEnding(other, who === 'receiver' ? THEIRS : { ...THEIRS, in: to, goesOn: true });
      expectNothingLost(sender, receiver);
    },
  );

  it.each(['receiver', 'sender'] as const)('at the %s works though the line hangs', async (who) => {
    const { host: sender, code, port } = await listening(['send', big]);
    proxy = await TcpProxy.start(port, 5 * MIB);
    const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
    await proxy.held;
    const one = who === 'receiver' ? receiver : sender;
    one.kill('SIGINT');
    const kept = { ...MINE, error: 'interrupted', in: to, goesOn: true };
    await expectEnding(one, who === 'receiver' ? kept : MINE);
    expectNothingLost(one);
  });

  it.each(['receiver', 'sender'] as const)(
    'that a terminal says as it goes, and its shell again, ends the %s once',
    async (who) => {
      const { host: sender, code, port } = await listening(['send', big]);
      proxy = await TcpProxy.start(port, 5 * MIB);
      const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
      await proxy.held;
      const one = who === 'receiver' ? receiver : sender;
      one.kill('SIGHUP');
      await one.waitFor(/stopping/);
      one.kill('SIGHUP');
      await expectEnding(one, who === 'receiver' ? { ...MINE, in: to, goesOn: true } : MINE);
    },
  );

  it('does not wait for a reader that takes nothing', async () => {
    const pipe = path.join(to, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, 'r+');
    try {
      const { host: sender, join } = await listening(['send', big]);
      const wrapper = ['sh', '-c', 'exec "$@" > "$0"', pipe];
      const receiver = await xfer(['receive', ...join, '--stdout', '--yes', '--debug'], { wrapper });
      await receiver.waitFor(/debug: .* file-started/);
      receiver.kill('SIGTERM');
      expect(await receiver.status(10_000)).toBe(130);
      await expectEnding(sender, THEIRS);
    } finally {
      closeSync(reader);
    }
  });

  it.each([
    ['SIGHUP', 'SIGTERM'],
    ['SIGTERM', 'SIGHUP'],
    ['SIGINT', 'SIGINT'],
  ] as const)('said by %s and %s at once is one', async (first, second) => {
    const { host: sender, code, port } = await listening(['send', big]);
    proxy = await TcpProxy.start(port, 5 * MIB);
    const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
    await proxy.held;
    receiver.kill(first);
    receiver.kill(second);
    await expectEnding(receiver, { ...MINE, in: to, goesOn: true });
    await sender.status();
  });

  it.each(['receiver', 'sender'] as const)('twice at the %s stops at once', async (who) => {
    const { host: sender, code, port } = await listening(['send', big]);
    proxy = await TcpProxy.start(port, 5 * MIB);
    const receiver = await xfer(['receive', ...joining(['send'], code, proxy.port), '--yes', '--out', to]);
    await proxy.held;
    const one = who === 'receiver' ? receiver : sender;
    one.kill('SIGINT');
    await one.waitFor(/stopping; Ctrl-C again to end now/);
    // At once it would be the same key press, handed on by somebody.
    await sleep(400);
    one.kill('SIGINT');
    expect(await one.status()).toBe(130);
    // It did not wait for a last word on the line that hangs.
    expect(one.stderr).not.toContain('xfer: error: ');
    expect(await namesIn(to)).not.toContain('big.bin');
  });
});
