/** What comes from the peer, one item at a time. */
import { XferError, type ErrorCode } from '../errors.js';
import { unpack } from './compression.js';
import type { ControlMessage } from './messages.js';
import type { Channel, DataRecord, Received } from './ports.js';
import { malformed } from './wire.js';

/** Transfers of a session are numbered from 1, and a session has one. */
export const TRANSFER = 1;

/** What is said in a transfer. */
export type TransferMessage = Extract<ControlMessage, { transfer: number }>;
export type TransferItem = DataRecord | TransferMessage;

interface Arrived extends Received {
  /** What the body of a chunk or a batch unpacks to. */
  readonly content?: Promise<Uint8Array>;
}

export interface ReceivedItem extends Arrived {
  readonly item: TransferItem;
}

/** Items that are here before their turn, of 1 MiB at most: they are unpacked while others are hashed and written. */
const AHEAD = 4;

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
  /** What comes next, in order. */
  readonly #coming: Promise<Arrived | undefined>[] = [];
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
    void this.#coming.shift();
    if (received === undefined) return undefined;
    const { item, ...rest } = received;
    if ('type' in item && item.type === 'error') throw peerError(item.code);
    if (!('transfer' in item)) throw malformed(`${item.type} during a transfer`);
    if (item.transfer !== TRANSFER) throw malformed('another transfer');
    return { item, ...rest };
  }

  /** Drops everything up to the peer's end. Whoever waits for an item gets `interrupted`. */
  async drain(): Promise<void> {
    this.#abandoned = true;
    for (let received = await this.#peek(); received !== undefined; received = await this.#peek()) {
      void this.#coming.shift();
      this.#channel.release(received.cost);
    }
  }

  async #peek(): Promise<Arrived | undefined> {
    while (this.#coming.length <= AHEAD) this.#coming.push(this.#receiveAfter(this.#coming.at(-1)));
    return this.#coming[0];
  }

  /** The channel gives one item at a time. */
  #receiveAfter(before: Promise<Arrived | undefined> | undefined): Promise<Arrived | undefined> {
    const arrived =
      before === undefined
        ? this.#receive()
        : before.then((received) => (received === undefined ? undefined : this.#receive()));
    // Whoever takes it sees the error.
    arrived.catch(() => {});
    return arrived;
  }

  async #receive(): Promise<Arrived | undefined> {
    const received = await this.#channel.receive();
    if (received === undefined || 'type' in received.item) return received;
    const { item } = received;
    if (this.#abandoned || (item.kind !== 'chunk' && item.kind !== 'batch')) return received;
    const content = unpack(item.body);
    content.catch(() => {});
    return { ...received, content };
  }
}
