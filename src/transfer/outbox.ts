/** Items on their way to the peer, prepared ahead. */
import type { ControlMessage } from './messages.js';
import type { Channel, DataRecord } from './ports.js';

/** Items that may be prepared while others are sent; each holds at most 1 MiB. */
const DEPTH = 4;

/**
 * Sends items in the order they are put in, while later ones are still read, hashed and compressed. Several tasks
 * may share one: whoever puts waits for room, and sees the error of whatever failed before.
 */
export class Outbox {
  /** Rejects when an item cannot be prepared or sent, also where nobody puts in another. */
  readonly failure: Promise<never>;
  readonly #channel: Channel;
  #fail: (error: unknown) => void = () => {};
  readonly #underway: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(channel: Channel) {
    this.#channel = channel;
    this.failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failure.catch(() => {});
  }

  /** Resolves when the next item may be put in. `onDone` is called when this one needs its memory no more. */
  async put(item: ControlMessage | DataRecord | Promise<DataRecord>, onDone?: () => void): Promise<void> {
    const sent = Promise.all([item, this.#last]).then(([ready]) => this.#channel.send(ready, onDone));
    sent.catch(this.#fail);
    this.#last = sent;
    this.#underway.push(sent);
    if (this.#underway.length > DEPTH) await this.#underway.shift();
  }

  /** Resolves when everything is sent. */
  flush(): Promise<void> {
    return this.#last;
  }
}
