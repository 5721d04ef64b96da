import { expect, test } from 'vitest';
import { Candidates, type Candidate } from '../../../src/peer/candidates.js';

test('what was never tried comes before what failed, and what refused never again', () => {
  const candidates = new Candidates<number>();
  candidates.add('a', 1, 'node');
  const first = candidates.next(0)!;
  expect(candidates.next(0)).toBeUndefined();
  candidates.settle(first, 'failed', 0);
  expect(candidates.hasOpen).toBe(false);
  candidates.add('b', 2, 'node');
  candidates.add('a', 3, 'node');
  expect(candidates.hasOpen).toBe(true);
  // Whatever chance says.
  const second = candidates.next(5_000, false, () => 0.99)!;
  expect(second.id).toBe('b');
  candidates.settle(second, 'refused', 5_000);
  expect(candidates.next(5_000)).toMatchObject({ id: 'a', value: 3 });
  candidates.add('b', 4, 'node');
  expect(candidates.next(1e9)).toBeUndefined();
});

test('one that fails is tried ever later, up to 10 s', () => {
  const candidates = new Candidates<undefined>();
  candidates.add('a', undefined, 'node');
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
  for (let index = 0; index < 10_000; index++) candidates.add(String(index), index, 'node');
  expect(candidates.size).toBe(4_000);
  // What is told again takes no more of it.
  for (let time = 0; time < 100; time++) candidates.add('9999', time, 'node');
  expect(candidates.size).toBe(4_000);
});

test('row 17: who tells most is forgotten first, the oldest of what it told', () => {
  const candidates = new Candidates<number>();
  candidates.add('host', 0, 'honest');
  for (let index = 0; index < 10_000; index++) candidates.add(`lie ${index}`, index, `liar ${index % 3}`);
  const tried: Candidate<number>[] = [];
  for (;;) {
    const next = candidates.next(0);
    if (next === undefined) break;
    tried.push(next);
  }
  expect(tried.map(({ id }) => id)).toContain('host');
  const lies = tried.filter(({ id }) => id !== 'host').map(({ value }) => value);
  expect(lies).toHaveLength(3_999);
  expect(Math.min(...lies)).toBe(10_000 - 3_999);
});

test('row 17: what two tell of is known until both are forgotten, and is not forgotten while it is tried', () => {
  const candidates = new Candidates<number>();
  candidates.add('both', 1, 'liar');
  candidates.add('both', 2, 'honest');
  candidates.add('tried', 3, 'liar');
  let tried = candidates.next(0, false, () => 0)!;
  while (tried.id !== 'tried') {
    candidates.settle(tried, 'failed', 0);
    tried = candidates.next(0, false, () => 0)!;
  }
  for (let index = 0; index < 10_000; index++) candidates.add(`lie ${index}`, index, 'liar');
  expect(candidates.size).toBe(4_000);
  candidates.settle(tried, 'failed', 0);
  const again: Candidate<number>[] = [];
  for (;;) {
    const next = candidates.next(1_000_000);
    if (next === undefined) break;
    again.push(next);
  }
  expect(again.filter(({ id }) => !id.startsWith('lie'))).toHaveLength(2);
  expect(again).toContainEqual({ id: 'both', value: 2 });
});

test('row 17: who says the same again and again makes nobody forgotten', () => {
  const candidates = new Candidates<number>();
  candidates.add('host', 0, 'honest');
  for (let index = 0; index < 10_000; index++) candidates.add('lie', index, 'liar');
  expect(candidates.size).toBe(2);
});

test('row 17: one that is forgotten while it is tried is not missed', () => {
  const candidates = new Candidates<number>();
  candidates.add('tried', 0, 'teller');
  const tried = candidates.next(0)!;
  for (let index = 0; index < 4_000; index++) candidates.add(String(index), index, `teller ${index}`);
  candidates.linger(tried);
  candidates.settle(tried, 'failed', 0);
  expect(candidates.size).toBe(4_000);
  expect(candidates.next(1_000_000, false, () => 0)?.id).toBe('0');
});

test('row 17: whoever tells of many gets no more tries than who tells of one', () => {
  const candidates = new Candidates<number>();
  for (let index = 0; index < 1_000; index++) candidates.add(`lie ${index}`, index, 'liar');
  candidates.add('host', 0, 'honest');
  expect(candidates.next(0, false, () => 0.49)?.id).toMatch(/^lie/);
  expect(candidates.next(0, false, () => 0.5)).toEqual({ id: 'host', value: 0 });
  // Nor is it tried in the order it was told.
  const chances = [0, 0.999];
  expect(candidates.next(0, false, () => chances.shift()!)?.id).toBe('lie 999');
});

test('row 17: one that failed comes again before what others made up meanwhile', () => {
  const candidates = new Candidates<number>();
  candidates.add('host', 0, 'honest');
  candidates.settle(candidates.next(0)!, 'failed', 0);
  candidates.add('lie', 1, 'liar');
  expect(candidates.next(1_000, false, () => 0)).toMatchObject({ id: 'host' });
});

test('row 17: where dials are short, those who have none come first', () => {
  const candidates = new Candidates<number>();
  candidates.add('lie 1', 1, 'liar');
  candidates.add('lie 2', 2, 'liar');
  const dialled = candidates.next(0)!;
  candidates.add('host', 3, 'honest');
  expect(candidates.next(0, true)).toMatchObject({ id: 'host' });
  expect(candidates.next(0, true)).toBeUndefined();
  candidates.settle(dialled, 'failed', 0);
  expect(candidates.next(0, true)?.id).toMatch(/^lie/);
});

test('row 17: a lie about how to reach one does not replace what others say', () => {
  const candidates = new Candidates<string>();
  candidates.add('host', 'true', 'honest');
  candidates.add('host', 'false', 'liar');
  candidates.settle(
    candidates.next(0, false, () => 0.5)!,
    'failed',
    0,
  );
  expect(candidates.next(1_000, false, () => 0)).toEqual({ id: 'host', value: 'true' });
});

test('one that takes long is not waited for, and tried again when it failed', () => {
  const candidates = new Candidates<string>();
  candidates.add('a', 'a', 'node');
  const tried = candidates.next(0)!;
  expect(candidates.hasOpen).toBe(true);
  candidates.linger(tried);
  expect(candidates.hasOpen).toBe(false);
  expect(candidates.next(1_000_000)).toBeUndefined();
  candidates.settle(tried, 'failed', 0);
  expect(candidates.next(1_000)).toMatchObject({ id: 'a' });
});
