/** What two sides say to each other before anything else, and the words that people may compare then. */
import { XferError, type ErrorCode } from './errors.js';
import type { MeetingOptions } from './options.js';
import type { PairedChannel } from './peer/connect.js';
import { agreedRate } from './rate.js';
import { interruption, tellLast } from './transfer/conduct.js';
import { peerError } from './transfer/inbox.js';
import type { ControlMessage, Role } from './transfer/messages.js';
import type { Channel } from './transfer/ports.js';

/** Within this long after the pairing both sides have said what they are about to do. */
const INTRODUCTION_MS = 10_000;

type CompareWords = MeetingOptions['compareWords'];

/**
 * Runs `talk` under a deadline for a peer that says nothing, which `talk` ends. An abort is told to the peer.
 *
 * @throws XferError `interrupted`, `peer-gone`, and what `talk` throws
 */
export async function withinIntroduction<T>(
  channel: Channel,
  signal: AbortSignal,
  talk: (introduced: () => void) => Promise<T>,
): Promise<T> {
  let refusal: Promise<XferError> | undefined;
  const onAbort = (): void => {
    refusal = refuse(channel, interruption(signal));
  };
  signal.addEventListener('abort', onAbort);
  const deadline = setTimeout(() => {
    channel.destroy(new XferError('peer-gone'));
  }, INTRODUCTION_MS);
  try {
    if (signal.aborted) throw await refuse(channel, interruption(signal));
    return await talk(() => clearTimeout(deadline));
  } catch (error) {
    // A peer that was told may be gone before this side is.
    throw refusal === undefined ? error : await refusal;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
  }
}

/** With whom a side can do what it is about to do. */
const FITTING: Readonly<Record<Role, readonly Role[]>> = {
  send: ['receive', 'share'],
  receive: ['send'],
  share: ['send', 'use', 'chat'],
  use: ['share'],
  chat: ['chat', 'share'],
};

/**
 * Both sides say what they are about to do, the host first, and compare words where one of them wants that. Resolves to the role of the
 * peer.
 *
 * @throws XferError `role-conflict`; `no-share` where one side looks for a share and the other has none; `not-verified`
 */
export function introduce(
  paired: PairedChannel,
  role: Role,
  options: MeetingOptions,
  signal: AbortSignal,
): Promise<Role> {
  const { channel } = paired;
  return withinIntroduction(channel, signal, async (introduced) => {
    const verify = options.verify ?? false;
    const mine: ControlMessage = { type: 'session', role, verify, limit: options.limit };
    const isHost = paired.side === 'host';
    if (isHost) await channel.send(mine);
    const theirs = await expect(channel, 'session');
    if (!isHost) await channel.send(mine);
    introduced();
    if (!FITTING[role].includes(theirs.role)) throw await refuse(channel, conflictOf(role, theirs.role));
    const limit = agreedRate(options.limit, theirs.limit);
    if (limit !== undefined) channel.limitTo(limit);
    if (verify || theirs.verify) await compare(paired, options.compareWords, signal);
    return theirs.role;
  });
}

function conflictOf(mine: Role, theirs: Role): XferError {
  if (mine === 'use') return new XferError('no-share');
  return theirs === 'use' ? new XferError('no-share', { detail: 'here' }) : new XferError('role-conflict');
}

/** Nothing is offered, names included, before both persons said that the words are equal. Throws `not-verified`. */
export async function compare(
  paired: PairedChannel,
  compareWords: CompareWords,
  signal: AbortSignal,
): Promise<void> {
  const { channel, sessionKey } = paired;
  if (compareWords === undefined) throw await refuse(channel, 'not-verified');
  const theirs = expect(channel, 'verified');
  const gone = goneWith(theirs);
  const mine = compareWords(sessionKey.verifier(), AbortSignal.any([signal, gone]));
  // A peer that leaves ends the question; one that said yes first does not.
  const equal = await Promise.race([mine, theirs.then(() => mine)]);
  if (!equal) throw await refuse(channel, 'not-verified');
  await channel.send({ type: 'verified' });
  await theirs;
}

/** Aborted when the peer, whose word is awaited, is gone. */
export function goneWith(word: Promise<unknown>): AbortSignal {
  const gone = new AbortController();
  word.catch(() => {
    gone.abort();
  });
  return gone.signal;
}

/** The next message, which must be of this type. Throws `protocol`, `peer-gone`, and what the peer gave up for. */
export async function expect<T extends ControlMessage['type']>(
  channel: Channel,
  type: T,
): Promise<Extract<ControlMessage, { type: T }>> {
  const received = await channel.receive();
  if (received === undefined) throw new XferError('peer-gone');
  channel.release(received.cost);
  const { item } = received;
  if ('type' in item && item.type === 'error') throw peerError(item.code);
  if (!('type' in item) || item.type !== type) {
    throw new XferError('protocol', { detail: `expected ${type}` });
  }
  return item as Extract<ControlMessage, { type: T }>;
}

/** The end of what the peer says. Throws `protocol` where it says more, `peer-gone`, and what the peer gave up for. */
export async function expectEnd(channel: Channel): Promise<void> {
  const received = await channel.receive();
  if (received === undefined) return;
  channel.release(received.cost);
  const { item } = received;
  if ('type' in item && item.type === 'error') throw peerError(item.code);
  throw new XferError('protocol', { detail: 'expected the end' });
}

/** Tells the peer why this side gives up, drops the channel, and gives back the error to throw. */
export async function refuse(channel: Channel, why: ErrorCode | XferError): Promise<XferError> {
  const error = why instanceof XferError ? why : new XferError(why);
  await tellLast(channel, error.code);
  channel.destroy(error);
  return error;
}
