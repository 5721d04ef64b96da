/** What comes from the peer, one item at a time. */
import { XferError, type ErrorCode } from '../errors.js';
import type { ControlMessage } from './messages.js';
import type { Channel, DataRecord, Received } from './ports.js';
import { malformed } from './wire.js';

/** Transfers of a session are numbered from 1, and a session has one. */
export const TRANSFER = 1;

/** What is said in a transfer. */
export type TransferMessage = Extract<ControlMessage, { transfer: number }>;
export type TransferItem = DataRecord | TransferMessage;

export interface ReceivedItem extends Received {
  readonly item: TransferItem;
}

/** What concerns both sides alike: the same error for both. */
const SHARED: readonly ErrorCode[] = [
  'not-verified',
  'role-conflict',
  'code-used',
  'code-expired',
  'code-dead',
];

/** The error for what the peer said with an `error` message. */
export function peerError(code: ErrorCode): XferError {
  if (SHARED.includes(code)) return new XferError(code);
  return code === 'interrupted'
    ? new XferError('peer-interrupted')
    : new XferError('peer-failed', { detail: code });
}

export class Inbox {
  readonly #channel: Channel;
  #pending: Promise<Received | undefined> | undefined;
  #abandoned = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Resolves when something is there to be taken, and leaves it there. */
  peek(): Promise<unknown> {
    return this.#peek();
  }

  /**
   * The next item; `undefined` after the peer's end.
   * @throws XferError `peer-failed` or `peer-interrupted` when the peer gave up, `protocol` where an item belongs to
   *   no transfer of this session.
   */
  async take(): Promise<ReceivedItem | undefined> {
    const received = await this.#peek();
    if (this.#abandoned) throw new XferError('interrupted');
    this.#pending = undefined;
    if (received === undefined) return undefined;
    const { item, cost } = received;
    if ('type' in item && item.type === 'error') throw peerError(item.code);
    if (!('transfer' in item)) throw malformed(`${item.type} during a transfer`);
    if (item.transfer !== TRANSFER) throw malformed('another transfer');
    return { item, cost };
  }

  /** Drops everything up to the peer's end. Whoever waits for an item gets `interrupted`. */
  async drain(): Promise<void> {
    this.#abandoned = true;
    for (let received = await this.#peek(); received !== undefined; received = await this.#peek()) {
      this.#pending = undefined;
      this.#channel.release(received.cost);
    }
  }

  #peek(): Promise<Received | undefined> {
    this.#pending ??= this.#channel.receive();
    return this.#pending;
  }
}
