/** One way for the records of a session: a line, and the keys of its two directions (protocol section 6). */
import { RecordOpener, RecordSealer, type Aead } from '../crypto/record-cipher.js';
import type { Secret } from '../crypto/secret.js';
import { XferError, toXferError } from '../errors.js';
import type { Line, LineEvents } from './line.js';

export interface RecordKeys {
  readonly aead: Aead;
  /** The secrets of what goes out and of what comes in; the path takes them over. */
  readonly outgoing: Secret;
  readonly incoming: Secret;
}

export interface RecordPathEvents {
  /**
   * The next record of the peer as it was before it was sealed. `length` is that of the sealed message, `isLast` whether
   * it ends the direction. What this throws ends the path.
   */
  readonly onRecord: (record: Uint8Array, length: number, isLast: boolean) => void;
  /** There is room for a next record, after there was none. */
  readonly onRoom: () => void;
  /** Nothing more comes or goes. Called once. */
  readonly onOver: (error: XferError) => void;
}

export class RecordPath {
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  readonly #events: RecordPathEvents;
  readonly #line: Line;
  #hasRoom = true;
  #isOver = false;

  /** @param open Starts a line that reports to the events given; nothing may come before it has returned. */
  constructor(
    open: (events: LineEvents) => Line,
    { aead, outgoing, incoming }: RecordKeys,
    events: RecordPathEvents,
  ) {
    this.#sealer = new RecordSealer(outgoing, aead);
    this.#opener = new RecordOpener(incoming, aead);
    this.#events = events;
    this.#line = open({
      onMessage: (message) => this.#open(message),
      onDrain: () => {
        this.#hasRoom = true;
        events.onRoom();
      },
      onEnd: () => this.#over(new XferError('peer-gone')),
      onError: (error) => this.#over(toXferError(error)),
      onClose: () => this.#over(new XferError('peer-gone')),
    });
  }

  /** Whether the line takes a record without keeping it waiting. */
  get hasRoom(): boolean {
    return this.#hasRoom && !this.#isOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Seals a record, given in the pieces of `encodeRecord`, and hands it to the line. The pieces are not kept. */
  send(pieces: readonly Uint8Array[], isLast = false): void {
    if (this.#isOver) return;
    this.#hasRoom = this.#line.send(this.#sealer.seal(pieces, isLast));
  }

  /** Ends the line after everything sent. */
  end(): void {
    this.#line.end();
  }

  destroy(error: XferError): void {
    this.#over(error);
  }

  #open(message: Uint8Array): void {
    if (this.#isOver) return;
    try {
      const { plaintext, last } = this.#opener.open(message);
      this.#events.onRecord(plaintext, message.length, last);
    } catch (error) {
      this.#over(toXferError(error));
    }
  }

  #over(error: XferError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sealer.erase();
    this.#opener.erase();
    this.#line.destroy(error);
    this.#events.onOver(error);
  }
}
