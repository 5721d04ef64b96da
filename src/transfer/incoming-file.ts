/** One large file that is coming: what travels, and what is taken from what is here. */
import { type TreeDigest, equalBytes } from '../crypto/digest.js';
import type { ErrorCode } from '../errors.js';
import { keepingFailure } from './choice.js';
import { CHUNK_BYTES, type Entry, type OlderCopy, type PartFile } from './ports.js';
import { isZero } from './zeros.js';
import type { Share } from './update.js';

/** Zero bytes taken in one go: their digest costs milliseconds, and an abort must come in between. */
const HOLE_STEP_BYTES = 2 ** 40;

/** Where it begins: with nothing, or behind what an earlier transfer brought. */
export interface Beginning {
  /** `undefined` where it cannot be kept. */
  readonly part: PartFile | undefined;
  /** Of what is in the part. */
  readonly digest: TreeDigest;
  /** Bytes in the part. */
  readonly bytes: number;
}

export interface IncomingFileOptions {
  /** What can be taken from copies that are here, in order. */
  readonly shares: readonly Share[];
  /** Opens these copies, in their order. */
  readonly openCopies: () => Promise<readonly OlderCopy[]>;
  /** It cannot be kept. Called once; what comes of it is checked and dropped from then on. */
  readonly onMissed: (reason: ErrorCode) => void;
}

/** Methods throw what the sink throws, but for what happens to this file alone. */
export class IncomingFile {
  readonly entry: Entry;
  readonly #options: IncomingFileOptions;
  readonly #digest: TreeDigest;
  #part: PartFile | undefined;
  #offset: number;
  #localBytes: number;
  #nextShare = 0;
  #copies: readonly OlderCopy[] | undefined;
  /** A copy is not what it was, so what was made of it is no file of anybody. */
  #isSpoilt = false;

  constructor(entry: Entry, { part, digest, bytes }: Beginning, options: IncomingFileOptions) {
    this.entry = entry;
    this.#options = options;
    this.#digest = digest;
    this.#part = part;
    this.#offset = bytes;
    this.#localBytes = bytes;
  }

  /** How much of it is written, in bytes; where it cannot be kept, how much of it came. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes of it that did not travel. */
  get localBytes(): number {
    return this.#localBytes;
  }

  /** Whether there is a file that can have its place. */
  get isKept(): boolean {
    return this.#part !== undefined;
  }

  /** Takes what comes, with its leaf digest where another thread made it. */
  async take(bytes: Uint8Array, leaf: Uint8Array | undefined): Promise<void> {
    // What is missing of a spoilt one leaves its digest in the middle of a leaf.
    if (leaf === undefined || this.#isSpoilt) this.#digest.update(bytes);
    else this.#digest.addLeaf(leaf);
    await this.#keeping((part) => part.write(bytes));
    this.#offset += bytes.length;
  }

  async takeHole(length: number): Promise<void> {
    for (let left = length; left > 0; left -= HOLE_STEP_BYTES) {
      const step = Math.min(left, HOLE_STEP_BYTES);
      this.#digest.skipZeros(step);
      await this.#keeping((part) => part.skip(step));
      this.#offset += step;
    }
  }

  /** Takes from what is here what lies before `offset`. `onCopied` is called now and then. */
  async fillTo(offset: number, onCopied: () => Promise<void>): Promise<void> {
    const { shares } = this.#options;
    for (;;) {
      const share = shares[this.#nextShare];
      if (share === undefined || share.offset >= offset || share.offset !== this.#offset) return;
      this.#nextShare++;
      await this.#copy(share, onCopied);
    }
  }

  /** Says whether it is what its digest says. Where it is not, nothing of it stays. */
  async isWhole(digest: Uint8Array): Promise<boolean> {
    await this.#closeCopies();
    const isRight = equalBytes(this.#digest.digest(), digest);
    if (isRight) return true;
    // Of what was taken from here the sender knows nothing.
    if (this.#nextShare > 0) this.#isSpoilt = true;
    if (this.#isSpoilt) await this.#miss('target-changed');
    else await this.discard();
    return this.#isSpoilt;
  }

  /** Gives it its place. */
  async commit(): Promise<void> {
    await this.#part?.commit();
  }

  async discard(): Promise<void> {
    await this.#closeCopies();
    await this.#part?.discard();
    this.#part = undefined;
  }

  /** Leaves what there is of it for a later transfer. */
  async keep(): Promise<void> {
    await this.#closeCopies();
    await (this.#isSpoilt ? this.#part?.discard() : this.#part?.keep());
  }

  async #copy({ copy, from, length }: Share, onCopied: () => Promise<void>): Promise<void> {
    this.#copies ??= await this.#options.openCopies();
    const memory = Buffer.allocUnsafeSlow(Math.min(length, CHUNK_BYTES));
    for (let done = 0; done < length;) {
      const into = memory.subarray(0, length - done);
      const bytes = (await this.#copies[copy]?.read(into, from + done)) ?? into.subarray(0, 0);
      if (bytes.length < into.length) {
        // Somebody shortened it meanwhile.
        this.#isSpoilt = true;
        this.#offset += length - done;
        return;
      }
      done += bytes.length;
      this.#digest.update(bytes);
      await this.#keeping((part) => (isZero(bytes) ? part.skip(bytes.length) : part.write(bytes)));
      this.#localBytes += bytes.length;
      this.#offset += bytes.length;
      await onCopied();
    }
  }

  /** Writes a part of it. */
  async #keeping(work: (part: PartFile) => Promise<void>): Promise<void> {
    if (this.#part === undefined) return;
    try {
      await work(this.#part);
    } catch (error) {
      await this.#miss(keepingFailure(error));
    }
  }

  async #miss(reason: ErrorCode): Promise<void> {
    const part = this.#part;
    this.#part = undefined;
    if (part === undefined) return;
    await part.discard();
    this.#options.onMissed(reason);
  }

  async #closeCopies(): Promise<void> {
    for (const copy of this.#copies ?? []) await copy.close();
    this.#copies = undefined;
  }
}
