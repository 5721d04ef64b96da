/** One file on its way out: read from its start, each byte once, and hashed as it goes by. */
import { XferError } from '../errors.js';
import { FileDigest } from './file-digest.js';
import type { Entry, LeafHasher, SourceFile } from './ports.js';

/** A piece of the file. */
export interface Passing {
  readonly data: Uint8Array | { readonly hole: number };
  /** Bytes of it, or of the hole. */
  readonly length: number;
  /** Where it begins in the file. */
  readonly offset: number;
  /** It is needed no more; another thread may still hash it. */
  readonly release: () => void;
}

export class Reading {
  readonly #file: SourceFile;
  readonly #size: number | undefined;
  readonly #digest: FileDigest;
  #offset = 0;
  /** Read, but behind the end that was asked for. */
  #rest: Passing['data'] | undefined;

  /** @param onLeaf Hears the digest of each leaf (`LEAF_BYTES`), in order; `settled` waits for the last. */
  constructor(
    file: SourceFile,
    { size }: Entry,
    hasher: LeafHasher | undefined,
    onLeaf?: (digest: Uint8Array) => void,
  ) {
    this.#file = file;
    this.#size = size;
    this.#digest = new FileDigest(hasher, onLeaf);
  }

  /** What was handed out, in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** The next piece, none of it behind `end`, and not much longer than is worth it; `undefined` at the end of the file. Throws `source-changed`, and what reading throws. */
  async next(end = Infinity, worthBytes?: number): Promise<Passing | undefined> {
    if (this.#offset >= end) return undefined;
    const read = this.#rest ?? (await this.#file.read(worthBytes));
    const isWhole = this.#rest === undefined;
    this.#rest = undefined;
    if (read === undefined) {
      if (this.#size !== undefined && this.#offset !== this.#size) throw new XferError('source-changed');
      return undefined;
    }
    const offset = this.#offset;
    const data = this.#cut(read, end - offset);
    const length = lengthOf(data);
    if (this.#size !== undefined && offset + length > this.#size) throw new XferError('source-changed');
    this.#offset += length;
    let release = (): void => {};
    if (data instanceof Uint8Array) {
      // It is hashed and sent at the same time.
      let readers = 2;
      release = () => {
        readers -= 1;
        // What was cut shares its memory with the rest.
        if (readers === 0 && isWhole && data === read) this.#file.recycle?.(data);
      };
      await this.#digest.update(data, release);
    } else {
      await this.#digest.skipZeros(length);
    }
    return { data, length, offset, release };
  }

  /** Waits until everything handed out is hashed. */
  settled(): Promise<void> {
    return this.#digest.settled();
  }

  /** Of everything handed out. Nothing may be read afterwards. */
  digest(): Promise<Uint8Array> {
    return this.#digest.digest();
  }

  #cut(data: Passing['data'], most: number): Passing['data'] {
    if (lengthOf(data) <= most) return data;
    if (data instanceof Uint8Array) {
      this.#rest = data.subarray(most);
      return data.subarray(0, most);
    }
    this.#rest = { hole: data.hole - most };
    return { hole: most };
  }
}

function lengthOf(data: Passing['data']): number {
  return data instanceof Uint8Array ? data.length : data.hole;
}
