/** What one side counts of a transfer. */
import type { ErrorCode } from '../errors.js';
import type { TransferEvent, TransferOutcome } from './events.js';
import type { Skipped } from './ports.js';

/** How many of the missing are named. */
const MAX_NAMED = 1000;

export class Tally {
  /** What is whole and verified at the receiver. */
  files = 0;
  bytes = 0;
  missingCount = 0;
  continuedBytes = 0;
  alreadyFiles = 0;
  alreadyBytes = 0;
  unwantedFiles = 0;
  #skippedCount = 0;
  readonly #missing: Skipped[] = [];
  readonly #onEvent: (event: TransferEvent) => void;
  readonly #now: () => number;
  #startedMs = 0;

  constructor(onEvent: (event: TransferEvent) => void, now: () => number) {
    this.#onEvent = onEvent;
    this.#now = now;
  }

  /** The yes was said. */
  start(): void {
    this.#startedMs = this.#now();
  }

  /** An entry that does not arrive. */
  miss(path: string, reason: ErrorCode): void {
    this.missingCount++;
    if (this.#missing.length < MAX_NAMED) this.#missing.push({ path, reason });
    this.#tell(path, reason);
  }

  /** An entry that nobody expects to arrive. */
  leaveOut(path: string, reason: ErrorCode): void {
    this.#skippedCount++;
    this.#tell(path, reason);
  }

  outcome(): TransferOutcome {
    return {
      files: this.files,
      bytes: this.bytes,
      continuedBytes: this.continuedBytes,
      alreadyFiles: this.alreadyFiles,
      alreadyBytes: this.alreadyBytes,
      unwantedFiles: this.unwantedFiles,
      elapsedMs: this.#now() - this.#startedMs,
      missing: this.#missing,
      missingCount: this.missingCount,
      skippedCount: this.#skippedCount,
    };
  }

  #tell(path: string, reason: ErrorCode): void {
    this.#onEvent({ type: 'skipped', skipped: { path, reason } });
  }
}
