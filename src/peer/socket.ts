/** A TCP connection that this side opens, by itself or by way of a proxy. */
import { once } from 'node:events';
import { connect, type Socket, type SocketConnectOpts } from 'node:net';
import { XferError } from '../errors.js';
import type { Proxy } from './proxy.js';

/** What is read from a socket at once, in bytes. */
const READ_BYTES = 2 ** 18;

/** Where to. */
export interface Target {
  /** Name or literal address. By way of a proxy it is the proxy that asks for the address of a name. */
  readonly host: string;
  readonly port: number;
  /** By way of it, and in no other way. */
  readonly proxy?: Proxy | undefined;
}

/**
 * Opens a socket. Throws what the system says, what a proxy says (see `connectThrough`), and `peer-gone` after so many
 * milliseconds and once the signal is aborted.
 */
export async function openSocket(target: Target, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const { host, port, proxy } = target;
  if (proxy !== undefined) {
    const { connectThrough } = await import('./proxy.js');
    return connectThrough(proxy, target, timeoutMs, signal);
  }
  const socket: Socket = connect({
    host,
    port,
    noDelay: true,
    // One buffer for all that comes, where the system would make one for each piece: whoever listens takes it at once.
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length, buffer) => socket.emit('data', buffer.subarray(0, length)),
    },
  } satisfies SocketConnectOpts);
  return connected(socket, timeoutMs, signal);
}

/** Waits for a socket that connects; destroys it where it does not. Throws as `openSocket` does. */
export async function connected(socket: Socket, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const abandon = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', abandon, { once: true });
  const slow = setTimeout(abandon, timeoutMs);
  if (signal.aborted) abandon();
  try {
    // A socket destroyed by us closes without an error.
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'close').then(() => Promise.reject(new XferError('peer-gone'))),
    ]);
    return socket;
  } finally {
    // What happens from here on between one reader of the socket and the next ends in its close.
    socket.on('error', ignore);
    clearTimeout(slow);
    signal.removeEventListener('abort', abandon);
  }
}

function ignore(): void {}
