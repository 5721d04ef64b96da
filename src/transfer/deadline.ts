/** Waiting with an end. */
import { deferred } from './deferred.js';

/** Waits for a promise, but no longer than that, and whatever becomes of it. */
export async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
}

/**
 * Waits for a promise, or until the signal is aborted: then it gives `undefined`, and nobody hears any more what becomes of the promise.
 * Nothing of this stays at the signal.
 */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborting = deferred<undefined>();
  const abort = (): void => aborting.resolve(undefined);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborting.promise, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Resolves when the signal is aborted, which it may be already. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

/** A signal with an end in time. */
export interface Deadline {
  /** Aborted with `outer`, for its reason, or after so many milliseconds. */
  readonly signal: AbortSignal;
  /** Lets go of the timer and of `outer`: the signal is aborted by nobody any more. */
  readonly clear: () => void;
}

/**
 * `AbortSignal.any` with a signal of `AbortSignal.timeout` would not do: nothing but the garbage collector's leave keeps
 * that one alive, and then nothing is ever aborted.
 */
export function deadline(ms: number, outer: AbortSignal): Deadline {
  const controller = new AbortController();
  const follow = (): void => controller.abort(outer.reason);
  const timer = setTimeout(() => controller.abort(), ms);
  outer.addEventListener('abort', follow, { once: true });
  if (outer.aborted) follow();
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      outer.removeEventListener('abort', follow);
    },
  };
}
