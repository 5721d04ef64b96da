/** What the sender says of the leaves of one file. */
import { TRANSFER } from './inbox.js';
import { MAX_LEAVES } from './messages.js';
import type { Outbox } from './outbox.js';

export class LeafReport {
  readonly #outbox: Outbox;
  readonly #entry: number;
  #digests: Uint8Array[] = [];
  #said = 0;

  constructor(outbox: Outbox, entry: number) {
    this.#outbox = outbox;
    this.#entry = entry;
  }

  /** How many were said. */
  get said(): number {
    return this.#said;
  }

  add(digest: Uint8Array): void {
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
