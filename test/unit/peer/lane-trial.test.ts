import { describe, expect, test } from 'vitest';
import { LaneTrial, type Advice } from '../../../src/peer/lane-trial.js';

const STEP_MS = 500;

/** A sender whose line takes what `rateOf` says with so many lines, and how much of the time it waits for it. */
class Sending {
  readonly advice: [atMs: number, Advice][] = [];
  lines: number;
  nowMs = 0;
  readonly #trial = new LaneTrial();
  #sentBytes = 0;
  #blockedMs = 0;

  constructor(lines: number) {
    this.lines = lines;
  }

  /** Goes on for so long; does what is advised, where that is possible. */
  run(ms: number, rateOf: (lines: number) => number, { blocked = 1, opens = true } = {}): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += STEP_MS) {
      const { nowMs, lines } = this;
      const advice = this.#trial.next({
        nowMs,
        lines,
        sentBytes: this.#sentBytes,
        blockedMs: this.#blockedMs,
      });
      if (advice !== undefined) this.advice.push([nowMs, advice]);
      if (advice === 'more' && opens) this.lines += 1;
      if (advice === 'fewer' && this.lines > 1) this.lines -= 1;
      this.#sentBytes += rateOf(this.lines) * STEP_MS;
      this.#blockedMs += blocked * STEP_MS;
    }
  }
}

describe('one more lane', () => {
  test('is tried after two seconds in which the line was waited for, and stays while it helps', () => {
    const sending = new Sending(1);
    sending.run(60_000, (lines) => lines * 1_000);
    expect(sending.advice.map(([, advice]) => advice)).toEqual(['more', 'more', 'more']);
    expect(sending.advice[0]).toEqual([2_000, 'more']);
    expect(sending.lines).toBe(4);
  });

  test('is closed where the rate did not rise by a tenth, and not tried again for a minute', () => {
    const sending = new Sending(1);
    sending.run(120_000, (lines) => (lines > 1 ? 1_090 : 1_000));
    const [tried, closed, again] = sending.advice;
    expect(tried).toEqual([2_000, 'more']);
    expect(closed?.[1]).toBe('fewer');
    expect(closed![0] - tried![0]).toBeGreaterThanOrEqual(3_000);
    expect(again?.[1]).toBe('more');
    expect(again![0] - closed![0]).toBeGreaterThanOrEqual(60_000);
  });

  test('stays where the rate rose by more', () => {
    const sending = new Sending(1);
    sending.run(10_000, (lines) => (lines > 1 ? 1_110 : 1_000));
    expect(sending.advice.map(([, advice]) => advice)).toEqual(['more', 'more']);
  });

  test('is not tried while something else holds the sender up, nor while nothing is sent', () => {
    const busy = new Sending(1);
    busy.run(30_000, () => 1_000, { blocked: 0.4 });
    expect(busy.advice).toEqual([]);
    const idle = new Sending(1);
    idle.run(30_000, () => 0, { blocked: 0 });
    expect(idle.advice).toEqual([]);
  });

  test('is given up where it does not come', () => {
    const sending = new Sending(1);
    sending.run(30_000, () => 1_000, { opens: false });
    expect(sending.advice.map(([, advice]) => advice)).toEqual(['more', 'fewer']);
  });

  test('is given up where it came and went', () => {
    const sending = new Sending(2);
    sending.run(3_000, (lines) => lines * 1_000);
    expect(sending.lines).toBe(3);
    sending.lines = 2;
    sending.run(1_000, (lines) => lines * 1_000);
    expect(sending.advice.at(-1)?.[1]).toBe('fewer');
  });

  test('is not tried right after lines came or went by somebody else’s doing', () => {
    const sending = new Sending(1);
    sending.run(1_500, () => 1_000);
    sending.lines = 2;
    sending.run(2_000, () => 1_000);
    expect(sending.advice).toEqual([]);
  });
});
