/** Two machines between which no connection comes about: both say so in time, and what to do. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Internet } from '../support/internet.js';
import { isInstalled, whyNoNetworks, type Machine } from '../support/networks.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const unavailable = whyNoNetworks() ?? (isInstalled('nft') ? undefined : 'needs nftables');

describe.skipIf(unavailable !== undefined)(`no reach (${unavailable ?? 'in namespaces'})`, () => {
  let internet: Internet;
  let from: string;
  let to: string;

  beforeAll(async () => {
    internet = new Internet();
    await internet.startDht();
  });
  afterAll(() => internet.remove());

  beforeEach(async () => {
    from = path.join(await temporaryFolder(), 'file');
    to = await temporaryFolder();
    await writeFile(from, 'what nobody gets');
  });

  const on = (machine: Machine, args: readonly string[], lan = 'off'): Promise<XferProcess> =>
    xfer(args, { wrapper: machine.wrapper, bootstrap: internet.bootstrap, env: { XFER_LAN: lan } });

  it('no UDP: says so within 10 s, and how to connect', async () => {
    const { machine } = internet.behindRouter({ dropsUdp: true });
    const sender = await on(machine, ['send', from]);
    expect(await sender.status(10_000)).toBe(3);
    expect(sender.stderr).toMatch(/nothing answers over UDP[^]*--listen[^]*--connect/);

    const onLan = await on(machine, ['send', from], 'on');
    await onLan.waitFor(/does not answer over UDP[^]*--connect 192\.168\.\d+\.2:\d+/, 10_000);
    onLan.kill('SIGINT');
    expect(await onLan.status()).toBe(130);
  });

  it('two routers that draw ports: says that somebody is there, and what to do', async () => {
    const [alice, bob] = [
      internet.behindRouter({ mapping: 'random' }),
      internet.behindRouter({ mapping: 'random' }),
    ];
    const sender = await on(alice.machine, ['send', from]);
    const flags = ['--yes', '--out', to, '--expire', '9s'];
    const receiver = await on(bob.machine, ['receive', await sender.code(), ...flags]);
    await receiver.waitFor(/somebody seems to be there[^]*--listen[^]*--connect/, 10_000);
    expect(await receiver.status()).toBe(3);
    expect(receiver.stderr).toMatch(/no connection to the other side came about/);
    sender.kill('SIGINT');
    expect(await sender.status()).toBe(130);
  });
});
