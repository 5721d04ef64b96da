/** The offer as the receiver takes it. */
import { XferError } from '../errors.js';
import type { Inbox } from './inbox.js';
import { MAX_TEXT_BYTES, type ControlMessage } from './messages.js';
import type { Channel } from './ports.js';
import { malformed } from './wire.js';

export type Offer = Extract<ControlMessage, { type: 'offer' }>;

/** The first message of a transfer. Throws `protocol` and `limit` where it is no offer, or none that can be. */
export async function takeOffer(channel: Channel, inbox: Inbox): Promise<Offer> {
  const received = await inbox.take();
  if (received === undefined) throw new XferError('incomplete');
  const { item, cost } = received;
  if (!('type' in item) || item.type !== 'offer') throw malformed('no offer');
  assertPossible(item);
  channel.release(cost);
  return item;
}

function assertPossible({ kind, roots }: Offer): void {
  const [first] = roots;
  if (first === undefined) throw malformed('an offer of nothing');
  if (kind === 'files') {
    if (roots.some(({ type, size }) => type === 'file' && size === undefined)) {
      throw malformed('a file of unknown size');
    }
    return;
  }
  if (roots.length > 1 || first.type !== 'file') throw malformed(`more than one ${kind}`);
  if ((kind === 'pipe') !== (first.size === undefined)) throw malformed(`the size of a ${kind}`);
  if (kind === 'text' && (first.size ?? 0) > MAX_TEXT_BYTES)
    throw new XferError('limit', { detail: MAX_TEXT_BYTES });
}
