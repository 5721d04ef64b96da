import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aborted, deadline } from '../../../src/transfer/deadline.js';
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

it('comes though what nothing refers to was collected before', async () => {
  const outer = new AbortController();
  const waiting = aborted(AbortSignal.any([deadline(50, outer.signal).signal, outer.signal]));
  await collectGarbage();
  await waiting;
});
