/** Records to and from a peer that is authenticated, over all the paths of a session (protocol section 6). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Direction, SessionKey, Side } from '../crypto/key-schedule.js';
import { SEAL_OVERHEAD_BYTES } from '../crypto/record-cipher.js';
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
import { costOf, encodeRecord, type ItemRecord, type WireRecord } from '../transfer/records.js';
import type { Connection } from './connection.js';
import { Credit } from './credit.js';
import type { Lane } from './lane.js';
import { Pacer } from './pacer.js';
import type { Agreement } from './pairing-messages.js';
import { deferred, type Deferred } from './promises.js';
import { RecordLine } from './record-line.js';
import { RecordPath } from './record-path.js';
import { Resequencer } from './resequencer.js';

const EPOCH = 0;
const SENDS: Readonly<Record<Side, Direction>> = { joiner: 'joiner to host', host: 'host to joiner' };
const OTHER: Readonly<Record<Side, Side>> = { joiner: 'host', host: 'joiner' };
/** Within this long a lane has to show that its peer is there now, and not a recording of it. */
const LANE_PROOF_MS = 5_000;
/** What arrived on lanes is acknowledged this late at most: until then the peer keeps it to send it again. */
const ACKNOWLEDGE_MS = 50;

/** What concerns lanes, and never a transfer. */
export type LaneMessage = Extract<ControlMessage, { type: 'hints' | 'lanes' }>;

/** What data there was to be sent, and how it went, since the session began. */
export interface Flow {
  /** Bytes of sealed data records. */
  readonly sentBytes: number;
  /** How long one of them waited for a path, credit aside. */
  readonly blockedMs: number;
}

/** A lane that is used, or that has not yet shown that its peer is there. */
interface OpenLane {
  readonly path: RecordPath;
  counts: boolean;
  readonly onCounted: (counts: boolean) => void;
  readonly onGone: () => void;
}

/** An item that went over a lane, which may die with it. */
interface Kept {
  readonly sequence: number;
  readonly pieces: readonly Uint8Array[];
  /** `undefined` where it went over the pairing connection, with which the session would die. */
  lane: OpenLane | undefined;
  readonly onDone: (() => void) | undefined;
}

/** Implements `Channel`: sealed records in one order over one or several paths, credit, an authenticated end. */
export class SealedChannel implements Channel {
  readonly compressions: ReadonlySet<Compression>;
  readonly #connection: Connection;
  readonly #sessionKey: SessionKey;
  readonly #side: Side;
  readonly #agreement: Agreement;
  readonly #pairingPath: RecordPath;
  readonly #lanes = new Map<Lane, OpenLane>();
  #hadLanes = false;
  #failure: XferError | undefined;

  // What we send.
  #sending: Promise<void> = Promise.resolve();
  #itemsSent = 0;
  #spent = 0;
  #spendable = Credit.FIRST_BYTES;
  #creditArrived: Deferred<void> | undefined;
  #roomArrived: Deferred<void> | undefined;
  /** What went over lanes and is not acknowledged, in its order. */
  #kept: Kept[] = [];
  #allArrived: Deferred<void> | undefined;
  #pacer: Pacer | undefined;
  #ourEnd: 'open' | 'ending' | 'ended' = 'open';
  readonly #flow = { sentBytes: 0, blockedMs: 0 };

  // What the peer sends.
  readonly #incoming = new Resequencer<Received>();
  readonly #items: Received[] = [];
  #receiver: Deferred<Received | undefined> | undefined;
  readonly #credit: Credit;
  #acknowledged = 0;
  #acknowledging: NodeJS.Timeout | undefined;
  /** How many items the peer sent in all, once it said so. */
  #peerItems: number | undefined;
  #laneListener: ((message: LaneMessage) => void) | undefined;
  readonly #laneMessages: LaneMessage[] = [];

  /** `sessionKey` stays the caller's, and is needed for as long as lanes are added. */
  constructor(connection: Connection, sessionKey: SessionKey, side: Side, agreement: Agreement) {
    this.compressions = agreement.compressions;
    this.#connection = connection;
    this.#sessionKey = sessionKey;
    this.#side = side;
    this.#agreement = agreement;
    this.#credit = new Credit();
    this.#pairingPath = new RecordPath(
      (events) => connection.handOver(events),
      this.#keysFor(connection.handshakeHash),
      {
        onRecord: (record, length, isLast) => this.#take(record, length, isLast),
        onRoom: () => this.#onRoom(),
        onOver: (error) => this.#fail(error),
      },
    );
  }

  /** How file bytes travel now. */
  get path(): Path {
    return this.laneCount > 0 ? 'direct' : this.#connection.path;
  }

  /** Lanes that are in use. */
  get laneCount(): number {
    let count = 0;
    for (const { counts } of this.#lanes.values()) if (counts) count += 1;
    return count;
  }

  get flow(): Flow {
    return this.#flow;
  }

  /** Hands over what the peer says about lanes, beginning with what it said before. */
  listenForLanes(listener: (message: LaneMessage) => void): void {
    this.#laneListener = listener;
    for (const message of this.#laneMessages.splice(0)) listener(message);
  }

  /** Keeps what this side sends below so many bytes per second, seals included. */
  limitTo(bytesPerSecond: number): void {
    this.#pacer = new Pacer(bytesPerSecond);
  }

  readonly pieceBytes = (): number => this.#pacer?.pieceBytes() ?? CHUNK_BYTES;

  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    const sent = this.#sending.then(() => this.#sendNext(item, onDone));
    this.#sending = sent.catch(ignore);
    return sent;
  }

  async receive(): Promise<Received | undefined> {
    const item = this.#items.shift();
    if (item !== undefined) return item;
    if (this.#hasPeerEnded) return undefined;
    if (this.#failure !== undefined) throw this.#failure;
    this.#receiver = deferred();
    return this.#receiver.promise;
  }

  release(cost: number): void {
    this.#credit.release(cost);
    this.#grant();
  }

  widen(windowBytes: number): void {
    this.#credit.widen(windowBytes);
    this.#grant();
  }

  async end(): Promise<void> {
    await this.#sending;
    await this.#arrival();
    this.#demandAlive();
    // The last word about credit: nothing may follow the end.
    this.#sendCredit(this.#credit.grantAll(), this.#pairingPath);
    this.#ourEnd = 'ending';
    this.#pairingPath.send(encodeRecord({ kind: 'end', items: this.#itemsSent }), true);
    await this.#connection.flush();
    this.#ourEnd = 'ended';
    if (this.#hasPeerEnded) await this.#close();
  }

  destroy(error?: Error): void {
    this.#items.length = 0;
    this.#fail(error === undefined ? new XferError('peer-gone') : toXferError(error));
  }

  /**
   * Takes a lane over. Resolves when it counts, that is when a record of the peer opened on it; to `false` where it
   * closed before. `onGone` is called when a lane that counted is gone; what was under way on it is sent again.
   */
  addLane(lane: Lane, onGone: () => void): Promise<boolean> {
    const proven = deferred<boolean>();
    const timer = setTimeout(() => this.closeLane(lane), LANE_PROOF_MS);
    const opened: OpenLane = {
      path: new RecordPath(
        (events) => new RecordLine(lane.socket, lane.received, events),
        this.#keysFor(lane.handshakeHash),
        {
          onRecord: (record, length, isLast) => this.#takeOnLane(opened, lane, record, length, isLast),
          onRoom: () => this.#onRoom(),
          onOver: (error) => this.#onLaneOver(lane, opened, error),
        },
      ),
      counts: false,
      onCounted: (counts) => {
        clearTimeout(timer);
        proven.resolve(counts);
      },
      onGone,
    };
    this.#lanes.set(lane, opened);
    if (this.#failure !== undefined || this.#ourEnd !== 'open') this.closeLane(lane);
    // The dialler speaks first: a recording of it could not.
    else if (lane.isDialler) this.#sendCredit(this.#credit.granted, opened.path);
    return proven.promise;
  }

  /** Uses a lane no more, and closes it. */
  closeLane(lane: Lane): void {
    this.#lanes.get(lane)?.path.destroy(new XferError('peer-gone', { subject: 'lane' }));
  }

  async #sendNext(item: ControlMessage | DataRecord, onDone: (() => void) | undefined): Promise<void> {
    const sequence = this.#itemsSent;
    const record: ItemRecord =
      'type' in item ? { kind: 'control', sequence, message: item } : { ...item, sequence };
    const pieces = encodeRecord(record);
    const length = pieces.reduce((sum, piece) => sum + piece.length, SEAL_OVERHEAD_BYTES);
    const cost = costOf(record, length);
    while (this.#failure === undefined && this.#spent + cost > this.#spendable) {
      this.#creditArrived ??= deferred();
      await this.#creditArrived.promise;
    }
    this.#demandAlive();
    this.#spent += cost;
    // What was asked for comes before what is said, so that nobody waits for it in the end.
    if (record.kind === 'control') this.#acknowledge();
    const pauseMs = this.#pacer?.take(length) ?? 0;
    if (pauseMs > 0) await sleep(pauseMs);
    const lane = record.kind === 'control' ? undefined : await this.#room();
    this.#demandAlive();
    this.#itemsSent += 1;
    if (record.kind !== 'control') this.#flow.sentBytes += length;
    if (lane !== undefined) this.#kept.push({ sequence, pieces, lane, onDone });
    (lane?.path ?? this.#pairingPath).send(pieces);
    // What was sealed is a copy.
    if (lane === undefined) onDone?.();
  }

  /**
   * Waits until a path takes a data record: one of the lanes where there are any, otherwise the pairing connection, for
   * which it gives `undefined`.
   */
  async #room(): Promise<OpenLane | undefined> {
    for (let sinceMs: number | undefined; ;) {
      const lanes = [...this.#lanes.values()].filter(({ counts }) => counts);
      const free = lanes.find(({ path }) => path.hasRoom);
      const isFree = free !== undefined || (lanes.length === 0 && this.#pairingPath.hasRoom);
      if (isFree || this.#failure !== undefined) {
        if (sinceMs !== undefined) this.#flow.blockedMs += performance.now() - sinceMs;
        return free;
      }
      sinceMs ??= performance.now();
      this.#roomArrived ??= deferred();
      await this.#roomArrived.promise;
    }
  }

  #onRoom(): void {
    this.#roomArrived?.resolve();
    this.#roomArrived = undefined;
    this.#grant();
  }

  #takeOnLane(opened: OpenLane, lane: Lane, record: WireRecord, length: number, isLast: boolean): void {
    if (!opened.counts) {
      opened.counts = true;
      this.#hadLanes = true;
      if (!lane.isDialler) this.#sendCredit(this.#credit.granted, opened.path);
      opened.onCounted(true);
      this.#onRoom();
    }
    if (record.kind === 'end') throw new XferError('protocol', { subject: 'end on a lane' });
    try {
      this.#take(record, length, isLast);
    } catch (error) {
      this.#fail(toXferError(error));
    }
  }

  #take(record: WireRecord, length: number, isLast: boolean): void {
    if (isLast !== (record.kind === 'end')) throw new XferError('protocol', { subject: 'last' });
    switch (record.kind) {
      case 'credit':
        this.#takeCredit(record.granted, record.acknowledged);
        break;
      case 'end':
        this.#peerItems = record.items;
        this.#lookForEnd();
        break;
      default:
        this.#takeItem(record, costOf(record, length));
    }
  }

  #takeCredit(granted: number, acknowledged: number): void {
    if (acknowledged > this.#itemsSent) throw new XferError('protocol', { subject: 'acknowledged' });
    const first = this.#kept.findIndex(({ sequence }) => sequence >= acknowledged);
    const arrived = this.#kept.splice(0, first === -1 ? this.#kept.length : first);
    for (const { onDone } of arrived) onDone?.();
    this.#lookForArrival();
    if (granted <= this.#spendable) return;
    this.#spendable = granted;
    this.#creditArrived?.resolve();
    this.#creditArrived = undefined;
  }

  #takeItem(record: ItemRecord, cost: number): void {
    const isNext = record.sequence === this.#incoming.next;
    // Only lanes overtake each other, and only what went over one is sent again.
    if (!isNext && !this.#hadLanes) throw new XferError('protocol', { subject: 'sequence' });
    if (this.#incoming.has(record.sequence)) return;
    this.#credit.take(cost);
    const item = record.kind === 'control' ? record.message : record;
    for (const received of this.#incoming.put(record.sequence, { item, cost })) this.#deliver(received);
    if (this.#hadLanes) this.#acknowledgeSoon();
    this.#lookForEnd();
  }

  #deliver(received: Received): void {
    const { item, cost } = received;
    if ('type' in item && (item.type === 'hints' || item.type === 'lanes')) {
      this.release(cost);
      if (this.#laneListener !== undefined) this.#laneListener(item);
      else if (this.#laneMessages.push(item) > 2) throw new XferError('protocol', { subject: item.type });
    } else if (this.#receiver === undefined) {
      this.#items.push(received);
    } else {
      this.#receiver.resolve(received);
      this.#receiver = undefined;
    }
  }

  get #hasPeerEnded(): boolean {
    return this.#peerItems === this.#incoming.next;
  }

  #lookForEnd(): void {
    if (this.#peerItems === undefined) return;
    if (this.#incoming.next !== this.#peerItems) {
      // What is missing may still come over a lane.
      if (this.#hadLanes && this.#incoming.next < this.#peerItems) return;
      throw new XferError('protocol', { subject: 'end' });
    }
    this.#receiver?.resolve(undefined);
    this.#receiver = undefined;
    this.#lookForArrival();
    if (this.#ourEnd === 'ended') void this.#close();
  }

  /** Waits until nothing can be lost with a lane any more: after the end it could not be sent again. */
  async #arrival(): Promise<void> {
    while (this.#kept.length > 0 && !this.#hasPeerEnded && this.#failure === undefined) {
      this.#allArrived ??= deferred();
      await this.#allArrived.promise;
    }
  }

  #lookForArrival(): void {
    if (this.#kept.length > 0 && !this.#hasPeerEnded && this.#failure === undefined) return;
    this.#allArrived?.resolve();
    this.#allArrived = undefined;
  }

  /** Lets the peer send on, where that is worth a record. */
  #grant(): void {
    if (this.#failure !== undefined || this.#ourEnd !== 'open') return;
    // A peer that sends and does not read would make us keep a grant for every record.
    const path = this.#controlPath;
    if (!path.hasRoom) return;
    const granted = this.#credit.due();
    if (granted !== undefined) this.#sendCredit(granted, path);
  }

  #acknowledge(): void {
    this.#acknowledging = undefined;
    if (this.#failure !== undefined || this.#ourEnd !== 'open') return;
    if (this.#acknowledged === this.#incoming.next) return;
    const path = this.#controlPath;
    if (path.hasRoom) this.#sendCredit(this.#credit.granted, path);
    else this.#acknowledgeSoon();
  }

  #acknowledgeSoon(): void {
    this.#acknowledging ??= setTimeout(() => this.#acknowledge(), ACKNOWLEDGE_MS);
  }

  #sendCredit(granted: number, path: RecordPath): void {
    clearTimeout(this.#acknowledging);
    this.#acknowledging = undefined;
    this.#acknowledged = this.#incoming.next;
    path.send(encodeRecord({ kind: 'credit', granted, acknowledged: this.#acknowledged }));
  }

  /** The fastest way for a few bytes. */
  get #controlPath(): RecordPath {
    for (const { counts, path } of this.#lanes.values()) if (counts) return path;
    return this.#pairingPath;
  }

  #onLaneOver(lane: Lane, opened: OpenLane, error: XferError): void {
    this.#lanes.delete(lane);
    opened.onCounted(false);
    if (this.#failure !== undefined || !opened.counts) return;
    // Properly sealed and wrong: that was the peer, and nobody on the way.
    if (error.code === 'protocol') {
      this.#fail(error);
      return;
    }
    const lost = this.#kept.filter((kept) => kept.lane === opened);
    for (const kept of lost) kept.lane = undefined;
    if (this.#ourEnd === 'open') {
      // Credit went with it as well.
      this.#sendCredit(this.#credit.granted, this.#controlPath);
      void this.#sendAgain(lost);
    } else if (!this.#hasPeerEnded && this.#peerItems !== undefined && this.laneCount === 0) {
      this.#fail(new XferError('peer-gone', { subject: 'lane' }));
    }
    opened.onGone();
    this.#onRoom();
  }

  /** Not after what waits for credit: that may depend on these. */
  async #sendAgain(lost: readonly Kept[]): Promise<void> {
    for (const kept of lost) {
      const lane = await this.#room();
      if (this.#failure !== undefined) return;
      kept.lane = lane;
      (lane?.path ?? this.#pairingPath).send(kept.pieces);
    }
  }

  #keysFor(handshakeHash: Uint8Array): ConstructorParameters<typeof RecordPath>[1] {
    const secret = (of: Side): ReturnType<SessionKey['recordSecret']> =>
      this.#sessionKey.recordSecret(handshakeHash, EPOCH, SENDS[of]);
    return {
      aead: this.#agreement.aead,
      outgoing: secret(this.#side),
      incoming: secret(OTHER[this.#side]),
    };
  }

  #demandAlive(): void {
    if (this.#ourEnd !== 'open') throw new XferError('internal', { subject: 'channel after its end' });
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #close(): Promise<void> {
    for (const { path } of this.#lanes.values()) path.end();
    await this.#connection.close();
  }

  /** The first reason counts. What was opened before it stays to be received. */
  #fail(error: XferError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#acknowledging);
    this.#receiver?.reject(error);
    this.#creditArrived?.resolve();
    this.#roomArrived?.resolve();
    this.#allArrived?.resolve();
    this.#pairingPath.destroy(error);
    for (const { path } of [...this.#lanes.values()]) path.destroy(error);
    this.#connection.destroy(error);
  }
}

function ignore(): void {}
