/** What a host does with a peer that has proven what it had to: it may choose another host, or come too late. */
import { XferError } from '../errors.js';
import { sayLast } from '../transfer/conduct.js';
import { atMost } from '../transfer/deadline.js';
import type { SealedChannel } from './channel.js';

const CHOSEN_MS = 10_000;
const LAST_WORD_MS = 2_000;

/** Whether the joiner chose us. `false` when the meeting is over; throws what the channel died of. */
export async function receiveChosen(channel: SealedChannel, over: AbortSignal): Promise<boolean> {
  const slow = setTimeout(() => {
    channel.destroy();
  }, CHOSEN_MS);
  let leave = (): void => undefined;
  const onOver = new Promise<undefined>((resolve) => {
    leave = () => resolve(undefined);
    if (over.aborted) leave();
  });
  over.addEventListener('abort', leave, { once: true });
  try {
    const received = await Promise.race([channel.receive(), onOver]);
    if (over.aborted) return false;
    if (received === undefined) throw new XferError('peer-gone');
    if (!('type' in received.item) || received.item.type !== 'chosen') throw new XferError('protocol');
    channel.release(received.cost);
    return true;
  } finally {
    clearTimeout(slow);
    // Who waits for devices does so for years.
    over.removeEventListener('abort', leave);
  }
}

/** Tells a peer that knew the code why it is not taken. */
export async function refuse(channel: SealedChannel, { code }: XferError): Promise<void> {
  await atMost(LAST_WORD_MS, sayLast(channel, code));
  channel.destroy();
}
