/** Events for a listener that may throw. */
import { toXferError } from './errors.js';
import type { MeetingOptions, XferEvent } from './options.js';

/**
 * Runs a session whose listener may throw, which ends it, whoever called: thrown into a socket or a timer the same would end
 * the process, or nothing but a lane.
 */
export async function withGuardedEvents<T>(
  options: Pick<MeetingOptions, 'onEvent' | 'signal'>,
  run: (onEvent: (event: XferEvent) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const broken = new AbortController();
  const signals = [broken.signal, ...(options.signal === undefined ? [] : [options.signal])];
  const onEvent = (event: XferEvent): void => {
    try {
      options.onEvent?.(event);
    } catch (error) {
      broken.abort(toXferError(error));
    }
  };
  try {
    return await run(onEvent, AbortSignal.any(signals));
  } finally {
    broken.signal.throwIfAborted();
  }
}
