/**
 * A file on its way into a folder: private and under a random name until it is complete, then in its place at
 * once. No other module of xfer creates, renames or removes a file of a transfer.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  ftruncate,
  futimesSync,
  linkSync,
  openSync,
  renameSync,
  unlinkSync,
  utimesSync,
  write,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { XferError } from '../errors.js';
import type { OpenFolder } from './directory.js';
import { errnoOf } from './disk-errors.js';
import { syncHandle } from './durable.js';

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

/** Random, so that nobody can have put something there before; then counted, which costs a tenth of drawing again. */
let prefix = randomPrefix();
let count = 0;

function randomPrefix(): string {
  return `.xfer-${randomBytes(8).toString('hex')}`;
}

/** An open part file. The folder belongs to whoever made this, and must stay open as long. */
export class OpenPart {
  #folder: OpenFolder;
  readonly #mode: number;
  #name = '';
  #fd: number | undefined;
  #length = 0;

  /**
   * Throws the error of the system, as do the methods.
   *
   * @param mode Of the file until it is placed, without bits of the umask. Anything but the default is for content that was
   *   verified before.
   */
  constructor(folder: OpenFolder, mode = PRIVATE_MODE) {
    this.#folder = folder;
    this.#mode = mode;
    try {
      this.#create();
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EEXIST') throw thrown;
      // Somebody saw a name and guessed the next.
      prefix = randomPrefix();
      this.#create();
    }
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

  /** Waits until the content is on the disk. */
  async sync(): Promise<void> {
    await syncHandle(this.#open);
  }

  /** Gives the file its mode and time, and closes it. */
  complete({ mode, mtimeMs }: Metadata): void {
    if (mode !== this.#mode) keepMode(this.#open, mode);
    keepTime(this.#open, mtimeMs);
    closeSync(this.#open);
    this.#fd = undefined;
  }

  /** The folder again, which was closed since: its files are not reached without it. */
  reopenIn(folder: OpenFolder): void {
    this.#folder = folder;
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

  /** Gives a complete file its name, which is returned. Throws `target-exists` when no name was free; it is still there then. */
  place({ names, replace }: Placement): string {
    for (const name of names) {
      if (replace) renameSync(this.#at(this.#name), this.#at(name));
      else if (!moveToFreeName(this.#at(this.#name), this.#at(name))) continue;
      return name;
    }
    throw new XferError('target-exists');
  }

  /** Closes and removes the file. No write may be under way. What cannot be removed is left: why it came to this matters more. */
  remove(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    try {
      unlinkSync(this.#at(this.#name));
    } catch {
      // Left.
    }
  }

  #create(): void {
    this.#name = `${prefix}-${count++}.part`;
    this.#fd = openSync(this.#at(this.#name), CREATE_FLAGS, this.#mode);
  }

  get #open(): number {
    if (this.#fd === undefined) throw new XferError('internal', { detail: 'part file is closed' });
    return this.#fd;
  }

  #at(name: string): string {
    return `${this.#folder.prefix}/${name}`;
  }
}

/** File systems without hard links, such as FAT, answer one of these; `EISDIR` is how Node tells it on Windows. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR']);

/**
 * Moves a file, unless something has the new name. `rename` would replace it, `link` fails. Without hard links
 * the name is reserved by an empty file first: then a crash in between leaves that, and no bytes.
 */
function moveToFreeName(from: string, to: string): boolean {
  try {
    linkSync(from, to);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'EEXIST') return false;
    if (errno === undefined || !NO_HARD_LINKS.has(errno)) throw thrown;
    return reserveAndMove(from, to);
  }
  unlinkSync(from);
  return true;
}

function reserveAndMove(from: string, to: string): boolean {
  try {
    closeSync(openSync(to, CREATE_FLAGS, 0o600));
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') return false;
    throw thrown;
  }
  renameSync(from, to);
  return true;
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
