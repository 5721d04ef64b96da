/** What comes from the peer, one item at a time. */
import { XferError, type ErrorCode } from '../errors.js';
import { unpack } from './compression.js';
import { isThreadWorthy } from './file-digest.js';
import type { ControlMessage } from './messages.js';
import type { Batch, Channel, Chunk, DataRecord, LeafHasher, Received } from './ports.js';
import { malformed } from './wire.js';

/** Transfers of a session are numbered from 1, and a session has one. */
export const TRANSFER = 1;

/** What is said in a transfer. */
export type TransferMessage = Extract<ControlMessage, { transfer: number }>;
export type TransferItem = DataRecord | TransferMessage;

/** What the body of a chunk or a batch unpacks to. */
export interface Content {
  readonly bytes: Uint8Array;
  /** The digest of a whole leaf that another thread hashed already. */
  readonly digest?: Uint8Array;
}

interface Arrived extends Received {
  readonly content?: Promise<Content>;
}

export interface ReceivedItem extends Arrived {
  readonly item: TransferItem;
}

/** Items that are here before their turn, of 1 MiB at most: they are unpacked, and hashed where there is a thread for it, while others are written. */
const AHEAD = 4;

/** What concerns both sides alike: the same error for both. */
const SHARED: readonly ErrorCode[] = [
  'not-verified',
  'role-conflict',
  'no-share',
  'peer-busy',
  'code-used',
  'code-expired',
  'code-dead',
  'declined',
  'stalled',
];

/** The error for what the peer said with an `error` message. */
export function peerError(code: ErrorCode): XferError {
  if (SHARED.includes(code)) return new XferError(code);
  if (code === 'device-removed') return new XferError('device-refused');
  return code === 'interrupted'
    ? new XferError('peer-interrupted')
    : new XferError('peer-failed', { detail: code });
}

export class Inbox {
  readonly #channel: Channel;
  readonly #hasher: LeafHasher | undefined;
  /** What comes next, in order. */
  readonly #coming: Promise<Arrived | undefined>[] = [];
  #abandoned = false;

  constructor(channel: Channel, hasher?: LeafHasher) {
    this.#channel = channel;
    this.#hasher = hasher;
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
    const content = contentOf(item, this.#hasher);
    content.catch(() => {});
    return { ...received, content };
  }
}

/** Unpacks a body; throws `protocol` as `unpack`. A leaf of a large file is hashed by `hasher`, if there is one. */
export async function contentOf(item: Chunk | Batch, hasher?: LeafHasher): Promise<Content> {
  const bytes = await unpack(item.body);
  if (hasher === undefined || item.kind !== 'chunk' || !isThreadWorthy(item.offset, bytes, hasher)) {
    return { bytes };
  }
  return hasher.hash(bytes);
}
