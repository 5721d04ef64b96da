/** The side that types the code: it looks for the host, tries who may be it, and chooses the first that is. */
import { setTimeout as sleep } from 'node:timers/promises';
import b4a from 'b4a';
import { passwordOf, topicOf, type Code, type Topic } from '../crypto/code.js';
import type { CodePurpose } from '../crypto/pairing.js';
import type { Secret } from '../crypto/secret.js';
import { XferError, toXferError } from '../errors.js';
import { Admission } from './admission.js';
import type { Credentials } from './authenticate.js';
import { GuessBudget } from './budget.js';
import { Candidates, type AttemptOutcome, type Candidate } from './candidates.js';
import type { Connection } from './connection.js';
import type { DhtNode, DhtPeer } from './dht.js';
import { dial, dialOnce } from './direct.js';
import type { LanPlace } from './lan.js';
import {
  goneSignal,
  loadAuthentication,
  Meeting,
  openFinders,
  target,
  transportsOf,
  type Finders,
  type PairedChannel,
  type PeerEvent,
  type WaysToMeet,
} from './meeting.js';

export interface JoinOptions extends WaysToMeet {
  readonly code: Code;
  /** `transfer` if not given. */
  readonly purpose?: CodePurpose;
  /** How long to look where nobody is found, in milliseconds. */
  readonly expireMs: number;
}

const LOOKUP_MS = 500;
/** Who is on the local network has answered by then. */
const ANSWER_MS = 1_500;
const REDIAL_MS = 500;
const DIALS_AT_ONCE = 8;
/** A dial that takes longer makes room for others, and goes on beside them. */
const DIAL_MS = 5_000;
/** Dials that go on, at once. */
const LINGERING_AT_ONCE = 8;
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
 * Looks for the host that shows `code`. A host may start later than its joiner.
 *
 * @throws XferError `wrong-code` where everybody found refused the code, `code-dead` after 8 such, `no-peer` where
 * nobody was found in time or a crowd of candidates led nowhere for 60 s, `peer-unreachable` where no connection to somebody came about,
 * `version-unsupported`, `no-network`, `port-in-use`, `bad-address`, `interrupted`. Nothing stays open then.
 */
export async function joinSession(options: JoinOptions): Promise<PairedChannel> {
  // While it dials and looks. A failure shows where a peer is met.
  loadAuthentication().catch(() => undefined);
  const { dht, lan } = await openFinders(options, options.code.words.length);
  const meeting = new Meeting('joiner', options, dht);
  const joiner = new Joiner(options, meeting, passwordOf(options.code));
  try {
    const listener = await meeting.listen(new Admission(), joiner.tryIncoming);
    if (listener !== undefined) {
      options.onEvent({ type: 'listening', addresses: listener.addresses });
      meeting.goBy(async () => undefined);
    }
    if (options.connect !== undefined) joiner.dial(target(options.connect));
    const topic = dht === undefined && lan === undefined ? undefined : topicOf(options.code);
    if (lan !== undefined && topic !== undefined) joiner.searchOnLan(lan, topic);
    if (dht !== undefined && topic !== undefined) joiner.search(dht, topic);
  } catch (error) {
    meeting.fail(toXferError(error));
  }
  const check = setInterval(joiner.check, CHECK_MS);
  const expiry = setTimeout(() => {
    meeting.fail(joiner.absence);
  }, options.expireMs);
  try {
    return await meeting.outcome();
  } finally {
    clearInterval(check);
    clearTimeout(expiry);
    joiner.forgetCode();
  }
}

/** Opens a connection to a candidate. */
type Connect<T> = (value: T, signal: AbortSignal) => Promise<Connection>;

class Joiner {
  readonly #options: JoinOptions;
  readonly #meeting: Meeting;
  readonly #credentials: Credentials;
  readonly #budget: GuessBudget;
  readonly #candidates = new Candidates<DhtPeer>();
  readonly #neighbours = new Candidates<LanPlace>();
  readonly #startedMs = performance.now();
  #dialing = 0;
  #lingering = 0;
  #pairing = 0;
  #crowdedSinceMs: number | undefined;
  readonly #said = new Set<PeerEvent['type']>();
  /** Ways that have not yet shown whether there is somebody. */
  #unexplored = new Set<'dht' | 'lan' | 'connect'>();
  #refusal: { readonly error: XferError; readonly firstMs: number; lastMs: number } | undefined;

  constructor(options: JoinOptions, meeting: Meeting, password: Secret) {
    this.#options = options;
    this.#meeting = meeting;
    const { purpose } = options;
    this.#credentials = { password, ...(purpose === undefined ? {} : { purpose }) };
    this.#budget = new GuessBudget(transportsOf(options));
  }

  forgetCode(): void {
    this.#credentials.password.erase();
  }

  /** Looks the topic up again and again: who announces later than we look is found as well. */
  search(dht: DhtNode, topic: Topic): void {
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
          for (const peer of await lookup(dht, topic)) {
            this.#candidates.add(b4a.toString(peer.publicKey, 'hex'), peer);
          }
          this.#unexplored.delete('dht');
          this.#dialMore(this.#candidates, (peer, signal) => dht.connect(peer, signal));
          await sleep(LOOKUP_MS, undefined, { signal: this.#meeting.signal });
        }
      },
      () => {
        this.#unexplored.delete('dht');
        this.#budget.closeTransport('dht');
      },
    );
  }

  /** Asks the local network, and dials whoever answers. */
  searchOnLan({ searchOnLan }: NonNullable<Finders['lan']>, topic: Topic): void {
    const { signal } = this.#meeting;
    const onClosed = (): void => {
      this.#unexplored.delete('lan');
      this.#budget.closeTransport('lan');
    };
    this.#unexplored.add('lan');
    this.#meeting.goBy(async () => {
      const dialMore = (): void =>
        this.#dialMore(this.#neighbours, (place, signal) => dialOnce(place, 'lan', signal));
      const task = searchOnLan(topic, (place) => {
        this.#neighbours.add(`${place.host} ${String(place.port)}`, place);
        dialMore();
      });
      this.#meeting.closeWithIt(() => task.close());
      if (!(await task.isUsable(signal))) throw new XferError('no-network');
      await sleep(ANSWER_MS, undefined, { signal });
      this.#unexplored.delete('lan');
      // Those that could not be reached are tried again.
      for (;;) {
        dialMore();
        await sleep(LOOKUP_MS, undefined, { signal });
      }
    }, onClosed);
  }

  dial(endpoint: Parameters<typeof dial>[0]): void {
    const { signal } = this.#meeting;
    this.#unexplored.add('connect');
    this.#meeting.goBy(
      async () => {
        for (;;) {
          const outcome = await this.#attempt(await dial(endpoint, signal));
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
    const isBusy = this.#dialing > 0 || this.#pairing > 0 || hasOpen;
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
    if (this.#refusal === undefined) {
      if (isCrowded) this.#meeting.fail(new XferError('no-peer'));
      return;
    }
    const { error, firstMs, lastMs } = this.#refusal;
    const isExplored = !isBusy && this.#unexplored.size === 0 && nowMs - lastMs > SETTLE_MS;
    if (isExplored || isCrowded || nowMs - firstMs > CROWDED_MS) this.#meeting.fail(error);
  };

  /** How many may be the host. */
  get #found(): number {
    return this.#candidates.size + this.#neighbours.size;
  }

  /** Why nobody was met in all this time. */
  get absence(): XferError {
    return new XferError(this.#found > 0 ? 'peer-unreachable' : 'no-peer');
  }

  /** Says it once. */
  #say(type: 'unreachable' | 'waiting'): void {
    if (this.#said.has(type)) return;
    this.#said.add(type);
    this.#options.onEvent({ type });
  }

  #dialMore<T>(candidates: Candidates<T>, connect: Connect<T>): void {
    while (this.#dialing < DIALS_AT_ONCE && this.#pairing < PAIRINGS_AT_ONCE && !this.#meeting.isOver) {
      const candidate = candidates.next(performance.now());
      if (candidate === undefined) return;
      void this.#dialAndTry(candidates, candidate, connect);
    }
  }

  async #dialAndTry<T>(
    candidates: Candidates<T>,
    candidate: Candidate<T>,
    connect: Connect<T>,
  ): Promise<void> {
    const connection = await this.#dial(candidates, candidate, connect);
    const attempt = connection === undefined ? undefined : this.#attempt(connection);
    if (attempt !== undefined) this.#dialMore(candidates, connect);
    candidates.settle(candidate, (await attempt) ?? 'failed', performance.now());
    this.#dialMore(candidates, connect);
  }

  /** One dial; `undefined` for who is stale, made up or too slow. They are tried again later. */
  async #dial<T>(
    candidates: Candidates<T>,
    candidate: Candidate<T>,
    connect: Connect<T>,
  ): Promise<Connection | undefined> {
    const tooSlow = new AbortController();
    let leave = (): void => {
      this.#dialing -= 1;
    };
    const slow = setTimeout(() => {
      if (this.#lingering >= LINGERING_AT_ONCE) {
        tooSlow.abort();
        return;
      }
      candidates.linger(candidate);
      leave();
      this.#lingering += 1;
      leave = () => {
        this.#lingering -= 1;
      };
      this.#dialMore(candidates, connect);
    }, DIAL_MS);
    this.#dialing += 1;
    try {
      return await connect(candidate.value, AbortSignal.any([this.#meeting.signal, tooSlow.signal]));
    } catch {
      return undefined;
    } finally {
      clearTimeout(slow);
      leave();
    }
  }

  /** One pairing. Never rejects. */
  async #attempt(connection: Connection): Promise<AttemptOutcome> {
    const { signal } = this.#meeting;
    const drop = (): void => {
      connection.destroy();
    };
    signal.addEventListener('abort', drop, { once: true });
    this.#pairing += 1;
    try {
      signal.throwIfAborted();
      const gone = goneSignal(connection);
      const guesser = { transport: connection.transport, prefix: connection.remotePrefix };
      const { authenticateAsJoiner } = await loadAuthentication();
      const authenticated = await authenticateAsJoiner(connection, this.#credentials, () =>
        this.#budget.reserve(guesser, gone),
      );
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
  }

  #note(error: XferError): AttemptOutcome {
    if (this.#meeting.isOver) return 'failed';
    if (error.code === 'internal' || error.code === 'code-dead') this.#meeting.fail(error);
    if (this.#budget.left === 0) this.#meeting.fail(new XferError('code-dead'));
    if (error.code === 'peer-gone') return 'failed';
    const nowMs = performance.now();
    this.#refusal ??= { error, firstMs: nowMs, lastMs: nowMs };
    this.#refusal.lastMs = nowMs;
    return 'refused';
  }
}

/** One look-up. One that fails is no news: the next may not. */
async function lookup(dht: DhtNode, topic: Topic): Promise<DhtPeer[]> {
  try {
    return await dht.lookup(topic);
  } catch {
    return [];
  }
}
