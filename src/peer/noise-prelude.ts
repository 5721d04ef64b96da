/** The part of a TCP connection that a Noise stream owns: up to the end of the pairing, and not a byte more. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { FrameScanner, type RawStream } from './noise.js';

/** Frames that a side takes in: of the handshake, of secret-stream's start, and two messages of the pairing. */
const FRAMES_AS_INITIATOR = 4;
const FRAMES_AS_RESPONDER = 5;

/** What `@hyperswarm/secret-stream` sees of a TCP socket. It must send no keep-alives: frames are counted. */
export class NoisePrelude extends EventEmitter implements RawStream {
  readonly #socket: Socket;
  readonly #frames = new FrameScanner();
  readonly #rest: Uint8Array[] = [];
  #left: number;

  constructor(socket: Socket, isInitiator: boolean) {
    super();
    this.#socket = socket;
    this.#left = isInitiator ? FRAMES_AS_INITIATOR : FRAMES_AS_RESPONDER;
    socket.on('data', this.#take).on('end', this.#onEnd).on('drain', this.#onDrain);
    socket.on('error', this.#onError).on('close', this.#onClose);
  }

  /** Lets go of the socket, which is paused, and gives what came after the pairing. */
  release(): Uint8Array {
    const socket = this.#socket;
    socket.pause();
    socket.off('data', this.#take).off('end', this.#onEnd).off('drain', this.#onDrain);
    socket.off('error', this.#onError).off('close', this.#onClose);
    return Buffer.concat(this.#rest);
  }

  write(data: Uint8Array): boolean {
    return this.#socket.write(data);
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#left > 0) this.#socket.resume();
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  readonly #onEnd = (): void => void this.emit('end');
  readonly #onDrain = (): void => void this.emit('drain');
  readonly #onError = (error: Error): void => void this.emit('error', error);
  readonly #onClose = (): void => void this.emit('close');

  readonly #take = (data: Uint8Array): void => {
    const { ends } = this.#left > 0 ? this.#frames.scan(data) : { ends: [0] };
    const end = this.#left > 0 ? ends[this.#left - 1] : 0;
    this.#left = Math.max(0, this.#left - ends.length);
    // A copy: the stream keeps pieces of it, the socket uses its memory again.
    const noise = Buffer.from(data.subarray(0, end));
    if (end !== undefined) {
      this.#socket.pause();
      if (end < data.length) this.#rest.push(Buffer.from(data.subarray(end)));
    }
    if (noise.length > 0) this.emit('data', noise);
  };
}
