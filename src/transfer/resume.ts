/**
 * Going on with a file of which the receiver holds a part (protocol section 8). The sender says what the file's leaves are now,
 * the receiver compares them with what it has: nothing about its own files leaves it but how much of them is right.
 */
import { LEAF_BYTES, TreeDigest, equalBytes, leafDigest } from '../crypto/digest.js';
import type { HeldPart, PartFile } from './ports.js';
import { malformed } from './wire.js';

/**
 * The last leaves of a part may be wrong where a machine lost its power: they are sent again. Where more is wrong, the file is another
 * one than before, and what is there of the old one may still be wanted.
 */
const MOST_TORN_LEAVES = 16;

export { LEAF_BYTES };

/** A file that goes on. */
export interface Continued {
  /** How many leaves are right. */
  readonly leaves: number;
  readonly part: PartFile;
  /** Of those leaves. */
  readonly digest: TreeDigest;
}

/** What the receiver holds of a file, and how much of it is right so far. */
export class Comparison {
  readonly #held: HeldPart | undefined;
  readonly #leaves: number;
  readonly #digest = new TreeDigest();
  #compared = 0;
  #right = 0;

  /**
   * @param held The part; `undefined` where it is gone since.
   * @param leaves Of it, that the sender was asked about.
   */
  constructor(held: HeldPart | undefined, leaves: number) {
    this.#held = held;
    this.#leaves = leaves;
  }

  /** Compares the next leaves. Throws `protocol` where more come than were asked for, and what reading the part throws. */
  async take(digests: readonly Uint8Array[]): Promise<void> {
    if (digests.length === 0 || this.#compared + digests.length > this.#leaves) throw malformed('leaves');
    for (const digest of digests) {
      const isNext = this.#right === this.#compared++;
      if (!isNext || this.#held === undefined) continue;
      if (!equalBytes(leafDigest(await this.#held.read(this.#right)), digest)) continue;
      this.#digest.addLeaf(digest);
      this.#right++;
    }
  }

  /** Whether all leaves that were asked for have come. */
  get isDone(): boolean {
    return this.#compared === this.#leaves;
  }

  /** The file to go on with; `undefined` where it has to begin anew, and the part is set aside. */
  async finish(): Promise<Continued | undefined> {
    const leaves = this.#right;
    if (this.#held !== undefined && leaves > 0 && this.#leaves - leaves <= MOST_TORN_LEAVES)
      return { leaves, part: await this.#held.continueFrom(leaves), digest: this.#digest };
    await this.abandon();
    return undefined;
  }

  async abandon(): Promise<void> {
    await this.#held?.setAside();
  }
}
