/** The first bytes of a TCP connection between two sides: what it is for (protocol section 4). */
import type { Socket } from 'node:net';
import { XferError } from '../errors.js';

/** What a dialling side wants: to pair, to carry records of a session that is there, or to take up one whose connection is lost. */
export type HelloKind = 'pairing' | 'lane' | 'reunion';

/** Magic and version. */
const PREFIX = Uint8Array.of(0x78, 0x66, 0x65, 0x72, 1);
const KINDS: Readonly<Record<HelloKind, number>> = { pairing: 1, lane: 2, reunion: 3 };
const HELLO_BYTES = PREFIX.length + 1;
/** What a lane and a lost session are called, behind the hello. */
export const ID_BYTES = 16;

export function hello(kind: HelloKind): Uint8Array {
  return Uint8Array.of(...PREFIX, KINDS[kind]);
}

/**
 * Reads exactly the hello, and nothing of what follows it. Throws `protocol` where it is none, `peer-gone` at an end
 * before it.
 */
export async function readHello(socket: Socket): Promise<HelloKind> {
  const bytes = await readExactly(socket, HELLO_BYTES);
  if (bytes.equals(hello('pairing'))) return 'pairing';
  if (bytes.equals(hello('lane'))) return 'lane';
  if (bytes.equals(hello('reunion'))) return 'reunion';
  throw new XferError('protocol', { subject: 'hello' });
}

/**
 * Reads so many bytes and leaves the rest to whoever comes next. For sockets that were accepted: one with a buffer of
 * its own (`onread`) hands out what comes as it comes. Throws `peer-gone` at an end before.
 */
export function readExactly(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes === null) return;
      // At the end of a stream `read` gives what there is, however little.
      settle();
      if (bytes.length === length) resolve(bytes);
      else reject(new XferError('peer-gone'));
    };
    const onOver = (error?: unknown): void => {
      settle();
      reject(new XferError('peer-gone', error instanceof Error ? { cause: error } : {}));
    };
    const settle = (): void => {
      socket.off('readable', onReadable).off('error', onOver).off('close', onOver).off('end', onOver);
    };
    socket.on('readable', onReadable).on('error', onOver).on('close', onOver).on('end', onOver);
    onReadable();
  });
}
