/** The digest of a file that is sent, while it goes by. */
import { LEAF_BYTES, TreeDigest } from '../crypto/digest.js';
import type { LeafHasher } from './ports.js';

/** Before that much of a file another thread has not begun by the time that this one is done. */
const THREAD_FROM_BYTES = 2 ** 24;
/** Leaves that may wait for the thread, each of which keeps its memory. */
const DEPTH = 4;

/** Whether a piece of a file is a leaf that is worth another thread. */
export function isThreadWorthy(
  offset: number,
  piece: Uint8Array,
  { fromBytes = THREAD_FROM_BYTES }: LeafHasher,
): boolean {
  return piece.length === LEAF_BYTES && offset >= fromBytes && offset % LEAF_BYTES === 0;
}

/** A `TreeDigest` whose leaves another thread may hash, where there is one and their memory is shared. */
export class FileDigest {
  readonly #tree: TreeDigest;
  readonly #hasher: LeafHasher | undefined;
  readonly #underway: Promise<void>[] = [];
  #offset = 0;
  #last: Promise<void> = Promise.resolve();

  /** @param onLeaf Hears the digest of each leaf, in order. */
  constructor(hasher?: LeafHasher, onLeaf?: (digest: Uint8Array) => void) {
    this.#hasher = hasher;
    this.#tree = new TreeDigest(onLeaf);
  }

  /** Takes the next piece. Resolves when another one may follow; `onRead` is called when this one is read no more. */
  async update(piece: Uint8Array, onRead: () => void): Promise<void> {
    const offset = this.#offset;
    this.#offset += piece.length;
    const isShared = piece.buffer instanceof SharedArrayBuffer;
    if (this.#hasher === undefined || !isShared || !isThreadWorthy(offset, piece, this.#hasher)) {
      await this.settled();
      this.#tree.update(piece);
      onRead();
      return;
    }
    const hashed = this.#take(this.#hasher.hash(piece), this.#last).finally(onRead);
    // Whoever waits for the digest, or for room, sees the error.
    hashed.catch(() => {});
    this.#last = hashed;
    this.#underway.push(hashed);
    if (this.#underway.length > DEPTH) await this.#underway.shift();
  }

  /** Takes in a hole of `length` zero bytes. */
  async skipZeros(length: number): Promise<void> {
    this.#offset += length;
    await this.settled();
    this.#tree.skipZeros(length);
  }

  /** Ends the file. Nothing may be added afterwards. Throws what the thread died of. */
  async digest(): Promise<Uint8Array> {
    await this.settled();
    return this.#tree.digest();
  }

  /** Waits for what other threads have of it. */
  async settled(): Promise<void> {
    await this.#last;
    this.#underway.length = 0;
  }

  async #take(hashed: ReturnType<LeafHasher['hash']>, before: Promise<void>): Promise<void> {
    const [{ digest }] = await Promise.all([hashed, before]);
    this.#tree.addLeaf(digest);
  }
}
