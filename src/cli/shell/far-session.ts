/** One session with a share, for as long as it lasts; where it is lost the next one. */
import { XferError, type ErrorCode, type Share, type UseOptions, type XferEvent } from '../../index.js';
import type { Context } from '../context.js';

/** After these nothing more can be asked in a session. */
const ENDS_SESSION: ReadonlySet<ErrorCode> = new Set([
  'peer-gone',
  'peer-failed',
  'peer-interrupted',
  'stalled',
  'protocol',
  'limit',
  'integrity',
  'internal',
  'interrupted',
  'device-removed',
  'device-refused',
]);

interface Open {
  readonly share: Promise<Share>;
  readonly controller: AbortController;
  /** Says goodbye. */
  readonly leave: () => void;
  readonly over: Promise<void>;
}

export class FarSession {
  readonly #context: Pick<Context, 'library' | 'signal'>;
  readonly #options: UseOptions;
  #open: Open | undefined;
  /** Hears of the session. */
  listener: ((event: XferEvent) => void) | undefined;

  constructor(context: Pick<Context, 'library' | 'signal'>, options: UseOptions) {
    this.#context = context;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Works with the share, having connected where that is needed. Throws what `useShare` throws, and `work`. */
  async use<T>(work: (share: Share) => Promise<T>): Promise<T> {
    this.#open ??= this.#connect();
    let hasBegun = false;
    try {
      const share = await this.#open.share;
      hasBegun = true;
      return await work(share);
    } catch (error) {
      const goesOn = hasBegun && error instanceof XferError && !ENDS_SESSION.has(error.code);
      if (!goesOn) await this.close();
      throw error;
    }
  }

  /** Ends what is done just now; the session does not outlive it. */
  interrupt(): void {
    this.#open?.controller.abort();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    open?.leave();
    await open?.over;
  }

  #connect(): Open {
    const controller = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, controller.signal]);
    const onEvent = (event: XferEvent): void => this.listener?.(event);
    let leave = (): void => undefined;
    const leaving = new Promise<void>((resolve) => {
      leave = resolve;
    });
    let over: Promise<void> = leaving;
    const share = new Promise<Share>((resolve, reject) => {
      over = this.#context.library
        .useShare({ ...this.#options, onEvent, signal }, (found) => {
          resolve(found);
          return leaving;
        })
        .catch(reject);
    });
    return { share, controller, leave, over };
  }
}
