/** What the peer sends: items put in order, within the credit, until their authenticated end. */
import { XferError } from '../errors.js';
import type { ControlMessage } from '../transfer/messages.js';
import type { Received } from '../transfer/ports.js';
import { costOf, type ItemRecord } from '../transfer/records.js';
import { Credit } from './credit.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import { Resequencer } from './resequencer.js';

/** What concerns lanes, and never a transfer. */
export type LaneMessage = Extract<ControlMessage, { type: 'hints' | 'lanes' }>;

/** What a peer may say about lanes before this side wants to know. */
const MAX_EARLY_LANE_MESSAGES = 2;

interface Arrived {
  readonly received: Received;
  /** In which it came. Its turn may be in a later one. */
  readonly epoch: number;
}

export class Incoming {
  readonly credit = new Credit();
  /** Whether items may overtake each other, and come twice: from our first word on a lane or a second connection on. */
  mayOvertake = false;
  readonly #order = new Resequencer<Arrived>();
  #epoch = 0;
  readonly #items: Received[] = [];
  #receiver: Deferred<Received | undefined> | undefined;
  #failure: XferError | undefined;
  /** How many items the peer sent in all, once it said so. */
  #total: number | undefined;
  #laneListener: ((message: LaneMessage) => void) | undefined;
  readonly #laneMessages: LaneMessage[] = [];
  #hasHints = false;
  /** What the peer said last was why it ends. */
  #isError = false;

  /** How many items came with none missing before them. */
  get arrived(): number {
    return this.#order.next;
  }

  get hasEnded(): boolean {
    return this.#total === this.#order.next;
  }

  /** Whether the peer ended because of an error, which it said; that may still be to be received. */
  get hasGivenUp(): boolean {
    return this.hasEnded && this.#isError;
  }

  /** Takes an item, in a message of that length. Throws `protocol` out of turn and `limit` beyond the credit. */
  take(record: ItemRecord, length: number): void {
    const { sequence } = record;
    if (sequence !== this.#order.next && !this.mayOvertake)
      throw new XferError('protocol', { subject: 'sequence' });
    if (this.#order.has(sequence)) return;
    const cost = costOf(record, length);
    this.credit.take(cost);
    const item = record.kind === 'control' ? record.message : record;
    const arrived = { received: { item, cost }, epoch: this.#epoch };
    for (const next of this.#order.put(sequence, arrived)) this.#deliver(next);
    this.#lookForEnd();
  }

  /** The peer says that it has sent so many items. Throws `protocol` where that is not so. */
  end(items: number): void {
    this.#total = items;
    this.#lookForEnd();
  }

  /** As `Channel.receive`. */
  async receive(): Promise<Received | undefined> {
    const item = this.#items.shift();
    if (item !== undefined) return item;
    if (this.hasEnded) return undefined;
    if (this.#failure !== undefined) throw this.#failure;
    this.#receiver = deferred();
    return this.#receiver.promise;
  }

  /** Hands over what the peer says about lanes, beginning with what it said before. */
  listenForLanes(listener: (message: LaneMessage) => void): void {
    this.#laneListener = listener;
    for (const message of this.#laneMessages.splice(0)) listener(message);
  }

  /** The session goes on over another connection: what is said of lanes begins anew, and what was under way comes again. */
  beginEpoch(): void {
    this.#epoch += 1;
    this.mayOvertake = true;
    this.#hasHints = false;
    this.#laneListener = undefined;
    this.#laneMessages.length = 0;
  }

  /** What came before it stays to be received. */
  fail(error: XferError): void {
    this.#failure = error;
    this.#receiver?.reject(error);
  }

  /** Drops what nobody received yet. */
  discard(): void {
    this.#items.length = 0;
  }

  #deliver({ received, epoch }: Arrived): void {
    const { item, cost } = received;
    this.#isError = 'type' in item && item.type === 'error';
    if ('type' in item && (item.type === 'hints' || item.type === 'lanes')) {
      this.credit.release(cost);
      // About lanes that are gone. What the sender put in its place was dropped as a repetition.
      if (epoch !== this.#epoch) return;
      // Or they would be as many places to knock at as the peer likes.
      if (item.type === 'hints' && item.hints.length > 0) {
        if (this.#hasHints) throw new XferError('protocol', { subject: 'hints' });
        this.#hasHints = true;
      }
      if (this.#laneListener !== undefined) this.#laneListener(item);
      else if (this.#laneMessages.push(item) > MAX_EARLY_LANE_MESSAGES)
        throw new XferError('protocol', { subject: item.type });
    } else if (this.#receiver === undefined) {
      this.#items.push(received);
    } else {
      this.#receiver.resolve(received);
      this.#receiver = undefined;
    }
  }

  #lookForEnd(): void {
    if (this.#total === undefined) return;
    if (this.#order.next !== this.#total) {
      // What is missing may still come over a lane.
      if (this.mayOvertake && this.#order.next < this.#total) return;
      throw new XferError('protocol', { subject: 'end' });
    }
    this.#receiver?.resolve(undefined);
    this.#receiver = undefined;
  }
}
