/** How one side of a transfer runs, and how it ends when it cannot go on. */
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import { atMost } from './deadline.js';
import type { Delivery } from './delivery.js';
import { Inbox } from './inbox.js';
import type { Channel, LeafHasher } from './ports.js';

/** A peer that does not read must not keep us, once something went wrong. */
const LAST_WORD_MS = 1_000;
/** A last word comes behind what is under way already: where none of that arrives for so long, the word will not either. */
const NEXT_ITEM_MS = 2_000;
/** A next item may take so many times as long as the one before it. */
const SLOWER = 2;
/** What is under way is some MiB, which take a slow line so long. Nobody keeps us for longer. */
const DELIVERY_MS = 30_000;
const LOOK_MS = 250;
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
  if (await tellLast(channel, code)) await atLast(inbox.drain());
}

/**
 * Tells the peer why this side gives up, ends our direction, and waits for that while it gets on. Gives whether it was done; it never
 * fails.
 */
export async function tellLast(channel: Channel, code: ErrorCode): Promise<boolean> {
  const word = { isSaid: false, isOver: false };
  const saying = sayLast(channel, code)
    .then(() => (word.isSaid = true))
    .finally(() => (word.isOver = true));
  let delivery = channel.delivery?.();
  let quietMs = 0;
  for (let waitedMs = 0; waitedMs < DELIVERY_MS && quietMs < patienceOf(delivery); waitedMs += LOOK_MS) {
    await atMost(LOOK_MS, saying);
    if (word.isOver) break;
    const before = delivery;
    delivery = channel.delivery?.();
    quietMs = delivery?.items === before?.items ? quietMs + LOOK_MS : 0;
  }
  return word.isSaid;
}

/** Tells the peer why this side goes, where it takes that in, and drops the channel. One that was dropped stays as it is. */
export async function leave(channel: Channel, error: XferError): Promise<void> {
  await tellLast(channel, error.code);
  channel.destroy(error);
}

/** For how long nothing may arrive before nothing more will, in milliseconds. */
function patienceOf(delivery: Delivery | undefined): number {
  return delivery === undefined ? LAST_WORD_MS : Math.max(NEXT_ITEM_MS, SLOWER * delivery.waitedMs);
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
