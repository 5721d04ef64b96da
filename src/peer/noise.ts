/** Noise duplexes with the bounds that `@hyperswarm/secret-stream` leaves to its caller. */
import SecretStream, { type RawStream, type SecretStreamOptions } from '@hyperswarm/secret-stream';
import { XferError } from '../errors.js';

export type { KeyPair, RawStream } from '@hyperswarm/secret-stream';

/** Largest frame of a connection, in bytes: a record of 1 MiB and what surrounds it (protocol section 4). */
export const MAX_FRAME_BYTES = 2 ** 20 + 2 ** 10;
/** What a side takes in, in all, from a peer that has not confirmed that it knows the code. */
export const MAX_UNCONFIRMED_BYTES = 8 * 2 ** 10;
/** What the stream adds to a message besides the length of the frame, in bytes. */
const SEAL_BYTES = 17;
/** Largest message of a connection, in bytes. */
export const MAX_MESSAGE_BYTES = MAX_FRAME_BYTES - SEAL_BYTES;

export const KEEP_ALIVE_MS = 5_000;
/** A peer that keeps alive is heard twice in this long, at least. People are told within 15 s, also by one who looks each second. */
export const SILENCE_MS = 14_000;
const HEADER_BYTES = 3;

/**
 * A secret stream that dies before memory is set aside for a frame that is too long, of silence after 14 s, and of more
 * than 8 KiB before `confirm`. Too much is `limit` of a stranger; after `confirm` it is `integrity`, as the length of a
 * frame is not sealed and anybody on the way can change it. It says something itself every 5 s unless `keepAlive` is 0.
 */
export class NoiseStream extends SecretStream {
  #frames = new FrameScanner();
  #allowance = MAX_UNCONFIRMED_BYTES;

  constructor(isInitiator: boolean, rawStream: RawStream | null, options: SecretStreamOptions = {}) {
    super(isInitiator, rawStream, { keepAlive: KEEP_ALIVE_MS, ...options, enableSend: false });
    this.setTimeout(SILENCE_MS);
  }

  /** From here on the peer may send as much as the caller takes. */
  confirm(): void {
    this.#allowance = Infinity;
  }

  /** Lets a peer that is never confirmed go on: it may send as much again. */
  renewAllowance(): void {
    this.#allowance = MAX_UNCONFIRMED_BYTES;
  }

  // Every byte of the raw stream enters here. The stream itself would allocate up to 16 MiB for a header of three
  // bytes, from anybody. The package is pinned; should the method change its name, the test of row 23 fails.
  protected override _onrawdata(data: Uint8Array): void {
    this.#allowance -= data.length;
    const longest = Math.min(MAX_FRAME_BYTES, this.#allowance + data.length);
    if (this.#allowance < 0 || this.#frames.scan(data).longest > longest) {
      const isConfirmed = this.#allowance === Infinity;
      this.destroy(isConfirmed ? new XferError('integrity') : new XferError('limit', { subject: 'frame' }));
    } else {
      super._onrawdata(data);
    }
  }
}

/** What hyperdht and hyperswarm hand over is of our making. Throws `internal` where it is not, and so not bounded. */
export function bounded(stream: SecretStream): NoiseStream {
  if (stream instanceof NoiseStream) return stream;
  throw new XferError('internal', { subject: 'stream not bounded' });
}

/** Reads the lengths of frames as they pass, and nothing else of them. */
export class FrameScanner {
  /** Bytes of the present frame that are still to come. */
  #rest = 0;
  /** What of a header was read. */
  #header = 0;
  #headerBytes = 0;

  /** The length of the longest frame that begins in `data`, 0 where none does, and where frames end in it. */
  scan(data: Uint8Array): { readonly longest: number; readonly ends: readonly number[] } {
    let longest = 0;
    const ends: number[] = [];
    let at = 0;
    while (at < data.length) {
      if (this.#rest > 0) {
        const passed = Math.min(this.#rest, data.length - at);
        this.#rest -= passed;
        at += passed;
      } else {
        this.#header += (data[at] ?? 0) * 256 ** this.#headerBytes;
        this.#headerBytes += 1;
        at += 1;
        if (this.#headerBytes < HEADER_BYTES) continue;
        longest = Math.max(longest, this.#header);
        this.#rest = this.#header;
        this.#header = 0;
        this.#headerBytes = 0;
      }
      if (this.#rest === 0) ends.push(at);
    }
    return { longest, ends };
  }
}
