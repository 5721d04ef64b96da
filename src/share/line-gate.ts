/** How fast words of a chat are taken: a flood waits at whoever makes it. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface GateOptions {
  /** At once, such as a paste. */
  readonly burst?: number;
  readonly perSecond?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** Rejects where the signal is aborted. */
  readonly wait?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

export class LineGate {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  readonly #wait: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
  #left: number;
  #lastMs: number;

  constructor({
    burst = 200,
    perSecond = 50,
    now = () => performance.now(),
    wait = (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
  }: GateOptions = {}) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#wait = wait;
    this.#left = burst;
    this.#lastMs = now();
  }

  /**
   * Resolves when one more may be taken, or one that is as much as several. Who asks first is first. Rejects where the signal is
   * aborted while it waits.
   */
  async pass(cost = 1, signal?: AbortSignal): Promise<void> {
    const nowMs = this.#now();
    this.#left = Math.min(this.#burst, this.#left + ((nowMs - this.#lastMs) / 1000) * this.#perSecond);
    this.#lastMs = nowMs;
    this.#left -= cost;
    if (this.#left < 0) await this.#wait((-this.#left / this.#perSecond) * 1000, signal);
  }
}
