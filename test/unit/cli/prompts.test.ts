import { describe, expect, test } from 'vitest';
import { Prompts } from '../../../src/cli/prompts.js';
import { makeWorld, type } from './world.js';

function ask(input: string | undefined, usual: boolean): Promise<boolean | undefined> {
  return new Prompts(
    makeWorld({ terminal: true, ...(input === undefined ? {} : { input }) }).context,
  ).confirm('receive?', usual);
}

test.each([
  ['y\n', false, true],
  ['YES\n', false, true],
  ['n\n', true, false],
  ['no\n', true, false],
  ['\n', true, true],
  ['\n', false, false],
  ['\u0003', true, undefined],
  ['\u0004', true, undefined],
])('%j where Enter means %j is %j', async (input, usual, answer) => {
  expect(await ask(input, usual)).toBe(answer);
});

test('what is no answer is asked again', async () => {
  const { context, stdin, stderr } = makeWorld({ terminal: true });
  const answer = new Prompts(context).confirm('receive?', true);
  await type(stdin, ['perhaps\n', 'constructor\n', 'n\n']);
  expect(await answer).toBe(false);
  expect(stderr.text.split('receive? [Y/n] ')).toHaveLength(4);
});

test.each([
  ['a pipe', false],
  ['a terminal', true],
])('the end of %s is no answer, even behind a letter', async (_, terminal) => {
  const { context, stdin, interruption } = makeWorld({ terminal });
  const answer = new Prompts(context).confirm('receive?', true);
  await type(stdin, ['y']);
  stdin.end();
  expect(await answer).toBeUndefined();
  // A terminal ends when it is closed: nobody said no.
  expect(interruption.signal.aborted).toBe(terminal);
});

test('a secret is not waited for after an interruption', async () => {
  const { context, stdin, interruption } = makeWorld({ terminal: true });
  const answer = new Prompts(context).secret('password:');
  await type(stdin, ['correct horse']);
  interruption.abort();
  expect(await answer).toBeUndefined();
});

test('what a terminal says that is gone breaks nothing', async () => {
  const { context, stdin } = makeWorld({ terminal: true });
  const answer = new Prompts(context).confirm('receive?', true);
  await type(stdin, ['y']);
  stdin.emit('error', Object.assign(new Error('setRawMode EIO'), { code: 'EIO' }));
  stdin.end();
  expect(await answer).toBeUndefined();
});

test('Ctrl-C interrupts', async () => {
  const { context, stdin, interruption } = makeWorld({ terminal: true });
  const answer = new Prompts(context).confirm('receive?', true);
  await type(stdin, ['\u0003']);
  expect(await answer).toBeUndefined();
  expect(interruption.signal.aborted).toBe(true);
});

describe('a question that is taken back', () => {
  test('has no answer', async () => {
    const { context } = makeWorld({ terminal: true });
    const controller = new AbortController();
    const answer = new Prompts(context).confirm('receive?', true, { signal: controller.signal });
    controller.abort();
    expect(await answer).toBeUndefined();
  });

  test('before it was asked is not asked', async () => {
    const { context, stderr } = makeWorld({ terminal: true, input: 'y\n' });
    const answer = new Prompts(context).confirm('receive?', true, { signal: AbortSignal.abort() });
    expect(await answer).toBeUndefined();
    expect(stderr.text).toBe('');
  });
});
