/** Two programs that meet over TCP on loopback: the quickest way to a transfer, with no DHT in it. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { xfer, type StartOptions, type XferProcess } from './xfer-process.js';

/** A TCP port that nothing listens on. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface WaitingHost {
  readonly host: XferProcess;
  readonly code: string;
  readonly port: number;
  /** The arguments with which the other side joins. */
  readonly join: readonly string[];
}

/** Starts a host that waits for a direct connection, such as `['send', file]` or `['receive', '--new']`. */
export async function listening(args: readonly string[], options?: StartOptions): Promise<WaitingHost> {
  const port = await freePort();
  const host = await xfer([...args, '--listen', `127.0.0.1:${port}`], options);
  const code = await host.code();
  return { host, code, port, join: joining(args, code, port) };
}

/** The arguments with which a side joins a host that was started with `args`. */
export function joining(args: readonly string[], code: string, port: number): readonly string[] {
  const address = ['--connect', `127.0.0.1:${port}`];
  return args[0] === 'send' ? [code, ...address] : ['--code', code, ...address];
}
