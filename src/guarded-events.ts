/** Events for a listener that may throw. */
import { setMaxListeners } from 'node:events';
import { toXferError, type XferError } from './errors.js';
import type { MeetingOptions, XferEvent } from './options.js';

/**
 * Runs a session whose listener may throw, which ends it, whoever called: thrown into a socket or a timer the same would end
 * the process, or nothing but a lane.
 */
export async function withGuardedEvents<T>(
  options: Pick<MeetingOptions, 'onEvent' | 'signal'>,
  run: (onEvent: (event: XferEvent) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  let broken: XferError | undefined;
  const onEvent = (event: XferEvent): void => {
    try {
      options.onEvent?.(event);
    } catch (error) {
      broken ??= toXferError(error);
      over.abort(broken);
    }
  };
  const { signal } = options;
  const follow = (): void => over.abort(signal?.reason);
  // One signal may end any number of sessions, each of which listens.
  if (signal !== undefined) setMaxListeners(0, signal);
  // A listener keeps a signal of `AbortSignal.timeout` alive; `AbortSignal.any` alone does not.
  signal?.addEventListener('abort', follow, { once: true });
  if (signal?.aborted === true) follow();
  try {
    const result = await run(onEvent, over.signal);
    if (broken !== undefined) throw broken;
    return result;
  } catch (error) {
    throw broken ?? error;
  } finally {
    signal?.removeEventListener('abort', follow);
  }
}
