/** Records over TCP without a Noise stream around them: they are sealed, and are encrypted once. */
import type { Duplex } from 'node:stream';
import { XferError } from '../errors.js';
import type { Line, LineEvents } from './line.js';
import { KEEP_ALIVE_MS, MAX_MESSAGE_BYTES, SILENCE_MS } from './noise.js';

/** What may be under way to the system while more is sealed, in bytes. */
const UNDER_WAY_BYTES = 2 * 2 ** 20;
/** How often the clock is looked at. */
const LOOK_MS = 1_000;
/** Where looks are further apart than this, this machine slept. */
const NAP_MS = 3 * LOOK_MS;
const LENGTH_BYTES = 4;
/** Pieces up to this long are joined with their neighbours: a write of its own costs more than the copy. */
const SMALL_BYTES = 4096;

/**
 * Messages of a direct connection after its pairing (protocol section 4): a length of four bytes and that many bytes.
 * An empty message keeps alive; a peer that is not heard for 14 s is gone, at the next look.
 */
export class RecordLine implements Line {
  readonly #socket: Duplex;
  readonly #events: LineEvents;
  readonly #incoming: MessageReader;
  readonly #looking: NodeJS.Timeout;
  #underWay = 0;
  #isFull = false;
  #flushed: (() => void)[] = [];
  #heardMs = performance.now();
  #lookMs = performance.now();
  /** How often the clock was looked at since something was sent. */
  #idleLooks = 0;

  /** `received` came before: the first bytes of the first message. */
  constructor(socket: Duplex, received: Uint8Array, events: LineEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#incoming = new MessageReader(events.onMessage);
    socket.on('data', (data: Uint8Array) => this.#take(data));
    socket.on('end', events.onEnd);
    socket.on('error', events.onError);
    socket.on('close', () => this.#onClose());
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#looking.unref();
    // Not before the caller has the line.
    queueMicrotask(() => this.#take(received));
    if (socket.destroyed) setImmediate(() => this.#onClose());
    else socket.resume();
  }

  send(pieces: readonly Uint8Array[]): boolean {
    let length = 0;
    for (const piece of pieces) length += piece.length;
    const header = Buffer.allocUnsafe(LENGTH_BYTES);
    header.writeUInt32BE(length);
    this.#idleLooks = 0;
    this.#underWay += LENGTH_BYTES + length;
    const writes = joinSmall([header, ...pieces]);
    this.#socket.cork();
    for (const bytes of writes) this.#socket.write(bytes, (error) => this.#written(bytes.length, error));
    this.#socket.uncork();
    this.#isFull = this.#underWay > UNDER_WAY_BYTES;
    return !this.#isFull;
  }

  async flush(): Promise<boolean> {
    if (this.#underWay > 0 && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => this.#flushed.push(resolve));
    }
    return this.#underWay === 0;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  #take(data: Uint8Array): void {
    this.#heardMs = performance.now();
    try {
      this.#incoming.take(data);
    } catch (error) {
      this.#socket.destroy(error as XferError);
    }
  }

  #written(length: number, error: Error | null | undefined): void {
    // What was not written stays under way until the close, which is sure to come.
    if (error) return;
    this.#underWay -= length;
    if (this.#underWay === 0) this.#wakeFlushed();
    if (!this.#isFull || this.#underWay > UNDER_WAY_BYTES) return;
    this.#isFull = false;
    this.#events.onDrain();
  }

  #look(): void {
    const nowMs = performance.now();
    // A machine that slept could not hear.
    if (nowMs - this.#lookMs > NAP_MS) this.#heardMs = nowMs;
    this.#lookMs = nowMs;
    this.#idleLooks += 1;
    if (nowMs - this.#heardMs >= SILENCE_MS) {
      this.#socket.destroy(new XferError('peer-gone', { detail: 'silence' }));
    } else if (this.#idleLooks * LOOK_MS >= KEEP_ALIVE_MS && this.#socket.writable) {
      this.send([]);
    }
    this.#incoming.rest();
  }

  #onClose(): void {
    clearInterval(this.#looking);
    this.#wakeFlushed();
    this.#events.onClose();
  }

  #wakeFlushed(): void {
    for (const wake of this.#flushed.splice(0)) wake();
  }
}

/**
 * Cuts a byte stream into messages. Throws `integrity` before memory is set aside for one that is too long: lengths are not
 * sealed, and anybody on the way can change them.
 */
class MessageReader {
  readonly #onMessage: (message: Uint8Array) => void;
  /** Of the length that is being read. */
  #length = 0;
  #lengthBytes = 0;
  /** For messages that come in several pieces, one after the other. */
  #buffer: Uint8Array | undefined;
  #filled = 0;
  /** No message came since `rest`: what is empty is none. */
  #isResting = false;

  constructor(onMessage: (message: Uint8Array) => void) {
    this.#onMessage = onMessage;
  }

  take(data: Uint8Array): void {
    let at = 0;
    while (at < data.length) {
      at = this.#lengthBytes < LENGTH_BYTES ? this.#takeLength(data, at) : this.#takeBody(data, at);
    }
  }

  /** Gives memory back where no message came since the last call. */
  rest(): void {
    if (this.#isResting && this.#filled === 0) this.#buffer = undefined;
    this.#isResting = true;
  }

  #takeLength(data: Uint8Array, at: number): number {
    this.#length = this.#length * 256 + (data[at] ?? 0);
    this.#lengthBytes += 1;
    if (this.#lengthBytes < LENGTH_BYTES) return at + 1;
    if (this.#length > MAX_MESSAGE_BYTES) throw new XferError('integrity');
    if (this.#length === 0) this.#startNext();
    return at + 1;
  }

  #takeBody(data: Uint8Array, at: number): number {
    this.#isResting = false;
    const end = Math.min(data.length, at + this.#length - this.#filled);
    const piece = data.subarray(at, end);
    // Each of several pieces is shorter than the message, the last one too.
    if (piece.length < this.#length) {
      if (this.#buffer === undefined || this.#buffer.length < this.#length)
        this.#buffer = memoryFor(this.#length);
      this.#buffer.set(piece, this.#filled);
    }
    const message = this.#filled > 0 ? this.#buffer?.subarray(0, this.#length) : piece;
    this.#filled += piece.length;
    if (this.#filled === this.#length && message !== undefined) {
      this.#startNext();
      this.#onMessage(message);
    }
    return end;
  }

  #startNext(): void {
    this.#length = 0;
    this.#lengthBytes = 0;
    this.#filled = 0;
  }
}

/** Twice as much as the largest message needed so far, at most: those that follow are seldom longer. */
function memoryFor(length: number): Uint8Array {
  let most = MAX_MESSAGE_BYTES;
  while (most / 2 >= length && most / 2 >= SMALL_BYTES) most = Math.ceil(most / 2);
  return Buffer.allocUnsafeSlow(most);
}

/** The same bytes in fewer pieces. */
function joinSmall(pieces: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.length <= SMALL_BYTES) {
      small.push(piece);
      continue;
    }
    if (small.length > 0) joined.push(Buffer.concat(small));
    small = [];
    joined.push(piece);
  }
  if (small.length > 0) joined.push(Buffer.concat(small));
  return joined;
}
