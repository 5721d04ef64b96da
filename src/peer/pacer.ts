/** Spreads what a side sends evenly over time, so that it keeps to a limit (protocol section 7). */
import { CHUNK_BYTES } from '../transfer/ports.js';

/** What may be made up for, as time at the limit: timers and disks are late by less, and a line does not feel more. */
const BURST_MS = 100;
/** A record takes about this long at the limit, so that bytes, and the news of them, come evenly. */
const PIECE_MS = 125;
/** Below this a record is more overhead than content. */
const SMALLEST_PIECE_BYTES = 1 << 12;

/**
 * Says how long to wait before something is sent. Time in which less was sent than allowed is lost, but for the
 * last 100 ms of it: whoever slept or waited for a person does not rush afterwards.
 */
export class Pacer {
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  /** When all that was taken so far has had its time. */
  #freeMs = -Infinity;

  /** @param now milliseconds of a clock that never goes back */
  constructor(bytesPerSecond: number, now: () => number = () => performance.now()) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#now = now;
  }

  /**
   * Milliseconds to wait before these bytes are sent; they count from this call on. What cannot wait may be sent at
   * once: then what comes after it waits longer.
   */
  take(bytes: number): number {
    const nowMs = this.#now();
    const startMs = Math.max(this.#freeMs, nowMs - BURST_MS);
    this.#freeMs = startMs + bytes / this.#bytesPerMs;
    return Math.max(0, startMs - nowMs);
  }

  /** How many raw bytes one record should hold at most. */
  pieceBytes(): number {
    const bytes = PIECE_MS * this.#bytesPerMs;
    const pages = Math.floor(bytes / SMALLEST_PIECE_BYTES) * SMALLEST_PIECE_BYTES;
    return Math.min(CHUNK_BYTES, Math.max(SMALLEST_PIECE_BYTES, pages));
  }
}
