/** A channel within this process: for the member of a room who hosts it. */
import { XferError } from '../errors.js';
import { SUPPORTED_COMPRESSIONS } from '../transfer/compression.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import type { ControlMessage } from '../transfer/messages.js';
import type { Channel, DataRecord, Received } from '../transfer/ports.js';

/** What may be under way before whoever sends waits, in bytes. */
const WINDOW_BYTES = 1 << 22;
/** What an item costs besides its bytes. */
const ITEM_BYTES = 64;

/** Two ends of one channel. */
export function localChannels(): readonly [Channel, Channel] {
  const one = new End();
  const other = new End();
  one.join(other);
  other.join(one);
  return [one, other];
}

class End implements Channel {
  readonly path = 'direct';
  readonly compressions = SUPPORTED_COMPRESSIONS;
  readonly #items: Received[] = [];
  /** What came and was not given back. */
  #held = 0;
  #hasEnded = false;
  #failure: XferError | undefined;
  #change: Deferred<void> = deferred();
  #peer: End | undefined;

  join(peer: End): void {
    this.#peer = peer;
  }

  async send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void> {
    this.#demandAlive();
    const peer = this.#peer;
    if (peer === undefined) return;
    const own = copyOf(item);
    const cost = ITEM_BYTES + ('body' in own ? own.body.bytes.length : 0);
    peer.#held += cost;
    peer.#items.push({ item: own, cost });
    peer.#wake();
    onDone?.();
    while (peer.#held > WINDOW_BYTES) {
      await peer.#change.promise;
      this.#demandAlive();
    }
  }

  async receive(): Promise<Received | undefined> {
    for (;;) {
      this.#demandAlive();
      const received = this.#items.shift();
      if (received !== undefined || this.#hasEnded) return received;
      await this.#change.promise;
    }
  }

  release(cost: number): void {
    this.#held -= cost;
    this.#wake();
  }

  widen(): void {
    // The window is wide from the start: nobody here has to be trusted first.
  }

  async end(): Promise<void> {
    const peer = this.#peer;
    if (peer === undefined) return;
    peer.#hasEnded = true;
    peer.#wake();
  }

  destroy(error?: Error): void {
    this.#fail(error instanceof XferError ? error : new XferError('peer-gone'));
    const peer = this.#peer;
    if (peer !== undefined) peer.#fail(new XferError('peer-gone'));
  }

  #fail(error: XferError): void {
    this.#failure ??= error;
    this.#wake();
  }

  #demandAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #wake(): void {
    const { resolve } = this.#change;
    this.#change = deferred();
    resolve();
  }
}

/** The memory of what is sent is its sender's again at once. */
function copyOf(item: ControlMessage | DataRecord): ControlMessage | DataRecord {
  if (!('body' in item)) return item;
  return { ...item, body: { ...item.body, bytes: Uint8Array.from(item.body.bytes) } };
}
