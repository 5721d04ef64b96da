import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { hintsOf, isOnLink, worthDialling } from '../../../src/peer/hints.js';

/** An address of an interface, as the system lists it. */
function on(cidr: string, internal = false): NetworkInterfaceInfo {
  const address = cidr.split('/')[0]!;
  const shared = { address, cidr, internal, mac: '02:00:00:00:00:01', netmask: '' };
  return address.includes(':') ? { ...shared, family: 'IPv6', scopeid: 0 } : { ...shared, family: 'IPv4' };
}

const HOME = [
  on('127.0.0.1/8', true),
  on('::1/128', true),
  on('192.168.1.20/24'),
  on('fe80::2/64'),
  on('fd12:3456::20/64'),
  on('2001:db8:7::20/64'),
];

describe('what this side says', () => {
  test('the addresses of its interfaces, but for loopback and link-local ones', () => {
    expect(hintsOf(40_000, undefined, false, HOME)).toEqual([
      { host: '192.168.1.20', port: 40_000 },
      { host: 'fd12:3456::20', port: 40_000 },
      { host: '2001:db8:7::20', port: 40_000 },
    ]);
  });

  test('first the address by which others see it, once', () => {
    const hosts = (seenAs: string): string[] => hintsOf(40_000, seenAs, false, HOME).map(({ host }) => host);
    expect(hosts('203.0.113.7')[0]).toBe('203.0.113.7');
    expect(hosts('192.168.1.20')).toHaveLength(3);
  });

  test('row 16: to a peer on this machine nothing but loopback', () => {
    expect(hintsOf(40_000, '203.0.113.7', true, HOME).map(({ host }) => host)).toEqual(['127.0.0.1']);
  });

  test('at most eight, of both families', () => {
    const of = (pattern: string): NetworkInterfaceInfo[] =>
      Array.from({ length: 20 }, (_, index) => on(pattern.replace('N', String(index))));
    for (const [many, single] of [
      [of('10.0.N.1/24'), on('2001:db8::1/64')],
      [of('2001:db8:N::1/64'), on('10.0.0.1/24')],
    ] as const) {
      const hosts = hintsOf(40_000, undefined, false, [...many, single]).map(({ host }) => host);
      expect(hosts).toHaveLength(8);
      expect(hosts).toContain(single.address);
    }
  });

  test('nothing where its port is one that no peer would dial', () => {
    for (const port of [80, 1023]) expect(hintsOf(port, undefined, false, HOME)).toEqual([]);
    expect(hintsOf(1024, undefined, false, HOME)).toHaveLength(3);
  });
});

describe('what of the peer this side dials', () => {
  const dialled = (host: string, isLocal = false, port = 40_000): string[] =>
    worthDialling([{ host, port }], isLocal, HOME).map((hint) => hint.host);

  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['192.168.1.77', '192.168.1.77'],
    ['::ffff:192.168.1.77', '192.168.1.77'],
    ['2a00:1450:4001::1', '2a00:1450:4001::1'],
    ['fd12:3456::77', 'fd12:3456::77'],
  ])('%s', (host, address) => {
    expect(dialled(host)).toEqual([address]);
  });

  test.each([
    ['a name', 'printer.local'],
    ['a name that looks like a number', '0x7f.1'],
    ['nothing', ''],
    ['unspecified', '0.0.0.0'],
    ['unspecified, IPv6', '::'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback, IPv6', '::1'],
    ['loopback, mapped', '::ffff:127.0.0.1'],
    ['loopback, mapped and in hexadecimal', '::ffff:7f00:1'],
    ['loopback, mapped and long', '0:0:0:0:0:ffff:127.0.0.1'],
    ['loopback in other clothes', '::127.0.0.1'],
    ['loopback by NAT64', '64:ff9b::7f00:1'],
    ['loopback by 6to4', '2002:7f00:1::'],
    ['Teredo', '2001::1'],
    ['link-local, the address of a cloud’s secrets', '169.254.169.254'],
    ['link-local, IPv6', 'fe80::1'],
    ['with a zone', 'fe80::1%eth0'],
    ['global with a zone', '2a00:1450:4001::1%eth0'],
    ['a protocol’s own', '192.0.0.8'],
    ['multicast', '224.0.0.251'],
    ['multicast, IPv6', 'ff02::fb'],
    ['broadcast', '255.255.255.255'],
    ['private and not attached', '192.168.2.1'],
    ['private and not attached, mapped', '::ffff:10.0.0.1'],
    ['private, 172.16', '172.16.0.1'],
    ['behind a carrier’s NAT', '100.64.0.1'],
    ['unique local and not attached', 'fd99::1'],
    ['site-local', 'fec0::1'],
  ])('not %s', (_, host) => {
    expect(dialled(host)).toEqual([]);
  });

  test('no address of what is only within this machine, or has no network', () => {
    const odd: NetworkInterfaceInfo[] = [on('10.1.2.3/24', true), { ...on('10.2.2.3/24'), cidr: null }];
    const hints = ['10.1.2.77', '10.2.2.77', '192.168.1.77'].map((host) => ({ host, port: 4_000 }));
    const worth = worthDialling(hints, false, [...odd, ...HOME]);
    expect(worth.map(({ host }) => host)).toEqual(['192.168.1.77']);
  });

  test('loopback where the pairing came over it', () => {
    expect(dialled('127.0.0.1', true)).toEqual(['127.0.0.1']);
    expect(dialled('::1', true)).toEqual(['::1']);
    expect(dialled('0:0:0:0:0:0:0:1', true)).toEqual(['::1']);
    expect(dialled('::ffff:7f00:1', true)).toEqual(['127.0.0.1']);
    // Still no name: somebody else says what it means.
    expect(dialled('localhost', true)).toEqual([]);
  });

  test('no port of a system service', () => {
    for (const port of [0, 22, 25, 1023]) expect(dialled('203.0.113.7', false, port)).toEqual([]);
    expect(dialled('203.0.113.7', false, 1024)).toHaveLength(1);
  });

  test('at most eight, and each once however it is written', () => {
    const hints = Array.from({ length: 50 }, (_, index) => ({
      host: `203.0.113.${String(index)}`,
      port: 4_000,
    }));
    expect(worthDialling(hints, false, HOME)).toHaveLength(8);
    const dialledOf = (hosts: readonly string[]): string[] =>
      worthDialling(
        hosts.map((host) => ({ host, port: 4_000 })),
        false,
        HOME,
      ).map(({ host }) => host);
    expect(dialledOf(['203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107'])).toEqual(['203.0.113.7']);
    expect(dialledOf(['2a00:1450::1', '2A00:1450:0::1', '2a00:1450:0:0:0:0:0.0.0.1'])).toEqual([
      '2a00:1450::1',
    ]);
  });
});

describe('a network that this machine is attached to', () => {
  test.each([
    ['192.168.1.77', true],
    ['::ffff:192.168.1.77', true],
    ['2001:db8:7::77', true],
    ['fd12:3456::77', true],
    ['fe80::77', true],
    ['fe80::1%eth0', true],
    ['169.254.7.7', true],
    ['192.168.2.77', false],
    ['2001:db8:8::77', false],
    ['fd99::2', false],
    ['203.0.113.7', false],
    ['127.0.0.1', false],
    ['printer.local', false],
    ['nonsense', false],
  ])('has %s: %s', (host, isThere) => {
    expect(isOnLink(host, HOME)).toBe(isThere);
  });
});
