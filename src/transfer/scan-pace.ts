/** How often a scan shows what it found. */

/** Four times a second at first. */
const SHOW_EVERY_MS = 250;

/**
 * How long a scan that goes on for `elapsedMs` may keep to itself what fills no part, in milliseconds. Each part takes memory of its
 * receiver, and a slow scan has some hundred short ones this way, however long it takes.
 */
export function keepsBackMs(elapsedMs: number): number {
  return Math.max(SHOW_EVERY_MS, elapsedMs / 100);
}
