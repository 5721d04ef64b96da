/** Records over a connection whose peer is authenticated (protocol section 6). */
import type { Direction, SessionKey } from '../crypto/key-schedule.js';
import { RecordOpener, RecordSealer, SEAL_OVERHEAD_BYTES } from '../crypto/record-cipher.js';
import { XferError, toXferError } from '../errors.js';
import type { ControlMessage } from '../transfer/messages.js';
import {
  CHUNK_BYTES,
  type Channel,
  type Compression,
  type DataRecord,
  type Path,
  type Received,
} from '../transfer/ports.js';
import {
  ENTRY_COST,
  costOf,
  decodeRecord,
  encodeRecord,
  type CreditRecord,
  type WireRecord,
} from '../transfer/records.js';
import type { Connection } from './connection.js';
import { deferred, type Deferred } from './promises.js';
import type { Agreement, Side } from './pairing-messages.js';

/** What a side may send before anything was granted to it, in bytes of cost. */
export const FIRST_CREDIT = 256 * 1024;

const EPOCH = 0;
const SENDS: Readonly<Record<Side, Direction>> = { joiner: 'joiner to host', host: 'host to joiner' };
/** No record costs more: 1 MiB of content, and its entries, of which each takes 34 bytes at least. */
const LARGEST_COST = CHUNK_BYTES + Math.ceil(CHUNK_BYTES / 34) * ENTRY_COST;
/** Credit is worth a record of its own when this part of the window was given back. */
const WORTH_GRANTING = 1 / 8;

/** Implements `Channel`: sealed records, credit in both directions, an authenticated end. */
export class SealedChannel implements Channel {
  readonly path: Path;
  readonly compressions: ReadonlySet<Compression>;

  readonly #connection: Connection;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  #failure: XferError | undefined;

  // What we send.
  #sending: Promise<void> = Promise.resolve();
  #controlsSent = 0;
  #spent = 0;
  #spendable = FIRST_CREDIT;
  #creditArrived: Deferred<void> | undefined;
  #ourEnd: 'open' | 'ending' | 'ended' = 'open';

  // What the peer sends.
  readonly #items: Received[] = [];
  #receiver: Deferred<Received | undefined> | undefined;
  #controlsOpened = 0;
  #controlsTaken = 0;
  #cost = 0;
  #released = 0;
  #window = FIRST_CREDIT;
  #granted = FIRST_CREDIT;
  /** A grant that the line has not taken yet. */
  #isGranting = false;
  #peerEnded = false;

  /** `sessionKey` stays the caller's; this is the session's first connection. */
  constructor(connection: Connection, sessionKey: SessionKey, side: Side, agreement: Agreement) {
    this.path = connection.path;
    this.compressions = agreement.compressions;
    this.#connection = connection;
    const secret = (of: Side): ReturnType<SessionKey['recordSecret']> =>
      sessionKey.recordSecret(connection.handshakeHash, EPOCH, SENDS[of]);
    this.#sealer = new RecordSealer(secret(side), agreement.aead);
    this.#opener = new RecordOpener(secret(side === 'joiner' ? 'host' : 'joiner'), agreement.aead);
    // Opened as it arrives: credit must get through while nobody calls `receive`.
    connection.handTo({
      onMessage: (message) => this.#open(message),
      onOver: (error) => this.#fail(error),
    });
  }

  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    const sent = this.#sending.then(() => this.#sendNext(item));
    // What was sealed is a copy.
    this.#sending = sent.then(onDone, ignore);
    return sent;
  }

  async receive(): Promise<Received | undefined> {
    const item = this.#items.shift();
    if (item !== undefined) return this.#taken(item);
    if (this.#failure !== undefined && !this.#peerEnded) throw this.#failure;
    if (this.#peerEnded) return undefined;
    this.#receiver = deferred();
    const received = await this.#receiver.promise;
    return received === undefined ? undefined : this.#taken(received);
  }

  release(cost: number): void {
    this.#released += cost;
    this.#grant();
  }

  widen(windowBytes: number): void {
    this.#window = Math.max(this.#window, windowBytes);
    this.#grant();
  }

  async end(): Promise<void> {
    await this.#sending;
    this.#demandAlive();
    this.#ourEnd = 'ending';
    this.#granted = Math.max(this.#granted, this.#released + this.#window);
    await this.#sealAndSend(this.#credit(), true);
    await this.#connection.flush();
    this.#ourEnd = 'ended';
    if (this.#peerEnded) await this.#connection.close();
  }

  destroy(error?: Error): void {
    this.#items.length = 0;
    this.#fail(error === undefined ? new XferError('peer-gone') : toXferError(error));
  }

  async #sendNext(item: ControlMessage | DataRecord): Promise<void> {
    const isControl = 'type' in item;
    const record: WireRecord = isControl
      ? { kind: 'control', sequence: this.#controlsSent, message: item }
      : item;
    const parts = encodeRecord(record);
    const length = parts.reduce((sum, part) => sum + part.length, SEAL_OVERHEAD_BYTES);
    const cost = costOf(record, length);
    while (this.#failure === undefined && this.#spent + cost > this.#spendable) {
      this.#creditArrived ??= deferred();
      await this.#creditArrived.promise;
    }
    this.#demandAlive();
    this.#spent += cost;
    if (isControl) this.#controlsSent += 1;
    await this.#connection.send(this.#sealer.seal(parts, false));
  }

  /** The order of sealing is the order on the wire: nothing may wait between the two. */
  #sealAndSend(record: WireRecord, last: boolean): Promise<void> {
    return this.#connection.send(this.#sealer.seal(encodeRecord(record), last));
  }

  #open(message: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      this.#take(message);
    } catch (error) {
      this.#fail(toXferError(error));
    }
  }

  #take(message: Uint8Array): void {
    const { plaintext, last } = this.#opener.open(message);
    const record = decodeRecord(plaintext);
    if (record.kind === 'credit') this.#takeCredit(record);
    else this.#takeItem(record, message.length);
    if (!last) return;
    this.#peerEnded = true;
    this.#receiver?.resolve(undefined);
    this.#receiver = undefined;
    if (this.#ourEnd === 'ended') void this.#connection.close();
  }

  #takeCredit({ granted, acknowledged }: CreditRecord): void {
    if (acknowledged > this.#controlsSent) throw new XferError('protocol', { subject: 'acknowledged' });
    if (granted <= this.#spendable) return;
    this.#spendable = granted;
    this.#creditArrived?.resolve();
    this.#creditArrived = undefined;
  }

  #takeItem(record: Exclude<WireRecord, CreditRecord>, length: number): void {
    const cost = costOf(record, length);
    this.#cost += cost;
    if (this.#cost > this.#granted) throw new XferError('limit', { subject: 'credit' });
    if (record.kind === 'control') {
      if (record.sequence !== this.#controlsOpened) throw new XferError('protocol', { subject: 'sequence' });
      this.#controlsOpened += 1;
    }
    const received = { item: record.kind === 'control' ? record.message : record, cost };
    if (this.#receiver === undefined) {
      this.#items.push(received);
    } else {
      this.#receiver.resolve(received);
      this.#receiver = undefined;
    }
  }

  #taken(received: Received): Received {
    if ('type' in received.item) this.#controlsTaken += 1;
    return received;
  }

  /** Lets the peer send on. The largest total that it was told counts, so none is ever taken back. */
  #grant(): void {
    // One at a time: a peer that sends and does not read would make us keep a grant for every record.
    if (this.#isGranting) return;
    const total = this.#released + this.#window;
    // A small window is given back at once: the peer could be waiting for all of it.
    const mayWithhold = Math.max(0, Math.min(this.#window * WORTH_GRANTING, this.#window - LARGEST_COST));
    if (total <= this.#granted || total - this.#granted < mayWithhold) return;
    this.#granted = total;
    // After our last record nothing may follow. A peer that still needs credit then sends out of turn.
    if (this.#failure !== undefined || this.#ourEnd !== 'open') return;
    this.#isGranting = true;
    this.#sealAndSend(this.#credit(), false).then(() => {
      this.#isGranting = false;
      this.#grant();
    }, ignore);
  }

  #credit(): CreditRecord {
    return { kind: 'credit', granted: this.#granted, acknowledged: this.#controlsTaken };
  }

  #demandAlive(): void {
    if (this.#ourEnd !== 'open') throw new XferError('internal', { subject: 'channel after its end' });
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The first reason counts. What was opened before it stays to be received. */
  #fail(error: XferError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#receiver?.reject(error);
    this.#creditArrived?.resolve();
    this.#sealer.erase();
    this.#opener.erase();
    this.#connection.destroy(error);
  }
}

function ignore(): void {}
