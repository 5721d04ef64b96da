/** What the library promises that no single layer does. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { receive, send, type XferEvent } from '../../src/index.js';
import { deferred } from '../../src/transfer/deferred.js';

afterEach(() => {
  vi.useRealTimers();
});

test.each([0, 9_999, 10_000.5, 1e12, NaN])(
  'a limit of %d is refused before anybody is looked for',
  async (limit) => {
    const events: XferEvent[] = [];
    const options = {
      limit,
      listen: { host: '127.0.0.1', port: 0 },
      onEvent: (event: XferEvent) => events.push(event),
    };
    await expect(send({ kind: 'text', text: 'x' }, options)).rejects.toMatchObject({ code: 'usage' });
    expect(events).toEqual([]);
  },
);

test('people may compare the words for longer than any stall lasts', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const events: XferEvent[] = [];
  const code = deferred<string>();
  const answer = deferred<boolean>();
  const asked = deferred<undefined>();
  const at = { host: '127.0.0.1', port: 20_000 + Math.floor(Math.random() * 20_000) };
  const onEvent = (event: XferEvent): void => {
    events.push(event);
    if (event.type === 'code') code.resolve(event.code);
  };
  const sending = send(
    { kind: 'text', text: 'at nine' },
    { listen: at, verify: true, compareWords: () => Promise.resolve(true), onEvent },
  );
  const receiving = receive({
    code: await code.promise,
    connect: at,
    compareWords: () => {
      asked.resolve(undefined);
      return answer.promise;
    },
    decide: () => Promise.resolve({ accept: true, conflicts: 'refuse' }),
    onEvent,
  });
  await asked.promise;
  // Longer than 120 s, in steps in which both ends still hear each other's keep-alives.
  for (let second = 0; second < 150; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    for (let turns = 0; turns < 5; turns++) await turn();
  }
  answer.resolve(true);
  vi.useRealTimers();
  expect((await receiving).text).toBe('at nine');
  await sending;
  expect(events.filter(({ type }) => type === 'stalled')).toEqual([]);
});
