/** How often a code may be guessed at: the whole of what an attacker gets (protocol section 5). */
import { XferError } from '../errors.js';
import type { Transport } from './connection.js';
import { deferred, type Deferred } from '../transfer/deferred.js';

/** Wrong guesses after which a code is dead at one side. */
export const GUESSES = 8;
/** Of these, what one transport may use up while another is open. */
const GUESSES_PER_TRANSPORT = 4;
const AT_ONCE = 3;
const LONGEST_DELAY_MS = 30_000;

/** Where guesses come from. */
export interface Guesser {
  readonly transport: Transport;
  /** Who guesses, as far as strangers can be told apart; see `prefixOf`. */
  readonly prefix: string;
}

/** One guess that was set aside before it is made. The first of the two calls counts. */
export interface Guess {
  /** It was wrong, or nobody will ever know. */
  spend(): void;
  /** It was right, or never made. */
  giveBack(): void;
}

/** Time, as the budget needs it. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls back once; the returned function prevents it. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

interface Waiting {
  readonly guesser: Guesser;
  readonly turn: Deferred<Guess>;
}

/**
 * Eight guesses for the life of a code, set aside before they are made, so that no number of peers at once gets
 * a ninth. Whoever was wrong k times waits min(2^k, 30) s since then; others go first, nobody is shut out.
 */
export class GuessBudget {
  readonly #clock: Clock;
  #spent = 0;
  #pending = 0;
  readonly #openTransports = new Set<Transport>();
  readonly #usedBy = new Map<Transport, number>();
  readonly #failures = new Map<string, { count: number; lastMs: number }>();
  #queue: Waiting[] = [];
  #cancelWakeUp: (() => void) | undefined;

  constructor(transports: Iterable<Transport>, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#openTransports = new Set(transports);
  }

  /** How many wrong guesses are left. */
  get left(): number {
    return GUESSES - this.#spent;
  }

  /** A way to meet is gone: what it had not used is free for the others. */
  closeTransport(transport: Transport): void {
    this.#openTransports.delete(transport);
    this.#admit();
  }

  /** Waits for a guess. Throws `code-dead` when all are spent, and the signal's reason when that is aborted. */
  async reserve(guesser: Guesser, signal: AbortSignal): Promise<Guess> {
    signal.throwIfAborted();
    const waiting: Waiting = { guesser, turn: deferred() };
    const onAbort = (): void => {
      this.#queue = this.#queue.filter((other) => other !== waiting);
      waiting.turn.reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(waiting);
    this.#admit();
    try {
      return await waiting.turn.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #admit(): void {
    this.#cancelWakeUp?.();
    this.#cancelWakeUp = undefined;
    if (this.left === 0) {
      for (const { turn } of this.#queue.splice(0)) turn.reject(new XferError('code-dead'));
    }
    while (this.#pending < Math.min(AT_ONCE, this.left)) {
      const next = this.#next();
      if (next === undefined) return;
      const waitMs = this.#readyMs(next.guesser) - this.#clock.now();
      if (waitMs > 0) {
        this.#cancelWakeUp = this.#clock.after(waitMs, () => {
          this.#admit();
        });
        return;
      }
      this.#queue.splice(this.#queue.indexOf(next), 1);
      next.turn.resolve(this.#setAside(next.guesser));
    }
  }

  /** Of those whose transport may still guess the one who may do so first; of equals, who came first. */
  #next(): Waiting | undefined {
    const limit = this.#openTransports.size > 1 ? GUESSES_PER_TRANSPORT : GUESSES;
    let first: Waiting | undefined;
    for (const waiting of this.#queue) {
      if ((this.#usedBy.get(waiting.guesser.transport) ?? 0) >= limit) continue;
      if (first === undefined || this.#readyMs(waiting.guesser) < this.#readyMs(first.guesser))
        first = waiting;
    }
    return first;
  }

  #readyMs({ prefix }: Guesser): number {
    const failures = this.#failures.get(prefix);
    if (failures === undefined) return -Infinity;
    return failures.lastMs + Math.min(1_000 * 2 ** failures.count, LONGEST_DELAY_MS);
  }

  #setAside(guesser: Guesser): Guess {
    const { transport, prefix } = guesser;
    const use = (change: number): void => {
      this.#usedBy.set(transport, (this.#usedBy.get(transport) ?? 0) + change);
    };
    let settled = false;
    const settle = (change: () => void) => (): void => {
      if (settled) return;
      settled = true;
      this.#pending -= 1;
      change();
      this.#admit();
    };
    this.#pending += 1;
    use(1);
    return {
      spend: settle(() => {
        this.#spent += 1;
        const count = (this.#failures.get(prefix)?.count ?? 0) + 1;
        this.#failures.set(prefix, { count, lastMs: this.#clock.now() });
      }),
      giveBack: settle(() => {
        use(-1);
      }),
    };
  }
}
