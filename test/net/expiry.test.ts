import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseCode, passwordOf } from '../../src/crypto/code.js';
import { chat, distribute, receive, type DistributeOptions, type XferEvent } from '../../src/index.js';
import { deferred } from '../../src/transfer/deferred.js';
import { dialFrom } from '../support/connections.js';
import { freePort } from '../support/direct.js';
import { guessWrong } from '../support/hostile-peer.js';
import { mistyped } from '../support/meetings.js';

const HOUR_MS = 3_600_000;
const text = { kind: 'text', text: 'at nine' } as const;

/** A host, from when it shows its code on. The clock stands still until somebody moves it. */
async function hosting(
  begin: (options: Pick<DistributeOptions, 'listen' | 'onEvent' | 'signal'>) => Promise<void>,
): Promise<{
  code: string;
  at: { host: string; port: number };
  outcome: Promise<unknown>;
  stop: () => void;
}> {
  const at = { host: '127.0.0.1', port: await freePort() };
  const code = deferred<string>();
  const stopping = new AbortController();
  const onEvent = (event: XferEvent): void => {
    if (event.type === 'code') code.resolve(event.code);
  };
  const outcome = begin({ listen: at, onEvent, signal: stopping.signal }).then(
    () => 'fine',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );
  void outcome.then((end) => code.reject(new Error(`no code, but ${String(end)}`)));
  return { code: await code.promise, at, outcome, stop: () => stopping.abort() };
}

const sending =
  (more: Partial<DistributeOptions>) =>
  (options: Parameters<Parameters<typeof hosting>[0]>[0]): Promise<void> =>
    distribute(text, {
      ...more,
      ...options,
      onSession: async (session) => {
        await session.send({});
      },
    });

const talking = (more: { expireMs?: number }) => (options: Parameters<Parameters<typeof hosting>[0]>[0]) =>
  chat(
    { ...more, ...options, out: tmpdir(), onChat: () => undefined },
    ({ over }) => new Promise((resolve) => over.addEventListener('abort', () => resolve(), { once: true })),
  );

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the code of whoever serves any number', () => {
  it('goes on being good where no time was named', async () => {
    const { code, at, outcome, stop } = await hosting(sending({}));
    vi.advanceTimersByTime(100 * HOUR_MS);
    vi.useRealTimers();
    const received = await receive({
      code,
      connect: at,
      expireMs: 10_000,
      decide: () => Promise.resolve({ accept: true, conflicts: 'refuse' }),
    });
    expect(received.text).toBe('at nine');
    stop();
    expect(await outcome).toBe('fine');
  });

  it('goes on being good in a room, too', async () => {
    const { code, at, outcome, stop } = await hosting(talking({}));
    vi.advanceTimersByTime(100 * HOUR_MS);
    vi.useRealTimers();
    const entered = deferred<undefined>();
    await chat(
      {
        code,
        connect: at,
        expireMs: 10_000,
        out: tmpdir(),
        onChat: ({ type }) => {
          if (type === 'entered') entered.resolve(undefined);
        },
      },
      () => entered.promise,
    );
    stop();
    expect(await outcome).toBe('interrupted');
  });

  it.each([
    ['a time was named', sending({ expireMs: HOUR_MS })],
    ['it is a room with a time', talking({ expireMs: HOUR_MS })],
    ['a number of receivers was named', sending({ receivers: 2 })],
  ])('gets old where %s', async (_, begin) => {
    const { outcome } = await hosting(begin);
    vi.advanceTimersByTime(HOUR_MS - 1);
    vi.advanceTimersByTime(1);
    expect(await outcome).toBe('code-expired');
  });

  it('row 2: is dead after eight wrong guesses all the same', async () => {
    vi.useRealTimers();
    const { code, at, outcome } = await hosting(sending({}));
    const wrong = passwordOf(parseCode(mistyped(code)));
    const guesses = Array.from({ length: 12 }, async (_, index) =>
      guessWrong(await dialFrom(`127.0.${1 + index}.1`, at.port), wrong),
    );
    expect(await outcome).toBe('code-dead');
    await Promise.allSettled(guesses);
  });
});
