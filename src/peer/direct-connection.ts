/**
 * A connection over a TCP socket: Noise for the pairing, then records straight on the socket. Apart from direct.ts since
 * Noise takes longer to load than it takes to listen or to dial.
 */
import type { Socket } from 'node:net';
import { XferError } from '../errors.js';
import { Connection } from './connection.js';
import type { LineEvents } from './line.js';
import { NoisePrelude } from './noise-prelude.js';
import { NoiseStream } from './noise.js';
import { RecordLine } from './record-line.js';

/** Waits for the Noise handshake over a socket behind the hello. Throws `peer-gone` where it does not come about. */
export async function openOver(
  socket: Socket,
  isInitiator: boolean,
  onSettled?: () => void,
): Promise<Connection> {
  // While this file was loaded.
  if (socket.destroyed) throw new XferError('peer-gone');
  const prelude = new NoisePrelude(socket, isInitiator);
  const origin = {
    transport: 'direct' as const,
    host: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    ...(onSettled === undefined ? {} : { onSettled }),
    takeOver: (events: LineEvents) => new RecordLine(socket, prelude.release(), events),
  };
  return Connection.open(new NoiseStream(isInitiator, prelude, { keepAlive: 0 }), () => origin);
}
