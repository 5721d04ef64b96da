/** Runs what needs no clock to its end, and tells what never comes to one. */
import { setImmediate as turn } from 'node:timers/promises';
import { vi } from 'vitest';

/** What goes on in memory is done long before. */
const MOST_TURNS = 2_000;

/** Lets things go on until something is so. Throws where it never will be. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    if (turns === MOST_TURNS) throw new Error(`hangs: ${what}`);
    await turn();
  }
}

/** Lets everything go on that can. */
export async function settle(turns = 4): Promise<void> {
  for (let each = 0; each < turns; each++) await turn();
}

/**
 * Runs `work` in a world in which no time passes, so that nothing can be saved by a deadline. Throws what it throws, and where a
 * rejection was nobody's.
 */
export async function withoutTime<T>(work: () => Promise<T>): Promise<T> {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  try {
    const result = await work();
    await settle();
    if (unhandled.length > 0) throw new Error('a rejection that nobody handled', { cause: unhandled[0] });
    return result;
  } finally {
    vi.useRealTimers();
    process.off('unhandledRejection', note);
  }
}
