/** How one side of a transfer runs, and how it ends when it cannot go on. */
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import { atMost } from './deadline.js';
import { Inbox } from './inbox.js';
import type { Channel, LeafHasher } from './ports.js';

/** A peer that does not read must not keep us, once something went wrong. */
const LAST_WORD_MS = 1_000;
/** How long both sides of a complete transfer wait for each other's end, on a slow line too. */
export const PARTING_MS = 10_000;
/** How long a receiver that has everything stays for a sender that has not heard of it: they may have lost each other, and meet again. */
export const REPORTING_MS = 60_000;

/** The peer knows, or is not there. */
const KNOWN: readonly ErrorCode[] = ['peer-failed', 'peer-interrupted', 'peer-gone', 'stalled'];

/**
 * Runs one side of a transfer. A failure is told to the peer and thrown; `signal` ends it even where it waits for a
 * person or a pipe. What it throws is an `XferError`, after an abort that of `interruption`.
 *
 * @param breaches Codes that mean here that the peer broke the rules: it gets no answer.
 * @param hasher For leaves that arrive.
 */
export async function conduct<T>(
  channel: Channel,
  signal: AbortSignal,
  breaches: readonly ErrorCode[],
  side: (inbox: Inbox) => Promise<T>,
  hasher?: LeafHasher,
): Promise<T> {
  const inbox = new Inbox(channel, hasher);
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(interruption(signal));
  });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const running = side(inbox);
  try {
    return await Promise.race([aborted, running]);
  } catch (thrown) {
    const error = toXferError(thrown);
    if (!breaches.includes(error.code) && !KNOWN.includes(error.code)) await tell(channel, inbox, error.code);
    channel.destroy(error);
    // Nothing of this side is still at work when its caller cleans up.
    await atLast(running);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Why this side ends something that goes on: somebody stopped it, or the device at the other end was removed. */
export function interruption({ reason }: AbortSignal): XferError {
  const isRemoval = reason instanceof XferError && reason.code === 'device-removed';
  return isRemoval ? reason : new XferError('interrupted');
}

/** Says why this side ends, and waits for the peer to end too: a connection dropped with bytes unread takes the word along. */
async function tell(channel: Channel, inbox: Inbox, code: ErrorCode): Promise<void> {
  await atLast(sayLast(channel, code).then(() => inbox.drain()));
}

/** Tells the peer why this side gives up, and ends our direction. */
export async function sayLast(channel: Channel, code: ErrorCode): Promise<void> {
  // The peer may close the connection as soon as it has heard the word.
  channel.giveUp?.();
  // The receiver's no is the last word of a declined offer.
  if (code !== 'declined') await channel.send({ type: 'error', code });
  await channel.end();
}

/** Waits for a last word to be said, but not for long, and not for its success. */
export function atLast(word: Promise<unknown>, timeoutMs = LAST_WORD_MS): Promise<void> {
  return atMost(timeoutMs, word);
}
