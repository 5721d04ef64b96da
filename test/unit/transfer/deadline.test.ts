import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { getEventListeners } from 'node:events';
import { aborted, deadline, orAborted } from '../../../src/transfer/deadline.js';
import { collectGarbage } from '../../support/garbage.js';

describe('a deadline', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('comes after its time', () => {
    const { signal } = deadline(1_000, new AbortController().signal);
    vi.advanceTimersByTime(999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
  });

  it('comes with the signal that it follows, for its reason', () => {
    const outer = new AbortController();
    const { signal } = deadline(1_000, outer.signal);
    outer.abort('enough');
    expect(signal.reason).toBe('enough');
  });

  it('has come where the signal that it follows is aborted already', () => {
    expect(deadline(1_000, AbortSignal.abort('enough')).signal.reason).toBe('enough');
  });

  it('never comes once it is cleared', () => {
    const outer = new AbortController();
    const { signal, clear } = deadline(1_000, outer.signal);
    clear();
    outer.abort();
    vi.advanceTimersByTime(2_000);
    expect(signal.aborted).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a promise or the end of a signal', () => {
  it('is the one that comes first', async () => {
    const ending = new AbortController();
    const never = new Promise<string>(() => undefined);
    expect(await orAborted(Promise.resolve('done'), ending.signal)).toBe('done');
    await expect(orAborted(Promise.reject(new Error('failed')), ending.signal)).rejects.toThrow('failed');
    const waiting = orAborted(never, ending.signal);
    ending.abort();
    expect(await waiting).toBeUndefined();
    expect(await orAborted(never, ending.signal)).toBeUndefined();
  });

  it('leaves nothing at the signal', async () => {
    const { signal } = new AbortController();
    for (let line = 0; line < 20; line++) await orAborted(Promise.resolve(), signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

it('comes though what nothing refers to was collected before', async () => {
  const outer = new AbortController();
  const waiting = aborted(AbortSignal.any([deadline(50, outer.signal).signal, outer.signal]));
  await collectGarbage();
  await waiting;
});
