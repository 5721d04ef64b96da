/** Two ends of a real Noise connection in one process, with or without somebody on the line. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { duplexPair, type Duplex } from 'node:stream';
import { Connection, type Transport } from '../../src/peer/connection.js';
import { NoiseStream } from '../../src/peer/noise.js';

/** What somebody on the way does to the bytes that the first end sends; `undefined` ends the stream cleanly there. */
export type Tamper = (bytes: Buffer, before: number) => Buffer | undefined;

export interface Line {
  /** Ends of a raw duplex, as two TCP sockets would be. */
  readonly near: Duplex;
  readonly far: Duplex;
}

/** A line in memory on which `tamper` sits. */
export function line(tamper: Tamper = (bytes) => bytes): Line {
  const [near, left] = duplexPair();
  const [right, far] = duplexPair();
  let before = 0;
  let cut = false;
  left.on('data', (bytes: Buffer) => {
    if (cut) return;
    const out = tamper(bytes, before);
    before += bytes.length;
    cut = out === undefined || out.length < bytes.length;
    if (out !== undefined && out.length > 0) right.write(out);
    if (cut) right.end();
  });
  right.on('data', (bytes: Buffer) => left.write(bytes));
  left.on('end', () => right.end());
  right.on('end', () => left.end());
  for (const end of [near, far, left, right]) end.on('error', () => undefined);
  near.on('close', () => right.end());
  far.on('close', () => left.end());
  return { near, far };
}

/** One end of a connection over a raw stream. */
export function connectionOver(
  raw: Duplex,
  isInitiator: boolean,
  transport: Transport = 'direct',
): Promise<Connection> {
  const origin = { transport, host: '127.0.0.1', port: 7337 };
  return Connection.open(new NoiseStream(isInitiator, raw), () => origin);
}

/** Both ends of one connection. */
export async function connectionPair(
  tamper?: Tamper,
  transport?: Transport,
): Promise<[Connection, Connection]> {
  const { near, far } = line(tamper);
  return Promise.all([connectionOver(near, true, transport), connectionOver(far, false, transport)]);
}

/** Everything that an end says from now on, message by message. */
export function recordOf(connection: Connection): readonly Uint8Array[] {
  const recorded: Uint8Array[] = [];
  const send = connection.send.bind(connection);
  connection.send = (pieces) => {
    recorded.push(Buffer.concat(pieces));
    return send(pieces);
  };
  return recorded;
}

/** Passes messages on until a leg closes, as a man in the middle does, and notes their first bytes. */
export async function forward(from: Connection, to: Connection, seen: number[]): Promise<void> {
  try {
    for (let message = await from.receive(); message !== undefined; message = await from.receive()) {
      seen.push(message[0] ?? -1);
      await to.send([message]);
    }
  } catch {
    // One of the legs closed.
  }
}

/** Dials a listener on 127.0.0.1 from another address of loopback, as a stranger on another network would. */
export async function dialFrom(localAddress: string, port: number): Promise<Connection> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('xfer\x01\x01', 'latin1');
  return connectionOver(socket, true);
}
