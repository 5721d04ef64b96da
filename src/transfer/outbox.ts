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
  readonly #channel: Channel;
  readonly #underway: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Resolves when the next item may be put in. */
  async put(item: ControlMessage | DataRecord | Promise<DataRecord>): Promise<void> {
    const sent = Promise.all([item, this.#last]).then(([ready]) => this.#channel.send(ready));
    // Whoever waits for this or a later item gets the error.
    sent.catch(() => {});
    this.#last = sent;
    this.#underway.push(sent);
    if (this.#underway.length > DEPTH) await this.#underway.shift();
  }

  /** Resolves when everything is sent. */
  flush(): Promise<void> {
    return this.#last;
  }
}
