/** How one lane comes to be: dialled or accepted, proven to be the peer's, handed to the channel. */
import type { Socket } from 'node:net';
import type { SessionKey, Side } from '../crypto/key-schedule.js';
import { XferError } from '../errors.js';
import { formatAddress } from './address.js';
import { acceptLane, dialLane } from './lane-handshake.js';
import type { Lane } from './lane.js';
import { openSocket, type Target } from './socket.js';

/** A lane that counts. */
export interface OpenLane {
  readonly lane: Lane;
  /** Among those that its side dialled. */
  readonly number: number;
  /** Dialled by this side. */
  readonly isOurs: boolean;
  isGone: boolean;
}

/** Who takes lanes over once they have keys. */
export interface LaneCarrier {
  /** True when the lane counts, false when it closed before; `onGone` when one that counted is gone. */
  addLane(lane: Lane, onGone: () => void): Promise<boolean>;
  /** Uses a lane no more, and closes it. */
  closeLane(lane: Lane): void;
}

const EPOCH = 0;
/** Dials of one side in an epoch. Each has a number of its own, and with it an id and a key. */
const MAX_DIALS = 64;
/** For one dial, until its lane counts. */
const DIAL_MS = 3_000;

export class LaneOpener {
  readonly #carrier: LaneCarrier;
  readonly #sessionKey: SessionKey;
  readonly #side: Side;
  readonly #onGone: (opened: OpenLane) => void;
  #dialled = 0;
  /** Numbers of the peer's dials that led to no lane yet, by their ids. */
  #expected: Map<string, number> | undefined;

  constructor(carrier: LaneCarrier, sessionKey: SessionKey, side: Side, onGone: (opened: OpenLane) => void) {
    this.#carrier = carrier;
    this.#sessionKey = sessionKey;
    this.#side = side;
    this.#onGone = onGone;
  }

  /** Throws where there is no lane after 3 s, once the signal is aborted, and after 64 dials. */
  async dial(target: Target, signal: AbortSignal): Promise<OpenLane> {
    if (this.#dialled === MAX_DIALS) throw new XferError('limit', { subject: 'lanes' });
    const number = this.#dialled;
    this.#dialled += 1;
    const keys = this.#sessionKey.laneKeys(EPOCH, number, this.#side);
    let socket: Socket | undefined;
    const drop = (): void => {
      socket?.destroy();
    };
    const slow = setTimeout(drop, DIAL_MS);
    signal.addEventListener('abort', drop, { once: true });
    try {
      socket = await openSocket(target, DIAL_MS, signal);
      const lane = await dialLane(socket, keys);
      // A socket knows no more than the way to the proxy.
      const address = target.proxy === undefined ? lane.address : formatAddress(target.host, target.port);
      return await this.#carry({ ...lane, address }, number);
    } catch (error) {
      drop();
      throw error;
    } finally {
      keys.psk.erase();
      clearTimeout(slow);
      signal.removeEventListener('abort', drop);
    }
  }

  /** Whether a lane of this id may still come. */
  expects(id: Uint8Array): boolean {
    return this.#expectedNumbers().has(hex(id));
  }

  /** Makes a lane of a socket behind its hello. Throws where it is none of the peer's; the caller closes it then. */
  async accept(socket: Socket): Promise<OpenLane> {
    let id = '';
    let number = 0;
    const lane = await acceptLane(socket, (bytes) => {
      id = hex(bytes);
      const expected = this.#expectedNumbers().get(id);
      if (expected === undefined) return undefined;
      number = expected;
      return this.#sessionKey.laneKeys(EPOCH, number, otherThan(this.#side)).psk;
    });
    const opened = await this.#carry(lane, number);
    // Used up now, and not before: who saw an id on the wire must not be able to use it up.
    if (this.#expectedNumbers().delete(id)) return opened;
    this.#carrier.closeLane(lane);
    throw new XferError('protocol', { subject: 'lane' });
  }

  async #carry(lane: Lane, number: number): Promise<OpenLane> {
    const opened: OpenLane = { lane, number, isOurs: lane.isDialler, isGone: false };
    const counts = await this.#carrier.addLane(lane, () => {
      opened.isGone = true;
      this.#onGone(opened);
    });
    if (!counts) throw new XferError('peer-gone', { subject: 'lane' });
    return opened;
  }

  #expectedNumbers(): Map<string, number> {
    this.#expected ??= new Map(
      Array.from({ length: MAX_DIALS }, (_, number) => {
        const { id, psk } = this.#sessionKey.laneKeys(EPOCH, number, otherThan(this.#side));
        psk.erase();
        return [hex(id), number];
      }),
    );
    return this.#expected;
  }
}

function otherThan(side: Side): Side {
  return side === 'host' ? 'joiner' : 'host';
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
