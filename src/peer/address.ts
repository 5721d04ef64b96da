/** Network addresses: how they are written, and which of them belong together. */
import { isIP, isIPv4 } from 'node:net';

export interface Endpoint {
  /** Name or literal address; with listening, `undefined` means every address of this machine. */
  readonly host: string | undefined;
  readonly port: number;
}

/** `host:port`, with IPv6 addresses in brackets. */
export function formatAddress(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
}

/** An address as everybody would write it (RFC 5952), IPv4 inside IPv6 as IPv4, without a zone. */
export function canonicalAddress(address: string): string {
  const bare = address.replace(/%.*$/s, '').toLowerCase();
  if (isIP(bare) !== 6) return bare;
  const short = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([^:]+):([^:]+)$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  return [high, low].flatMap((group) => [...Buffer.from(group.padStart(4, '0'), 'hex')]).join('.');
}

/**
 * What stands for one party among strangers: the /24 of an IPv4 address, the /48 of an IPv6 address. Anybody
 * with one address has, or may get, the others of it.
 */
export function prefixOf(address: string): string {
  const canonical = canonicalAddress(address);
  if (isIPv4(canonical)) return canonical.split('.').slice(0, 3).join('.');
  return ipv6Groups(canonical)
    .slice(0, 3)
    .map((group) => group.toString(16))
    .join(':');
}

export function isLoopback(host: string): boolean {
  const canonical = canonicalAddress(host);
  return (
    canonical === '::1' || canonical === 'localhost' || (isIPv4(canonical) && canonical.startsWith('127.'))
  );
}

/** Whether an address is one of loopback or of a private network (RFC 1918), where no translation stands between. */
export function isPrivate(host: string): boolean {
  const canonical = canonicalAddress(host);
  return (
    isLoopback(canonical) || (isIPv4(canonical) && /^(10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(canonical))
  );
}

/** Whether an address works only together with the name of an interface, or not beyond one cable at all. */
export function isLinkLocal(address: string): boolean {
  return /^(fe[89ab][0-9a-f]:|169\.254\.)/.test(canonicalAddress(address));
}

/** The groups of an IPv6 address in its canonical form. */
function ipv6Groups(canonical: string): number[] {
  const [head = '', tail] = canonical.split('::');
  const parse = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16) || 0);
  if (tail === undefined) return parse(head);
  const [first, last] = [parse(head), parse(tail)];
  return [...first, ...Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => 0), ...last];
}

/** The host of `host:port`. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}
