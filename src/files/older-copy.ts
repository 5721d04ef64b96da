/** A file that is here already, read to find out what of a new one it has. */
import { closeSync, constants, fstatSync, openSync, read, readSync, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { XferError } from '../errors.js';
import type { OlderCopy } from '../transfer/ports.js';
import type { OpenFolder } from './directory.js';
import { errnoOf } from './disk-errors.js';
import { keepMetadata, type Metadata } from './part-file.js';

const readAsync = promisify(read);
const UNTOUCHABLE = new Set(['EACCES', 'EPERM', 'EROFS']);

/** Read at once, in bytes. */
const SMALL_BYTES = 1 << 18;

/** It may be a link (not followed) or a FIFO (opening it must not wait for a writer). */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What a file gets that is the very one that is offered. */
export interface Offered extends Metadata {
  /** What has its name now. */
  look(): Stats | undefined;
  /** What is thrown where its mode and its time cannot be set. */
  explain(thrown: unknown): Error;
  /** It has been found to be that. */
  onAdopted(): void;
}

export class DiskOlderCopy implements OlderCopy {
  readonly size: number;
  readonly adopt?: () => Promise<void>;
  readonly #onClosed: (copy: DiskOlderCopy) => void;
  #fd: number | undefined;
  /** The call under way: the file is not closed before it is over. */
  #busy: Promise<unknown> = Promise.resolve();

  private constructor(
    fd: number,
    stat: Stats,
    offered: Offered | undefined,
    onClosed: (copy: DiskOlderCopy) => void,
  ) {
    this.#fd = fd;
    this.size = stat.size;
    this.#onClosed = onClosed;
    if (offered === undefined) return;
    this.adopt = async () => {
      this.#adopt(stat, offered);
      offered.onAdopted();
    };
  }

  /**
   * Opens a file; `undefined` where there is none that can be read.
   *
   * @param offered What is offered in its place; `undefined` where it is no file of its own.
   */
  static open(
    folder: OpenFolder,
    name: string,
    offered: Offered | undefined,
    onClosed: (copy: DiskOlderCopy) => void,
  ): DiskOlderCopy | undefined {
    let fd: number | undefined;
    try {
      fd = openSync(`${folder.prefix}/${name}`, OPEN_FLAGS);
      const stat = fstatSync(fd);
      if (stat.isFile()) return new DiskOlderCopy(fd, stat, offered, onClosed);
    } catch {
      // Whatever has its name has nothing to give.
    }
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }

  /** What cannot be read is not there. */
  async read(into: Uint8Array, offset: number): Promise<Uint8Array> {
    let length = 0;
    try {
      for (let got = -1; got !== 0 && length < into.length && this.#fd !== undefined; length += got) {
        got = await this.#readSome(this.#fd, into.subarray(length), offset + length);
      }
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
    }
    return into.subarray(0, length);
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    await this.#busy;
    closeSync(fd);
    this.#onClosed(this);
  }

  async #readSome(fd: number, into: Uint8Array, offset: number): Promise<number> {
    // Small files come by the thousands: another thread takes longer to be asked than the disk to answer.
    if (into.length <= SMALL_BYTES) return readSync(fd, into, 0, into.length, offset);
    const call = readAsync(fd, into, 0, into.length, offset);
    this.#busy = call.catch(() => undefined);
    return (await call).bytesRead;
  }

  #adopt(stat: Stats, offered: Offered): void {
    const { mode, mtimeMs } = offered;
    // Somebody may have written to it, or put another in its place, while it was read and the sender was asked.
    const now = offered.look();
    if (!isSame(now, stat)) throw new XferError('target-changed');
    const isKept = (stat.mode & 0o777) === mode && Math.floor(stat.mtimeMs) === mtimeMs;
    // Another name may lie where this transfer has no business. What is new takes the place of this one name, and leaves the file alone.
    const hasOtherNames = now.nlink > 1;
    if (isKept || hasOtherNames || this.#fd === undefined) return;
    try {
      keepMetadata(this.#fd, mode, mtimeMs);
    } catch (thrown) {
      // It is the file that was offered, also where nobody may touch it.
      if (!UNTOUCHABLE.has(errnoOf(thrown) ?? '')) throw offered.explain(thrown);
    }
  }
}

function isSame(now: Stats | undefined, { dev, ino, size, mtimeMs }: Stats): now is Stats {
  return now?.dev === dev && now.ino === ino && now.size === size && now.mtimeMs === mtimeMs;
}
