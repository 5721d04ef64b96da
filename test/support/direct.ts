/** Two programs that meet over TCP on loopback: the quickest way to a transfer, with no DHT in it. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { xfer, type StartOptions, type XferProcess } from './xfer-process.js';

/** A TCP port that nothing listens on, and that no system gives to a connection going out meanwhile: those begin higher. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const server = createServer().listen(port, host);
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
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
  for (;;) {
    const port = await freePort();
    const host = await xfer([...args, '--listen', `127.0.0.1:${port}`], options);
    try {
      const code = await host.code();
      return { host, code, port, join: joining(args, code, port) };
    } catch (error) {
      // Another test was faster.
      if (!host.stderr.includes('something else listens')) throw error;
    }
  }
}

/** The arguments with which a side joins a host that was started with `args`. */
export function joining(args: readonly string[], code: string, port: number): readonly string[] {
  const address = ['--connect', `127.0.0.1:${port}`];
  return args[0] === 'send' ? [code, ...address] : ['--code', code, ...address];
}
