/**
 * A connection over a TCP socket: Noise for the pairing, then records straight on the socket. Apart from direct.ts since
 * Noise takes longer to load than it takes to listen or to dial.
 */
import type { Socket } from 'node:net';
import { XferError } from '../errors.js';
import type { Place } from './admission.js';
import { Connection, type Transport } from './connection.js';
import type { LineEvents } from './line.js';
import { NoisePrelude } from './noise-prelude.js';
import { NoiseStream } from './noise.js';
import { RecordLine } from './record-line.js';

export interface SocketOrigin {
  readonly transport: Exclude<Transport, 'dht'>;
  /** Where it was dialled, since a socket forgets the zone of an address and knows nothing of what is behind a proxy. */
  readonly remote?: { readonly host: string; readonly port: number };
  readonly place?: Place;
}

/** Waits for the Noise handshake over a socket behind the hello. Throws `peer-gone` where it does not come about. */
export async function openOver(
  socket: Socket,
  isInitiator: boolean,
  { remote, transport, place }: SocketOrigin,
): Promise<Connection> {
  // While this file was loaded.
  if (socket.destroyed) throw new XferError('peer-gone');
  const prelude = new NoisePrelude(socket, isInitiator);
  const origin = {
    transport,
    host: remote?.host ?? socket.remoteAddress ?? '',
    port: remote?.port ?? socket.remotePort ?? 0,
    ...(place === undefined ? {} : { place }),
    takeOver: (events: LineEvents) => new RecordLine(socket, prelude.release(), events),
  };
  return Connection.open(new NoiseStream(isInitiator, prelude, { keepAlive: 0 }), () => origin);
}
