import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DelayLine } from '../../../bench/delay-line.js';

/** Bytes that a line of 8 Mbit/s carries in a millisecond. */
const MS = 1_000;

describe('the long line of the bench', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('delivers in order, each when its last byte was sent and has come the whole way', async () => {
    const line = new DelayLine({ mbit: 8, delayMs: 50 });
    const arrivals: [string, number][] = [];
    const startMs = performance.now();
    for (const name of ['first', 'second']) {
      line.send(10 * MS, () => arrivals.push([name, Math.round(performance.now() - startMs)]));
    }
    await vi.advanceTimersByTimeAsync(59);
    expect(arrivals).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(arrivals).toEqual([
      ['first', 60],
      ['second', 70],
    ]);
  });

  it('takes no more than its queue holds, and again when there is room', async () => {
    const line = new DelayLine({ mbit: 8, delayMs: 50 });
    let taken = 0;
    while (line.send(10 * MS, () => {})) taken += 1;
    expect(taken).toBe(26);
    expect(line.waitMs).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(20);
    expect(line.waitMs).toBe(0);
    expect(line.send(10 * MS, () => {})).toBe(true);
  });
});
