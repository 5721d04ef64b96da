/** The question whether to take an offer, while it is open. */
import type { Decision, OfferSummary, OfferWatch } from './events.js';

export type Decide = (offer: OfferSummary, watch: OfferWatch) => Promise<Decision>;

export class Question {
  #decision: Decision | undefined;
  #failure: { readonly thrown: unknown } | undefined;
  #onUpdate = (_offer: OfferSummary): void => {};
  /** Wakes whoever waits for the answer. */
  #wake = (): void => {};

  /** @param signal Aborted when nobody needs the answer any more. */
  constructor(decide: Decide, offer: OfferSummary, signal: AbortSignal) {
    const onUpdate = (callback: (offer: OfferSummary) => void): void => {
      this.#onUpdate = callback;
    };
    decide(offer, { onUpdate, signal }).then(
      (decision) => {
        this.#decision = decision;
        this.#wake();
      },
      (thrown: unknown) => {
        this.#failure = { thrown };
        this.#wake();
      },
    );
  }

  /** Tells whoever thinks better figures. */
  update(offer: OfferSummary): void {
    if (this.#decision === undefined) this.#onUpdate(offer);
  }

  /** The decision, or `undefined` when `other` came first. Throws what the question threw. */
  async answerOr(other: () => Promise<unknown>): Promise<Decision | undefined> {
    // Not a race with the answer, which would remember each of the many that came before it.
    if (!this.#isAnswered) {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        other().then(() => resolve(), reject);
      });
    }
    if (this.#failure !== undefined) throw this.#failure.thrown;
    return this.#decision;
  }

  get #isAnswered(): boolean {
    return this.#decision !== undefined || this.#failure !== undefined;
  }
}
