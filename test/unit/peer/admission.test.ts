import { expect, test } from 'vitest';
import { Admission, MAX_STRANGERS, MAX_STRANGERS_PER_PREFIX } from '../../../src/peer/admission.js';

test('row 30: a flood from one prefix drops its own, the oldest first', () => {
  const admission = new Admission();
  const dropped: string[] = [];
  const honest = (): number => dropped.push('honest');
  admission.admit('192.0.2', honest);
  for (let index = 0; index < 2_000; index++) admission.admit('203.0.113', () => dropped.push(String(index)));
  expect(dropped).not.toContain('honest');
  expect(dropped).toEqual(
    Array.from({ length: 2_000 - MAX_STRANGERS_PER_PREFIX }, (_, index) => String(index)),
  );
});

test('row 30: a flood from many prefixes drops of the most crowded one', () => {
  const admission = new Admission();
  let open = 0;
  let honestIsOpen = true;
  admission.admit('192.0.2', () => (honestIsOpen = false));
  for (let index = 0; index < 2_000; index++) {
    open += 1;
    admission.admit(`10.0.${String(index % 20)}`, () => (open -= 1));
  }
  expect(honestIsOpen).toBe(true);
  expect(open).toBe(MAX_STRANGERS - 1);
});

test('those who are waited for may all come at once, and of one network', () => {
  const dropped: number[] = [];
  const admission = new Admission(32);
  for (let index = 0; index < 32; index++) {
    const place = admission.admit('203.0.113', () => dropped.push(index));
    place.advance();
    place.advance();
  }
  expect(dropped).toEqual([]);
  // No more than there are in all, however many are waited for.
  admission.admit('192.0.2', () => dropped.push(-1));
  for (let index = 32; index < 1_000; index++) admission.admit('203.0.113', () => dropped.push(index));
  expect(dropped).not.toContain(-1);
  expect(dropped.length).toBeGreaterThan(900);
});

test('a place that is given back is free', () => {
  const admission = new Admission();
  let dropped = 0;
  for (let index = 0; index < 1_000; index++) {
    const place = admission.admit('203.0.113', () => (dropped += 1));
    place.leave();
    place.leave();
    place.advance();
  }
  expect(dropped).toBe(0);
});

test('row 30: of the most crowded prefix the oldest goes, of equally crowded ones the first', () => {
  const admission = new Admission();
  const dropped: string[] = [];
  const admit = (prefix: string, name: string): void =>
    void admission.admit(prefix, () => dropped.push(name));
  admit('first', 'first');
  for (let index = 0; index < 3; index++) admit('crowd', `crowd ${index}`);
  for (let index = 4; index < MAX_STRANGERS; index++) admit(`one ${index}`, `one ${index}`);
  expect(dropped).toEqual([]);
  for (const newcomer of ['new 0', 'new 1', 'new 2', 'new 3']) admit(newcomer, newcomer);
  expect(dropped).toEqual(['crowd 0', 'crowd 1', 'first', 'crowd 2']);
});

/** Strangers of so many prefixes, each of its own. */
function crowd(admission: Admission, count: number, stages: number, onDrop: (index: number) => void): void {
  for (let index = 0; index < count; index++) {
    const place = admission.admit(`crowd ${stages} ${index}`, () => onDrop(index));
    for (let stage = 0; stage < stages; stage++) place.advance();
  }
}

test('row 30: who only connects drops nobody who has come further', () => {
  const admission = new Admission();
  const dropped: string[] = [];
  admission.admit('honest', () => dropped.push('honest')).advance();
  crowd(admission, 2_000, 0, (index) => dropped.push(String(index)));
  expect(dropped).toHaveLength(2_001 - MAX_STRANGERS);
  expect(dropped).not.toContain('honest');
});

test('row 30: who has come far leaves room for newcomers, and they for each other', () => {
  const admission = new Admission();
  const dropped: string[] = [];
  crowd(admission, 1_000, 1, (index) => dropped.push(`handshake ${index}`));
  crowd(admission, 1_000, 2, (index) => dropped.push(`proof ${index}`));
  // The last proof drove out another one, after it had driven out a handshake.
  expect(dropped).toHaveLength(2_000 - 47);
  dropped.length = 0;
  const honest = admission.admit('honest', () => dropped.push('honest'));
  crowd(admission, 15, 0, (index) => dropped.push(String(index)));
  expect(dropped).toEqual([]);
  honest.advance();
  honest.advance();
  expect(dropped).toEqual(['proof 968']);
  crowd(admission, 1_000, 1, () => undefined);
  expect(dropped).not.toContain('honest');
});

test('row 30: of one prefix, too, who has come far leaves room for newcomers', () => {
  const admission = new Admission();
  const dropped: string[] = [];
  const strangers = Array.from({ length: 300 }, (_, index) =>
    admission.admit('crowd', () => dropped.push(String(index))),
  );
  for (const stranger of strangers) stranger.advance();
  dropped.length = 0;
  const honest = admission.admit('crowd', () => dropped.push('honest'));
  honest.advance();
  honest.advance();
  for (let index = 0; index < 300; index++) admission.admit('crowd', () => dropped.push('late')).advance();
  expect(dropped).toContain('late');
  expect(dropped).not.toContain('honest');
});
