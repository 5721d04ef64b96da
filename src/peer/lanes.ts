/** The lanes of a session: TCP connections beside the pairing's, for the bytes of files (protocol section 4). */
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { SessionKey, Side } from '../crypto/key-schedule.js';
import { XferError } from '../errors.js';
import { MAX_LANES, type ControlMessage, type Hint } from '../transfer/messages.js';
import type { Path } from '../transfer/ports.js';
import { Admission } from './admission.js';
import type { Connection } from './connection.js';
import { listen, type Listener } from './direct.js';
import { hintsOf, worthDialling } from './hints.js';
import { LaneOpener, type LaneCarrier, type OpenLane } from './lane-opener.js';
import { LaneTrial } from './lane-trial.js';
import type { Target } from './socket.js';

type LaneMessage = Extract<ControlMessage, { type: 'hints' | 'lanes' }>;

/** What lanes need of a channel. */
export interface LaneChannel extends LaneCarrier {
  readonly flow: { readonly sentBytes: number; readonly blockedMs: number };
  listenForLanes(listener: (message: LaneMessage) => void): void;
  send(message: LaneMessage): Promise<void>;
}

/** How lanes can come about, which follows from how the two sides met. */
export type LaneRoute =
  /** Through the DHT: each side says where it may be reached, and both dial. */
  | {
      readonly by: 'hints';
      /** Where a port was asked for. */
      readonly listener: Listener | undefined;
      /** The address by which others see this machine, where that is known. */
      readonly seenAs: string | undefined;
      /** The pairing came over loopback. */
      readonly isLocal: boolean;
    }
  /** The peer dialled the pairing, and dials lanes to the same place. */
  | { readonly by: 'listening'; readonly listener: Listener | undefined }
  /** This side dialled the pairing. */
  | { readonly by: 'dialling'; readonly to: Target };

/** File bytes take another way. */
export interface PathEvent {
  readonly type: 'path';
  readonly path: Path;
  /** `host:port` of the peer. */
  readonly address: string | undefined;
  readonly lanes: number;
}

export interface LaneOptions {
  readonly side: Side;
  /** Whether this side sends file bytes: it says how many lanes there are. */
  readonly isSender: boolean;
  /** Connections for file bytes: 0 for none but the pairing's, as many as help if not given. */
  readonly count: number | undefined;
  /** How file bytes go without lanes. */
  readonly pairing: Pick<Connection, 'path' | 'remoteAddress' | 'onWayChanged'>;
  readonly onEvent: (event: PathEvent) => void;
}

const SAMPLE_MS = 500;
/** A lane may take this long to come back before anybody is told that there is none. */
const GONE_MS = 1_000;
const MAX_REDIALS = 3;

export class Lanes {
  readonly #channel: LaneChannel;
  readonly #opener: LaneOpener;
  readonly #route: LaneRoute;
  readonly #options: LaneOptions;
  readonly #over = new AbortController();
  readonly #race = new AbortController();
  readonly #trial = new LaneTrial();
  #listener: Listener | undefined;
  #sampling: NodeJS.Timeout | undefined;
  #goneTimer: NodeJS.Timeout | undefined;

  /** File bytes go over the pairing connection as well. */
  readonly #linesWithout: number;
  /** How many lanes there shall be, as far as this side dials them. */
  #target: number;
  /** More than these are closed, whoever dialled them. */
  readonly #limit: number;
  /** What the peer was asked to dial. */
  #asked: number | undefined;
  /** The receiver said how many it wants. */
  #isTold = false;
  /** Where the peer can be reached. */
  #good: Target | undefined;
  #dialling = 0;
  #redials = 0;
  /** Lanes that count. */
  #open: OpenLane[] = [];

  constructor(channel: LaneChannel, sessionKey: SessionKey, route: LaneRoute, options: LaneOptions) {
    this.#channel = channel;
    this.#opener = new LaneOpener(channel, sessionKey, options.side, (opened) => this.#onGone(opened));
    this.#route = route;
    this.#options = options;
    // Every dial listens.
    setMaxListeners(0, this.#over.signal, this.#race.signal);
    this.#linesWithout = route.by === 'hints' ? 0 : 1;
    const { count, isSender } = options;
    const unasked = 1 - this.#linesWithout;
    this.#limit = count === undefined ? MAX_LANES : Math.max(0, count - this.#linesWithout);
    this.#target = Math.min(this.#limit, count !== undefined && isSender ? this.#limit : unasked);
  }

  /** Does what can be done for lanes, from now until `close`. That there are none is no failure. */
  async open(): Promise<void> {
    const { count, isSender, pairing } = this.#options;
    pairing.onWayChanged(() => {
      if (this.#open.length === 0) this.#sayWithout();
    });
    if (this.#route.by !== 'dialling') this.#listener = this.#route.listener;
    // A receiver that was told how many tells the sender, who sees to it.
    if (count !== undefined && !isSender) this.#say({ type: 'lanes', count: this.#limit });
    if (this.#limit === 0) {
      this.#channel.listenForLanes(() => undefined);
      this.close();
      return;
    }
    if (count === undefined && isSender) {
      this.#sampling = setInterval(() => this.#sample(), SAMPLE_MS).unref();
    }
    this.#channel.listenForLanes((message) => this.#hear(message));
    if (this.#route.by === 'dialling') this.#good = this.#route.to;
    if (this.#route.by === 'hints') await this.#sayWhere(this.#route);
    if (this.#over.signal.aborted) this.#listener?.close();
    else this.#listener?.takeLanes(this.#accept, (id) => this.#opener.expects(id));
    this.#dialMissing();
  }

  /** Opens nothing more. Lanes that count are the channel's to close. */
  close(): void {
    this.#over.abort();
    this.#race.abort();
    clearInterval(this.#sampling);
    clearTimeout(this.#goneTimer);
    this.#listener?.close();
  }

  async #sayWhere({ seenAs, isLocal }: Extract<LaneRoute, { by: 'hints' }>): Promise<void> {
    try {
      this.#listener ??= await listen({ host: isLocal ? '127.0.0.1' : undefined, port: 0 }, new Admission());
    } catch {
      // Nobody can come to us; we may go to them.
    }
    const hints = this.#listener === undefined ? [] : hintsOf(this.#listener.port, seenAs, isLocal);
    this.#say({ type: 'hints', hints });
  }

  #say(message: LaneMessage): void {
    // A session that is over needs no lanes.
    this.#channel.send(message).catch(() => undefined);
  }

  #hear(message: LaneMessage): void {
    if (message.type === 'hints') {
      this.#startRace(message.hints);
      return;
    }
    // A sender may have to ask for them, and would have questions without end for a peer that lets it send none.
    if (this.#options.isSender && this.#isTold) return;
    this.#isTold = true;
    // Somebody wants so many: no trials.
    clearInterval(this.#sampling);
    this.#target = Math.min(message.count, this.#limit);
    this.#closeSurplus();
    this.#dialMissing();
  }

  #startRace(hints: readonly Hint[]): void {
    if (this.#route.by !== 'hints' || this.#open.length > 0) return;
    for (const hint of worthDialling(hints, this.#route.isLocal)) void this.#dial(hint, this.#race.signal);
  }

  /** Sees to it that there are as many lanes as there shall be: dials, or where it cannot, asks the peer to. */
  #dialMissing(): void {
    const missing = this.#target - this.#open.length - this.#dialling;
    if (missing <= 0 || this.#over.signal.aborted) return;
    if (this.#good !== undefined) {
      for (let index = 0; index < missing; index++) void this.#dialAnother(this.#good);
    } else if (this.#options.isSender && (this.#open.length > 0 || this.#route.by === 'listening')) {
      this.#ask();
    }
  }

  #ask(): void {
    if (this.#asked === this.#target) return;
    this.#asked = this.#target;
    this.#say({ type: 'lanes', count: this.#target });
  }

  async #dialAnother(to: Target): Promise<void> {
    this.#dialling += 1;
    await this.#dial(to, this.#over.signal, () => (this.#dialling -= 1));
  }

  async #dial(to: Target, signal: AbortSignal, onSettled?: () => void): Promise<void> {
    // What failed is nobody's business, the peer's least of all.
    const opened = await this.#opener.dial(to, signal).catch(() => undefined);
    onSettled?.();
    if (opened === undefined) return;
    this.#good ??= to;
    this.#count(opened);
  }

  readonly #accept = async (socket: Socket): Promise<void> => {
    // A receiver dials no more than it was asked to.
    const most = this.#options.isSender ? this.#target : this.#limit;
    if (this.#open.length >= most) throw new XferError('limit', { subject: 'lanes' });
    this.#count(await this.#opener.accept(socket));
  };

  #count(opened: OpenLane): void {
    if (opened.isGone) return;
    this.#open.push(opened);
    if (this.#open.length === 1) this.#onSome(opened.lane.address);
    // Where both sides dialled at once, what the receiver dialled stays: the sender alone gives up for the other's sake.
    if (opened.isOurs || this.#options.isSender) this.#race.abort();
    this.#closeSurplus();
    this.#dialMissing();
  }

  #closeSurplus(): void {
    const { isSender } = this.#options;
    const surplus = surplusOf(this.#open, { isSender, target: this.#target, limit: this.#limit });
    for (const { lane } of surplus) this.#channel.closeLane(lane);
  }

  #onGone(opened: OpenLane): void {
    const had = this.#open.length;
    this.#open = this.#open.filter((each) => each !== opened);
    if (had === 0 || this.#open.length > 0 || this.#over.signal.aborted) return;
    this.#goneTimer = setTimeout(() => this.#onNone(), GONE_MS).unref();
  }

  #onSome(address: string): void {
    const isBack = this.#goneTimer !== undefined;
    clearTimeout(this.#goneTimer);
    this.#goneTimer = undefined;
    if (!isBack) this.#options.onEvent({ type: 'path', path: 'direct', address, lanes: 1 });
  }

  #onNone(): void {
    this.#goneTimer = undefined;
    this.#sayWithout();
    if (this.#redials === MAX_REDIALS) return;
    this.#redials += 1;
    this.#dialMissing();
  }

  /** File bytes go over the pairing connection. */
  #sayWithout(): void {
    const { path, remoteAddress } = this.#options.pairing;
    this.#options.onEvent({ type: 'path', path, address: remoteAddress, lanes: 0 });
  }

  #sample(): void {
    const { sentBytes, blockedMs } = this.#channel.flow;
    const lines = this.#linesWithout + this.#open.length;
    // Nobody got through so far: there is nothing to have more of.
    if (lines === 0) return;
    const advice = this.#trial.next({ nowMs: performance.now(), sentBytes, blockedMs, lines });
    if (advice === undefined) return;
    this.#target = Math.max(1 - this.#linesWithout, this.#target + (advice === 'more' ? 1 : -1));
    this.#closeSurplus();
    this.#dialMissing();
    if (advice === 'fewer' && this.#asked !== undefined) this.#ask();
  }
}

/**
 * The lanes that are too many. Both sides may have dialled at once; they keep the same ones, since they know one order:
 * those that the receiver dialled first, the lower number first. What a side closes is beyond its limit, or its own and
 * beyond its target.
 */
export function surplusOf<T extends Pick<OpenLane, 'number' | 'isOurs'>>(
  open: readonly T[],
  {
    isSender,
    target,
    limit,
  }: { readonly isSender: boolean; readonly target: number; readonly limit: number },
): T[] {
  const isReceivers = ({ isOurs }: T): boolean => isOurs !== isSender;
  return [...open]
    .sort((a, b) => Number(isReceivers(b)) - Number(isReceivers(a)) || a.number - b.number)
    .filter(({ isOurs }, index) => index >= limit || (isOurs && index >= target));
}
