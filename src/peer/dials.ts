/** Dials to who may be the other side: several at once, so that nobody who cannot be reached holds up the others. */
import type { AttemptOutcome, Candidate, Candidates } from './candidates.js';
import b4a from 'b4a';
import type { Topic } from '../crypto/code.js';
import type { Connection } from './connection.js';
import type { DhtNode, DhtPeer } from './dht.js';

const DIALS_AT_ONCE = 8;
/** As many, so that everybody who tells of somebody has one dial: a liar that answers first holds up nobody else. */
const MOST_DIALS_AT_ONCE = 32;
/** A dial that takes longer makes room for others, and goes on beside them. */
const DIAL_MS = 5_000;
/** Dials that go on, at once. */
const LINGERING_AT_ONCE = 8;

/** Opens a connection to a candidate. */
export type Connect<T> = (value: T, signal: AbortSignal) => Promise<Connection>;

/** What follows a dial that led to somebody. Never rejects. */
export type Attempt = (connection: Connection) => Promise<AttemptOutcome>;

/** One look-up: whoever a node tells of may be dialled at once, for the next node may be silent. Never rejects. */
export async function lookUp(
  dht: DhtNode,
  topic: Topic,
  candidates: Candidates<DhtPeer>,
  signal: AbortSignal,
  onTold: () => void,
): Promise<void> {
  try {
    for await (const { teller, peers } of dht.told(topic)) {
      if (signal.aborted) return;
      for (const peer of peers) candidates.add(b4a.toString(peer.publicKey, 'hex'), peer, teller);
      onTold();
    }
  } catch {
    // One that fails is no news: the next may not.
  }
}

export class Dials {
  readonly #signal: AbortSignal;
  readonly #attempt: Attempt;
  readonly #hasRoom: () => boolean;
  #dialing = 0;
  #lingering = 0;

  /**
   * @param signal Ends all dials; no more begin then.
   * @param hasRoom Whether another connection may be tried.
   */
  constructor(signal: AbortSignal, attempt: Attempt, hasRoom: () => boolean = () => true) {
    this.#signal = signal;
    this.#attempt = attempt;
    this.#hasRoom = hasRoom;
  }

  /** Whether somebody is being dialled who may still answer soon. */
  get isBusy(): boolean {
    return this.#dialing > 0;
  }

  /** Dials as many as may be dialled now, and more as soon as one of them is done. */
  start<T>(candidates: Candidates<T>, connect: Connect<T>): void {
    while (this.#dialing < MOST_DIALS_AT_ONCE && this.#hasRoom() && !this.#signal.aborted) {
      const candidate = candidates.next(performance.now(), this.#dialing >= DIALS_AT_ONCE);
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
    if (attempt !== undefined) this.start(candidates, connect);
    candidates.settle(candidate, (await attempt) ?? 'failed', performance.now());
    this.start(candidates, connect);
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
      this.start(candidates, connect);
    }, DIAL_MS);
    this.#dialing += 1;
    try {
      return await connect(candidate.value, AbortSignal.any([this.#signal, tooSlow.signal]));
    } catch {
      return undefined;
    } finally {
      clearTimeout(slow);
      leave();
    }
  }
}
