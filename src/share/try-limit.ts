/** How often a device may try a password. */
const TRIES = 5;
const WITHIN_MS = 60_000;

/** Tries are counted before they are made; those of who goes away count too. */
export class TryLimit {
  /** When each device tried, the latest last. There are as many as devices were paired. */
  readonly #tries = new Map<string, number[]>();
  readonly #now: () => number;

  /** @param now Milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a try; false where there were too many. */
  take(device: string): boolean {
    const recent = this.#recent(device);
    const isFree = recent.length < TRIES;
    if (isFree) recent.push(this.#now());
    this.#tries.set(device, recent);
    return isFree;
  }

  /** Whether another try would be one too many. */
  isSpent(device: string): boolean {
    return this.#recent(device).length >= TRIES;
  }

  /** The device knows the password. */
  forget(device: string): void {
    this.#tries.delete(device);
  }

  #recent(device: string): number[] {
    const nowMs = this.#now();
    return (this.#tries.get(device) ?? []).filter((atMs) => nowMs - atMs < WITHIN_MS);
  }
}
