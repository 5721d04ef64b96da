/** Connections over TCP, to and from an address that people tell each other. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { XferError, type ErrorCode } from '../errors.js';
import { bindError } from './bind-error.js';
import { formatAddress, isLinkLocal, prefixOf, type Endpoint } from './address.js';
import type { Admission, Place } from './admission.js';
import { UNCONFIRMED_MS, type Connection } from './connection.js';
import type { SocketOrigin } from './direct-connection.js';
import { hello, ID_BYTES, readExactly, readHello, type HelloKind } from './hello.js';
import { interfaceAddresses } from './interfaces.js';
import { openSocket, type Target } from './socket.js';
import { deferred, type Deferred } from '../transfer/deferred.js';

/** Where a side listens and dials when no port is given. */
export const DEFAULT_PORT = 7337;

const RETRY_MS = 500;
const DIAL_MS = 5_000;
/** A proxy has the same to do, after us. */
const PROXY_DIAL_MS = 10_000;
/** A machine without a network for this long has none. */
const UNREACHABLE_MS = 10_000;

/** Makes a lane of a socket behind its hello. Resolves when the lane counts; what it rejects is closed. */
export type TakeLane = (socket: Socket) => Promise<void>;

/** Who takes a connection for the lost session of this id, if there is one. */
export type ReunionTaker = (id: Uint8Array) => ((connection: Connection) => void) | undefined;

export interface Listener {
  /** Where the other side can connect to, as `host:port`. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Takes nobody in any more who wants to pair, and drops who has not come to be a connection yet. */
  endPairing(): void;
  /**
   * From now on takes lanes. Those that were dialled before wait for this: the other side may be ready first.
   *
   * @param expects Whether a lane of this id is one, where the listener is not this session's alone.
   */
  takeLanes(take: TakeLane, expects: (id: Uint8Array) => boolean): void;
  /** From now on takes who comes for a lost session. */
  takeReunions(takerOf: ReunionTaker): void;
  /** Takes nobody in any more, and drops who has not come to be a connection or a lane yet. Those live on. */
  close(): void;
}

/**
 * Listens on an address of this machine, or on all of them. Who does not say hello is closed without a word.
 * Throws `port-in-use`, or `bad-address` where the address is none of this machine.
 * @param onConnection Takes who comes to pair; nobody may where it is not given.
 */
export async function listen(
  endpoint: Endpoint,
  admission: Admission,
  onConnection?: (connection: Connection) => void,
  transport: SocketOrigin['transport'] = 'direct',
): Promise<Listener> {
  const entrance = new Entrance(admission, onConnection, transport);
  const server = createServer((socket) => void entrance.admit(socket));
  await bind(server, endpoint);
  // Who could not be taken in, for want of descriptors, may come again.
  server.on('error', ignore);
  const { port } = server.address() as AddressInfo;
  const hosts = endpoint.host === undefined ? addressesOfThisMachine() : [endpoint.host];
  return {
    addresses: hosts.map((host) => formatAddress(host, port)),
    port,
    endPairing: () => entrance.endPairing(),
    takeLanes: (take) => entrance.takeLanes(take),
    takeReunions: (takerOf) => entrance.takeReunions(takerOf),
    close: () => {
      server.close();
      entrance.close();
    },
  };
}

/** Who dialled is a stranger here, for 10 s at most, until it has come to be a connection or a lane. */
class Entrance {
  readonly #admission: Admission;
  #onConnection: ((connection: Connection) => void) | undefined;
  readonly #transport: SocketOrigin['transport'];
  #takeLane: TakeLane | undefined;
  #reunionTaker: ReunionTaker = () => undefined;
  /** And what they want, once they said so. */
  readonly #strangers = new Map<Socket, HelloKind | undefined>();
  /** Those that want a lane before anybody takes lanes. */
  readonly #early = new Map<Socket, Deferred<TakeLane>>();

  constructor(
    admission: Admission,
    onConnection: ((connection: Connection) => void) | undefined,
    transport: SocketOrigin['transport'],
  ) {
    this.#admission = admission;
    this.#onConnection = onConnection;
    this.#transport = transport;
  }

  /** Never rejects. */
  async admit(socket: Socket): Promise<void> {
    socket.setNoDelay(true);
    // What happens between one reader of the socket and the next ends in its close.
    socket.on('error', ignore);
    const place = this.#admission.admit(prefixOf(socket.remoteAddress ?? ''), () => socket.destroy());
    socket.once('close', () => place.leave());
    this.#strangers.set(socket, undefined);
    const slow = setTimeout(() => socket.destroy(), UNCONFIRMED_MS);
    try {
      const kind = await readHello(socket);
      this.#strangers.set(socket, kind);
      if (kind === 'lane') {
        const takeLane = this.#takeLane ?? (await this.#laneTaker(socket));
        await takeLane(socket);
        place.leave();
      } else if (kind === 'reunion') {
        await this.#open(socket, place, this.#reunionTaker(await readExactly(socket, ID_BYTES)));
      } else {
        await this.#pair(socket, place);
      }
    } catch {
      socket.destroy();
    } finally {
      clearTimeout(slow);
      this.#strangers.delete(socket);
    }
  }

  endPairing(): void {
    this.#onConnection = undefined;
    for (const [socket, kind] of this.#strangers) if (kind !== 'lane') socket.destroy();
  }

  takeLanes(take: TakeLane): void {
    this.#takeLane = take;
    for (const early of this.#early.values()) early.resolve(take);
  }

  takeReunions(takerOf: ReunionTaker): void {
    this.#reunionTaker = takerOf;
  }

  close(): void {
    for (const socket of this.#strangers.keys()) socket.destroy();
  }

  /** Waits until lanes are taken, and no longer than the socket lives: strangers come and go for as long as there is no peer. */
  #laneTaker(socket: Socket): Promise<TakeLane> {
    if (socket.destroyed) return Promise.reject(new XferError('peer-gone'));
    const early = deferred<TakeLane>();
    this.#early.set(socket, early);
    socket.once('close', () => {
      this.#early.delete(socket);
      early.reject(new XferError('peer-gone'));
    });
    return early.promise;
  }

  async #pair(socket: Socket, place: Place): Promise<void> {
    const onConnection = this.#onConnection;
    await this.#open(
      socket,
      place,
      onConnection &&
        ((connection) => {
          // Who is too late to pair is nobody.
          if (this.#onConnection === onConnection) onConnection(connection);
          else connection.destroy();
        }),
    );
  }

  async #open(
    socket: Socket,
    place: Place,
    onConnection: ((connection: Connection) => void) | undefined,
  ): Promise<void> {
    if (onConnection === undefined) throw new XferError('protocol', { subject: 'hello' });
    const { openOver } = await import('./direct-connection.js');
    onConnection(await openOver(socket, false, { transport: this.#transport, place }));
  }
}

/**
 * Dials until there is a connection or the signal is aborted, so that either side may start first. Throws
 * `peer-unreachable` for a name that does not exist and where for 10 s there was no network, `proxy-refused`, `proxy-login`, and
 * `proxy-unreachable` where for 10 s no proxy was there, and the signal's reason.
 */
export async function dial(target: Target, signal: AbortSignal): Promise<Connection> {
  const giveUpMs = performance.now() + UNREACHABLE_MS;
  let hadNetwork = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await dialOnce(target, 'direct', signal);
    } catch (cause) {
      signal.throwIfAborted();
      const code = codeOf(cause);
      if (FINAL.has(code)) throw cause;
      hadNetwork ||= !NO_ROUTE.has(code);
      if (code === 'ENOTFOUND' || (!hadNetwork && performance.now() > giveUpMs)) throw lost(target, cause);
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

function lost({ host, port }: Target, cause: unknown): XferError {
  if (cause instanceof XferError) return cause;
  return new XferError('peer-unreachable', { subject: formatAddress(host, port), cause });
}

/** Answers of a proxy that stay the same. */
const FINAL: ReadonlySet<string> = new Set<ErrorCode>(['proxy-refused', 'proxy-login']);

/** What the system says where no way leads to an address. */
const NO_ROUTE = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ENETDOWN',
  'proxy-unreachable',
]);

/** Dials once, for 5 s at most, or 10 s by way of a proxy, and says first what it wants. Throws what `openSocket` throws, and the signal's reason. */
export async function dialOnce(
  target: Target,
  transport: SocketOrigin['transport'],
  signal: AbortSignal,
  greeting: Uint8Array = hello('pairing'),
): Promise<Connection> {
  const { host, port, proxy } = target;
  const socket = await openSocket(target, proxy === undefined ? DIAL_MS : PROXY_DIAL_MS, signal);
  const abandon = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', abandon, { once: true });
  try {
    const { openOver } = await import('./direct-connection.js');
    socket.write(greeting);
    const isHidden = proxy !== undefined || host.includes('%');
    return await openOver(socket, true, { transport, ...(isHidden ? { remote: { host, port } } : {}) });
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}

async function bind(server: Server, { host, port }: Endpoint): Promise<void> {
  // `::` takes IPv4 in as well, where there is IPv6 at all.
  for (const candidate of host === undefined ? ['::', '0.0.0.0'] : [host]) {
    try {
      server.listen({ host: candidate, port });
      await once(server, 'listening');
      return;
    } catch (cause) {
      const error = bindError(cause, { host: candidate, port });
      if (candidate !== '::' || error.code !== 'bad-address') throw error;
    }
  }
}

/** Addresses that another machine may use; loopback where there is no other. */
function addressesOfThisMachine(): string[] {
  const usable = usableAddresses();
  return usable.length === 0 ? ['127.0.0.1'] : usable;
}

function usableAddresses(): string[] {
  const usable = interfaceAddresses().filter(({ address, internal }) => !internal && !isLinkLocal(address));
  return usable.map(({ address }) => address);
}

/** Whether this machine is in any network. */
export function isInNetwork(): boolean {
  return usableAddresses().length > 0;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function ignore(): void {}
