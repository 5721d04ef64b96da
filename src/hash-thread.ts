/** The thread beside this one that hashes leaves of large files. */
import { Worker } from 'node:worker_threads';
import { XferError } from './errors.js';
import type { HashedLeaf, LeafHasher } from './transfer/ports.js';

interface Waiting {
  readonly resolve: (hashed: HashedLeaf) => void;
  readonly reject: (error: XferError) => void;
}

/** Starts its thread with the first leaf. It keeps no process alive, and ends with `close`. */
export class HashThread implements LeafHasher {
  #worker: Worker | undefined;
  #failure: XferError | undefined;
  readonly #waiting: Waiting[] = [];

  hash(leaf: Uint8Array): Promise<HashedLeaf> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#worker ??= this.#start();
    const isShared = leaf.buffer instanceof SharedArrayBuffer;
    this.#worker.postMessage(leaf, isShared ? [] : [leaf.buffer]);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the thread. Whoever waits for a digest gets `interrupted`. */
  async close(): Promise<void> {
    this.#fail(new XferError('interrupted'));
    await this.#worker?.terminate();
  }

  #start(): Worker {
    // A file of the build; see scripts/build.js.
    const worker = new Worker(new URL('hash-worker.js', import.meta.url));
    worker.unref();
    worker.on('message', (hashed: HashedLeaf) => this.#waiting.shift()?.resolve(hashed));
    const onDeath = (cause?: unknown): void =>
      this.#fail(new XferError('internal', { subject: 'the thread that hashes', cause }));
    worker.on('error', onDeath);
    worker.on('exit', () => onDeath());
    return worker;
  }

  /** The first reason counts. */
  #fail(error: XferError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
