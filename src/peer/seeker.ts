/** The side that looks for another one: by all ways at once it tries who may be it, and chooses the first that is. */
import { setTimeout as sleep } from 'node:timers/promises';
import b4a from 'b4a';
import type { Topic } from '../crypto/code.js';
import { XferError, toXferError } from '../errors.js';
import { Admission } from './admission.js';
import type { Authenticated } from './authenticate.js';
import { Candidates, type AttemptOutcome } from './candidates.js';
import type { Connection, Transport } from './connection.js';
import type { DhtNode, DhtPeer } from './dht.js';
import { Dials, lookUp, type Attempt } from './dials.js';
import { dial, dialOnce } from './direct.js';
import type { LanPlace, LanTask } from './lan.js';
import {
  goneSignal,
  Meeting,
  sayProxy,
  target,
  type Finders,
  type PairedChannel,
  type PeerEvent,
  type WaysToMeet,
} from './meeting.js';
import type { Target } from './socket.js';

/** Who is looked for. */
export interface Quest {
  /** Under what the other side may be found now: it may change with time. */
  readonly topics: () => readonly Topic[];
  /** Proves each to the other who they are. What it throws, other than `peer-gone`, says that this is not the one. */
  readonly authenticate: (connection: Connection, gone: AbortSignal) => Promise<Authenticated>;
  /** What ends the whole search, after an attempt that threw `error`; `undefined` to go on. */
  readonly endsWith: (error: XferError) => XferError | undefined;
  /** Why nobody was met in all the time. */
  readonly absence: (hasCandidates: boolean) => XferError;
  /** This way will bring nobody any more. */
  readonly onTransportClosed: (transport: Transport) => void;
}

const LOOKUP_MS = 500;
/** Who is on the local network has answered by then. */
const ANSWER_MS = 1_500;
const REDIAL_MS = 500;
/** Connections that are being paired, at once. */
const PAIRINGS_AT_ONCE = 32;
const CHECK_MS = 250;
/** When to say that nobody is there yet. */
const WAITING_MS = 1_000;
/** After a refusal, how long another candidate may take to show up. */
const SETTLE_MS = 1_500;
/** How long to go on among foreign hosts. */
const CROWDED_MS = 60_000;
/** More candidates than this are no chance, but an attack or a very busy nameplate. */
const CROWD = 8;

/**
 * Looks until the one is found that the quest is for. It may be there later than this side. Throws what `quest` says, `no-network`,
 * `port-in-use`, `bad-address`, `peer-unreachable`, `interrupted`. Nothing stays open then.
 *
 * @param expireMs How long to look where nobody is found.
 */
export async function seek(
  quest: Quest,
  options: WaysToMeet,
  { dht, lan }: Finders,
  expireMs: number,
): Promise<PairedChannel> {
  const meeting = new Meeting('joiner', options, dht);
  const seeker = new Seeker(quest, options, meeting);
  try {
    const listener = await meeting.listen(new Admission(), seeker.tryIncoming);
    if (listener !== undefined) {
      options.onEvent({ type: 'listening', addresses: listener.addresses });
      meeting.goBy(async () => undefined);
    }
    const to = target(options);
    if (to !== undefined) seeker.dial(to);
    if (lan !== undefined) seeker.searchOnLan(lan);
    if (dht !== undefined) seeker.search(dht);
  } catch (error) {
    meeting.fail(toXferError(error));
  }
  const check = setInterval(seeker.check, CHECK_MS);
  const expiry = setTimeout(() => {
    meeting.fail(seeker.absence);
  }, expireMs);
  try {
    return await meeting.outcome();
  } finally {
    clearInterval(check);
    clearTimeout(expiry);
  }
}

/** Looks for one other side by several ways, and tries who may be it, until one is. */
class Seeker {
  readonly #quest: Quest;
  readonly #options: WaysToMeet;
  readonly #meeting: Meeting;
  readonly #candidates = new Candidates<DhtPeer>();
  readonly #neighbours = new Candidates<LanPlace>();
  readonly #startedMs = performance.now();
  readonly #dials: Dials;
  #pairing = 0;
  #crowdedSinceMs: number | undefined;
  readonly #said = new Set<PeerEvent['type']>();
  /** Ways that have not yet shown whether there is somebody. */
  #unexplored = new Set<'dht' | 'lan' | 'connect'>();
  #refusal: { readonly error: XferError; readonly firstMs: number; lastMs: number } | undefined;

  constructor(quest: Quest, options: WaysToMeet, meeting: Meeting) {
    this.#quest = quest;
    this.#options = options;
    this.#meeting = meeting;
    this.#dials = new Dials(meeting.signal, this.#attempt, () => this.#pairing < PAIRINGS_AT_ONCE);
  }

  /** Looks the topic up again and again: who announces later than we look is found as well. */
  search(dht: DhtNode): void {
    this.#unexplored.add('dht');
    this.#meeting.goBy(
      async () => {
        const { onEvent } = this.#options;
        if (!(await dht.isReachable())) {
          if (!this.#meeting.isOver) onEvent({ type: 'dht-unreachable' });
          throw this.#meeting.silence();
        }
        if (!this.#meeting.isOver) onEvent({ type: 'dht-ready' });
        while (!this.#meeting.isOver) {
          await Promise.all(
            this.#quest
              .topics()
              .map((topic) =>
                lookUp(dht, topic, this.#candidates, this.#meeting.signal, () => this.#dialFound(dht)),
              ),
          );
          this.#unexplored.delete('dht');
          // Those that could not be reached are tried again.
          this.#dialFound(dht);
          await sleep(LOOKUP_MS, undefined, { signal: this.#meeting.signal });
        }
      },
      () => {
        this.#unexplored.delete('dht');
        this.#quest.onTransportClosed('dht');
      },
    );
  }

  #dialFound(dht: DhtNode): void {
    this.#dials.start(this.#candidates, (peer, signal) => dht.connect(peer, signal));
  }

  /** Asks the local network, and dials whoever answers. */
  searchOnLan({ searchOnLan }: NonNullable<Finders['lan']>): void {
    const { signal } = this.#meeting;
    const onClosed = (): void => {
      this.#unexplored.delete('lan');
      this.#quest.onTransportClosed('lan');
    };
    this.#unexplored.add('lan');
    this.#meeting.goBy(async () => {
      const dialMore = (): void =>
        this.#dials.start(this.#neighbours, (place, signal) => dialOnce(place, 'lan', signal));
      const asked = new Set<string>();
      const askForMore = (): void => {
        for (const topic of this.#quest.topics()) {
          const name = b4a.toString(topic, 'hex');
          if (asked.has(name)) continue;
          asked.add(name);
          const task = searchOnLan(topic, (place) => {
            this.#neighbours.add(`${place.host} ${String(place.port)}`, place, place.host);
            dialMore();
          });
          tasks.push(task);
          this.#meeting.closeWithIt(() => task.close());
        }
      };
      const tasks: LanTask[] = [];
      askForMore();
      if (!(await tasks[0]?.isUsable(signal))) throw new XferError('no-network');
      await sleep(ANSWER_MS, undefined, { signal });
      this.#unexplored.delete('lan');
      // Those that could not be reached are tried again.
      for (;;) {
        askForMore();
        dialMore();
        await sleep(LOOKUP_MS, undefined, { signal });
      }
    }, onClosed);
  }

  dial(to: Target): void {
    const { signal } = this.#meeting;
    sayProxy(to, this.#options.onEvent);
    this.#unexplored.add('connect');
    this.#meeting.goBy(
      async () => {
        for (;;) {
          const outcome = await this.#attempt(await dial(to, signal));
          if (outcome === 'refused') break;
          await sleep(REDIAL_MS, undefined, { signal });
        }
        this.#unexplored.delete('connect');
      },
      () => this.#unexplored.delete('connect'),
    );
  }

  readonly tryIncoming = (connection: Connection): void => {
    void this.#attempt(connection);
  };

  /** Ends the search where going on is pointless. */
  readonly check = (): void => {
    const nowMs = performance.now();
    const hasOpen = this.#candidates.hasOpen || this.#neighbours.hasOpen;
    const isBusy = this.#dials.isBusy || this.#pairing > 0 || hasOpen;
    if (
      !isBusy &&
      !this.#unexplored.has('dht') &&
      this.#refusal === undefined &&
      nowMs - this.#startedMs > WAITING_MS
    ) {
      this.#say(this.#found > 0 ? 'unreachable' : 'waiting');
    }
    if (this.#found > CROWD) this.#crowdedSinceMs ??= nowMs;
    const isCrowded = this.#crowdedSinceMs !== undefined && nowMs - this.#crowdedSinceMs > CROWDED_MS;
    if (isCrowded) {
      // Who refused may all have been strangers: that says nothing about what this side knows.
      this.#meeting.fail(this.#asOfCrowd(this.#quest.absence(false)));
      return;
    }
    if (this.#refusal === undefined) return;
    const { error, firstMs, lastMs } = this.#refusal;
    const isExplored = !isBusy && this.#unexplored.size === 0 && nowMs - lastMs > SETTLE_MS;
    if (isExplored || nowMs - firstMs > CROWDED_MS) this.#meeting.fail(error);
  };

  /** Says with an error (detail `crowd`) that so many others were in the way, where that is so. */
  #asOfCrowd(error: XferError): XferError {
    if (this.#found <= CROWD) return error;
    const { code, subject } = error;
    return new XferError(code, {
      ...(subject === undefined ? {} : { subject }),
      detail: 'crowd',
      cause: error,
    });
  }

  /** How many may be the host. */
  get #found(): number {
    return this.#candidates.size + this.#neighbours.size;
  }

  /** Why nobody was met in all this time. */
  get absence(): XferError {
    return this.#quest.absence(this.#found > 0);
  }

  /** Says it once. */
  #say(type: 'unreachable' | 'waiting'): void {
    if (this.#said.has(type)) return;
    this.#said.add(type);
    this.#options.onEvent({ type });
  }

  /** One pairing. Never rejects. */
  readonly #attempt: Attempt = async (connection) => {
    const { signal } = this.#meeting;
    const drop = (): void => {
      connection.destroy();
    };
    signal.addEventListener('abort', drop, { once: true });
    this.#pairing += 1;
    try {
      signal.throwIfAborted();
      const gone = goneSignal(connection);
      const authenticated = await this.#quest.authenticate(connection, gone);
      signal.removeEventListener('abort', drop);
      if (!this.#meeting.win(connection, authenticated)) {
        authenticated.sessionKey.erase();
        throw new XferError('code-used');
      }
      // A send that fails shows in the session's first.
      authenticated.channel.send({ type: 'chosen' }).catch(() => undefined);
      return 'refused';
    } catch (thrown) {
      connection.destroy();
      return this.#note(toXferError(thrown));
    } finally {
      signal.removeEventListener('abort', drop);
      this.#pairing -= 1;
    }
  };

  #note(error: XferError): AttemptOutcome {
    if (this.#meeting.isOver) return 'failed';
    const end = error.code === 'internal' ? error : this.#quest.endsWith(error);
    if (end !== undefined) this.#meeting.fail(end.code === 'code-dead' ? this.#asOfCrowd(end) : end);
    if (error.code === 'peer-gone') return 'failed';
    const nowMs = performance.now();
    this.#refusal ??= { error, firstMs: nowMs, lastMs: nowMs };
    this.#refusal.lastMs = nowMs;
    return 'refused';
  }
}
