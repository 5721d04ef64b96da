/**
 * Two sides of a session that lost each other meet again (protocol section 9): by every way that they could have met by at first, with a
 * secret of the session in place of the code.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Topic } from '../crypto/code.js';
import { equalBytes } from '../crypto/digest.js';
import type { SessionKey, Side } from '../crypto/key-schedule.js';
import { loadHashing } from '../crypto/sodium.js';
import { XferError } from '../errors.js';
import { deadline } from '../transfer/deadline.js';
import type { Path } from '../transfer/ports.js';
import type { Endpoint } from './address.js';
import { Admission } from './admission.js';
import { pairAsHost, pairAsJoiner } from './authenticate.js';
import type { Guess } from './budget.js';
import { Candidates } from './candidates.js';
import type { Paired, SealedChannel } from './channel.js';
import type { Connection } from './connection.js';
import type { Bootstrap, DhtNode, DhtPeer } from './dht.js';
import { Dials, lookUp, type Attempt } from './dials.js';
import { dialOnce, listen, type Listener, type ReunionTaker } from './direct.js';
import { hello } from './hello.js';
import type { LanPlace, LanTask } from './lan.js';
import type { Target } from './socket.js';

/** Ways to meet again. At least one is there. */
export interface ReunionWays {
  readonly bootstrap: Bootstrap | 'off';
  /** See `WaysToMeet`. */
  readonly relays: readonly string[] | undefined;
  /** Whether the local network is asked. */
  readonly lan: boolean;
  /** Where the other side dialled, and will again. */
  readonly listen: Rendezvous | undefined;
  /** Where the other side listens. */
  readonly connect: Target | undefined;
}

/** Takes who comes for a lost session where this side listens, until the signal is aborted. */
export type Rendezvous = (takerOf: ReunionTaker, signal: AbortSignal) => Promise<void>;

/** The connection of a session is lost, or there is another one. */
export type ReunionEvent =
  | { readonly type: 'reconnecting'; readonly patienceMs: number }
  | { readonly type: 'reconnected'; readonly path: Path; readonly address: string | undefined };

export interface ReunionOptions {
  readonly side: Side;
  readonly ways: ReunionWays;
  /** How long to look for the other side, in milliseconds. */
  readonly patienceMs: number;
  readonly onEvent: (event: ReunionEvent) => void;
  /** The session goes on over this connection, with that key. */
  readonly onReunited: (connection: Connection, sessionKey: SessionKey) => void;
}

/** Between two tries of one way. */
const RETRY_MS = 500;
/** Between two tries of one place where nobody was met, again and again. */
const LONGEST_RETRY_MS = 2_000;
/** From the joiner's proof to its first record. */
const FIRST_RECORD_MS = 10_000;

/** The secrets are long: nobody guesses them, and those who try are counted by `Admission`. */
const FREE_GUESS: Guess = { spend: () => undefined, giveBack: () => undefined };
const reserve = (): Promise<Guess> => Promise.resolve(FREE_GUESS);

/** What closes all that a search has open, each once. */
type Closers = Set<() => unknown>;

/** One pairing; true where the session goes on over it. Never rejects. */
type TryPairing = (connection: Connection, key: SessionKey) => Promise<boolean>;

interface Met {
  readonly connection: Connection;
  readonly paired: Paired;
  /** Of the epoch before, which both sides had. */
  readonly key: SessionKey;
}

/** Keeps a session together for as long as its channel lives. */
export class Reunion {
  readonly #channel: SealedChannel;
  readonly #options: ReunionOptions;
  readonly #over = new AbortController();
  /** The newest first: of those behind it the peer may have begun the epoch or not. */
  #keys: SessionKey[];
  #searching: Promise<void> = Promise.resolve();
  #open: Promise<unknown> = Promise.resolve();

  constructor(channel: SealedChannel, sessionKey: SessionKey, options: ReunionOptions) {
    this.#channel = channel;
    this.#keys = [sessionKey];
    this.#options = options;
    channel.outlive((error) => {
      this.#searching = this.#meetAgain(error);
    });
  }

  /** Looks for nobody any more, and forgets all keys. */
  close(): void {
    this.#over.abort(new XferError('interrupted'));
    for (const key of this.#keys) key.erase();
  }

  /** Resolves when nothing of it is open any more; never rejects. */
  async closed(): Promise<void> {
    await this.#searching;
    await this.#open;
  }

  async #meetAgain(lost: XferError): Promise<void> {
    const { patienceMs, onEvent } = this.#options;
    if (this.#over.signal.aborted || patienceMs === 0) {
      this.#channel.destroy(lost);
      return;
    }
    const { signal, clear } = deadline(patienceMs, this.#over.signal);
    try {
      onEvent({ type: 'reconnecting', patienceMs });
      this.#goOn(await this.#search(signal));
    } catch {
      this.#channel.destroy(lost);
    } finally {
      clear();
    }
  }

  #goOn({ connection, paired, key }: Met): void {
    const { side, onEvent, onReunited } = this.#options;
    const { sessionKey } = paired;
    this.#keepOnly(sessionKey, key);
    this.#channel.goOn(connection, paired, (records) => {
      // The joiner's first record came before the host went on. Its second says that it heard the host.
      if (records === (side === 'joiner' ? 1 : 2)) this.#keepOnly(sessionKey);
    });
    onReunited(connection, sessionKey);
    const { path, remoteAddress } = connection;
    onEvent({ type: 'reconnected', path, address: remoteAddress });
  }

  /** Erases all other keys: they are of no use to anybody any more. */
  #keepOnly(...keys: SessionKey[]): void {
    for (const key of this.#keys) if (!keys.includes(key)) key.erase();
    this.#keys = keys;
  }

  /** Tries all ways at once, until one leads to the peer. */
  async #search(signal: AbortSignal): Promise<Met> {
    const done = new AbortController();
    const searching = AbortSignal.any([signal, done.signal]);
    const { bootstrap, lan, listen: rendezvous, connect } = this.#options.ways;
    // Every try listens.
    setMaxListeners(0, searching);
    const closers: Closers = new Set();
    try {
      return await new Promise<Met>((resolve, reject) => {
        searching.addEventListener('abort', () => reject(new XferError('peer-gone')), { once: true });
        const attempt: TryPairing = async (connection, key) => {
          const drop = (): void => connection.destroy();
          searching.addEventListener('abort', drop, { once: true });
          try {
            searching.throwIfAborted();
            const paired = await this.#pair(connection, key);
            // Nothing happens between this look at the signal and the end of the search.
            searching.throwIfAborted();
            searching.removeEventListener('abort', drop);
            resolve({ connection, paired, key });
            done.abort();
            return true;
          } catch {
            connection.destroy();
            return false;
          } finally {
            searching.removeEventListener('abort', drop);
          }
        };
        const keys = this.#keys;
        if (connect !== undefined) void this.#dial(connect, attempt, keys, searching);
        if (rendezvous !== undefined) void rendezvous(takerOf(keys, attempt), searching);
        for (const key of keys) {
          if (lan) void insist(() => this.#useLan(attempt, key, searching, closers), searching);
          if (bootstrap === 'off') continue;
          void insist(() => this.#useDht(bootstrap, attempt, key, searching, closers), searching);
        }
      });
    } finally {
      done.abort();
      for (const close of closers) close();
    }
  }

  async #pair(connection: Connection, key: SessionKey): Promise<Paired> {
    const { password } = key.reunionSecrets();
    const credentials = { password, purpose: 'reconnect', previous: key };
    try {
      if (this.#options.side === 'joiner') return await pairAsJoiner(connection, credentials, reserve);
      const paired = await pairAsHost(connection, credentials, reserve);
      // A joiner that met us in two ways goes on in one of them.
      await connection.waitForMessage(FIRST_RECORD_MS);
      return paired;
    } finally {
      password.erase();
    }
  }

  async #dial(
    to: Target,
    attempt: TryPairing,
    keys: readonly SessionKey[],
    signal: AbortSignal,
  ): Promise<void> {
    // Where the last epoch may have begun at one side only there are two keys, and two names of the session.
    for (let tries = 0; !signal.aborted; tries += 1) {
      const key = keys[tries % keys.length];
      if (key === undefined) return;
      // A name that cannot be resolved now may be again: the machine could be between two networks.
      const connection = await dialOnce(to, 'direct', signal, greetingOf(key)).catch(() => undefined);
      if (connection !== undefined) await attempt(connection, key);
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #useLan(attempt: TryPairing, key: SessionKey, signal: AbortSignal, closers: Closers): Promise<void> {
    const topic = key.reunionSecrets().topic as Topic;
    const [{ announceOnLan, searchOnLan }] = await Promise.all([import('./lan.js'), loadHashing()]);
    if (isOver(signal)) return;
    const keep = (task: LanTask): void => {
      closers.add(() => (this.#open = Promise.all([this.#open, task.close()])));
    };
    if (this.#options.side === 'host') {
      const anywhere = { host: undefined, port: 0 };
      const take = (connection: Connection): void => void attempt(connection, key);
      const listener = await listen(anywhere, new Admission(), take, 'lan');
      if (isOver(signal)) {
        listener.close();
        return;
      }
      closers.add(() => listener.close());
      keep(announceOnLan([topic], listener.port));
      return;
    }
    const places = new Candidates<LanPlace>(LONGEST_RETRY_MS);
    const dials = new Dials(signal, attemptOf(attempt, key));
    const dial = (): void => {
      dials.start(places, (place, until) => dialOnce(place, 'lan', until));
    };
    keep(
      searchOnLan(topic, (place) => {
        places.add(`${place.host} ${String(place.port)}`, place, place.host);
        dial();
      }),
    );
    // Those that could not be reached are tried again.
    while (!isOver(signal)) {
      dial();
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #useDht(
    bootstrap: Bootstrap,
    attempt: TryPairing,
    key: SessionKey,
    signal: AbortSignal,
    closers: Closers,
  ): Promise<void> {
    const topic = key.reunionSecrets().topic as Topic;
    const { openDht } = await import('./dht.js');
    if (signal.aborted) return;
    const dht = openDht(bootstrap, this.#options.ways.relays);
    let used: Connection | undefined;
    const close = async (): Promise<void> => {
      await dht.leave();
      await used?.closed;
      await dht.close();
    };
    const closeWithSearch = (): unknown => (this.#open = Promise.all([this.#open, close()]));
    const met: TryPairing = async (connection) => {
      const isMet = await attempt(connection, key);
      if (isMet) used = connection;
      return isMet;
    };
    closers.add(closeWithSearch);
    try {
      if (this.#options.side === 'host')
        await this.#announce(dht, topic, (connection) => void met(connection, key));
      else await this.#lookUp(dht, topic, attemptOf(met, key), signal);
    } catch (error) {
      // No network yet: a node that began without one stays without. Where the search is over it may be in use.
      if (!isOver(signal)) await dht.close();
      if (!isOver(signal)) closers.delete(closeWithSearch);
      throw error;
    }
  }

  async #announce(dht: DhtNode, topic: Topic, take: (connection: Connection) => void): Promise<void> {
    const announced = dht.announce(topic, new Admission(), take);
    if (!(await dht.isReachable()) || !(await announced)) throw new XferError('no-network');
  }

  async #lookUp(dht: DhtNode, topic: Topic, attempt: Attempt, signal: AbortSignal): Promise<void> {
    if (!(await dht.isReachable())) throw new XferError('no-network');
    const candidates = new Candidates<DhtPeer>(LONGEST_RETRY_MS);
    const dials = new Dials(signal, attempt);
    const dial = (): void => {
      dials.start(candidates, (peer, until) => dht.connect(peer, until));
    };
    while (!isOver(signal)) {
      await lookUp(dht, topic, candidates, signal, dial);
      dial();
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Goes by one way, and again where it fails: what it lacks, a network or a descriptor, may be there later. Never rejects. */
async function insist(way: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const isDone = await way().then(
      () => true,
      () => false,
    );
    if (isDone) return;
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Asked anew each time: it may be aborted while somebody waits. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Listens at the same address once more, for one session. */
export function listenAgain(endpoint: Endpoint): Rendezvous {
  return async (takerOf, signal) => {
    let listener: Listener | undefined;
    while (listener === undefined && !signal.aborted) {
      // The one before may not be closed yet.
      listener = await listen(endpoint, new Admission()).catch(() => undefined);
      if (listener === undefined) await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
    listener?.takeReunions(takerOf);
    if (signal.aborted) listener?.close();
    else signal.addEventListener('abort', () => listener?.close(), { once: true });
  };
}

/** Who dials says for which session, and so under which key. */
function greetingOf(key: SessionKey): Uint8Array {
  const { password, id } = key.reunionSecrets();
  password.erase();
  return Buffer.concat([hello('reunion'), id]);
}

function attemptOf(attempt: TryPairing, key: SessionKey): Attempt {
  return async (connection) => ((await attempt(connection, key)) ? 'refused' : 'failed');
}

function takerOf(keys: readonly SessionKey[], attempt: TryPairing): ReunionTaker {
  const known = keys.map((key) => {
    const { password, id } = key.reunionSecrets();
    password.erase();
    return { id, key };
  });
  return (wanted) => {
    const found = known.find(({ id }) => equalBytes(id, wanted));
    return found && ((connection) => void attempt(connection, found.key));
  };
}
