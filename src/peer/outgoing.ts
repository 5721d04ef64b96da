/** What one side sends: items in their order, within the credit and the rate, over whatever path there is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SEAL_OVERHEAD_BYTES } from '../crypto/record-cipher.js';
import { XferError } from '../errors.js';
import type { ControlMessage } from '../transfer/messages.js';
import type { DataRecord } from '../transfer/ports.js';
import { costOf, encodeRecord, type ItemRecord } from '../transfer/records.js';
import { Credit } from './credit.js';
import type { Pacer } from './pacer.js';
import type { Paths } from './paths.js';
import { deferred, type Deferred } from './promises.js';
import type { RecordPath } from './record-path.js';

/** An item that went over a lane and may be lost with it. */
interface Kept {
  readonly sequence: number;
  readonly pieces: readonly Uint8Array[];
  path: RecordPath;
  readonly onDone: (() => void) | undefined;
}

export class Outgoing {
  /** Keeps to a rate where one is set. */
  pacer: Pacer | undefined;
  readonly #paths: Paths;
  readonly #beforeControl: () => void;
  #sending: Promise<void> = Promise.resolve();
  #failure: XferError | undefined;
  #isEnding = false;
  #items = 0;
  #dataBytes = 0;
  #spent = 0;
  #spendable = Credit.FIRST_BYTES;
  #creditArrived: Deferred<void> | undefined;
  /** Not acknowledged yet, in their order. */
  #kept: Kept[] = [];
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

  /** As `Channel.send`. */
  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    const sent = this.#sending.then(() => this.#sendNext(item, onDone));
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  /** Takes what the peer says of our items. Throws `protocol` where it acknowledges what was never sent. */
  takeCredit(granted: number, acknowledged: number): void {
    if (acknowledged > this.#items) throw new XferError('protocol', { subject: 'acknowledged' });
    const first = this.#kept.findIndex(({ sequence }) => sequence >= acknowledged);
    const arrived = this.#kept.splice(0, first === -1 ? this.#kept.length : first);
    for (const { onDone } of arrived) onDone?.();
    if (this.#kept.length === 0) this.stopWaiting();
    if (granted <= this.#spendable) return;
    this.#spendable = granted;
    this.#creditArrived?.resolve();
    this.#creditArrived = undefined;
  }

  /** Sends again what was under way on a lane that is gone. Not after what waits for credit: that may depend on these. */
  async sendAgain(lane: RecordPath): Promise<void> {
    for (const kept of this.#kept.filter(({ path }) => path === lane)) {
      kept.path = await this.#paths.room();
      if (this.#failure !== undefined) return;
      kept.path.send(kept.pieces);
    }
  }

  /** Lets nothing more be sent, and waits until what was sent cannot be lost with a lane. Throws what `fail` was told. */
  async finish(): Promise<void> {
    await this.#sending;
    this.#isEnding = true;
    if (this.#kept.length > 0 && this.#failure === undefined) {
      this.#allArrived = deferred();
      await this.#allArrived.promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the wait of `finish`: a peer that ended acknowledges nothing more. */
  stopWaiting(): void {
    this.#allArrived?.resolve();
  }

  fail(error: XferError): void {
    this.#failure = error;
    this.#creditArrived?.resolve();
    this.stopWaiting();
  }

  async #sendNext(item: ControlMessage | DataRecord, onDone: (() => void) | undefined): Promise<void> {
    const sequence = this.#items;
    const record: ItemRecord =
      'type' in item ? { kind: 'control', sequence, message: item } : { ...item, sequence };
    const pieces = encodeRecord(record);
    const length = pieces.reduce((sum, piece) => sum + piece.length, SEAL_OVERHEAD_BYTES);
    await this.#spend(costOf(record, length));
    const pauseMs = this.pacer?.take(length) ?? 0;
    if (pauseMs > 0) await sleep(pauseMs);
    if (record.kind === 'control') {
      this.#beforeControl();
      this.#hand(this.#paths.pairing, pieces, onDone);
    } else {
      this.#hand(await this.#paths.room(), pieces, onDone);
      this.#dataBytes += length;
    }
  }

  /** Waits for credit. */
  async #spend(cost: number): Promise<void> {
    while (this.#failure === undefined && this.#spent + cost > this.#spendable) {
      this.#creditArrived ??= deferred();
      await this.#creditArrived.promise;
    }
    this.#demandAlive();
    this.#spent += cost;
  }

  #hand(path: RecordPath, pieces: readonly Uint8Array[], onDone: (() => void) | undefined): void {
    this.#demandAlive();
    const sequence = this.#items;
    this.#items += 1;
    path.send(pieces);
    // What was sealed is a copy, and with the pairing connection the session would die.
    if (path === this.#paths.pairing) onDone?.();
    else this.#kept.push({ sequence, pieces, path, onDone });
  }

  #demandAlive(): void {
    if (this.#isEnding) throw new XferError('internal', { subject: 'channel after its end' });
    if (this.#failure !== undefined) throw this.#failure;
  }
}
