/** Records to and from a peer that is authenticated, over all the paths of a session (protocol section 6). */
import type { Direction, SessionKey, Side } from '../crypto/key-schedule.js';
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import type { Delivery } from '../transfer/delivery.js';
import type { ControlMessage } from '../transfer/messages.js';
import type { Channel, Compression, DataRecord, Path, Received } from '../transfer/ports.js';
import { decodeRecord, encodeRecord } from '../transfer/records.js';
import type { Connection } from './connection.js';
import { Incoming, type LaneMessage } from './incoming.js';
import type { Lane } from './lane.js';
import type { Line, LineEvents } from './line.js';
import { Outgoing } from './outgoing.js';
import { Pacer } from './pacer.js';
import type { Agreement } from './pairing-messages.js';
import { Paths } from './paths.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import { RecordLine } from './record-line.js';
import { RecordPath, type RecordPathEvents } from './record-path.js';

const EPOCH = 0;
const SENDS: Readonly<Record<Side, Direction>> = { joiner: 'joiner to host', host: 'host to joiner' };
const OTHER: Readonly<Record<Side, Side>> = { joiner: 'host', host: 'joiner' };
/** Within this long a lane has to show that its peer is there now, and is not a recording of it. */
const LANE_PROOF_MS = 5_000;
/** What arrived is acknowledged this late at most: until then the peer keeps it to send it again. */
const ACKNOWLEDGE_MS = 50;

/** What a network does to a connection. Everything else is the peer's doing. */
const LOSSES: readonly ErrorCode[] = ['peer-gone', 'integrity'];

/** What two sides have that met again. */
export interface Paired {
  readonly sessionKey: SessionKey;
  readonly agreement: Agreement;
}

/** Data that left since the session began. */
export interface Flow {
  /** Bytes of sealed data records. */
  readonly sentBytes: number;
  /** How long one of them waited for a path, credit aside. */
  readonly blockedMs: number;
}

/** Implements `Channel`: sealed records in one order over one or several paths, credit, an authenticated end. */
export class SealedChannel implements Channel {
  readonly compressions: ReadonlySet<Compression>;
  #connection: Connection;
  #sessionKey: SessionKey;
  readonly #side: Side;
  #agreement: Agreement;
  readonly #paths: Paths;
  readonly #outgoing: Outgoing;
  readonly #incoming = new Incoming();
  /** Lanes that are open, whether they count or not. */
  readonly #lanes = new Map<Lane, RecordPath>();
  #failure: XferError | undefined;
  #ourEnd: 'open' | 'ending' | 'ended' = 'open';
  #acknowledged = 0;
  #acknowledging: NodeJS.Timeout | undefined;
  /** Called where the connection is lost and nothing else is wrong. */
  #onLost: ((error: XferError) => void) | undefined;
  /** While there is no connection; resolves when there is another, or when the session fails. */
  #away: Deferred<void> | undefined;
  /** The peer has not said yet what arrived of what was under way. */
  #isNew = false;

  /** `sessionKey` stays the caller's, and is needed for as long as lanes are added. */
  constructor(connection: Connection, sessionKey: SessionKey, side: Side, agreement: Agreement) {
    this.compressions = agreement.compressions;
    this.#connection = connection;
    this.#sessionKey = sessionKey;
    this.#side = side;
    this.#agreement = agreement;
    this.#paths = new Paths(this.#openPairing(connection), connection.path === 'direct');
    this.#outgoing = new Outgoing(this.#paths, () => this.#acknowledge());
  }

  /** How file bytes travel now. */
  get path(): Path {
    return this.laneCount > 0 ? 'direct' : this.#connection.path;
  }

  /** Lanes that are in use. */
  get laneCount(): number {
    return this.#paths.laneCount;
  }

  get flow(): Flow {
    return { sentBytes: this.#outgoing.dataBytes, blockedMs: this.#paths.blockedMs };
  }

  /**
   * From now on the loss of the connection does not end the session: `onLost` is called, and everything waits for `goOn` or `destroy`.
   */
  outlive(onLost: (error: XferError) => void): void {
    this.#onLost = onLost;
  }

  giveUp(): void {
    this.#onLost = undefined;
    this.#outgoing.giveUp();
  }

  delivery(): Delivery {
    return this.#outgoing.delivery;
  }

  /**
   * Goes on over another connection, under the key of a new epoch, which stays the caller's. What was under way and did not arrive is sent
   * again. `onConfirmed` is called when the peer's first record came, and with it the proof that it uses that key too; then after each other one.
   */
  goOn(
    connection: Connection,
    { sessionKey, agreement }: Paired,
    onConfirmed: (records: number) => void,
  ): void {
    if (this.#failure !== undefined) {
      // It came to its end while somebody looked for this.
      connection.destroy(this.#failure);
      return;
    }
    this.#connection = connection;
    this.#sessionKey = sessionKey;
    this.#agreement = agreement;
    this.#incoming.beginEpoch();
    this.#isNew = true;
    const pairing = this.#openPairing(connection, onConfirmed);
    this.#paths.replacePairing(pairing, connection.path === 'direct');
    // What was handled meanwhile as well: a peer that waits for that sends nothing that would have us grant it.
    this.#sendCredit(this.#incoming.credit.grantAll(), pairing);
    if (this.#ourEnd !== 'open') {
      this.#outgoing.repeat();
      this.#sendEnd();
    }
    this.#away?.resolve();
    this.#away = undefined;
  }

  /** Hands over what the peer says about lanes, beginning with what it said before. */
  listenForLanes(listener: (message: LaneMessage) => void): void {
    this.#incoming.listenForLanes(listener);
  }

  /** From now on this side sends no more than so many bytes per second, by all ways together. */
  limitTo(bytesPerSecond: number): void {
    this.#outgoing.pacer = new Pacer(bytesPerSecond);
  }

  pieceBytes(): number {
    return this.#outgoing.pieceBytes();
  }

  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    return this.#outgoing.send(item, onDone);
  }

  receive(): Promise<Received | undefined> {
    return this.#incoming.receive();
  }

  release(cost: number): void {
    this.#incoming.credit.release(cost);
    this.#grant();
  }

  widen(windowBytes: number): void {
    this.#incoming.credit.widen(windowBytes);
    this.#grant();
  }

  async end(): Promise<void> {
    await this.#outgoing.finish();
    // The last word about credit: nothing may follow the end.
    this.#sendCredit(this.#incoming.credit.grantAll(), this.#paths.pairing);
    this.#ourEnd = 'ending';
    this.#sendEnd();
    await this.#flush();
    this.#ourEnd = 'ended';
    if (this.#incoming.hasEnded) await this.#close();
  }

  destroy(error?: Error): void {
    this.#incoming.discard();
    this.#fail(error === undefined ? new XferError('peer-gone') : toXferError(error));
  }

  /**
   * Takes a lane over. Resolves when it counts, that is when a record of the peer opened on it; to `false` where it
   * closed before. `onGone` is called when a lane that counted is gone; what was under way on it is sent again.
   */
  addLane(lane: Lane, onGone: () => void): Promise<boolean> {
    const proven = deferred<boolean>();
    let counts = false;
    const settle = (): void => {
      clearTimeout(timer);
      proven.resolve(counts);
    };
    const path = this.#openPath(
      (events) => new RecordLine(lane.socket, lane.received, events),
      lane.handshakeHash,
      {
        onRecord: (record, length, isLast) => {
          if (!counts) {
            counts = true;
            this.#useLane(lane, path);
            settle();
          }
          this.#takeOnLane(record, length, isLast);
        },
        onRoom: () => this.#onRoom(),
        onOver: () => {
          this.#lanes.delete(lane);
          settle();
          if (counts) this.#loseLane(path, onGone);
        },
      },
    );
    this.#lanes.set(lane, path);
    const timer = setTimeout(() => this.closeLane(lane), LANE_PROOF_MS);
    if (this.#failure !== undefined || this.#ourEnd !== 'open') this.closeLane(lane);
    // The dialler speaks first: a recording of it could not.
    else if (lane.isDialler) {
      // What follows may be here before the peer's first word over the lane.
      this.#incoming.mayOvertake = true;
      this.#sendCredit(this.#incoming.credit.granted, path);
    }
    return proven.promise;
  }

  /** Uses a lane no more, and closes it. */
  closeLane(lane: Lane): void {
    this.#lanes.get(lane)?.destroy(new XferError('peer-gone', { subject: 'lane' }));
  }

  #openPairing(connection: Connection, onRecord?: (records: number) => void): RecordPath {
    let records = 0;
    const path = this.#openPath((events) => connection.handOver(events), connection.handshakeHash, {
      onRecord: (record, length, isLast) => {
        records += 1;
        onRecord?.(records);
        this.#take(record, length, isLast);
      },
      onRoom: () => this.#onRoom(),
      onOver: (error) => {
        if (connection === this.#connection) this.#lose(error);
      },
    });
    return path;
  }

  /** The connection is gone: that is the end of the session, unless it can go on over another one. */
  #lose(error: XferError): void {
    const isDone = (this.#ourEnd === 'ended' && this.#incoming.hasEnded) || this.#incoming.hasGivenUp;
    if (this.#failure !== undefined || this.#onLost === undefined || isDone || !LOSSES.includes(error.code)) {
      this.#fail(error);
      return;
    }
    if (this.#away !== undefined) return;
    this.#away = deferred();
    this.#connection.destroy(error);
    for (const lane of [...this.#lanes.values()]) lane.destroy(error);
    this.#onLost(error);
  }

  #sendEnd(): void {
    this.#paths.pairing.send(encodeRecord({ kind: 'end', items: this.#outgoing.items }), true);
  }

  /** Waits until everything has left, over whichever connection there is then. */
  async #flush(): Promise<void> {
    for (;;) {
      const connection = this.#connection;
      try {
        await connection.flush();
        return;
      } catch (error) {
        // The connection tells its own end a moment later.
        await connection.closed;
        if (this.#failure !== undefined || this.#away === undefined) throw this.#failure ?? error;
        await this.#away.promise;
      }
    }
  }

  #useLane(lane: Lane, path: RecordPath): void {
    this.#incoming.mayOvertake = true;
    if (!lane.isDialler && this.#ourEnd === 'open') this.#sendCredit(this.#incoming.credit.granted, path);
    this.#paths.addLane(path);
  }

  #loseLane(path: RecordPath, onGone: () => void): void {
    this.#paths.removeLane(path);
    if (this.#failure !== undefined) return;
    if (this.#ourEnd === 'open' && this.#away === undefined) {
      // What it carried of credit is lost as well, and where it was full there is more to grant.
      this.#sendCredit(this.#incoming.credit.grantAll(), this.#paths.fastest);
      void this.#outgoing.sendAgain(path);
    }
    onGone();
  }

  #takeOnLane(record: Uint8Array, length: number, isLast: boolean): void {
    // Properly sealed and wrong: that was the peer, and nobody on the way.
    try {
      if (isLast) throw new XferError('protocol', { subject: 'last record of a lane' });
      this.#take(record, length, false);
    } catch (error) {
      this.#fail(toXferError(error));
    }
  }

  #take(opened: Uint8Array, length: number, isLast: boolean): void {
    const record = decodeRecord(opened);
    if (isLast !== (record.kind === 'end')) throw new XferError('protocol', { subject: 'last record' });
    switch (record.kind) {
      case 'credit':
        this.#outgoing.takeCredit(record.granted, record.acknowledged);
        if (this.#isNew) {
          this.#isNew = false;
          void this.#outgoing.sendAllAgain();
        }
        break;
      case 'end':
        this.#incoming.end(record.items);
        break;
      default:
        this.#incoming.take(record, length);
        // Who ends waits for this after its last word, which is no data.
        this.#acknowledgeSoon(record.kind === 'control' ? 0 : ACKNOWLEDGE_MS);
        this.#grant();
    }
    if (!this.#incoming.hasEnded) return;
    this.#outgoing.peerEnded();
    if (this.#ourEnd === 'ended') void this.#close();
  }

  #onRoom(): void {
    this.#paths.wake();
    this.#grant();
  }

  /** Lets the peer send on, where that is worth a record. */
  #grant(): void {
    if (this.#failure !== undefined || this.#ourEnd !== 'open') return;
    // A peer that sends and does not read would make us keep a grant for every record.
    const path = this.#paths.fastest;
    if (!path.hasRoom) return;
    const granted = this.#incoming.credit.due();
    if (granted !== undefined) this.#sendCredit(granted, path);
  }

  #acknowledgeSoon(withinMs: number): void {
    if (withinMs === 0) clearTimeout(this.#acknowledging);
    else if (this.#acknowledging !== undefined) return;
    this.#acknowledging = setTimeout(() => {
      this.#acknowledging = undefined;
      this.#acknowledge();
    }, withinMs);
  }

  /** Lets the peer forget what came over lanes. */
  #acknowledge(): void {
    const { arrived, credit } = this.#incoming;
    if (arrived === this.#acknowledged || this.#away !== undefined) return;
    if (this.#failure !== undefined || this.#ourEnd !== 'open') return;
    const path = this.#paths.fastest;
    if (path.hasRoom) this.#sendCredit(credit.granted, path);
    else this.#acknowledgeSoon(ACKNOWLEDGE_MS);
  }

  #sendCredit(granted: number, path: RecordPath): void {
    clearTimeout(this.#acknowledging);
    this.#acknowledging = undefined;
    this.#acknowledged = this.#incoming.arrived;
    path.send(encodeRecord({ kind: 'credit', granted, acknowledged: this.#acknowledged }));
  }

  #openPath(
    open: (events: LineEvents) => Line,
    handshakeHash: Uint8Array,
    events: RecordPathEvents,
  ): RecordPath {
    const secret = (of: Side): ReturnType<SessionKey['recordSecret']> =>
      this.#sessionKey.recordSecret(handshakeHash, EPOCH, SENDS[of]);
    const [outgoing, incoming] = [secret(this.#side), secret(OTHER[this.#side])];
    return new RecordPath(open, { aead: this.#agreement.aead, outgoing, incoming }, events);
  }

  async #close(): Promise<void> {
    for (const path of this.#lanes.values()) path.end();
    await this.#connection.close();
  }

  /** The first reason counts. */
  #fail(error: XferError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#away?.resolve();
    clearTimeout(this.#acknowledging);
    this.#incoming.fail(error);
    this.#outgoing.fail(error);
    this.#paths.close();
    for (const path of [this.#paths.pairing, ...this.#lanes.values()]) path.destroy(error);
    this.#connection.destroy(error);
  }
}
