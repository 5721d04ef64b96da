/**
 * A file on its way into a folder: private and under a random name until it is complete, then in its place at
 * once. No other module of xfer creates, renames or removes a file of a transfer.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncate,
  futimesSync,
  openSync,
  read,
  renameSync,
  unlinkSync,
  utimesSync,
  write,
  writeSync,
  type Stats,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { XferError } from '../errors.js';
import type { OpenFolder } from './directory.js';
import { errnoOf } from './disk-errors.js';
import { moveToFreeName } from './free-move.js';
import { syncHandle } from './durable.js';
import type { FileIdentity } from './journal.js';

const readAsync = promisify(read);
const writeAsync = promisify(write);
const truncateAsync = promisify(ftruncate);

const CREATE_FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY;

/** Windows writes back only what was opened to be written. */
const SYNC_FLAGS =
  constants.O_NOFOLLOW | (process.platform === 'win32' ? constants.O_RDWR : constants.O_RDONLY);

/** How a complete file gets its final name. */
export interface Placement {
  /** The name, or names to try one after the other until one is free. */
  readonly names: Iterable<string>;
  /** Takes the place of a file that is there. Never that of a folder. */
  readonly replace: boolean;
}

export interface Metadata {
  readonly mode: number;
  readonly mtimeMs: number;
}

/** Of a part file whose content is not verified yet. */
const PRIVATE_MODE = 0o600;

/** An open part file. Its folder belongs to whoever made this, and must stay open as long. Methods throw the error of the system. */
export class OpenPart {
  readonly #folder: OpenFolder;
  readonly #name: string;
  readonly #mode: number;
  #fd: number | undefined;
  #length: number;
  /**
   * The disk did not keep what was written. The system says so once: asked again it says that all is well, and what is read comes out
   * of its memory. So nothing may be made of this file any more.
   */
  #isLost = false;

  private constructor(folder: OpenFolder, name: string, mode: number, fd: number, length: number) {
    this.#folder = folder;
    this.#name = name;
    this.#mode = mode;
    this.#fd = fd;
    this.#length = length;
  }

  /**
   * Makes an empty one.
   *
   * @param mode Of the file until it is placed, without bits of the umask. Anything but the default is for content that was
   *   verified before.
   */
  static create(folder: OpenFolder, name: string, mode = PRIVATE_MODE): OpenPart {
    return new OpenPart(folder, name, mode, openSync(`${folder.prefix}/${name}`, CREATE_FLAGS, mode), 0);
  }

  /** Opens one that an earlier transfer made, to go on behind its end. */
  static reopen(folder: OpenFolder, name: string): OpenPart {
    const fd = openSync(`${folder.prefix}/${name}`, constants.O_RDWR | constants.O_NOFOLLOW);
    return new OpenPart(folder, name, PRIVATE_MODE, fd, fstatSync(fd).size);
  }

  /** Bytes that it holds. */
  get length(): number {
    return this.#length;
  }

  writeWhole(content: Uint8Array): void {
    while (this.#length < content.length) {
      this.#length += writeSync(
        this.#open,
        content,
        this.#length,
        content.length - this.#length,
        this.#length,
      );
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await writeAsync(this.#open, bytes, done, bytes.length - done, this.#length);
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  /** Appends zero bytes, at once: a peer may list a size that no disk has, and a hole of it costs him nothing. */
  async skip(length: number): Promise<void> {
    this.#length += length;
    await truncateAsync(this.#open, this.#length);
  }

  /** Reads up to so many bytes at `offset`; fewer at the end. */
  async read(into: Uint8Array, offset: number): Promise<Uint8Array> {
    let length = 0;
    for (let got = -1; got !== 0 && length < into.length; length += got) {
      got = (await readAsync(this.#open, into, length, into.length - length, offset + length)).bytesRead;
    }
    return into.subarray(0, length);
  }

  /** Drops everything from `length` on. */
  async truncate(length: number): Promise<void> {
    await truncateAsync(this.#open, length);
    this.#length = length;
  }

  /** Waits until the content is on the disk. */
  async sync(): Promise<void> {
    try {
      await syncHandle(this.#open);
    } catch (thrown) {
      this.#isLost = true;
      throw thrown;
    }
  }

  /** Gives the file its mode and time, and closes it. Gives what the file is known by from now on. */
  complete({ mode, mtimeMs }: Metadata): FileIdentity {
    if (mode !== this.#mode) keepMode(this.#open, mode);
    keepTime(this.#open, mtimeMs);
    const identity = this.identity();
    this.close();
    return identity;
  }

  /** What it is known by. */
  identity(): FileIdentity {
    return identityOf(fstatSync(this.#open));
  }

  /** Closes it. It stays in its folder. Throws where the disk says only now that it did not keep what was written, as one over a network may. */
  close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    // Whatever it says it is closed, and its number soon that of another file.
    this.#fd = undefined;
    try {
      closeSync(fd);
    } catch (thrown) {
      this.#isLost = true;
      throw thrown;
    }
  }

  /** Closes it, and leaves it to a later transfer if the disk kept it. */
  leave(): void {
    this.#closeAnyway();
    if (this.#isLost) removePart(this.#folder, this.#name);
    else makePrivate(this.#folder, this.#name);
  }

  /** As `sync`, of a file that is complete. */
  async syncClosed(): Promise<void> {
    const fd = openSync(this.#at(this.#name), SYNC_FLAGS);
    try {
      await syncHandle(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Gives a complete file its name in `folder`, which is returned. Throws `target-exists` when no name was free, and `EXDEV` where
   * the folder is another file system; it is still there then.
   */
  place(folder: OpenFolder, { names, replace }: Placement): string {
    const from = this.#at(this.#name);
    for (const name of names) {
      const to = `${folder.prefix}/${name}`;
      if (replace) renameSync(from, to);
      else if (!moveToFreeName(from, to)) continue;
      return name;
    }
    throw new XferError('target-exists');
  }

  /** Makes a copy of a complete file in `folder`, with mode and time as `complete` gave it. */
  async copyTo(folder: OpenFolder, name: string, { mode, mtimeMs }: Metadata): Promise<OpenPart> {
    const [from, to] = [this.#at(this.#name), `${folder.prefix}/${name}`];
    await copyFile(from, to, constants.COPYFILE_EXCL);
    const fd = openSync(to, SYNC_FLAGS);
    const copy = new OpenPart(folder, name, PRIVATE_MODE, fd, this.#length);
    try {
      keepMetadata(fd, mode, mtimeMs);
    } catch (thrown) {
      copy.remove();
      throw thrown;
    }
    return copy;
  }

  /** Closes and removes the file. No write may be under way. What cannot be removed is left: why it came to this matters more. */
  remove(): void {
    this.#closeAnyway();
    removePart(this.#folder, this.#name);
  }

  #closeAnyway(): void {
    try {
      this.close();
    } catch {
      // It is lost then, as one that the disk had said so of before.
    }
  }

  get #open(): number {
    if (this.#fd === undefined) throw new XferError('internal', { detail: 'part file is closed' });
    return this.#fd;
  }

  #at(name: string): string {
    return `${this.#folder.prefix}/${name}`;
  }
}

/** Removes a part file that is not open, if it is there. */
export function removePart(folder: OpenFolder, name: string): void {
  try {
    unlinkSync(`${folder.prefix}/${name}`);
  } catch {
    // Left.
  }
}

/**
 * Gives a part file that is not open the mode of one: it may have that of the file already, with which its owner may not go on writing
 * to it, or others may. Throws nothing.
 */
export function makePrivate(folder: OpenFolder, name: string): void {
  try {
    chmodSync(`${folder.prefix}/${name}`, PRIVATE_MODE);
  } catch {
    // Who opens it sees.
  }
}

/** What a file is known by. */
export function identityOf({ ino, birthtimeMs }: Stats): FileIdentity {
  return { ino, birthtimeMs };
}

/** Times beyond what a JavaScript date holds are not told apart. */
const LONGEST_MS = 8.64e15;
const NOT_KEPT = new Set(['EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Sets mode and time of a file or folder, given by its handle where there is one, as far as its file system keeps
 * such a thing.
 */
export function keepMetadata(target: number | string, mode: number, mtimeMs: number): void {
  keepMode(target, mode);
  keepTime(target, mtimeMs);
}

function keepMode(target: number | string, mode: number): void {
  ifKept(() => {
    if (typeof target === 'number') fchmodSync(target, mode);
    else chmodSync(target, mode);
  });
}

function keepTime(target: number | string, mtimeMs: number): void {
  const clamped = Math.min(Math.max(mtimeMs, -LONGEST_MS), LONGEST_MS);
  // Node takes negative numbers for "now", but not dates; and half a microsecond more keeps what is converted to
  // a fraction of seconds and back from ending just below the millisecond.
  const time = clamped < 0 ? new Date(clamped) : (clamped + 0.0005) / 1000;
  ifKept(() => {
    if (typeof target === 'number') futimesSync(target, time, time);
    else utimesSync(target, time, time);
  });
}

function ifKept(set: () => void): void {
  try {
    set();
  } catch (thrown) {
    if (!NOT_KEPT.has(errnoOf(thrown) ?? '')) throw thrown;
  }
}
