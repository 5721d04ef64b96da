/** Where a peer may be reached for lanes (protocol section 4): what this side says, and what of the peer's it dials. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { MAX_HINTS, type Hint } from '../transfer/messages.js';
import { canonicalAddress, isLinkLocal, isLoopback } from './address.js';
import { interfaceAddresses } from './interfaces.js';

/** Below it are the services of a system, which a peer must not make us knock at. */
const MIN_PORT = 1024;

/** Private addresses mean something only within one network: theirs need not be ours. */
const PRIVATE = blockList(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'], ['fc00::/7']);
/** Addresses that no peer has: of this network, link-local, protocol assignments, multicast, reserved, broadcast. */
const NOBODYS = blockList(
  ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  // Teredo and 6to4, which carry an IPv4 address that would have to be judged too.
  ['2001::/32', '2002::/16'],
);
/** All of IPv6 that is anybody's. Outside are unspecified, multicast, link-local, and IPv4 in other clothes. */
const GLOBAL6 = blockList([], ['2000::/3']);

/**
 * What to tell the peer: this side listens for lanes on `port`.
 * @param seenAs The address by which others see this machine, where that is known.
 * @param isLocal The pairing came over loopback: the peer is on this machine, and no other address is its business.
 */
export function hintsOf(
  port: number,
  seenAs: string | undefined,
  isLocal: boolean,
  interfaces = interfaceAddresses(),
): Hint[] {
  if (port < MIN_PORT) return [];
  if (isLocal) return [{ host: '127.0.0.1', port }];
  const own = interfaces.filter(({ address, internal }) => !internal && !isLinkLocal(address));
  // Families in turn, so that a machine with many addresses of one still says some of the other.
  const [four, six] = [
    own.filter(({ address }) => isIPv4(address)),
    own.filter(({ address }) => !isIPv4(address)),
  ];
  const turns = Array.from({ length: Math.max(four.length, six.length) }, (_, index) => [
    four[index],
    six[index],
  ]);
  const hosts = turns.flat().flatMap((info) => (info === undefined ? [] : [info.address]));
  if (seenAs !== undefined) hosts.unshift(seenAs);
  return [...new Set(hosts)].slice(0, MAX_HINTS).map((host) => ({ host, port }));
}

/**
 * The hints of a peer that are worth dialling and harmless to dial, as literal addresses, none twice. A peer that lies
 * can make this machine knock at a few ports of its own networks or of the world, once each, and hears nothing of it.
 * @param isLocal The pairing came over loopback, so that a hint may lead there.
 */
export function worthDialling(
  hints: readonly Hint[],
  isLocal: boolean,
  interfaces = interfaceAddresses(),
): Hint[] {
  const attached = attachedSubnets(interfaces);
  const worth = new Map<string, Hint>();
  for (const { host, port } of hints.slice(0, MAX_HINTS)) {
    // A zone names an interface of the machine that wrote it.
    if (isIP(host) === 0 || host.includes('%') || port < MIN_PORT) continue;
    const address = canonicalAddress(host);
    const isReachable = isLoopback(address) ? isLocal : isSomebodys(address, attached);
    if (isReachable) worth.set(`${address} ${port}`, { host: address, port });
  }
  return [...worth.values()];
}

/** Whether an address is one of a network that this machine is attached to. */
export function isOnLink(host: string, interfaces = interfaceAddresses()): boolean {
  if (isLinkLocal(host)) return true;
  const address = canonicalAddress(host);
  return isIP(address) !== 0 && attachedSubnets(interfaces).check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

function isSomebodys(address: string, attached: BlockList): boolean {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (PRIVATE.check(address, family)) return attached.check(address, family);
  return !NOBODYS.check(address, family) && (family === 'ipv4' || GLOBAL6.check(address, family));
}

function attachedSubnets(interfaces: readonly NetworkInterfaceInfo[]): BlockList {
  const cidrs = interfaces.flatMap(({ cidr, internal }) => (cidr === null || internal ? [] : [cidr]));
  return blockList(
    cidrs.filter((cidr) => !cidr.includes(':')),
    cidrs.filter((cidr) => cidr.includes(':')),
  );
}

function blockList(four: readonly string[], six: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [cidrs, family] of [
    [four, 'ipv4'],
    [six, 'ipv6'],
  ] as const) {
    for (const cidr of cidrs) {
      const [address = '', length = ''] = cidr.split('/');
      list.addSubnet(address, Number(length), family);
    }
  }
  return list;
}
