/**
 * The handshake of a lane: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b` under a key that only this session has (protocol
 * section 4). Who does not know that key gets nothing back, not even a refusal. What throws has closed nothing.
 */
import type { Socket } from 'node:net';
import Noise from 'noise-handshake';
import type { LaneKeys } from '../crypto/key-schedule.js';
import type { Secret } from '../crypto/secret.js';
import { XferError } from '../errors.js';
import { canonicalAddress, formatAddress } from './address.js';
import { hello, ID_BYTES } from './hello.js';
import type { Lane } from './lane.js';

/** An ephemeral key and the tag of an empty payload: the length of either message. */
export const LANE_MESSAGE_BYTES = 32 + 16;
const PSK_BYTES = 32;

/**
 * The dialling side, from the first byte on. Erases the key. Throws `integrity` where the listener does not know it,
 * `peer-gone` where it hangs up.
 */
export async function dialLane(socket: Socket, { id, psk }: LaneKeys): Promise<Lane> {
  const handshake = laneHandshake(true, id, psk);
  const first = handshake.send();
  psk.erase();
  socket.write(Buffer.concat([hello('lane'), id, first]));
  const { bytes, rest } = await takeFirst(socket, LANE_MESSAGE_BYTES);
  receive(handshake, bytes);
  return laneOver(socket, hashOf(handshake), rest, true);
}

/**
 * The listening side, behind the hello.
 * @param keyOf The key of the lane with this id; `undefined` where there is none. It is erased.
 * @throws XferError `protocol` for an id that is none, `integrity` where the dialler does not know the key, `peer-gone`
 */
export async function acceptLane(
  socket: Socket,
  keyOf: (id: Uint8Array) => Secret | undefined,
): Promise<Lane> {
  const { bytes, rest } = await takeFirst(socket, ID_BYTES + LANE_MESSAGE_BYTES);
  const id = bytes.subarray(0, ID_BYTES);
  const psk = keyOf(id);
  if (psk === undefined) throw new XferError('protocol', { subject: 'lane' });
  const handshake = laneHandshake(false, id, psk);
  try {
    receive(handshake, bytes.subarray(ID_BYTES));
  } finally {
    psk.erase();
  }
  socket.write(handshake.send());
  return laneOver(socket, hashOf(handshake), rest, false);
}

/**
 * A handshake over a prologue of hello and id, so that neither was changed on the way. It uses the key itself, not a
 * copy, with its first message and not after that.
 */
function laneHandshake(isInitiator: boolean, id: Uint8Array, psk: Secret): Noise {
  // The package checks neither.
  if (id.length !== ID_BYTES || psk.expose().length !== PSK_BYTES) {
    throw new XferError('internal', { subject: 'lane keys' });
  }
  const handshake = new Noise('NNpsk0', isInitiator, null, { psk: psk.expose() });
  handshake.initialise(Buffer.concat([hello('lane'), id]));
  return handshake;
}

/** Takes in one message, whose payload is empty as its length says. */
function receive(handshake: Noise, message: Uint8Array): void {
  try {
    // The package erases parts of what it was given when it is done.
    handshake.recv(Buffer.from(message));
  } catch (cause) {
    throw new XferError('integrity', { subject: 'lane', cause });
  }
}

/** The handshake hash. Noise's own transport keys are not used: records have keys of the session. */
function hashOf(handshake: Noise): Uint8Array {
  if (!handshake.complete || handshake.hash === null) {
    throw new XferError('internal', { subject: 'lane before its handshake' });
  }
  handshake.tx?.fill(0);
  handshake.rx?.fill(0);
  return handshake.hash;
}

function laneOver(socket: Socket, handshakeHash: Uint8Array, received: Uint8Array, isDialler: boolean): Lane {
  if (socket.destroyed) throw new XferError('peer-gone');
  const address = formatAddress(canonicalAddress(socket.remoteAddress ?? ''), socket.remotePort ?? 0);
  return { socket, received, handshakeHash, address, isDialler };
}

/** The first bytes that come, and what came with them. The socket is paused then, and nobody listens for its data. */
function takeFirst(
  socket: Socket,
  length: number,
): Promise<{ readonly bytes: Uint8Array; readonly rest: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    let taken = 0;
    const onData = (data: Uint8Array): void => {
      // A copy: the socket uses its memory again.
      pieces.push(Buffer.from(data));
      taken += data.length;
      if (taken < length) return;
      leave();
      const all = Buffer.concat(pieces);
      resolve({ bytes: all.subarray(0, length), rest: all.subarray(length) });
    };
    const onOver = (): void => {
      leave();
      reject(new XferError('peer-gone'));
    };
    const leave = (): void => {
      socket.pause();
      socket.off('data', onData).off('end', onOver).off('close', onOver);
    };
    socket.on('data', onData).on('end', onOver).on('close', onOver);
    socket.resume();
    if (socket.destroyed) onOver();
  });
}
