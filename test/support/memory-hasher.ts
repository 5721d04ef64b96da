/** A `LeafHasher` without a thread: memory that is not shared is taken away while it hashes, as a thread takes it. */
import { setImmediate } from 'node:timers/promises';
import { leafDigest } from '../../src/crypto/digest.js';
import type { HashedLeaf, LeafHasher } from '../../src/transfer/ports.js';

export class MemoryHasher implements LeafHasher {
  /** Leaves of shared memory, and of memory that was handed over. */
  shared = 0;
  handedOver = 0;
  /** Most leaves that were under way at once. */
  peak = 0;
  /** Called with the number of each leaf, from 0, before its digest is told. */
  onLeaf: (number: number, digest: Uint8Array) => void = () => {};
  #underway = 0;
  #last: Promise<unknown> = Promise.resolve();

  hash(leaf: Uint8Array): Promise<HashedLeaf> {
    const number = this.shared + this.handedOver;
    const isShared = leaf.buffer instanceof SharedArrayBuffer;
    this[isShared ? 'shared' : 'handedOver'] += 1;
    const bytes = isShared ? leaf : structuredClone(leaf, { transfer: [leaf.buffer] });
    this.peak = Math.max(this.peak, ++this.#underway);
    const hashed = this.#last.then(async () => {
      await setImmediate();
      this.#underway -= 1;
      const digest = leafDigest(bytes);
      this.onLeaf(number, digest);
      return { digest, bytes };
    });
    this.#last = hashed.catch(() => undefined);
    return hashed;
  }
}
