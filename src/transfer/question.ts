/** The question whether to take an offer, while it is open. */
import type { Decision, OfferSummary, OfferWatch } from './events.js';

export type Decide = (offer: OfferSummary, watch: OfferWatch) => Promise<Decision>;

export class Question {
  readonly #answered: Promise<void>;
  #decision: Decision | undefined;
  #onUpdate = (_offer: OfferSummary): void => {};

  /** @param signal Aborted when nobody needs the answer any more. */
  constructor(decide: Decide, offer: OfferSummary, signal: AbortSignal) {
    const onUpdate = (callback: (offer: OfferSummary) => void): void => {
      this.#onUpdate = callback;
    };
    this.#answered = decide(offer, { onUpdate, signal }).then((decision) => {
      this.#decision = decision;
    });
    // It is looked at between two items of the peer; until then nobody hears of a rejection.
    this.#answered.catch(() => {});
  }

  /** Tells whoever thinks better figures. */
  update(offer: OfferSummary): void {
    if (this.#decision === undefined) this.#onUpdate(offer);
  }

  /** The decision, or `undefined` when `other` came first. Throws what the question threw. */
  async answerOr(other: Promise<unknown>): Promise<Decision | undefined> {
    await Promise.race([this.#answered, other]);
    return this.#decision;
  }
}
