import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Question, type Decide } from '../../../src/transfer/question.js';
import { deferred } from '../../../src/transfer/deferred.js';
import type { Decision, OfferSummary } from '../../../src/transfer/events.js';

const never = new AbortController().signal;
// No test here reads it.
const offer = {} as OfferSummary;
const YES: Decision = { accept: true, conflicts: 'refuse' };

const ask = (decide: Decide): Question => new Question(decide, offer, never);

test('the answer or what came first', async () => {
  const answer = deferred<Decision>();
  const question = ask(() => answer.promise);
  expect(await question.answerOr(() => Promise.resolve('an item'))).toBeUndefined();
  const open = question.answerOr(() => new Promise(() => {}));
  answer.resolve(YES);
  expect(await open).toBe(YES);
  expect(await question.answerOr(() => new Promise(() => {}))).toBe(YES);
});

test('throws what either of them throws', async () => {
  const answer = deferred<Decision>();
  const question = ask(() => answer.promise);
  await expect(question.answerOr(() => Promise.reject(new Error('the line')))).rejects.toThrow('the line');
  const open = question.answerOr(() => new Promise(() => {}));
  answer.reject(new Error('the terminal'));
  await expect(open).rejects.toThrow('the terminal');
  await expect(question.answerOr(() => Promise.resolve())).rejects.toThrow('the terminal');
});

test('row 52: an open question remembers nothing of what comes meanwhile', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const question = ask(() => new Promise(() => {}));
  const items: WeakRef<object>[] = [];
  for (let index = 0; index < 10; index++) {
    const item = { index };
    items.push(new WeakRef(item));
    await question.answerOr(() => Promise.resolve(item));
  }
  // A WeakRef holds what was made or read in the same turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  // The last one may still lie about in this function.
  expect(items.slice(0, -1).filter((item) => item.deref() !== undefined)).toEqual([]);
});
