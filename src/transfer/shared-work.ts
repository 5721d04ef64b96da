/** What several receivers of the same content need alike is done once: digests of leaves, packed bodies, batches. */
import { DIGEST_BYTES, leafDigest } from '../crypto/digest.js';
import type { BatchWriter } from './batch.js';
import { timedPack, type TimedBody, type TimedPack } from './compression.js';
import type { HashedLeaf, LeafHasher } from './ports.js';

/** Batches that are kept: of those before, nobody in step asks. */
const KEPT_BATCHES = 32;

/** What is known of memory that is filled once and then only read. */
interface Known {
  /** By the place of the leaf in it. */
  readonly digests: Map<number, Promise<Uint8Array>>;
  /** By place, length, compression and level. */
  readonly bodies: Map<string, Promise<TimedBody>>;
}

/** Remembers by memory: it must stay as it is until it is forgotten. */
export class SharedWork {
  readonly #known = new WeakMap<ArrayBufferLike, Known>();
  /** Finished, the oldest first. */
  readonly #batches: Uint8Array[] = [];
  readonly #pack: TimedPack;

  constructor(now: () => number = () => performance.now()) {
    this.#pack = timedPack(now);
  }

  /** Digests what nobody digested yet by `own`, or in this thread. */
  hasher(own: LeafHasher | undefined): LeafHasher {
    const inThread = async (bytes: Uint8Array): Promise<HashedLeaf> => ({ digest: leafDigest(bytes), bytes });
    const hash = (leaf: Uint8Array): Promise<HashedLeaf> => own?.hash(leaf) ?? inThread(leaf);
    return {
      fromBytes: 0,
      hash: async (leaf) => {
        const digests = this.#of(leaf)?.digests;
        const known = digests?.get(leaf.byteOffset);
        if (known === undefined) {
          const hashed = hash(leaf);
          const digest = hashed.then((done) => done.digest);
          // Whoever waits for it sees the error.
          digest.catch(() => undefined);
          digests?.set(leaf.byteOffset, digest);
          return hashed;
        }
        try {
          return { digest: await known, bytes: leaf };
        } catch {
          // The thread of another session may have ended with it.
          return hash(leaf);
        }
      },
    };
  }

  /** Packs as `timedPack`; what it took is what it took whoever did it. */
  readonly pack: TimedPack = (raw, compression, level) => {
    const bodies = this.#of(raw)?.bodies;
    const name = [raw.byteOffset, raw.length, compression, level].join(' ');
    const known = bodies?.get(name);
    if (known !== undefined) return known;
    const body = this.#pack(raw, compression, level);
    bodies?.set(name, body);
    return body;
  };

  /** The finished batch, in memory of its own. */
  batch(writer: BatchWriter): Uint8Array {
    const { content } = writer;
    const known = this.#batches.find((batch) => isBatchOf(batch, content));
    if (known !== undefined) return known;
    const batch = new Uint8Array(writer.finish());
    this.watch(batch);
    this.#batches.push(batch);
    const oldest = this.#batches.length > KEPT_BATCHES ? this.#batches.shift() : undefined;
    if (oldest !== undefined) this.forget(oldest);
    return batch;
  }

  /** From now on this memory stays as it is. */
  watch({ buffer }: Uint8Array): void {
    this.#known.set(buffer, { digests: new Map(), bodies: new Map() });
  }

  forget({ buffer }: Uint8Array): void {
    this.#known.delete(buffer);
  }

  #of({ buffer }: Uint8Array): Known | undefined {
    return this.#known.get(buffer);
  }
}

function isBatchOf(batch: Uint8Array, content: Uint8Array): boolean {
  if (batch.length !== content.length + DIGEST_BYTES) return false;
  return Buffer.compare(batch.subarray(0, content.length), content) === 0;
}
