/** Items on their way to the peer, prepared ahead. */
import type { Passage } from './controller.js';
import type { ControlMessage } from './messages.js';
import { CHUNK_BYTES, type Channel, type DataRecord } from './ports.js';

/** Items that may be prepared while others are sent; each holds at most 1 MiB. */
const DEPTH = 4;

/** A record, and who wants to hear of it. */
export interface Parcel {
  readonly record: DataRecord;
  /** How it left. */
  readonly passed?: ((passage: Passage) => void) | undefined;
  /** Its memory is needed no more. */
  readonly onDone?: (() => void) | undefined;
}

/**
 * Sends items in the order they are put in, while later ones are still read, hashed and compressed. Several tasks
 * may share one: whoever puts waits for room, and sees the error of whatever failed before.
 */
export class Outbox {
  /** Rejects when an item cannot be prepared or sent, also where nobody puts in another. */
  readonly failure: Promise<never>;
  readonly #channel: Channel;
  readonly #now: () => number;
  #fail: (error: unknown) => void = () => {};
  readonly #underway: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();
  /** When the last item was sent. */
  #sentMs: number | undefined;

  constructor(channel: Channel, now: () => number) {
    this.#channel = channel;
    this.#now = now;
    this.failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failure.catch(() => {});
  }

  /** How many raw bytes are worth putting into one record now. */
  get pieceBytes(): number {
    return this.#channel.pieceBytes?.() ?? CHUNK_BYTES;
  }

  /** Resolves when the next item may be put in. */
  async put(item: ControlMessage | DataRecord | Promise<Parcel>): Promise<void> {
    const sent = this.#send(item, this.#last);
    sent.catch(this.#fail);
    this.#last = sent;
    this.#underway.push(sent);
    if (this.#underway.length > DEPTH) await this.#underway.shift();
  }

  /** Resolves when everything is sent. */
  flush(): Promise<void> {
    return this.#last;
  }

  async #send(item: ControlMessage | DataRecord | Promise<Parcel>, before: Promise<void>): Promise<void> {
    const putMs = this.#now();
    const [ready] = await Promise.all([item, before]);
    const parcel: Partial<Parcel> = 'record' in ready ? ready : {};
    const startMs = this.#now();
    await this.#channel.send('record' in ready ? ready.record : ready, parcel.onDone);
    const sentMs = this.#now();
    const previousMs = this.#sentMs ?? putMs;
    this.#sentMs = sentMs;
    parcel.passed?.({
      tookMs: sentMs - previousMs,
      packMs: startMs - Math.max(previousMs, putMs),
      lineMs: sentMs - startMs,
    });
  }
}
