/** How fast words of a chat are taken: a flood waits at whoever makes it. */
import { setTimeout as sleep } from 'node:timers/promises';

/** At once, such as a paste. */
const BURST = 200;
const PER_SECOND = 50;

export class LineGate {
  readonly #now: () => number;
  readonly #sleep: (ms: number) => Promise<unknown>;
  #left = BURST;
  #lastMs: number;

  /** @param now Milliseconds of a clock that never goes back. */
  constructor(
    now: () => number = () => performance.now(),
    wait: (ms: number) => Promise<unknown> = (ms) => sleep(ms),
  ) {
    this.#now = now;
    this.#sleep = wait;
    this.#lastMs = now();
  }

  /** Resolves when one more may be taken. One call at a time. */
  async pass(): Promise<void> {
    const nowMs = this.#now();
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#lastMs) / 1000) * PER_SECOND);
    this.#lastMs = nowMs;
    this.#left -= 1;
    if (this.#left < 0) await this.#sleep((-this.#left / PER_SECOND) * 1000);
  }
}
