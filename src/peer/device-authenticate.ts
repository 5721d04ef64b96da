/**
 * The handshake of devices over one connection (protocol section 11), in the place of a pairing with a code. What throws has
 * closed nothing: the caller drops the connection without a word.
 */
import { DeviceHost, DeviceJoiner, type DeviceContext, type KnownDevice } from '../crypto/device.js';
import { equalBytes } from '../crypto/digest.js';
import type { KeyPair } from '../crypto/x25519.js';
import { XferError } from '../errors.js';
import { ourTerms, receiveAnswer, receiveMessage, type Authenticated } from './authenticate.js';
import { SealedChannel } from './channel.js';
import type { Connection } from './connection.js';
import {
  agree,
  decodeDeviceMessage,
  decodeTerms,
  encodeDeviceMessage,
  encodeTerms,
} from './pairing-messages.js';

/** A device that has proven which one it is. */
export interface Recognized<T extends KnownDevice> extends Authenticated {
  readonly device: T;
}

/**
 * The side that looks for `device`. Throws `device-refused` where it is not the one that answered, or does not know this machine;
 * `version-unsupported`, `protocol`, or `peer-gone`.
 *
 * @param own Stays the caller's.
 */
export async function authenticateToDevice(
  connection: Connection,
  own: KeyPair,
  device: KnownDevice,
): Promise<Authenticated> {
  const ours = ourTerms();
  const { handshakeHash, publicKey, remotePublicKey } = connection;
  const context: DeviceContext = { own, handshakeHash, joinerKey: publicKey, hostKey: remotePublicKey };
  const run = new DeviceJoiner(context, device);
  try {
    const start = encodeDeviceMessage('start', run.start(encodeTerms('joiner', ours)));
    await connection.send([start]);

    const reply = await receiveAnswer(connection, 'device-refused');
    const agreement = agree(ours, decodeTerms('host', run.readReply(decodeDeviceMessage('reply', reply))));

    const confirm = encodeDeviceMessage('confirm', run.confirm());
    await connection.send([confirm]);

    const accept = await receiveAnswer(connection, 'device-refused');
    const sessionKey = run.finish(decodeDeviceMessage('accept', accept), { start, reply, confirm, accept });
    await connection.confirm();
    return { channel: new SealedChannel(connection, sessionKey, 'joiner', agreement), sessionKey };
  } finally {
    run.erase();
  }
}

/**
 * The side that waits for devices. Throws `device-refused` for a stranger, `version-unsupported`, `protocol`, or `peer-gone`.
 *
 * @param own Stays the caller's.
 * @param remembered The devices that are remembered by the time that the proof is here.
 */
export async function recognizeDevice<T extends KnownDevice>(
  connection: Connection,
  own: KeyPair,
  remembered: () => Promise<readonly T[]>,
): Promise<Recognized<T>> {
  const ours = ourTerms();
  const { handshakeHash, publicKey, remotePublicKey } = connection;
  const context: DeviceContext = { own, handshakeHash, joinerKey: remotePublicKey, hostKey: publicKey };
  const run = new DeviceHost(context);
  try {
    const start = await receiveMessage(connection);
    const theirs = decodeTerms('joiner', run.readStart(decodeDeviceMessage('start', start)));
    const reply = encodeDeviceMessage('reply', run.reply(encodeTerms('host', ours)));
    await connection.send([reply]);
    // Only after the reply, which tells a joiner of another version what we speak.
    const agreement = agree(ours, theirs);

    const confirm = await receiveMessage(connection);
    connection.advance();
    const devices = await remembered();
    const named = (key: Uint8Array): T | undefined =>
      devices.find((known) => equalBytes(known.publicKey, key));
    const key = run.verify(decodeDeviceMessage('confirm', confirm), (wanted) => named(wanted)?.secret);
    const device = named(key);
    if (device === undefined) throw new XferError('internal', { subject: 'device without an entry' });

    const accept = encodeDeviceMessage('accept', run.accept());
    const sessionKey = run.sessionKey({ start, reply, confirm, accept });
    await connection.send([accept]);
    await connection.confirm();
    return { channel: new SealedChannel(connection, sessionKey, 'host', agreement), sessionKey, device };
  } finally {
    run.erase();
  }
}
