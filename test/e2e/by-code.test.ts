import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPrivateDht, type PrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, fillSampleTree } from '../support/trees.js';
import { xfer, type StartOptions } from '../support/xfer-process.js';

let dht: PrivateDht;
let over: StartOptions;

beforeAll(async () => {
  dht = await startPrivateDht();
  over = { bootstrap: dht.bootstrap };
});

afterAll(() => dht.close());

describe('a transfer by code', () => {
  it('brings a folder over with every name, mode, time and byte', async () => {
    const from = await temporaryFolder();
    const to = await temporaryFolder();
    await fillSampleTree(path.join(from, 'photos'));

    const sender = await xfer(['send', path.join(from, 'photos')], over);
    const code = await sender.code();
    const receiver = await xfer(['receive', code, '--yes', '--out', to], over);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
    expect(receiver.stdout.trim()).toBe(path.join(to, 'photos'));
    expect(sender.stdout.trim()).toBe(code);
  });

  it('takes files and folders together', async () => {
    const from = await temporaryFolder();
    const to = await temporaryFolder();
    await writeFile(path.join(from, 'one'), 'first');
    await writeFile(path.join(from, 'two'), 'second');
    await mkdir(path.join(from, 'three/four'), { recursive: true });

    const sender = await xfer(['send', 'one', 'two', 'three'], { ...over, cwd: from });
    const receiver = await xfer(['receive', await sender.code(), '--yes'], { ...over, cwd: to });

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('joins a receiver that shows the code', async () => {
    const from = await temporaryFolder();
    const to = await temporaryFolder();
    await writeFile(path.join(from, 'note'), 'for you');

    const receiver = await xfer(['receive', '--new', '--yes', '--out', to], over);
    const sender = await xfer(['send', '--code', await receiver.code(), path.join(from, 'note')], over);

    expect(await sender.status()).toBe(0);
    expect(await receiver.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('works with a long code, which strangers cannot look up', async () => {
    const from = await temporaryFolder();
    const to = await temporaryFolder();
    await writeFile(path.join(from, 'note'), 'for you');

    const sender = await xfer(['send', '--words', '5', path.join(from, 'note')], over);
    const code = await sender.code();
    expect(code.split('-')).toHaveLength(6);
    const receiver = await xfer(['receive', code, '--yes', '--out', to], over);

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('begins with either side', async () => {
    const from = await temporaryFolder();
    const to = await temporaryFolder();
    await writeFile(path.join(from, 'note'), 'for you');

    // A long code is on the screen before the host has begun to announce it. There it stops.
    const sender = await xfer(['send', '--words', '5', path.join(from, 'note')], over);
    const code = await sender.code();
    sender.kill('SIGSTOP');
    const receiver = await xfer(['receive', code, '--yes', '--out', to], over);
    await receiver.waitFor(/nobody is there under this code yet; still looking/);
    sender.kill('SIGCONT');

    expect(await receiver.status()).toBe(0);
    expect(await sender.status()).toBe(0);
    await expectSameTree(to, from);
  });

  it('understands a code typed in capitals and with spaces', async () => {
    const from = await temporaryFolder();
    const to = await temporaryFolder();
    await writeFile(path.join(from, 'note'), 'for you');

    const sender = await xfer(['send', path.join(from, 'note')], over);
    const typed = (await sender.code()).toUpperCase().replaceAll('-', ' ');
    const receiver = await xfer(['receive', typed, '--yes', '--out', to], over);

    expect(await receiver.status()).toBe(0);
    await expectSameTree(to, from);
  });
});
