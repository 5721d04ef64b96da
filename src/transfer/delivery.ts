/** What a last word may be waited for. */

/** How the peer takes in what this side sends. */
export interface Delivery {
  /** So many items arrived. */
  readonly items: number;
  /** For so long the last of them was the next one, in milliseconds. */
  readonly waitedMs: number;
}
