/** What the sender says of the first leaves of one file. */
import { TRANSFER } from './inbox.js';
import { MAX_LEAVES } from './messages.js';
import type { Outbox } from './outbox.js';

export class LeafReport {
  readonly #outbox: Outbox;
  readonly #entry: number;
  readonly #leaves: number;
  #digests: Uint8Array[] = [];
  #said = 0;

  /** @param leaves How many are to be said. */
  constructor(outbox: Outbox, entry: number, leaves: number) {
    this.#outbox = outbox;
    this.#entry = entry;
    this.#leaves = leaves;
  }

  /** How many were said. */
  get said(): number {
    return this.#said;
  }

  /** Takes the next one. What comes behind those that are to be said is dropped: there may be millions. */
  add(digest: Uint8Array): void {
    if (this.#said + this.#digests.length === this.#leaves) return;
    // It may be a view of memory that is used again.
    this.#digests.push(Uint8Array.from(digest));
  }

  /** Sends them where they fill a message: each is news for whoever watches. */
  async sendFull(): Promise<void> {
    while (this.#digests.length >= MAX_LEAVES) await this.#send();
  }

  async sendAll(): Promise<void> {
    while (this.#digests.length > 0) await this.#send();
  }

  #send(): Promise<void> {
    const digests = this.#digests.splice(0, MAX_LEAVES);
    this.#said += digests.length;
    return this.#outbox.put({ type: 'leaves', transfer: TRANSFER, entry: this.#entry, digests });
  }
}
