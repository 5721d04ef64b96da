/** Who may be the host: what a look-up finds, most of which may be stale, foreign or made up. */

/** Of what was told of them no more than this is kept: an attacker tells as much as he likes. */
const MAX_TOLD = 4_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 10_000;

/**
 * How an attempt ended. `refused`: the peer does not know our code, and never will. `failed`: nothing was found out,
 * so it may be tried again.
 */
export type AttemptOutcome = 'refused' | 'failed';

export interface Candidate<T> {
  readonly id: string;
  readonly value: T;
}

interface Entry<T> {
  readonly id: string;
  /** How to reach it, as each of those says that told of it. */
  readonly told: Map<string, T>;
  state: 'waiting' | 'trying' | 'lingering' | 'refused';
  /** For whom it is being tried. */
  teller: string | undefined;
  failures: number;
  retryMs: number;
}

/**
 * Each has been told by somebody who may lie: whoever tells most gets no more tries for it than others, and is forgotten
 * first.
 */
export class Candidates<T> {
  readonly #entries = new Map<string, Entry<T>>();
  /** What each teller told, the latest last. */
  readonly #tellers = new Map<string, Set<Entry<T>>>();
  readonly #longestRetryMs: number;
  #told = 0;

  /** @param longestRetryMs Between two tries of one that failed again and again, in milliseconds. */
  constructor(longestRetryMs = LONGEST_RETRY_MS) {
    this.#longestRetryMs = longestRetryMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is one that nobody has tried or that is being tried. */
  get hasOpen(): boolean {
    return [...this.#entries.values()].some(
      ({ state, failures }) => state === 'trying' || (state === 'waiting' && failures === 0),
    );
  }

  /** Takes note of one that `teller` tells of; what is known of how to reach it may have changed. */
  add(id: string, value: T, teller: string): void {
    const entry = this.#entries.get(id) ?? this.#newEntry(id);
    const told = this.#tellers.get(teller) ?? new Set();
    if (!told.delete(entry)) this.#told += 1;
    told.add(entry);
    this.#tellers.set(teller, told);
    entry.told.set(teller, value);
    if (this.#told > MAX_TOLD) this.#forgetOne();
  }

  /**
   * One to try now: of any teller, and of what that one told any of those least often failed. `undefined` where there is
   * none at `nowMs`.
   *
   * @param isOfIdle Leave out tellers for whom one is being tried already.
   */
  next(nowMs: number, isOfIdle = false, random: () => number = Math.random): Candidate<T> | undefined {
    const busy = isOfIdle ? this.#busyTellers() : new Set();
    const tellers = [...this.#tellers.keys()].filter(
      (teller) => !busy.has(teller) && this.#ready(teller, nowMs).length > 0,
    );
    // Chance, so that nobody can arrange to be tried first.
    const teller = tellers[Math.floor(random() * tellers.length)];
    if (teller === undefined) return undefined;
    const ready = this.#ready(teller, nowMs);
    const fewest = Math.min(...ready.map(({ failures }) => failures));
    const best = ready.filter(({ failures }) => failures === fewest);
    const entry = best[Math.floor(random() * best.length)];
    if (entry === undefined) return undefined;
    entry.state = 'trying';
    entry.teller = teller;
    return { id: entry.id, value: entry.told.get(teller) as T };
  }

  /** An attempt takes long: nobody waits for its end any more. */
  linger({ id }: Candidate<T>): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.state = 'lingering';
  }

  settle({ id }: Candidate<T>, outcome: AttemptOutcome, nowMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (outcome === 'refused') {
      entry.state = 'refused';
      return;
    }
    entry.state = 'waiting';
    entry.retryMs = nowMs + Math.min(FIRST_RETRY_MS * 2 ** entry.failures, this.#longestRetryMs);
    entry.failures += 1;
  }

  #newEntry(id: string): Entry<T> {
    const entry: Entry<T> = {
      id,
      told: new Map(),
      state: 'waiting',
      teller: undefined,
      failures: 0,
      retryMs: 0,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  #ready(teller: string, nowMs: number): Entry<T>[] {
    return [...(this.#tellers.get(teller) ?? [])].filter(
      ({ state, retryMs }) => state === 'waiting' && retryMs <= nowMs,
    );
  }

  /** For whom one is being tried. */
  #busyTellers(): ReadonlySet<unknown> {
    const trying = [...this.#entries.values()].filter(({ state }) => state === 'trying');
    return new Set(trying.map(({ teller }) => teller));
  }

  /** Of the teller that told most the one that it has not told of for longest, and that may be tried again. */
  #forgetOne(): void {
    const [teller, told] = [...this.#tellers].reduce((most, other) =>
      other[1].size > most[1].size ? other : most,
    );
    const [oldest] = told;
    const entry = [...told].find(({ state }) => state === 'waiting') ?? oldest;
    if (entry === undefined) return;
    told.delete(entry);
    this.#told -= 1;
    entry.told.delete(teller);
    if (told.size === 0) this.#tellers.delete(teller);
    if (entry.told.size === 0) this.#entries.delete(entry.id);
  }
}
