/**
 * Folders held open, so that what is done in them happens in the very folder that was looked at. On Linux calls
 * go through `/proc/self/fd/<handle>/<name>`: nobody who swaps a folder above for a symbolic link can redirect
 * them. Other systems give Node no such way. There the folder is checked when it is opened, and a swap between
 * this check and a later call in the same folder goes unnoticed: a risk that docs/threats.md names.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
  type Stats,
} from 'node:fs';

const THROUGH_HANDLES = process.platform === 'linux' && existsSync('/proc/self/fd');

export class OpenFolder {
  /** What names in the folder are put behind, with a slash between, to call the system. */
  readonly prefix: string;
  readonly #fd: number | undefined;

  /**
   * Opens the folder at `path`; its last part must not be a symbolic link unless `follow`. Throws the error of
   * the system: `ENOTDIR` or `ELOOP` where something else is there.
   */
  constructor(path: string | Buffer, follow: boolean) {
    if (THROUGH_HANDLES) {
      this.#fd = openSync(
        path,
        constants.O_RDONLY | constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW),
      );
      this.prefix = `/proc/self/fd/${this.#fd}`;
    } else {
      const stat = follow ? statSync(path) : lstatSync(path);
      if (!stat.isDirectory()) throw Object.assign(new Error('ENOTDIR'), { code: 'ENOTDIR' });
      this.prefix = String(path);
    }
  }

  /** The same folder, held a second time, for work that outlasts a place in a `FolderCache`. */
  hold(): OpenFolder {
    return new OpenFolder(this.prefix, true);
  }

  /** Where it is now, without any symbolic link. */
  realPath(): string {
    return this.#fd === undefined ? realpathSync(this.prefix) : readlinkSync(this.prefix);
  }

  stat(): Stats {
    return this.#fd === undefined ? lstatSync(this.prefix) : fstatSync(this.#fd);
  }

  /** What to give to calls that change the folder itself: its handle where there is one. */
  get self(): number | string {
    return this.#fd ?? this.prefix;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

/**
 * The folders used last, by their number. A folder returned stays open until `CAPACITY` others were asked for,
 * so use it at once, without waiting in between.
 */
export class FolderCache {
  static readonly CAPACITY = 128;
  // A Map keeps the order of insertion: the first is the one unused for longest.
  readonly #open = new Map<number, OpenFolder>();

  get(folder: number, open: () => OpenFolder): OpenFolder {
    const held = this.#open.get(folder);
    if (held !== undefined) {
      this.#open.delete(folder);
      this.#open.set(folder, held);
      return held;
    }
    const opened = open();
    this.#open.set(folder, opened);
    if (this.#open.size > FolderCache.CAPACITY) this.#closeOldest();
    return opened;
  }

  close(): void {
    for (const folder of this.#open.values()) folder.close();
    this.#open.clear();
  }

  #closeOldest(): void {
    for (const [number, folder] of this.#open) {
      folder.close();
      this.#open.delete(number);
      return;
    }
  }
}
