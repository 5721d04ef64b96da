/** Who may be the host: what a look-up finds, most of which may be stale, foreign or made up. */

/** More than this are not kept: an attacker announces as many as he likes. */
const MAX_CANDIDATES = 2_000;
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

interface Entry<T> extends Candidate<T> {
  value: T;
  state: 'waiting' | 'trying' | 'lingering' | 'refused';
  failures: number;
  retryMs: number;
}

export class Candidates<T> {
  readonly #entries = new Map<string, Entry<T>>();

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is one that nobody has tried or that is being tried. */
  get hasOpen(): boolean {
    return [...this.#entries.values()].some(
      ({ state, failures }) => state === 'trying' || (state === 'waiting' && failures === 0),
    );
  }

  /** Takes note of one that was found; what is known of how to reach it may have changed. */
  add(id: string, value: T): void {
    const known = this.#entries.get(id);
    if (known !== undefined) known.value = value;
    else if (this.#entries.size < MAX_CANDIDATES) {
      this.#entries.set(id, { id, value, state: 'waiting', failures: 0, retryMs: 0 });
    }
  }

  /** One to try now: of those least often failed, any. `undefined` where there is none at `nowMs`. */
  next(nowMs: number, random: () => number = Math.random): Candidate<T> | undefined {
    const ready = [...this.#entries.values()].filter(
      ({ state, retryMs }) => state === 'waiting' && retryMs <= nowMs,
    );
    const fewest = Math.min(...ready.map(({ failures }) => failures));
    const best = ready.filter(({ failures }) => failures === fewest);
    // Chance, so that nobody can arrange to be tried first.
    const entry = best[Math.floor(random() * best.length)];
    if (entry !== undefined) entry.state = 'trying';
    return entry;
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
    entry.retryMs = nowMs + Math.min(FIRST_RETRY_MS * 2 ** entry.failures, LONGEST_RETRY_MS);
    entry.failures += 1;
  }
}
