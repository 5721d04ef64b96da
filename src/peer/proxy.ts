/**
 * A connection by way of a proxy: CONNECT of HTTP, or SOCKS. A proxy is told where to connect, never what for; it is loaded only
 * where one is used.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Secret } from '../crypto/secret.js';
import { XferError } from '../errors.js';
import { deadline } from '../transfer/deadline.js';
import { formatAddress, type Endpoint } from './address.js';
import { connected } from './socket.js';

export interface Proxy {
  /** `https` is HTTP inside TLS; `socks4` is SOCKS 4a, which takes names too. */
  readonly kind: 'http' | 'https' | 'socks4' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly login: Login | undefined;
}

export interface Login {
  readonly user: string;
  /** UTF-8. */
  readonly password: Secret;
}

/** Where a proxy should connect to. */
type Goal = Endpoint & { readonly host: string };

/** Has no answer for us, now or ever: another try would end the same way. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 451, 501]);
const LOGIN_NEEDED = 407;
/** Those that say something before they connect to anywhere. */
const ANSWERS_AT_ONCE: ReadonlySet<Proxy['kind']> = new Set(['https', 'socks5']);

/**
 * Connects to `goal` through a proxy.
 *
 * @throws XferError `proxy-unreachable` (detail `speech` where what listens there is no such proxy, or says nothing), `proxy-login` where it wants a user
 * and a password or others, `proxy-refused` where it will not connect to there (detail: there), `peer-unreachable` where it
 * cannot at present, `peer-gone` after so many milliseconds and once the signal is aborted
 */
export async function connectThrough(
  proxy: Proxy,
  goal: Goal,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await reach(proxy, timeoutMs, signal);
  const { signal: over, clear } = deadline(timeoutMs, signal);
  const abandon = (): void => {
    socket.destroy();
  };
  over.addEventListener('abort', abandon, { once: true });
  if (over.aborted) abandon();
  try {
    const stream = proxy.kind === 'https' ? await secure(proxy, socket) : socket;
    if (proxy.kind === 'http' || proxy.kind === 'https') await askHttp(proxy, goal, stream);
    else await askSocks(proxy, goal, stream);
    return stream;
  } catch (error) {
    const isMute = !signal.aborted && ANSWERS_AT_ONCE.has(proxy.kind) && socket.bytesRead === 0;
    socket.destroy();
    if (over.aborted && isMute) throw unreachable(proxy, error, 'speech');
    throw over.aborted ? new XferError('peer-gone') : error;
  } finally {
    clear();
    over.removeEventListener('abort', abandon);
  }
}

async function reach(proxy: Proxy, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const { host, port } = proxy;
  try {
    return await connected(connect({ host, port, noDelay: true }), timeoutMs, signal);
  } catch (cause) {
    throw signal.aborted ? cause : unreachable(proxy, cause);
  }
}

/** Throws `proxy-unreachable` where the proxy has no certificate that this machine trusts. */
async function secure(proxy: Proxy, socket: Socket): Promise<Socket> {
  const named = isIP(proxy.host) === 0 ? { servername: proxy.host } : {};
  const stream = connectTls({ socket, host: proxy.host, ALPNProtocols: ['http/1.1'], ...named });
  try {
    // A socket destroyed by us closes without an error.
    await Promise.race([
      once(stream, 'secureConnect'),
      once(socket, 'close').then(() => Promise.reject(new XferError('peer-gone'))),
    ]);
  } catch (cause) {
    throw unreachable(proxy, cause, 'speech');
  }
  stream.on('error', ignore);
  return stream;
}

function askHttp(proxy: Proxy, goal: Goal, stream: Socket): Promise<void> {
  const authority = formatAddress(goal.host, goal.port);
  return new Promise((resolve, reject) => {
    const asked = request({
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        // What is meant lives on.
        connection: 'keep-alive',
        ...(proxy.login === undefined ? {} : basic(proxy.login)),
      },
      // Only where no agent is named.
      createConnection: () => stream,
    });
    asked.once('connect', ({ statusCode = 0 }, _stream, rest: Buffer) => {
      if (statusCode < 200 || statusCode > 299) {
        reject(httpRefusal(proxy, authority, statusCode));
        return;
      }
      if (rest.length > 0) stream.unshift(rest);
      resolve();
    });
    // What is no HTTP, or hangs up.
    asked.once('error', (cause) => reject(unreachable(proxy, cause, 'speech')));
    asked.end();
  });
}

function basic({ user, password }: Login): { readonly 'proxy-authorization': string } {
  const pair = Buffer.concat([Buffer.from(`${user}:`), password.expose()]);
  return { 'proxy-authorization': `Basic ${pair.toString('base64')}` };
}

function httpRefusal(proxy: Proxy, goal: string, status: number): XferError {
  if (status === LOGIN_NEEDED) return loginFailed(proxy);
  return REFUSALS.has(status) ? refused(proxy, goal) : new XferError('peer-unreachable', { subject: goal });
}

async function askSocks(proxy: Proxy, { host, port }: Goal, stream: Socket): Promise<void> {
  const { SocksClient } = await import('socks');
  const { login } = proxy;
  const password = login === undefined ? '' : Buffer.from(login.password.expose()).toString();
  try {
    await SocksClient.createConnection({
      command: 'connect',
      destination: { host, port },
      existing_socket: stream,
      proxy: {
        host: proxy.host,
        port: proxy.port,
        type: proxy.kind === 'socks4' ? 4 : 5,
        ...(login === undefined ? {} : { userId: login.user, password }),
      },
    });
    // Then the package lets the socket flow. Nothing comes before somebody listens: whoever dialled speaks first.
    await nextTurn();
  } catch (cause) {
    throw socksRefusal(proxy, formatAddress(host, port), cause);
  }
}

/** The package says in words only what the proxy answered; its version is pinned, and a test has each of them. */
function socksRefusal(proxy: Proxy, goal: string, cause: unknown): XferError {
  const text = cause instanceof Error ? cause.message : '';
  if (/authentication/i.test(text)) return loginFailed(proxy);
  if (/NotAllowed|NotSupported/.test(text)) return refused(proxy, goal);
  if (text.includes('rejected connection')) return new XferError('peer-unreachable', { subject: goal });
  return unreachable(proxy, text, 'speech');
}

function unreachable(proxy: Proxy, cause: unknown, detail?: 'speech'): XferError {
  return new XferError('proxy-unreachable', {
    subject: addressOf(proxy),
    ...(detail === undefined ? {} : { detail }),
    cause,
  });
}

function refused(proxy: Proxy, goal: string): XferError {
  return new XferError('proxy-refused', { subject: addressOf(proxy), detail: goal });
}

function loginFailed(proxy: Proxy): XferError {
  const detail = proxy.login === undefined ? 'missing' : 'wrong';
  return new XferError('proxy-login', { subject: addressOf(proxy), detail });
}

/** Without user and password. */
export function addressOf({ host, port }: Proxy): string {
  return formatAddress(host, port);
}

function ignore(): void {}
