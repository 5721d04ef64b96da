/** Two machines on a local network, with no internet and no route to one. */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { machine, pairMachines } from '../support/devices.js';
import { Machine, isInstalled, listenIn, whyNoNetworks } from '../support/networks.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

interface DnsPacket {
  readonly questions: unknown[];
  readonly answers: { readonly name: string; readonly data: unknown }[];
  readonly additionals: unknown[];
  readonly authorities: unknown[];
}
const require = createRequire(createRequire(import.meta.url).resolve('multicast-dns'));
const dnsPacket = require('dns-packet') as { decode(packet: Buffer): DnsPacket };

const LAN_ON = { XFER_LAN: 'on' };
const unavailable = whyNoNetworks();

describe.skipIf(unavailable !== undefined)(`the local network (${unavailable ?? 'in namespaces'})`, () => {
  let alice: Machine;
  let bob: Machine;
  let file: string;
  let to: string;
  const content = noise(3_000_000, 'lan');

  beforeEach(async () => {
    alice = new Machine('alice');
    bob = new Machine('bob');
    file = path.join(await temporaryFolder(), 'file');
    to = await temporaryFolder();
    await writeFile(file, content);
  });

  afterEach(() => {
    alice.remove();
    bob.remove();
  });

  const on = (machine: Machine, args: readonly string[]): Promise<XferProcess> =>
    xfer(args, { wrapper: machine.wrapper, env: LAN_ON });

  async function expectArrived(sender: XferProcess, receiver: XferProcess): Promise<void> {
    expect([await sender.status(), await receiver.status()], receiver.stderr).toEqual([0, 0]);
    expect((await readFile(path.join(to, 'file'))).equals(content)).toBe(true);
  }

  it.each<[string, readonly string[], readonly string[], RegExp]>([
    ['IPv4', ['10.77.0.1/24'], ['10.77.0.2/24'], /10\.77\.0\.1/],
    ['IPv6 without a single address given', [], [], /fe80::/],
  ])('brings two sides together over %s, with nothing but the code', async (_, here, there, seen) => {
    // Otherwise whichever is faster brings them together.
    if (here.length > 0) for (const machine of [alice, bob]) machine.forgetIpv6();
    alice.cableTo(bob, 'cable', here, there);
    const sender = await on(alice, ['send', file]);
    const receiver = await on(bob, ['receive', await sender.code(), '--yes', '--out', to]);
    await expectArrived(sender, receiver);
    expect(receiver.stderr).toMatch(seen);
  });

  it('whoever starts first, and with --local nothing else is tried', async () => {
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    const receiver = await on(bob, ['receive', '--new', '--local', '--yes', '--out', to]);
    const sender = await on(alice, ['send', file, '--local', '--code', await receiver.code()]);
    await expectArrived(sender, receiver);
    expect(sender.stderr).not.toContain('dht');
  });

  it('also beside networks that lead nowhere', async () => {
    for (const machine of [alice, bob]) {
      machine.ip('link', 'add', 'docker0', 'type', 'bridge');
      machine.ip('addr', 'add', '172.17.0.1/16', 'dev', 'docker0');
      machine.ip('link', 'set', 'docker0', 'up');
    }
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    const sender = await on(alice, ['send', file, '--local']);
    const receiver = await on(bob, ['receive', await sender.code(), '--local', '--yes', '--out', to]);
    await expectArrived(sender, receiver);
  });

  it('when the cable is plugged in later', async () => {
    const sender = await on(alice, ['send', file, '--local']);
    const receiver = await on(bob, ['receive', await sender.code(), '--local', '--yes', '--out', to]);
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    await expectArrived(sender, receiver);
  });

  it.skipIf(!isInstalled('nft'))('says how to connect where it drops multicast, and that works', async () => {
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    bob.run(
      'nft',
      'add table inet filter; add chain inet filter in { type filter hook input priority 0; }; add rule inet filter in udp dport 5353 drop',
    );
    const sender = await on(alice, ['send', file, '--local']);
    const [, code = '', address = ''] = await sender.waitFor(
      /xfer receive (\S+) --connect (10\.77\.0\.1:\d+)/,
    );
    const lost = await on(bob, ['receive', code, '--local', '--yes', '--out', to, '--expire', '3s']);
    expect(await lost.status()).toBe(3);
    const receiver = await on(bob, ['receive', code, '--connect', address, '--yes', '--out', to]);
    await expectArrived(sender, receiver);
  });

  it('spends a guess on a wrong code, and waits on', async () => {
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    const sender = await on(alice, ['send', file, '--local']);
    const code = await sender.code();
    const wrong = code.endsWith('-tiger')
      ? code.replace(/-tiger$/, '-apple')
      : code.replace(/-[a-z]+$/, '-tiger');
    const stranger = await on(bob, ['receive', wrong, '--local', '--yes', '--out', to]);
    expect(await stranger.status()).toBe(4);
    await sender.waitFor(/somebody tried a wrong code/);
    const receiver = await on(bob, ['receive', code, '--local', '--yes', '--out', to]);
    await expectArrived(sender, receiver);
  });

  it('brings devices together that were paired before, on any network', async () => {
    const [laptop, pi] = [await machine(), await machine()];
    await pairMachines(laptop, pi, { name: 'pi', otherName: 'laptop' });
    const wait = ['receive', '--wait', '--local', '--yes', '--out', to];
    const waiter = await xfer(wait, { wrapper: bob.wrapper, env: { ...pi.env, ...LAN_ON } });
    const args = ['send', file, '--to', 'pi', '--local'];
    const sender = await xfer(args, { wrapper: alice.wrapper, env: { ...laptop.env, ...LAN_ON } });
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    expect(await sender.status(), sender.stderr).toBe(0);
    expect((await readFile(path.join(to, 'file'))).equals(content)).toBe(true);
    waiter.kill('SIGINT');
    expect(await waiter.status()).toBe(0);
  });

  it('row 16: hears a hash and a port and nothing else, a farewell at the end, and nothing with XFER_LAN=off', async () => {
    alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
    const ear = await listenIn(bob);
    const quiet = await xfer(['send', file], { wrapper: alice.wrapper, env: { XFER_LAN: 'off' } });
    await quiet.code();
    quiet.kill('SIGINT');
    await quiet.ended;
    const sender = await on(alice, ['send', file, '--local']);
    await sender.code();
    await ear.heard(1);
    sender.kill('SIGINT');
    expect(await sender.status()).toBe(130);
    const [first, ...others] = (await ear.end()).map((packet) => dnsPacket.decode(packet));
    const farewell = others.at(-1) ?? first;
    expect(first?.answers).toMatchObject([{ type: 'TXT', ttl: 10 }]);
    for (const { questions, answers, additionals, authorities } of [first, ...others].flatMap(
      (each) => each ?? [],
    )) {
      expect([questions, additionals, authorities]).toEqual([[], [], []]);
      expect(answers).toHaveLength(1);
      expect(answers[0]?.name).toMatch(/^[0-9a-f]{32}\._xfer\._tcp\.local$/);
      expect(String(answers[0]?.data)).toMatch(/^port=\d{4,5}$/);
    }
    expect(farewell?.answers).toMatchObject([{ type: 'TXT', ttl: 0 }]);
  });
});
