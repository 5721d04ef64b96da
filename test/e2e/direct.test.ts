import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { freePort, joining, listening } from '../support/direct.js';
import { startPrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

let from: string;
let to: string;
let file: string;

beforeEach(async () => {
  from = await temporaryFolder();
  to = await temporaryFolder();
  file = path.join(from, 'note');
  await writeFile(file, 'for you');
});

describe('a direct connection', () => {
  it('is dialled by the receiver', async () => {
    const { host: sender, join } = await listening(['send', file]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('is dialled by the sender', async () => {
    const { host: receiver, join } = await listening(['receive', '--new', '--yes', '--out', to]);
    const sender = await xfer(['send', ...join, file]);

    expect(await sender.status()).toBe(0);
    expect(await receiver.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('is dialled by a host and awaited by a joiner', async () => {
    const port = await freePort();
    const sender = await xfer(['send', file, '--connect', `127.0.0.1:${port}`]);
    const listen = ['--listen', `127.0.0.1:${port}`];
    const receiver = await xfer(['receive', await sender.code(), ...listen, '--yes', '--out', to]);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('waits for a side that listens later', async () => {
    const port = await freePort();
    const sender = await xfer(['send', file, '--connect', `localhost:${port}`]);
    const code = await sender.code();
    // Long enough for some dials to fail.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const receiver = await xfer(['receive', code, '--listen', `127.0.0.1:${port}`, '--yes', '--out', to]);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('finds a host by name', async () => {
    const { host: sender, code, port } = await listening(['send', file]);
    const receiver = await xfer(['receive', code, '--connect', `localhost:${port}`, '--yes', '--out', to]);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it.skipIf(!hasIPv6)('speaks IPv6', async () => {
    const port = await freePort('::1');
    const sender = await xfer(['send', file, '--listen', `[::1]:${port}`]);
    const address = ['--connect', `[::1]:${port}`];
    const receiver = await xfer(['receive', await sender.code(), ...address, '--yes', '--out', to]);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('shows the command to type on the other machine, one line per address', async () => {
    const port = await freePort();
    const sender = await xfer(['send', file, '--listen', String(port)]);
    const code = await sender.code();

    await sender.waitFor(new RegExp(`xfer receive ${code} --connect \\S+:${port}`));
  });

  it('says that a port is taken', async () => {
    const { port } = await listening(['send', file]);
    const second = await xfer(['send', file, '--listen', `127.0.0.1:${port}`]);

    expect(await second.status()).toBe(2);
    expect(second.stderr).toContain(`xfer: error: something else listens on ${port}`);
    expect(second.stderr).toContain('xfer: hint: ');
  });

  it.each([
    ['nobody of the DHT hears of it', []],
    ['the DHT is tried too with --also-dht', ['--also-dht']],
  ])('%s', async (_, also) => {
    const node = createSocket('udp4').bind(0, '127.0.0.1');
    await once(node, 'listening');
    let packets = 0;
    node.on('message', () => (packets += 1));
    const over = { bootstrap: [`127.0.0.1:${node.address().port}`] };
    const port = await freePort();
    const sender = await xfer(['send', file, '--listen', `127.0.0.1:${port}`, ...also], over);
    const join = joining(['send'], await sender.code(), port);
    const receiver = await xfer(['receive', ...join, ...also, '--yes', '--out', to], over);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
    node.close();
    if (also.length === 0) expect(packets).toBe(0);
    else expect(packets).toBeGreaterThan(0);
  });

  it('with --also-dht whoever listens is found both ways', async () => {
    const dht = await startPrivateDht();
    try {
      const over = { bootstrap: dht.bootstrap };
      for (const way of ['through the DHT', 'directly']) {
        const address = `127.0.0.1:${await freePort()}`;
        const sender = await xfer(['send', '--text', way, '--listen', address, '--also-dht'], over);
        const code = await sender.code();
        await sender.waitFor(
          new RegExp(`xfer receive ${code} --connect ${address}\n *xfer receive ${code}\n`),
        );
        const join = way === 'directly' ? [code, '--connect', address] : [code];
        const receiver = await xfer(['receive', ...join, '--yes'], over);
        expect(await receiver.status()).toBe(0);
        expect(await sender.status()).toBe(0);
        expect(receiver.stdout).toBe(way);
        // What comes after may travel over a lane.
        const found = way === 'directly' ? 'directly to' : 'through the network of peers (dht) to';
        expect(sender.stderr).toContain(`\nconnected ${found} 127.0.0.1:`);
      }
    } finally {
      await dht.close();
    }
  });
});
