/** How many strangers a machine listens to at once. */

/** Connections that nobody has authenticated, in all and of one prefix. */
export const MAX_STRANGERS = 64;
export const MAX_STRANGERS_PER_PREFIX = 16;

/**
 * How many of them may have come so far: connected; through the Noise handshake; to a proof that is yet to be checked.
 * What is left belongs to those who have not.
 */
const MOST_AT_STAGE: readonly number[] = [MAX_STRANGERS, 48, 32];
/** The same among those of one prefix, which the honest peer may share. */
const MOST_OF_PREFIX_AT_STAGE: readonly number[] = [MAX_STRANGERS_PER_PREFIX, 12, 8];

/** What a stranger holds until it is authenticated or gone. */
export interface Place {
  /** The stranger came a stage further. */
  advance(): void;
  /** Gives the place back; again is harmless. */
  leave(): void;
}

interface Stranger {
  readonly prefix: string;
  readonly drop: () => void;
  stage: number;
}

/**
 * Holds the connections that wait to be authenticated. Who comes when it is full takes the place of the one who got least
 * far, of the most crowded prefix, the oldest: a flood drops its own and not the one honest peer, and who only connects
 * drops nobody who does more.
 */
export class Admission {
  /** In the order they came. */
  readonly #strangers = new Set<Stranger>();
  readonly #mostOfPrefix: readonly number[];

  /** @param honest How many of those who are waited for may come in the same moment, all of one prefix: each is a stranger at first. */
  constructor(honest = 1) {
    this.#mostOfPrefix = MOST_OF_PREFIX_AT_STAGE.map((most, stage) =>
      Math.min(Math.max(most, honest), MOST_AT_STAGE[stage] ?? 0),
    );
  }

  /** Admits one more, dropping another where there are too many. */
  admit(prefix: string, drop: () => void): Place {
    const stranger: Stranger = { prefix, drop, stage: 0 };
    this.#strangers.add(stranger);
    this.#makeRoom(prefix, 0);
    return {
      advance: () => {
        stranger.stage++;
        if (this.#strangers.has(stranger)) this.#makeRoom(prefix, stranger.stage);
      },
      leave: () => {
        this.#strangers.delete(stranger);
      },
    };
  }

  /** For one of that prefix who has come to that stage. */
  #makeRoom(prefix: string, stage: number): void {
    const near = this.#those((stranger) => stranger.stage >= stage && stranger.prefix === prefix);
    if (near.length > (this.#mostOfPrefix[stage] ?? 0)) this.#dropLeastOf(near);
    const there = this.#those((stranger) => stranger.stage >= stage);
    if (there.length > (MOST_AT_STAGE[stage] ?? 0)) this.#dropLeastOf(there);
  }

  #those(are: (stranger: Stranger) => boolean): Stranger[] {
    return [...this.#strangers].filter(are);
  }

  #dropLeastOf(strangers: readonly Stranger[]): void {
    const least = Math.min(...strangers.map(({ stage }) => stage));
    const dropped = firstOfMostCrowded(strangers.filter(({ stage }) => stage === least));
    if (dropped === undefined) return;
    this.#strangers.delete(dropped);
    dropped.drop();
  }
}

/** Of equally crowded prefixes the one whose first came first. */
export function firstOfMostCrowded<T extends { readonly prefix: string }>(
  strangers: readonly T[],
): T | undefined {
  const counts = new Map<string, number>();
  for (const { prefix } of strangers) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return strangers.find(({ prefix }) => counts.get(prefix) === most);
}
