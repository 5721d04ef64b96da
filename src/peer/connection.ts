/** A Noise duplex cut into messages, to a peer that nobody has authenticated yet. */
import { XferError } from '../errors.js';
import type { Path } from '../transfer/ports.js';
import { canonicalAddress, formatAddress, prefixOf } from './address.js';
import type { Place } from './admission.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import type { Line, LineEvents } from './line.js';
import type { NoiseStream } from './noise.js';

export type Transport = 'dht' | 'lan' | 'direct';

/** Where a connection goes to. */
export interface Origin {
  readonly transport: Transport;
  readonly host: string;
  readonly port: number;
  /** What it holds among strangers, where it came from one. */
  readonly place?: Place;
  /** Where it goes by now, where that may change under way: from a relay to a hole that was punched meanwhile. */
  readonly way?: () => { readonly host: string; readonly port: number; readonly isRelayed: boolean };
  readonly onWayChanged?: (listener: () => void) => void;
  /** The line that takes over from the Noise stream when the pairing is confirmed; the stream is not used again. */
  readonly takeOver?: (events: LineEvents) => Line;
}

/** From the first byte until the pairing is confirmed, in milliseconds. */
export const UNCONFIRMED_MS = 10_000;
/** How long saying goodbye may take, in milliseconds. */
const CLOSING_MS = 1_000;

export class Connection {
  readonly transport: Transport;
  /** This end dialled, and the peer listens at `remote`. */
  readonly isDialler: boolean;
  readonly remote: { readonly host: string; readonly port: number };
  /** Who the peer may be taken for among strangers; see `prefixOf`. */
  readonly remotePrefix: string;
  /** Noise's handshake hash, 64 bytes: public, equal at both ends, another one under a man in the middle. */
  readonly handshakeHash: Uint8Array;
  /** The Noise static key of this end, made for this run. */
  readonly publicKey: Uint8Array;
  readonly remotePublicKey: Uint8Array;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  readonly #noise: NoiseStream;
  readonly #events: LineEvents;
  readonly #origin: Origin;
  #line: Line;
  #reader: LineEvents | undefined;
  readonly #queue: Uint8Array[] = [];
  #ended = false;
  #failure: XferError | undefined;
  #receiver: Deferred<Uint8Array | undefined> | undefined;
  #drain: Deferred<void> | undefined;
  readonly #settle: () => void;

  private constructor(noise: NoiseStream, origin: Origin, settle: () => void) {
    if (noise.handshakeHash === null || noise.publicKey === null || noise.remotePublicKey === null) {
      throw new XferError('internal', { subject: 'connection before its handshake' });
    }
    this.#noise = noise;
    this.#origin = origin;
    this.#settle = settle;
    this.transport = origin.transport;
    this.isDialler = noise.isInitiator;
    this.remote = { host: origin.host, port: origin.port };
    this.remotePrefix = prefixOf(origin.host);
    this.handshakeHash = noise.handshakeHash;
    this.publicKey = noise.publicKey;
    this.remotePublicKey = noise.remotePublicKey;
    const closed = deferred<undefined>();
    this.closed = closed.promise;
    this.#events = {
      onMessage: (message) => this.#onMessage(message),
      onEnd: () => this.#onEnd(),
      onDrain: () => this.#onDrain(),
      onError: (error) => this.#fail(asXferError(error)),
      onClose: () => {
        this.#fail(new XferError('peer-gone'));
        closed.resolve(undefined);
      },
    };
    this.#line = new NoiseLine(noise, this.#events);
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
    const where = origin();
    where.place?.advance();
    const deadline = setTimeout(() => {
      stream.destroy(new XferError('peer-gone', { detail: 'not confirmed in time' }));
    }, UNCONFIRMED_MS);
    const settle = (): void => {
      clearTimeout(deadline);
      where.place?.leave();
    };
    stream.once('close', settle);
    return new Connection(stream, where, settle);
  }

  /** By what way bytes go just now. */
  get path(): Path {
    if (this.transport !== 'dht') return 'direct';
    return this.#origin.way?.().isRelayed === true ? 'relay' : 'dht';
  }

  /** `host:port` of the peer, of the relay where it goes by one. */
  get remoteAddress(): string {
    const { host, port } = this.#origin.way?.() ?? this.remote;
    return formatAddress(canonicalAddress(host), port);
  }

  /** Calls `listener` when `path` and `remoteAddress` may have changed. */
  onWayChanged(listener: () => void): void {
    this.#origin.onWayChanged?.(listener);
  }

  /** A stranger gave what may prove that it knows the code: it is not dropped for those who did not. */
  advance(): void {
    this.#origin.place?.advance();
  }

  /**
   * After the last message of the pairing in both directions: lifts the bounds on bytes and time that hold for
   * strangers, and changes to the line for records where there is one.
   */
  async confirm(): Promise<void> {
    const { takeOver } = this.#origin;
    if (takeOver !== undefined) {
      await this.flush();
      this.#noise.setTimeout(0);
      this.#line = takeOver(this.#events);
    }
    this.#noise.confirm();
    this.#settle();
  }

  /**
   * Sends one message, given in pieces. It is under way, in its order, when the call returns; the promise resolves when
   * the next one may be given. Throws `peer-gone`, or what `destroy` was told.
   */
  send(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#line.send(pieces)) return Promise.resolve();
    this.#drain ??= deferred();
    return this.#drain.promise;
  }

  /**
   * The next message; `undefined` at an end, which anybody on the way could have made. One call at a time. For the
   * pairing, whose few messages may wait.
   */
  receive(): Promise<Uint8Array | undefined> {
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#ended) return Promise.resolve(undefined);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#receiver = deferred();
    return this.#receiver.promise;
  }

  /** Waits until the peer's next message is here, and leaves it there. Throws `peer-gone` where none comes in time. */
  async waitForMessage(timeoutMs: number): Promise<void> {
    const slow = setTimeout(() => this.destroy(), timeoutMs);
    try {
      const message = await this.receive();
      if (message === undefined) throw new XferError('peer-gone');
      this.#queue.unshift(message);
    } finally {
      clearTimeout(slow);
    }
  }

  /**
   * Hands the line over, in place of `send` and `receive`: what comes goes to `events` as it comes. It is for their owner
   * to bound what the peer sends.
   */
  handOver(events: LineEvents): Line {
    this.#reader = events;
    // Not before the caller has the line.
    queueMicrotask(() => {
      for (const message of this.#queue.splice(0)) events.onMessage(message);
      if (this.#failure !== undefined) events.onError(this.#failure);
      else if (this.#ended) events.onEnd();
    });
    return {
      send: (pieces) => this.#failure === undefined && this.#line.send(pieces),
      flush: () => this.#line.flush(),
      end: () => this.#line.end(),
      destroy: (error) => this.destroy(error),
    };
  }

  /** Waits until everything sent has left this machine, over UDX: has arrived. */
  async flush(): Promise<void> {
    const flushed = await Promise.race([this.#line.flush(), this.closed]);
    if (flushed !== true) throw this.#failure ?? new XferError('peer-gone');
  }

  /** Closes after both sides have said all: what is under way arrives. */
  async close(): Promise<void> {
    this.#line.end();
    const late = setTimeout(() => {
      this.destroy();
    }, CLOSING_MS);
    await this.closed;
    clearTimeout(late);
  }

  /** Drops the connection at once. */
  destroy(error?: Error): void {
    this.#fail(error === undefined ? new XferError('peer-gone') : asXferError(error));
    this.#line.destroy();
  }

  #onMessage(message: Uint8Array): void {
    if (this.#reader !== undefined && this.#queue.length === 0) {
      this.#reader.onMessage(message);
      return;
    }
    // The line uses its memory again.
    const kept = Buffer.from(message);
    if (this.#receiver === undefined) this.#queue.push(kept);
    else this.#receiver.resolve(kept);
    this.#receiver = undefined;
  }

  #onEnd(): void {
    this.#ended = true;
    this.#receiver?.resolve(undefined);
    this.#receiver = undefined;
    this.#reader?.onEnd();
  }

  #onDrain(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
    this.#reader?.onDrain();
  }

  /** The first reason counts. */
  #fail(error: XferError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#receiver?.reject(error);
    this.#drain?.reject(error);
    this.#reader?.onError(error);
  }
}

/** Messages of the Noise stream itself. */
class NoiseLine implements Line {
  readonly #stream: NoiseStream;

  constructor(stream: NoiseStream, events: LineEvents) {
    this.#stream = stream;
    stream.on('data', events.onMessage);
    stream.on('end', events.onEnd);
    stream.on('drain', events.onDrain);
    stream.on('error', events.onError);
    stream.once('close', events.onClose);
  }

  send(pieces: readonly Uint8Array[]): boolean {
    let length = 0;
    for (const piece of pieces) length += piece.length;
    // The stream encrypts in place what it gave out.
    const message = this.#stream.alloc(length);
    let at = 0;
    for (const piece of pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    return this.#stream.write(message);
  }

  flush(): Promise<boolean> {
    return this.#stream.flush();
  }

  end(): void {
    this.#stream.end();
  }

  destroy(error?: Error): void {
    this.#stream.destroy(error);
  }
}

/** What a stream died of. A tampered stream shows as a failed opening inside secret-stream, which has no code. */
function asXferError(error: Error): XferError {
  if (error instanceof XferError) return error;
  const tampered = /pull failed|invalid (header|message)/i.test(error.message);
  return new XferError(tampered ? 'integrity' : 'peer-gone', { cause: error });
}

function ignore(): void {}
