import { getEventListeners, setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  GUESSES,
  GuessBudget,
  systemClock,
  type Clock,
  type Guess,
  type Guesser,
} from '../../../src/peer/budget.js';

const never = new AbortController().signal;
setMaxListeners(0, never);

/** Time that passes when the test says so. */
class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = next.atMs;
      next.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function from(prefix: string, transport: Guesser['transport'] = 'dht'): Guesser {
  return { transport, prefix };
}

/** When a guess was granted, in milliseconds; `undefined` while it is not. */
function watch(
  budget: GuessBudget,
  clock: Clock,
  guesser: Guesser,
  signal = never,
): { guess?: Guess; atMs?: number; error?: unknown } {
  const seen: { guess?: Guess; atMs?: number; error?: unknown } = {};
  budget.reserve(guesser, signal).then(
    (guess) => {
      seen.guess = guess;
      seen.atMs = clock.now();
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}

describe('guess budget', () => {
  test('row 2: a thousand guesses at once are eight', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['dht'], clock);
    let granted = 0;
    let refused = 0;
    for (let index = 0; index < 1_000; index++) {
      budget.reserve(from(`10.0.${String(index)}`), never).then(
        (guess) => {
          granted += 1;
          queueMicrotask(() => {
            guess.spend();
          });
        },
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'code-dead' });
          refused += 1;
        },
      );
    }
    await clock.pass(600_000);
    expect({ granted, refused, left: budget.left }).toEqual({ granted: GUESSES, refused: 992, left: 0 });
    await expect(budget.reserve(from('192.0.2'), never)).rejects.toMatchObject({ code: 'code-dead' });
  });

  test('row 2: what is set aside counts before anybody knows whether it was wrong', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), async (wrong) => {
        const clock = new FakeClock();
        const budget = new GuessBudget(['direct'], clock);
        const seen = wrong.map((_, index) => watch(budget, clock, from(String(index), 'direct')));
        for (let round = 0; round < wrong.length; round++) {
          await clock.pass(0);
          const open = seen.filter(({ guess }) => guess !== undefined);
          expect(open.length).toBeLessThanOrEqual(round + 3);
          const guess = open[round]?.guess;
          if (wrong[round]) guess?.spend();
          else guess?.giveBack();
        }
        const spent = seen.filter(({ guess }, index) => guess !== undefined && wrong[index]).length;
        expect(spent).toBeLessThanOrEqual(GUESSES);
        expect(budget.left).toBe(GUESSES - spent);
      }),
    );
  });

  test('row 2: of the last guesses no more are set aside than there are', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['dht', 'direct'], clock);
    for (let wrong = 0; wrong < GUESSES - 1; wrong++)
      (await budget.reserve(from(String(wrong), wrong < 4 ? 'dht' : 'direct'), never)).spend();
    budget.closeTransport('direct');
    const seen = ['x', 'y', 'z'].map((prefix) => watch(budget, clock, from(prefix)));
    await clock.pass(60_000);
    expect(seen.filter(({ guess }) => guess !== undefined)).toHaveLength(1);
    seen[0]?.guess?.giveBack();
    await clock.pass(0);
    expect(seen.map(({ guess }) => guess !== undefined)).toEqual([true, true, false]);
    seen[1]?.guess?.spend();
    await clock.pass(0);
    expect(seen[2]?.error).toMatchObject({ code: 'code-dead' });
  });

  test('at most three guesses are open at once', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['dht'], clock);
    const seen = ['a', 'b', 'c', 'd'].map((prefix) => watch(budget, clock, from(prefix)));
    await clock.pass(60_000);
    expect(seen.map(({ atMs }) => atMs)).toEqual([0, 0, 0, undefined]);
    seen[1]?.guess?.giveBack();
    await clock.pass(0);
    expect(seen[3]?.atMs).toBe(60_000);
  });

  test('after one wrong guess the next of the same prefix comes within 5 s, and others do not wait', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['direct'], clock);
    (await budget.reserve(from('a', 'direct'), never)).spend();
    const again = watch(budget, clock, from('a', 'direct'));
    const other = watch(budget, clock, from('b', 'direct'));
    await clock.pass(5_000);
    expect(other.atMs).toBe(0);
    expect(again.atMs).toBe(2_000);
  });

  test('delays double up to 30 s and shut nobody out', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['direct'], clock);
    const waits: number[] = [];
    for (let wrong = 0; wrong < GUESSES; wrong++) {
      const beganMs = clock.now();
      const seen = watch(budget, clock, from('a', 'direct'));
      await clock.pass(31_000);
      waits.push((seen.atMs ?? Infinity) - beganMs);
      seen.guess?.spend();
    }
    // The last wait counts from the failure, which came 31 s after the guess was asked for.
    expect(waits.every((wait) => wait <= 30_000)).toBe(true);
    expect(budget.left).toBe(0);
  });

  test('one transport uses up half of the guesses while another is open', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['dht', 'direct'], clock);
    for (let wrong = 0; wrong < 4; wrong++) (await budget.reserve(from(String(wrong)), never)).spend();
    const fifth = watch(budget, clock, from('x'));
    const direct = watch(budget, clock, from('y', 'direct'));
    await clock.pass(60_000);
    expect(fifth.atMs).toBeUndefined();
    expect(direct.atMs).toBe(0);
    budget.closeTransport('direct');
    await clock.pass(0);
    expect(fifth.atMs).toBe(60_000);
  });

  test('who leaves the queue takes no guess, and keeps nobody else from one', async () => {
    const clock = new FakeClock();
    const budget = new GuessBudget(['dht'], clock);
    const guesses = await Promise.all(['a', 'b', 'c'].map((prefix) => budget.reserve(from(prefix), never)));
    const leaving = new AbortController();
    const before = watch(budget, clock, from('d'));
    const left = watch(budget, clock, from('e'), leaving.signal);
    const behind = ['f', 'g'].map((prefix) => watch(budget, clock, from(prefix)));
    leaving.abort(new Error('gone'));
    await clock.pass(0);
    expect(left.error).toMatchObject({ message: 'gone' });
    for (const guess of guesses) guess.giveBack();
    await clock.pass(0);
    expect([before, ...behind].map(({ atMs }) => atMs)).toEqual([0, 0, 0]);
    expect(left.guess).toBeUndefined();
  });

  test('nothing stays at the signal of who got a guess', async () => {
    const budget = new GuessBudget(['dht'], new FakeClock());
    const { signal } = new AbortController();
    await budget.reserve(from('a'), signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('a guess is settled once', async () => {
    const budget = new GuessBudget(['dht'], new FakeClock());
    const guess = await budget.reserve(from('a'), never);
    guess.giveBack();
    guess.spend();
    expect(budget.left).toBe(GUESSES);
  });

  test('what is given back is free for the same transport', async () => {
    const budget = new GuessBudget(['dht', 'direct'], new FakeClock());
    for (let right = 0; right < 20; right++) (await budget.reserve(from(String(right)), never)).giveBack();
    for (let wrong = 0; wrong < 4; wrong++) (await budget.reserve(from(`wrong ${wrong}`), never)).spend();
    expect(budget.left).toBe(GUESSES - 4);
  });

  test('time is that of the machine where no other is given', async () => {
    vi.useFakeTimers();
    try {
      const budget = new GuessBudget(['dht']);
      (await budget.reserve(from('a'), never)).spend();
      const again = watch(budget, systemClock, from('a'));
      await vi.advanceTimersByTimeAsync(1_999);
      expect(again.guess).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(again.guess).toBeDefined();
      const called = vi.fn();
      systemClock.after(10, called)();
      await vi.advanceTimersByTimeAsync(10);
      expect(called).not.toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
    }
  });
});
