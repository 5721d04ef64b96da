import { expect, test } from 'vitest';
import { Candidates } from '../../../src/peer/candidates.js';

test('what was never tried comes before what failed, and what refused never again', () => {
  const candidates = new Candidates<number>();
  candidates.add('a', 1);
  const first = candidates.next(0)!;
  expect(candidates.next(0)).toBeUndefined();
  candidates.settle(first, 'failed', 0);
  expect(candidates.hasOpen).toBe(false);
  candidates.add('b', 2);
  candidates.add('a', 3);
  expect(candidates.hasOpen).toBe(true);
  const second = candidates.next(5_000)!;
  expect(second.id).toBe('b');
  candidates.settle(second, 'refused', 5_000);
  expect(candidates.next(5_000)).toMatchObject({ id: 'a', value: 3 });
  candidates.add('b', 4);
  expect(candidates.next(1e9)).toBeUndefined();
});

test('one that fails is tried ever later, up to 10 s', () => {
  const candidates = new Candidates<undefined>();
  candidates.add('a', undefined);
  const waits: number[] = [];
  for (let nowMs = 0, failedMs = 0; waits.length < 6; nowMs += 100) {
    const candidate = candidates.next(nowMs);
    if (candidate === undefined) continue;
    waits.push(nowMs - failedMs);
    candidates.settle(candidate, 'failed', (failedMs = nowMs));
  }
  expect(waits).toEqual([0, 1_000, 2_000, 4_000, 8_000, 10_000]);
});

test('row 17: no number of announcements takes more than so much memory', () => {
  const candidates = new Candidates<number>();
  for (let index = 0; index < 10_000; index++) candidates.add(String(index), index);
  expect(candidates.size).toBe(2_000);
});

test('one that takes long is not waited for, and tried again when it failed', () => {
  const candidates = new Candidates<string>();
  candidates.add('a', 'a');
  const tried = candidates.next(0)!;
  expect(candidates.hasOpen).toBe(true);
  candidates.linger(tried);
  expect(candidates.hasOpen).toBe(false);
  expect(candidates.next(1_000_000)).toBeUndefined();
  candidates.settle(tried, 'failed', 0);
  expect(candidates.next(1_000)).toMatchObject({ id: 'a' });
});
