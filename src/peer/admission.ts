/** How many strangers a machine listens to at once. */

/** Connections that nobody has authenticated, in all and of one prefix. */
export const MAX_STRANGERS = 64;
export const MAX_STRANGERS_PER_PREFIX = 16;

interface Stranger {
  readonly prefix: string;
  readonly drop: () => void;
}

/**
 * Holds the connections that wait to be authenticated. Who comes when it is full takes the place of the oldest of
 * the most crowded prefix, so that a flood drops its own and not the one honest peer.
 */
export class Admission {
  /** In the order they came. */
  readonly #strangers = new Set<Stranger>();

  /**
   * Admits one more, dropping another where there are too many. The returned function gives the place back, when the
   * peer is authenticated or gone; again is harmless.
   */
  admit(prefix: string, drop: () => void): () => void {
    const stranger = { prefix, drop };
    this.#strangers.add(stranger);
    if (this.#of(prefix).length > MAX_STRANGERS_PER_PREFIX) this.#drop(this.#of(prefix)[0]);
    if (this.#strangers.size > MAX_STRANGERS) this.#drop(this.#of(this.#mostCrowded())[0]);
    return () => {
      this.#strangers.delete(stranger);
    };
  }

  #of(prefix: string): Stranger[] {
    return [...this.#strangers].filter((stranger) => stranger.prefix === prefix);
  }

  #mostCrowded(): string {
    const counts = new Map<string, number>();
    for (const { prefix } of this.#strangers) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    let most = { prefix: '', count: 0 };
    // Of equals the one that came first.
    for (const [prefix, count] of counts) if (count > most.count) most = { prefix, count };
    return most.prefix;
  }

  #drop(stranger: Stranger | undefined): void {
    if (stranger === undefined) return;
    this.#strangers.delete(stranger);
    stranger.drop();
  }
}
