/** A Noise duplex cut into messages, to a peer that nobody has authenticated yet. */
import { XferError } from '../errors.js';
import type { Path } from '../transfer/ports.js';
import { canonicalAddress, formatAddress, prefixOf } from './address.js';
import { deferred, type Deferred } from './promises.js';
import type { NoiseStream } from './noise.js';

export type Transport = 'dht' | 'direct';

/** Where a connection goes to. */
export interface Origin {
  readonly transport: Transport;
  readonly host: string;
  readonly port: number;
  /** Called once, when the peer confirmed that it knows the code or the connection closed. */
  readonly onSettled?: () => void;
}

/** From the first byte until the pairing is confirmed, in milliseconds. */
export const UNCONFIRMED_MS = 10_000;
/** How long saying goodbye may take, in milliseconds. */
const CLOSING_MS = 1_000;
/** What may wait to be received before the peer is slowed down, in bytes. */
const QUEUE_BYTES = 4 * 2 ** 20;

export class Connection {
  readonly transport: Transport;
  readonly path: Path;
  /** `host:port` of the peer. */
  readonly remoteAddress: string;
  /** Who the peer may be taken for among strangers; see `prefixOf`. */
  readonly remotePrefix: string;
  /** Noise's handshake hash, 64 bytes: public, equal at both ends, another one under a man in the middle. */
  readonly handshakeHash: Uint8Array;
  /** The Noise static key of this end, made for this run. */
  readonly publicKey: Uint8Array;
  readonly remotePublicKey: Uint8Array;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  readonly #stream: NoiseStream;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #failure: XferError | undefined;
  #receiver: Deferred<Uint8Array | undefined> | undefined;
  #drain: Deferred<void> | undefined;
  readonly #settle: () => void;

  private constructor(stream: NoiseStream, origin: Origin, settle: () => void) {
    if (stream.handshakeHash === null || stream.publicKey === null || stream.remotePublicKey === null) {
      throw new XferError('internal', { subject: 'connection before its handshake' });
    }
    this.#stream = stream;
    this.#settle = settle;
    this.transport = origin.transport;
    this.path = origin.transport;
    this.remoteAddress = formatAddress(canonicalAddress(origin.host), origin.port);
    this.remotePrefix = prefixOf(origin.host);
    this.handshakeHash = stream.handshakeHash;
    this.publicKey = stream.publicKey;
    this.remotePublicKey = stream.remotePublicKey;
    stream.on('data', (message: Uint8Array) => this.#onMessage(message));
    stream.on('end', () => this.#onEnd());
    stream.on('drain', () => this.#onDrain());
    stream.on('error', (error: Error) => this.#fail(asXferError(error)));
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.#fail(new XferError('peer-gone'));
        resolve();
      });
    });
  }

  /**
   * Waits for the Noise handshake. The stream is closed unless `confirm` comes within 10 s, or within the
   * handshake's own `openMs`. Throws `peer-gone` where there is no connection.
   */
  static async open(stream: NoiseStream, origin: () => Origin, openMs = UNCONFIRMED_MS): Promise<Connection> {
    // Errors before the handshake's end show in `opened`.
    stream.on('error', ignore);
    const slow = setTimeout(() => {
      stream.destroy();
    }, openMs);
    const opened = await stream.opened;
    clearTimeout(slow);
    if (!opened || stream.destroying) throw new XferError('peer-gone');
    const { onSettled, ...where } = origin();
    const deadline = setTimeout(() => {
      stream.destroy(new XferError('peer-gone', { detail: 'not confirmed in time' }));
    }, UNCONFIRMED_MS);
    const settle = (): void => {
      clearTimeout(deadline);
      onSettled?.();
    };
    stream.once('close', settle);
    return new Connection(stream, where, settle);
  }

  /** Lifts the bounds on bytes and time that hold for strangers. */
  confirm(): void {
    this.#stream.confirm();
    this.#settle();
  }

  /**
   * Sends one message, given in pieces. It is under way, in its order, when the call returns; the promise resolves when
   * the next one may be given. Throws `peer-gone`, or what `destroy` was told.
   */
  send(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let length = 0;
    for (const piece of pieces) length += piece.length;
    const message = this.#stream.alloc(length);
    let at = 0;
    for (const piece of pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    if (this.#stream.write(message)) return Promise.resolve();
    this.#drain ??= deferred();
    return this.#drain.promise;
  }

  /** The next message; `undefined` at an end, which anybody on the way could have made. One call at a time. */
  receive(): Promise<Uint8Array | undefined> {
    const message = this.#queue.shift();
    if (message !== undefined) {
      this.#queuedBytes -= message.length;
      if (this.#queuedBytes <= QUEUE_BYTES) this.#stream.resume();
      return Promise.resolve(message);
    }
    if (this.#ended) return Promise.resolve(undefined);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#receiver = deferred();
    return this.#receiver.promise;
  }

  /** Waits until everything sent has left this machine, over UDX: has arrived. */
  async flush(): Promise<void> {
    const flushed = await Promise.race([this.#stream.flush(), this.closed]);
    if (flushed !== true) throw this.#failure ?? new XferError('peer-gone');
  }

  /** Closes after both sides have said all: what is under way arrives. */
  async close(): Promise<void> {
    this.#stream.end();
    const late = setTimeout(() => {
      this.destroy();
    }, CLOSING_MS);
    await this.closed;
    clearTimeout(late);
  }

  /** Drops the connection at once. */
  destroy(error?: Error): void {
    this.#fail(error === undefined ? new XferError('peer-gone') : asXferError(error));
    this.#stream.destroy();
  }

  #onMessage(message: Uint8Array): void {
    if (this.#receiver !== undefined) {
      this.#receiver.resolve(message);
      this.#receiver = undefined;
      return;
    }
    this.#queue.push(message);
    this.#queuedBytes += message.length;
    // TCP passes this on to the peer. UDX does not: there it is credit that bounds what comes.
    if (this.#queuedBytes > QUEUE_BYTES) this.#stream.pause();
  }

  #onEnd(): void {
    this.#ended = true;
    this.#receiver?.resolve(undefined);
    this.#receiver = undefined;
  }

  #onDrain(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }

  /** The first reason counts. */
  #fail(error: XferError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#receiver?.reject(error);
    this.#drain?.reject(error);
  }
}

/** What a stream died of. A tampered stream shows as a failed opening inside secret-stream, which has no code. */
function asXferError(error: Error): XferError {
  if (error instanceof XferError) return error;
  const tampered = /pull failed|invalid (header|message)/i.test(error.message);
  return new XferError(tampered ? 'integrity' : 'peer-gone', { cause: error });
}

function ignore(): void {}
