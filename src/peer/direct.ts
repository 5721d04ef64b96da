/** Connections over TCP, to and from an address that people tell each other. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { XferError } from '../errors.js';
import { formatAddress, isLinkLocal, prefixOf, type Endpoint } from './address.js';
import type { Admission } from './admission.js';
import { UNCONFIRMED_MS, type Connection } from './connection.js';

/** Where a side listens and dials when no port is given. */
export const DEFAULT_PORT = 7337;

/** First bytes of the dialling side: magic, version, kind (protocol section 4). */
const HELLO = Uint8Array.of(0x78, 0x66, 0x65, 0x72, 1, 1);
/** What is read from a socket at once, in bytes. */
const READ_BYTES = 2 ** 18;
const RETRY_MS = 500;
const DIAL_MS = 5_000;
/** A machine without a network for this long has none. */
const UNREACHABLE_MS = 10_000;

export interface Listener {
  /** Where the other side can connect to, as `host:port`. */
  readonly addresses: readonly string[];
  /** Takes nobody in any more, and drops who has not come to be a connection yet. Connections live on. */
  close(): void;
}

/**
 * Listens on an address of this machine, or on all of them. Who does not say hello is closed without a word.
 * Throws `port-in-use`, or `bad-address` where the address is none of this machine.
 */
export async function listen(
  endpoint: Endpoint,
  admission: Admission,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const coming = new Set<Socket>();
  const server = createServer((socket) => {
    coming.add(socket);
    acceptPairing(socket, admission)
      .then(onConnection, () => socket.destroy())
      .finally(() => coming.delete(socket));
  });
  await bind(server, endpoint);
  const { port } = server.address() as AddressInfo;
  const hosts = endpoint.host === undefined ? addressesOfThisMachine() : [endpoint.host];
  return {
    addresses: hosts.map((host) => formatAddress(host, port)),
    close: () => {
      server.close();
      for (const socket of coming) socket.destroy();
    },
  };
}

/**
 * Dials until there is a connection or the signal is aborted, so that either side may start first. Throws
 * `peer-unreachable` for a name that does not exist and where for 10 s there was no network, and the signal's reason.
 */
export async function dial(
  endpoint: Endpoint & { readonly host: string },
  signal: AbortSignal,
): Promise<Connection> {
  const address = formatAddress(endpoint.host, endpoint.port);
  const giveUpMs = performance.now() + UNREACHABLE_MS;
  let hadNetwork = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await dialOnce(endpoint.host, endpoint.port, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const code = codeOf(cause);
      hadNetwork ||= !NO_ROUTE.has(code);
      if (code === 'ENOTFOUND' || (!hadNetwork && performance.now() > giveUpMs)) {
        throw new XferError('peer-unreachable', { subject: address, cause });
      }
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** What the system says where no way leads to an address. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAI_AGAIN', 'ENETDOWN']);

async function dialOnce(host: string, port: number, signal: AbortSignal): Promise<Connection> {
  const socket: Socket = connect({
    host,
    port,
    noDelay: true,
    // One buffer for all that comes, where the system would make one for each piece: whoever listens takes it at once.
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length, buffer) => socket.emit('data', buffer.subarray(0, length)),
    },
  });
  const abandon = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', abandon, { once: true });
  const slow = setTimeout(abandon, DIAL_MS);
  try {
    // A socket destroyed by us closes without an error.
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'close').then(() => Promise.reject(new XferError('peer-gone'))),
    ]);
    clearTimeout(slow);
    const { openOver } = await import('./direct-connection.js');
    socket.write(HELLO);
    return await openOver(socket, true);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(slow);
    signal.removeEventListener('abort', abandon);
  }
}

async function acceptPairing(socket: Socket, admission: Admission): Promise<Connection> {
  socket.setNoDelay(true);
  const leave = admission.admit(prefixOf(socket.remoteAddress ?? ''), () => socket.destroy());
  socket.once('close', leave);
  const slow = setTimeout(() => socket.destroy(), UNCONFIRMED_MS);
  try {
    await readHello(socket);
    const { openOver } = await import('./direct-connection.js');
    return await openOver(socket, false, leave);
  } finally {
    clearTimeout(slow);
  }
}

/** Reads exactly the hello, and nothing of what follows it. */
async function readHello(socket: Socket): Promise<void> {
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const onReadable = (): void => {
      const hello = socket.read(HELLO.length) as Buffer | null;
      if (hello === null) return;
      socket.off('readable', onReadable);
      resolve(hello);
    };
    socket.on('readable', onReadable);
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new XferError('peer-gone'));
    });
  });
  if (!bytes.equals(HELLO)) throw new XferError('protocol', { subject: 'hello' });
}

async function bind(server: Server, { host, port }: Endpoint): Promise<void> {
  // `::` takes IPv4 in as well, where there is IPv6 at all.
  for (const candidate of host === undefined ? ['::', '0.0.0.0'] : [host]) {
    try {
      server.listen({ host: candidate, port });
      await once(server, 'listening');
      return;
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'EADDRINUSE') throw new XferError('port-in-use', { subject: String(port), cause });
      if (code === 'EACCES')
        throw new XferError('permission-denied', { subject: `port ${String(port)}`, cause });
      if (candidate !== '::')
        throw new XferError('bad-address', { subject: formatAddress(candidate, port), cause });
    }
  }
}

/** Addresses that another machine may use; loopback where there is no other. */
function addressesOfThisMachine(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ address, internal }) => !internal && !isLinkLocal(address));
  if (usable.length === 0) return ['127.0.0.1'];
  return usable.map(({ address }) => address);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
