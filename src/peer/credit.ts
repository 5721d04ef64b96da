/** How much the peer may send (protocol section 6): an absolute total that only grows. */
import { XferError } from '../errors.js';
import { MAX_BATCH_FILES } from '../transfer/batch.js';
import { CHUNK_BYTES } from '../transfer/ports.js';
import { ENTRY_COST, RECORD_COST } from '../transfer/records.js';

/** No record of an honest sender costs more: 1 MiB of content, and its entries. */
const LARGEST_COST = RECORD_COST + CHUNK_BYTES + MAX_BATCH_FILES * ENTRY_COST;
/** Credit is worth a record of its own when this part of the window was given back. */
const WORTH_GRANTING = 1 / 8;

export class Credit {
  /** What a side may send before anything was granted to it, in bytes of cost. */
  static readonly FIRST_BYTES = 256 * 1024;

  #window = Credit.FIRST_BYTES;
  #granted = Credit.FIRST_BYTES;
  #released = 0;
  #taken = 0;

  /** The largest total that the peer was told, in bytes of cost. */
  get granted(): number {
    return this.#granted;
  }

  /** The peer sent so much. Throws `limit` where that is more than it may. */
  take(cost: number): void {
    this.#taken += cost;
    if (this.#taken > this.#granted) throw new XferError('limit', { subject: 'credit' });
  }

  /** So much of it is dealt with. */
  release(cost: number): void {
    this.#released += cost;
  }

  /** How much the peer may have under way. Never shrinks. */
  widen(windowBytes: number): void {
    this.#window = Math.max(this.#window, windowBytes);
  }

  /** The total to tell the peer now; `undefined` while that is not worth a record. Counts as told. */
  due(): number | undefined {
    const total = this.#released + this.#window;
    // A small window is given back at once: the peer could be waiting for all of it.
    const mayWithhold = Math.max(0, Math.min(this.#window * WORTH_GRANTING, this.#window - LARGEST_COST));
    if (total <= this.#granted || total - this.#granted < mayWithhold) return undefined;
    return this.grantAll();
  }

  /** Everything that can be granted. Counts as told. */
  grantAll(): number {
    this.#granted = Math.max(this.#granted, this.#released + this.#window);
    return this.#granted;
  }
}
