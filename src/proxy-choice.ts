/** Which proxy leads to an address, by the variables of the environment that say so to every program. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { parseEndpoint } from './endpoint.js';
import { Secret } from './crypto/secret.js';
import { XferError } from './errors.js';
import type { Login, Proxy } from './peer/connect.js';

/** The first that is set counts, in small letters before large ones as with curl. */
const PROXY_VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'];
const EXEMPT_VARIABLES = ['no_proxy', 'NO_PROXY'];

interface Scheme {
  readonly kind: Proxy['kind'];
  readonly port: number;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  http: { kind: 'http', port: 80 },
  https: { kind: 'https', port: 443 },
  socks: { kind: 'socks5', port: 1080 },
  socks4: { kind: 'socks4', port: 1080 },
  socks4a: { kind: 'socks4', port: 1080 },
  socks5: { kind: 'socks5', port: 1080 },
  socks5h: { kind: 'socks5', port: 1080 },
};

/** SOCKS has one byte for the length of either. */
const MAX_LOGIN_BYTES = 255;

/**
 * The proxy by way of which `host` and `port` are to be dialled: `HTTPS_PROXY`, else `ALL_PROXY`, unless `NO_PROXY` names the address.
 * `undefined` where there is none.
 *
 * @throws XferError `usage` where the variable holds no address of a proxy. What it holds is not told: it may be a password.
 */
export function proxyFor(
  { host, port }: { readonly host: string; readonly port: number },
  env: NodeJS.ProcessEnv = process.env,
): Proxy | undefined {
  const exempt = firstSet(EXEMPT_VARIABLES, env);
  if (exempt !== undefined && isExempt(host, port, exempt.value)) return undefined;
  return proxyOf(env);
}

/**
 * The proxy that the environment names, whatever else it exempts.
 *
 * @throws XferError as `proxyFor` does
 */
export function proxyOf(env: NodeJS.ProcessEnv = process.env): Proxy | undefined {
  const variable = firstSet(PROXY_VARIABLES, env);
  if (variable === undefined) return undefined;
  try {
    return parseProxy(variable.value);
  } catch {
    // Without what was wrong in it, which it would quote.
    throw new XferError('usage', {
      subject: `${variable.name} is not the address of a proxy`,
      detail: 'write http://, https:// or socks5://, then HOST:PORT or USER:PASSWORD@HOST:PORT',
    });
  }
}

function firstSet(
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): { readonly name: string; readonly value: string } | undefined {
  for (const name of names) {
    const value = env[name]?.trim() ?? '';
    if (value !== '') return { name, value };
  }
  return undefined;
}

/** Without a scheme it is one of HTTP. Throws anything. */
function parseProxy(text: string): Proxy {
  const url = new URL(text.includes('://') ? text : `http://${text}`);
  const scheme = SCHEMES[url.protocol.slice(0, -1)];
  const { host, port } = parseEndpoint(`${url.hostname}:${url.port || String(scheme?.port)}`);
  if (scheme === undefined || host === undefined || port === 0) throw new XferError('usage');
  return { kind: scheme.kind, host, port, login: loginOf(url) };
}

function loginOf({ username, password }: URL): Login | undefined {
  if (username === '' && password === '') return undefined;
  const user = decodeURIComponent(username);
  const bytes = Buffer.from(decodeURIComponent(password));
  if (Math.max(Buffer.byteLength(user), bytes.length) > MAX_LOGIN_BYTES) throw new XferError('usage');
  return { user, password: new Secret(bytes) };
}

/**
 * Whether a list names an address: `*`, names (with all below them), addresses and subnets, each with a port or without, between commas
 * or spaces.
 */
function isExempt(host: string, port: number, list: string): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((item) => item !== '' && names(item, host.toLowerCase().replace(/\.$/, ''), port));
}

function names(item: string, host: string, port: number): boolean {
  if (item === '*') return true;
  const { place, onPort } = splitPort(item);
  if (onPort !== undefined && onPort !== port) return false;
  if (isIP(host) !== 0) return holds(place, host);
  const name = place.replace(/^\*?\./, '');
  return host === name || host.endsWith(`.${name}`);
}

/** The port of `10.0.0.1:80`, `[::1]:80` or `name:80`; `::1` has none. */
function splitPort(item: string): { readonly place: string; readonly onPort: number | undefined } {
  const [, literal, rest, name, port] = /^(?:\[([^\]]*)\](?::(\d+))?|([^:]*)(?::(\d+))?)$/.exec(item) ?? [];
  const digits = rest ?? port;
  return { place: literal ?? name ?? item, onPort: digits === undefined ? undefined : Number(digits) };
}

/** Whether `place`, an address or a subnet as `10.0.0.0/8`, holds an address. */
function holds(place: string, address: string): boolean {
  const [network = '', length] = place.split('/');
  const version = isIP(network);
  if (version === 0) return false;
  const longest = version === 4 ? 32 : 128;
  const bits = length === undefined ? longest : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > longest || length === '') return false;
  const list = new BlockList();
  list.addSubnet(network, bits, version === 4 ? 'ipv4' : 'ipv6');
  return list.check(address.replace(/%.*$/, ''), isIPv4(address) ? 'ipv4' : 'ipv6');
}
