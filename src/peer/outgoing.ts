/** What one side sends: items in their order, within the credit and the rate, over whatever path there is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SEAL_OVERHEAD_BYTES } from '../crypto/record-cipher.js';
import { XferError } from '../errors.js';
import type { Delivery } from '../transfer/delivery.js';
import type { ControlMessage } from '../transfer/messages.js';
import { CHUNK_BYTES, type DataRecord } from '../transfer/ports.js';
import { costOf, encodeRecord, type ItemRecord } from '../transfer/records.js';
import { Credit } from './credit.js';
import type { Pacer } from './pacer.js';
import type { Paths } from './paths.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import type { RecordPath } from './record-path.js';

/** An item that may be lost with the path that it took. */
interface Kept {
  readonly sequence: number;
  pieces: readonly Uint8Array[];
  /** About lanes of an epoch, and worth nothing in the next. */
  readonly isLaneTalk: boolean;
  /** Of the sealed message, in bytes. */
  readonly length: number;
  path: RecordPath;
  readonly onDone: (() => void) | undefined;
}

/** More is not kept, however much credit there is: a peer that acknowledges nothing would have all our memory. */
const MAX_KEPT_BYTES = 2 ** 25;
/** So many records have room in what the peer has open. */
const RECORDS_OPEN = 8;
/** Costs with its entries, and beside a manifest, less than the first credit. */
const SMALLEST_PIECE_BYTES = 1 << 16;
/** A lane that delivers nothing for so long is none, though it is not dead. Its items go another way. */
const STUCK_MS = 60_000;

export class Outgoing {
  /** Keeps to a rate where one is set. */
  pacer: Pacer | undefined;
  readonly #paths: Paths;
  readonly #beforeControl: () => void;
  #sending: Promise<void> = Promise.resolve();
  #failure: XferError | undefined;
  #isEnding = false;
  #hasGivenUp = false;
  #items = 0;
  #dataBytes = 0;
  #spent = 0;
  #spendable = Credit.FIRST_BYTES;
  /** The most that the peer had open at once. */
  #mostOpen = Credit.FIRST_BYTES;
  #creditArrived: Deferred<void> | undefined;
  /** Not acknowledged yet, in their order. */
  #kept: Kept[] = [];
  #keptBytes = 0;
  #stuck: NodeJS.Timeout | undefined;
  /** Since when the oldest of them is the oldest, and how long the one before it was. */
  #oldestMs = 0;
  #waitedMs = 0;
  #hasPeerEnded = false;
  /** Everything is said, and nothing may come behind the end but a repetition before the next one. */
  #isFinished = false;
  #allArrived: Deferred<void> | undefined;

  /** @param beforeControl Called before a control message leaves. */
  constructor(paths: Paths, beforeControl: () => void) {
    this.#paths = paths;
    this.#beforeControl = beforeControl;
  }

  /** How many items were sent. */
  get items(): number {
    return this.#items;
  }

  /** Sealed bytes of data records. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** As `Channel.delivery`. */
  get delivery(): Delivery {
    return { items: this.#items - this.#kept.length, waitedMs: this.#waitedMs };
  }

  /** As `Channel.pieceBytes`: where the peer has little open, small records, or each would wait for all before it. */
  pieceBytes(): number {
    const room = Math.max(SMALLEST_PIECE_BYTES, Math.floor(this.#mostOpen / RECORDS_OPEN));
    return Math.min(this.pacer?.pieceBytes() ?? CHUNK_BYTES, room, CHUNK_BYTES);
  }

  /** As `Channel.send`. */
  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    const { pairing } = this.#paths;
    const sent = this.#sending.then(() => this.#sendNext(item, onDone, pairing));
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  /** As `Channel.giveUp`: lets no more content leave. */
  giveUp(): void {
    this.#hasGivenUp = true;
    this.#creditArrived?.resolve();
    this.#creditArrived = undefined;
    this.#paths.wake();
  }

  /** Takes what the peer says of our items. Throws `protocol` where it acknowledges what was never sent. */
  takeCredit(granted: number, acknowledged: number): void {
    if (acknowledged > this.#items) throw new XferError('protocol', { subject: 'acknowledged' });
    const first = this.#kept.findIndex(({ sequence }) => sequence >= acknowledged);
    this.#forget(first === -1 ? this.#kept.length : first);
    this.#spendable = Math.max(this.#spendable, granted);
    this.#mostOpen = Math.max(this.#mostOpen, this.#spendable - this.#spent);
    this.#creditArrived?.resolve();
    this.#creditArrived = undefined;
  }

  /** Sends again what was under way on a lane that is gone. Not after what waits for credit: that may depend on these. */
  async sendAgain(lane: RecordPath): Promise<void> {
    const isLost = ({ path }: Kept): boolean => path === lane;
    for (let lost = this.#kept.find(isLost); lost !== undefined; lost = this.#kept.find(isLost)) {
      await this.#pace(lost.length);
      await this.#paths.room();
      if (this.#failure !== undefined || this.#isFinished) return;
      // It may have arrived before the lane was gone: then its memory is somebody else's by now.
      if (!this.#kept.includes(lost)) continue;
      lost.path = this.#paths.next;
      lost.path.send(lost.pieces);
    }
  }

  /** Sends everything again that the peer has not acknowledged: on a new pairing connection, as all paths before it are gone. */
  async sendAllAgain(): Promise<void> {
    const { pairing } = this.#paths;
    for (const kept of [...this.#kept]) {
      await this.#pace(kept.length);
      await this.#paths.room();
      // Lost once more: the next connection begins anew with this.
      if (this.#failure !== undefined || this.#isFinished || this.#paths.pairing !== pairing) return;
      if (!this.#kept.includes(kept)) continue;
      if (kept.isLaneTalk) kept.pieces = placeholder(kept.sequence);
      kept.path = this.#paths.next;
      kept.path.send(kept.pieces);
    }
  }

  /** Lets nothing more be sent, and waits until what was sent cannot be lost with a lane. Throws what `fail` was told. */
  async finish(): Promise<void> {
    await this.#sending;
    this.#isEnding = true;
    if (this.#kept.length > 0 && !this.#hasPeerEnded && this.#failure === undefined) {
      this.#allArrived = deferred();
      await this.#allArrived.promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.#isFinished = true;
    this.repeat();
  }

  /**
   * After `finish`, before an end on the pairing connection: says there what it has not carried yet of what the peer, which
   * ended, did not acknowledge. A loss may follow even then, so that it stays to be said again.
   */
  repeat(): void {
    const { pairing } = this.#paths;
    for (const kept of this.#kept) {
      if (kept.path === pairing) continue;
      // It went by a pairing connection: that was another one.
      if (kept.isLaneTalk) kept.pieces = placeholder(kept.sequence);
      kept.path = pairing;
      pairing.send(kept.pieces);
    }
  }

  /** The peer acknowledges nothing more. */
  peerEnded(): void {
    this.#hasPeerEnded = true;
    this.#allArrived?.resolve();
  }

  fail(error: XferError): void {
    this.#failure = error;
    clearTimeout(this.#stuck);
    this.#creditArrived?.resolve();
    this.#allArrived?.resolve();
  }

  /** @param saidOn The pairing connection when the item was given: where there is another one by now, that epoch is over. */
  async #sendNext(
    item: ControlMessage | DataRecord,
    onDone: (() => void) | undefined,
    saidOn: RecordPath,
  ): Promise<void> {
    const sequence = this.#items;
    const record: ItemRecord =
      'type' in item ? { kind: 'control', sequence, message: item } : { ...item, sequence };
    const pieces = encodeRecord(record);
    const length = pieces.reduce((sum, piece) => sum + piece.length, SEAL_OVERHEAD_BYTES);
    const cost = costOf(record, length);
    const isRefused = (): boolean => record.kind !== 'control' && this.#hasGivenUp;
    await this.#spend(cost, isRefused);
    await this.#pace(length);
    if (record.kind === 'control') {
      const isLaneTalk = record.message.type === 'hints' || record.message.type === 'lanes';
      if (isLaneTalk && saidOn !== this.#paths.pairing) {
        // It waited until it was worth nothing. It has no place among the items yet, so nobody misses it.
        this.#spent -= cost;
        return;
      }
      this.#beforeControl();
      this.#hand(this.#paths.pairing, { pieces, length, onDone, isLaneTalk });
    } else {
      await this.#paths.room(() => !isRefused());
      if (isRefused()) {
        this.#spent -= cost;
        throw new XferError('interrupted');
      }
      this.#hand(this.#paths.next, { pieces, length, onDone, isLaneTalk: false });
      this.#dataBytes += length;
    }
  }

  /** Waits for credit, unless the item is refused anyway. */
  async #spend(cost: number, isRefused: () => boolean): Promise<void> {
    while (
      this.#failure === undefined &&
      !isRefused() &&
      (this.#spent + cost > this.#spendable || this.#keptBytes > MAX_KEPT_BYTES)
    ) {
      this.#creditArrived ??= deferred();
      await this.#creditArrived.promise;
    }
    this.#demandAlive();
    this.#spent += cost;
  }

  /** Waits as long as a limit wants. What is over does not wait for this. */
  async #pace(length: number): Promise<void> {
    const pauseMs = this.pacer?.take(length) ?? 0;
    if (pauseMs > 0) await sleep(pauseMs, undefined, { ref: false });
  }

  /** Nothing happens between the choice of a path and this: a path that is gone takes nothing. */
  #hand(path: RecordPath, item: Omit<Kept, 'sequence' | 'path'>): void {
    this.#demandAlive();
    const sequence = this.#items;
    this.#items += 1;
    path.send(item.pieces);
    this.#kept.push({ ...item, sequence, path });
    this.#keptBytes += item.length;
    if (this.#kept.length === 1) this.#watchOldest();
  }

  /** So many of the oldest arrived. */
  #forget(count: number): void {
    const arrived = this.#kept.splice(0, count);
    for (const { length, onDone } of arrived) {
      this.#keptBytes -= length;
      onDone?.();
    }
    if (arrived.length > 0) {
      this.#waitedMs = performance.now() - this.#oldestMs;
      this.#watchOldest();
    }
    if (this.#kept.length === 0) this.#allArrived?.resolve();
  }

  #watchOldest(): void {
    clearTimeout(this.#stuck);
    const [oldest] = this.#kept;
    if (oldest === undefined) return;
    this.#oldestMs = performance.now();
    this.#stuck = setTimeout(() => {
      const { path } = oldest;
      if (path !== this.#paths.pairing) path.destroy(new XferError('peer-gone', { subject: 'lane' }));
      this.#watchOldest();
    }, STUCK_MS).unref();
  }

  #demandAlive(): void {
    if (this.#isEnding) throw new XferError('internal', { subject: 'channel after its end' });
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** What keeps the place of an item that says nothing any more. */
function placeholder(sequence: number): Uint8Array[] {
  return encodeRecord({ kind: 'control', sequence, message: { type: 'hints', hints: [] } });
}
