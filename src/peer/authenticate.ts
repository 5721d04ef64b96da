/**
 * The pairing over one connection (protocol section 5). The joiner speaks first, whoever dialled, and proves first
 * that it knows the code; the host says nothing that depends on the code before. What throws has closed nothing:
 * the caller drops the connection without a word.
 */
import type { SessionKey } from '../crypto/key-schedule.js';
import { HostPairing, JoinerPairing, type PairingContext } from '../crypto/pairing.js';
import { prefersAes } from '../crypto/record-cipher.js';
import { XferError, toXferError } from '../errors.js';
import { SUPPORTED_COMPRESSIONS } from '../transfer/compression.js';
import type { Guess } from './budget.js';
import { SealedChannel, type Paired } from './channel.js';
import type { Connection } from './connection.js';
import {
  agree,
  decodeAccept,
  decodeConfirm,
  decodeReply,
  decodeStart,
  decodeTerms,
  encodeAccept,
  encodeConfirm,
  encodeReply,
  encodeStart,
  encodeTerms,
  termsOf,
} from './pairing-messages.js';

export interface Authenticated {
  readonly channel: SealedChannel;
  readonly sessionKey: SessionKey;
}

/** What a side knows that its peer knows too. */
export type Credentials = Pick<PairingContext, 'password' | 'purpose' | 'previous'>;

/** A host that knows better answers faster. What ends later than this after the proof was not refused, but cut. */
const REFUSAL_MS = 8_000;

/**
 * The joiner's side. Throws `wrong-code` where the host refused, `version-unsupported`, `code-dead`, `protocol`, or
 * `peer-gone`.
 * @param reserve Sets a guess aside; it counts unless the host answers that it knows the code as well.
 */
export async function authenticateAsJoiner(
  connection: Connection,
  credentials: Credentials,
  reserve: () => Promise<Guess>,
): Promise<Authenticated> {
  const { sessionKey, agreement } = await pairAsJoiner(connection, credentials, reserve);
  return { channel: new SealedChannel(connection, sessionKey, 'joiner', agreement), sessionKey };
}

/** As `authenticateAsJoiner`, without a channel. */
export async function pairAsJoiner(
  connection: Connection,
  credentials: Credentials,
  reserve: () => Promise<Guess>,
): Promise<Paired> {
  const ours = ourTerms();
  const pairing = new JoinerPairing(joinerContext(connection, credentials), encodeTerms('joiner', ours));
  let guess: Guess | undefined;
  try {
    const start = encodeStart(pairing.start);
    await connection.send([start]);

    const reply = await receiveMessage(connection);
    const hostShare = decodeReply(reply);
    const agreement = agree(ours, decodeTerms('host', hostShare.ad));

    guess = await reserve();
    const confirm = encodeConfirm(confirmOrGiveBack(pairing, hostShare, guess));
    await connection.send([confirm]);

    const accept = await receiveAnswer(connection);
    const sessionKey = pairing.finish(decodeAccept(accept), { start, reply, confirm, accept });
    guess.giveBack();
    await connection.confirm();
    return { sessionKey, agreement };
  } finally {
    guess?.spend();
    pairing.erase();
  }
}

/**
 * The host's side. Throws `wrong-code` where the joiner guessed wrong, `version-unsupported`, `code-dead`, `protocol`,
 * or `peer-gone`.
 * @param reserve Sets a guess aside; it counts where the joiner's proof is wrong.
 */
export async function authenticateAsHost(
  connection: Connection,
  credentials: Credentials,
  reserve: () => Promise<Guess>,
): Promise<Authenticated> {
  const { sessionKey, agreement } = await pairAsHost(connection, credentials, reserve);
  return { channel: new SealedChannel(connection, sessionKey, 'host', agreement), sessionKey };
}

/** As `authenticateAsHost`, without a channel. */
export async function pairAsHost(
  connection: Connection,
  credentials: Credentials,
  reserve: () => Promise<Guess>,
): Promise<Paired> {
  const ours = ourTerms();
  const start = await receiveMessage(connection);
  const joinerShare = decodeStart(start);
  const theirs = decodeTerms('joiner', joinerShare.ad);

  const pairing = new HostPairing(hostContext(connection, credentials), encodeTerms('host', ours));
  try {
    const reply = encodeReply(pairing.reply(joinerShare));
    await connection.send([reply]);
    // Only after the reply, which tells a joiner of another version what we speak.
    const agreement = agree(ours, theirs);

    const confirm = await receiveMessage(connection);
    const confirmation = decodeConfirm(confirm);
    connection.advance();
    const guess = await reserve();
    try {
      pairing.verify(confirmation);
    } catch (error) {
      if (toXferError(error).code === 'wrong-code') guess.spend();
      throw error;
    } finally {
      guess.giveBack();
    }

    const accept = encodeAccept(pairing.accept());
    const sessionKey = pairing.sessionKey({ start, reply, confirm, accept });
    await connection.send([accept]);
    await connection.confirm();
    return { sessionKey, agreement };
  } finally {
    pairing.erase();
  }
}

/** What this side brings to every pairing. */
export function ourTerms(): ReturnType<typeof termsOf> {
  return termsOf({ aes: prefersAes(), zstd: SUPPORTED_COMPRESSIONS.has('zstd') });
}

function joinerContext(connection: Connection, credentials: Credentials): PairingContext {
  const { handshakeHash, publicKey, remotePublicKey } = connection;
  return { ...credentials, handshakeHash, joinerKey: publicKey, hostKey: remotePublicKey };
}

function hostContext(connection: Connection, credentials: Credentials): PairingContext {
  const { handshakeHash, publicKey, remotePublicKey } = connection;
  return { ...credentials, handshakeHash, joinerKey: remotePublicKey, hostKey: publicKey };
}

/** A host whose share is none gets no proof, so it has had no guess. */
function confirmOrGiveBack(
  pairing: JoinerPairing,
  hostShare: ReturnType<typeof decodeReply>,
  guess: Guess,
): ReturnType<JoinerPairing['confirm']> {
  try {
    return pairing.confirm(hostShare);
  } catch (error) {
    guess.giveBack();
    throw error;
  }
}

/** The next message of a pairing. Throws `peer-gone`. */
export async function receiveMessage(connection: Connection): Promise<Uint8Array> {
  const message = await connection.receive();
  if (message === undefined) throw new XferError('peer-gone');
  return message;
}

/** What the host says to our proof. One that refuses it hangs up without a word, which is the error `refusal`. */
export async function receiveAnswer(
  connection: Connection,
  refusal: 'wrong-code' | 'device-refused' = 'wrong-code',
): Promise<Uint8Array> {
  const sentMs = performance.now();
  try {
    return await receiveMessage(connection);
  } catch (error) {
    const refused = toXferError(error).code === 'peer-gone' && performance.now() - sentMs < REFUSAL_MS;
    throw refused ? new XferError(refusal, { cause: error }) : error;
  }
}
