/** How far the receiver is: told to both sides, a few times a second. */
import type { Progress, TransferEvent } from './events.js';
import { TRANSFER } from './inbox.js';
import type { ReceiverState } from './messages.js';
import type { Channel } from './ports.js';

const EVERY_MS = 100;
/** How often the same is said again while this side waits for its disk, or for who reads its output. */
const AGAIN_MS = 5_000;

export class ProgressReport {
  readonly #channel: Channel;
  readonly #onEvent: (event: TransferEvent) => void;
  readonly #now: () => number;
  readonly #figures: () => Progress;
  #saidMs = 0;
  /** What came after the last word about it, and is not said yet. */
  #unsaid: NodeJS.Timeout | undefined;
  #state: ReceiverState = 'receiving';
  #again: NodeJS.Timeout | undefined;
  /** Something came that is not dealt with yet. */
  isAtWork = false;

  /** `figures` gives those of the moment. */
  constructor(
    channel: Channel,
    onEvent: (event: TransferEvent) => void,
    now: () => number,
    figures: () => Progress,
  ) {
    this.#channel = channel;
    this.#onEvent = onEvent;
    this.#now = now;
    this.#figures = figures;
  }

  /** Tells both sides. This one has no progress to see while it is asked. */
  async say(state: ReceiverState): Promise<void> {
    clearTimeout(this.#unsaid);
    this.#unsaid = undefined;
    this.#state = state;
    this.#saidMs = this.#now();
    const progress = this.#figures();
    const { files, bytes } = progress;
    await this.#channel.send({ type: 'progress', transfer: TRANSFER, state, files, bytes });
    if (state !== 'asking') this.#onEvent({ type: 'progress', progress });
  }

  /** Tells both sides that something came, unless they were told a moment ago: then soon, though nothing more comes. */
  async sayReceiving(): Promise<void> {
    if (this.#now() - this.#saidMs >= EVERY_MS) return this.say('receiving');
    this.#unsaid ??= setTimeout(() => {
      // A channel that fails shows where it is read.
      this.say('receiving').catch(() => {});
    }, EVERY_MS);
  }

  /** While this side is at work it says so again and again: to whoever waits, a disk that takes long is no silence. */
  keepSaying(): void {
    let isSaid = true;
    this.#again = setInterval(() => {
      // What waits for a connection is said once.
      if (!this.isAtWork || !isSaid || this.#now() - this.#saidMs < AGAIN_MS) return;
      isSaid = false;
      this.say(this.#state)
        .catch(() => {})
        .finally(() => (isSaid = true));
    }, AGAIN_MS);
  }

  /** Says nothing more by itself. */
  stop(): void {
    clearTimeout(this.#unsaid);
    this.#unsaid = undefined;
    clearInterval(this.#again);
  }
}
