/** Requests about a share, and the transfers that they lead to, one after the other over the channel of one session. */
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import { leave } from './conduct.js';
import { deferred, type Deferred } from './deferred.js';
import type { Delivery } from './delivery.js';
import { peerError } from './inbox.js';
import type { ControlMessage } from './messages.js';
import { CHUNK_BYTES, type Channel, type Compression, type DataRecord, type Received } from './ports.js';
import type { ShareMessage } from './share-messages.js';
import { malformed } from './wire.js';

/** What is said between transfers. */
export type Word = Exclude<ShareMessage, { type: 'over' }>;

/** What an exchange is about. */
export interface ExchangeKind<W extends ControlMessage> {
  /** The types of what is said between transfers, and in the middle of them. */
  readonly words: readonly W['type'][];
  /** What may be used in transfers; what the channel can if not given. */
  readonly compressions?: ReadonlySet<Compression>;
}

/** About a share. */
export const SHARE_WORDS: ExchangeKind<Word> = {
  words: ['request', 'listing', 'reply', 'challenge', 'proof', 'actions', 'output', 'ended'],
};

/** A word that nobody took yet: its credit bounds how many there may be. */
interface Arrival<W> {
  readonly word: W;
  readonly cost: number;
}

/** How long the peer may say nothing of a transfer that this side gave up before it is over with it. */
const GIVEN_UP_MS = 10_000;
const LOOK_MS = 1_000;

/** A window takes several of the smallest records: what is larger than the first credit is a part of what was open at most. */
const SMALLEST_WINDOW_BYTES = 1 << 19;
/** Read, packed, sealed and sent ahead of each other. */
const PIECES_UNDER_WAY = 8;
const SMALLEST_PIECE_BYTES = 1 << 16;

/** After these the session is not to be trusted any more, or not there. */
const ENDS_SESSION: readonly ErrorCode[] = [
  'protocol',
  'limit',
  'integrity',
  'internal',
  'stalled',
  'peer-gone',
];

/**
 * Cuts a channel into requests and transfers. A transfer that fails leaves the session in order, unless the peer broke the rules:
 * each side says `over`, and what still comes of it is dropped.
 */
export class Exchange<W extends ControlMessage = Word> {
  readonly #channel: Channel;
  readonly #mostBytes: () => number;
  readonly #kind: ExchangeKind<W>;
  readonly #words: Arrival<W>[] = [];
  /** Why no further word comes. */
  #ending: { readonly error: XferError | undefined } | undefined;
  readonly #gone = new AbortController();
  #interruption: XferError | undefined;
  #listener: Deferred<void> | undefined;
  #transfer: TransferChannel | undefined;

  /**
   * Takes the channel over: nobody else may receive from it.
   *
   * @param mostBytes How much a transfer may have under way, either way, whatever it or its peer wants.
   */
  constructor(channel: Channel, kind: ExchangeKind<W>, mostBytes: () => number = () => Infinity) {
    this.#channel = channel;
    this.#kind = kind;
    this.#mostBytes = mostBytes;
    void this.#pump();
  }

  /** The next word of the peer; `undefined` after its end. Throws what the peer gave up for, `protocol`, `peer-gone`. One call at a time. */
  async next(): Promise<W | undefined> {
    for (;;) {
      if (this.#interruption !== undefined) throw this.#interruption;
      const arrival = this.#words.shift();
      if (arrival !== undefined) {
        this.#channel.release(arrival.cost);
        return arrival.word;
      }
      if (this.#ending?.error !== undefined) throw this.#ending.error;
      if (this.#ending !== undefined) return undefined;
      this.#listener = deferred();
      await this.#listener.promise;
    }
  }

  /** Aborted when the peer says nothing more, with the reason where that is no end in order. Words may still wait for `next`. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  say(word: W): Promise<void> {
    return this.#channel.send(word);
  }

  /** The channel of the transfer that this request leads to, from now on. Another one must be over. */
  begin(request: number): TransferChannel {
    if (this.#transfer?.isOver === false)
      throw new XferError('internal', { subject: 'two transfers at once' });
    const { compressions = this.#channel.compressions } = this.#kind;
    const transfer = new TransferChannel(this.#channel, request, this.#mostBytes, compressions);
    // The peer said its last word before this request was looked at: nobody will tell this one.
    if (this.#ending !== undefined) transfer.fail(this.#ending.error ?? new XferError('peer-gone'));
    this.#transfer = transfer;
    return transfer;
  }

  /** Takes `begin` back: the request was refused. */
  cancel(): void {
    this.#transfer = undefined;
  }

  /** Ends our direction. */
  end(): Promise<void> {
    return this.#channel.end();
  }

  /** From now on `next` throws this. A transfer goes on. */
  interrupt(error: XferError): void {
    this.#interruption ??= error;
    this.#listener?.resolve();
  }

  /** As `leave` of the channel. */
  leave(error: XferError): Promise<void> {
    return leave(this.#channel, error);
  }

  destroy(error: XferError): void {
    this.#channel.destroy(error);
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const received = await this.#channel.receive();
        if (received === undefined) break;
        this.#take(received);
      }
      this.#transfer?.fail(new XferError('peer-gone'));
      this.#ending = { error: undefined };
    } catch (thrown) {
      const error = toXferError(thrown);
      this.#channel.destroy(error);
      this.#transfer?.fail(error);
      this.#ending = { error };
    }
    this.#listener?.resolve();
    this.#gone.abort(this.#ending.error ?? new XferError('peer-gone'));
  }

  #take(received: Received): void {
    const { item, cost } = received;
    const transfer = this.#transfer;
    if ('type' in item && this.#isWord(item)) {
      this.#words.push({ word: item, cost });
      this.#listener?.resolve();
      return;
    }
    if (transfer === undefined || transfer.hasPeerEnded) {
      if ('type' in item && item.type === 'error') throw peerError(item.code);
      throw malformed('what belongs to no request');
    }
    if ('type' in item && item.type === 'over') {
      this.#channel.release(cost);
      transfer.endOfPeer(item.request);
    } else transfer.take(received);
  }

  #isWord(item: ControlMessage): item is W {
    return this.#kind.words.includes(item.type);
  }
}

/** One transfer's part of a channel. */
export class TransferChannel implements Channel {
  readonly compressions: ReadonlySet<Compression>;
  readonly #channel: Channel;
  readonly #request: number;
  readonly #mostBytes: () => number;
  readonly #items: Received[] = [];
  #waiting: Deferred<void> | undefined;
  #sending: Promise<void> = Promise.resolve();
  /** Bytes of content that the peer has not acknowledged. */
  #kept = 0;
  #room: Deferred<void> | undefined;
  #failure: XferError | undefined;
  #hasGivenUp = false;
  #hasEnded = false;
  #hasPeerEnded = false;
  readonly #over: Deferred<void> = deferred();
  #givenUp: NodeJS.Timeout | undefined;
  /** How long nothing came of it since then, though it could. */
  #quietMs = 0;

  constructor(
    channel: Channel,
    request: number,
    mostBytes: () => number,
    compressions: ReadonlySet<Compression>,
  ) {
    this.compressions = compressions;
    this.#channel = channel;
    this.#request = request;
    this.#mostBytes = mostBytes;
  }

  get path(): Channel['path'] {
    return this.#channel.path;
  }

  get hasPeerEnded(): boolean {
    return this.#hasPeerEnded;
  }

  /** Whether both sides are done with it. */
  get isOver(): boolean {
    return this.#hasEnded && this.#hasPeerEnded;
  }

  /** Resolves when it is over; rejects when the session is gone before. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Throws after the end, too: what this side still has at work then would be more than the peer takes. */
  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    if (this.#hasEnded) return Promise.reject(this.#failure ?? new XferError('interrupted'));
    const sent = this.#sending.then(() => this.#sendNext(item, onDone));
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  pieceBytes(): number {
    const share = Math.max(SMALLEST_PIECE_BYTES, Math.floor(this.#mostBytes() / PIECES_UNDER_WAY));
    return Math.min(this.#channel.pieceBytes?.() ?? CHUNK_BYTES, share);
  }

  async receive(): Promise<Received | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const received = this.#items.shift();
      if (received !== undefined || this.#hasPeerEnded) return received;
      this.#waiting = deferred();
      await this.#waiting.promise;
    }
  }

  release(cost: number): void {
    this.#channel.release(cost);
  }

  widen(windowBytes: number): void {
    // A part of what all have together may be any number.
    const most = Math.max(SMALLEST_WINDOW_BYTES, Math.floor(this.#mostBytes()));
    this.#channel.widen(Math.min(windowBytes, most));
  }

  /** The session goes on, and so does what it has taken already. */
  giveUp(): void {
    this.#hasGivenUp = true;
    this.#room?.resolve();
  }

  delivery(): Delivery | undefined {
    return this.#channel.delivery?.();
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.#sending;
    await this.#channel.send({ type: 'over', request: this.#request });
    this.#lookForEnd();
  }

  /** Gives the transfer up, and with it the session only where the peer cannot be talked with any more. */
  destroy(error?: Error): void {
    if (this.isOver || this.#failure !== undefined) return;
    const reason = error === undefined ? new XferError('interrupted') : toXferError(error);
    this.#failure = reason;
    this.#wake();
    if (ENDS_SESSION.includes(reason.code)) {
      this.#channel.destroy(reason);
      return;
    }
    for (const { cost } of this.#items.splice(0)) this.#channel.release(cost);
    this.end().catch(() => undefined);
    this.#givenUp = setInterval(() => this.#lookForSilence(), LOOK_MS);
    this.#lookForEnd();
  }

  /** For the exchange: what the peer says in it. */
  take(received: Received): void {
    if (this.#failure !== undefined) {
      // What was under way comes before the end, on a slow line for long.
      this.#quietMs = 0;
      this.#channel.release(received.cost);
      return;
    }
    this.#items.push(received);
    this.#waiting?.resolve();
  }

  /** For the exchange: the peer says no more in it. Throws `protocol` where it means another one. */
  endOfPeer(request: number): void {
    if (request !== this.#request) throw malformed('the end of another request');
    this.#hasPeerEnded = true;
    this.#waiting?.resolve();
    this.#lookForEnd();
  }

  /** For the exchange: the session is gone. */
  fail(error: XferError): void {
    clearInterval(this.#givenUp);
    if (this.isOver) return;
    this.#failure ??= error;
    this.#wake();
    this.#over.reject(error);
  }

  /** The peer says how much it takes; what this side keeps of it until that is there, this side does. */
  async #sendNext(item: ControlMessage | DataRecord, onDone: (() => void) | undefined): Promise<void> {
    const bytes = 'body' in item ? item.body.bytes.length : 0;
    const isRefused = (): boolean => !('type' in item) && this.#hasGivenUp;
    while (
      this.#failure === undefined &&
      !isRefused() &&
      bytes > 0 &&
      this.#kept > 0 &&
      this.#kept + bytes > this.#mostBytes()
    ) {
      this.#room = deferred();
      await this.#room.promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (isRefused()) throw new XferError('interrupted');
    this.#kept += bytes;
    await this.#channel.send(item, () => {
      this.#kept -= bytes;
      this.#room?.resolve();
      onDone?.();
    });
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#room?.resolve();
  }

  #lookForEnd(): void {
    if (!this.isOver) return;
    clearInterval(this.#givenUp);
    this.#over.resolve();
  }

  #lookForSilence(): void {
    this.#quietMs = this.#channel.isAway?.() === true ? 0 : this.#quietMs + LOOK_MS;
    if (this.#quietMs < GIVEN_UP_MS) return;
    clearInterval(this.#givenUp);
    this.#channel.destroy(new XferError('stalled'));
  }
}
