/** Addresses as people write them. */
import { isIP, isIPv6 } from 'node:net';
import { XferError } from './errors.js';

/** Where a direct connection is made when no port is given. */
export const DEFAULT_PORT = 7337;

export const HIGHEST_PORT = 65_535;

/**
 * Reads `host:port`, `host`, `port`, `[::1]:port` or `::1`. What is left out is `undefined` (host) or `DEFAULT_PORT`.
 *
 * @throws XferError `bad-address`
 */
export function parseEndpoint(text: string): { readonly host: string | undefined; readonly port: number } {
  const { host, port } = splitAddress(text);
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  const validHost =
    host === undefined || (HOST_NAME.test(host) && !NUMERIC_HOST.test(host)) || isIP(host) !== 0;
  if (!validHost || number > HIGHEST_PORT) throw new XferError('bad-address', { subject: text });
  return { host, port: number };
}

/** What systems still read as an IPv4 address, such as 1.2.3 for 1.2.0.3: here it is one with a part forgotten. */
const NUMERIC_HOST = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i;
/** What an IPv6 address without brackets has, and a host with a port has not. */
const MAYBE_IPV6 = /:.*:/;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i;

function splitAddress(text: string): { host: string | undefined; port: string | undefined } {
  if (/^\d+$/.test(text)) return { host: undefined, port: text };
  // `isIPv6` takes some 5 ms when it is first called: not for every host and port.
  if (MAYBE_IPV6.test(text) && isIPv6(text)) return { host: text, port: undefined };
  const match = /^(?:\[(?<literal>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups;
  const host = match?.['literal'] ?? match?.['name'];
  const isWrongLiteral = match?.['literal'] !== undefined && !isIPv6(match['literal']);
  if (host === undefined || isWrongLiteral || text === '')
    throw new XferError('bad-address', { subject: text });
  return { host: host === '' ? undefined : host, port: match?.['port'] };
}
