/**
 * A folder of this machine that others may look into and change. Every path goes from one open folder to the
 * next, so that nothing leads out of it: no name, and no symbolic link, whenever it was put there.
 */
import { lstatSync, mkdirSync, realpathSync, renameSync, unlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import { OpenFolder } from './directory.js';
import { changeError, errnoOf, lookError } from './disk-errors.js';
import { isReadable, readNames } from './folder-listing.js';
import { moveFolderToFreeName, moveToFreeName } from './free-move.js';
import { breathe } from './pace.js';
import { removeFolder } from './removal.js';
import { assertDistinct, type Root } from './roots.js';
import {
  checkNewPath,
  checkPath,
  endsInStaging,
  isShownName,
  showPath,
  type SharedPath,
} from './shared-path.js';
import { PieceMemory } from './source-file.js';
import { openFoundSource, type OpenedSource } from './source.js';

export type { SharedPath } from './shared-path.js';

/** What others may know of a file or folder. */
export interface SharedEntry {
  /** Empty for the shared folder itself. */
  readonly name: string;
  readonly type: 'file' | 'folder';
  /** 0 for a folder. */
  readonly size: number;
  /** Whole milliseconds since 1970. */
  readonly mtimeMs: number;
  /** The permission bits. */
  readonly mode: number;
}

/** Listed at once: bounds the work between two breaths, and what a huge folder takes. */
const PIECE_ENTRIES = 1000;
/** Folders that the roots of one source may lie in. Each is held open. */
const MOST_SOURCE_FOLDERS = 128;

/** A thing in a folder that is open, by the name that it has, or may get, there. */
interface Place {
  readonly folder: OpenFolder;
  readonly name: string;
  readonly at: SharedPath;
}

/**
 * The methods throw `protocol` for a path that no honest peer sends. What an error is about is the path below the
 * shared folder, with slashes.
 *
 * Links, devices, staging folders and names that cannot travel are as if they were not there; where one of them
 * has the name that something is to get, that is `target-exists`.
 */
export class SharedFolder {
  readonly #location: string;
  #top: OpenFolder | undefined;
  /** Of all who read at the same time. */
  readonly #pieces = new PieceMemory();

  private constructor(location: string, top: OpenFolder) {
    this.#location = location;
    this.#top = top;
  }

  /**
   * Opens the folder that `given` names; a symbolic link is resolved now and not again. Throws `path-missing`,
   * `path-unreadable` or `not-a-folder`.
   */
  static open(given: string): SharedFolder {
    try {
      const location = realpathSync(given);
      const stat = lstatSync(location);
      if (!stat.isDirectory()) throw new XferError('not-a-folder');
      if (!isReadable(location, stat)) throw new XferError('path-unreadable');
      return new SharedFolder(location, new OpenFolder(location, false));
    } catch (thrown) {
      throw lookError(thrown, given);
    }
  }

  /**
   * What a folder holds, sorted by the UTF-16 code units of the names, at most 1000 entries at once. What vanishes
   * meanwhile is left out. Throws `path-missing`, `not-a-folder` or `path-unreadable`.
   */
  async *list(at: SharedPath): AsyncGenerator<readonly SharedEntry[]> {
    const folder = this.#openFolder(at, 'not-a-folder');
    try {
      let entries: SharedEntry[] = [];
      let examined = 0;
      for (const name of namesIn(folder, at)) {
        // Also where nothing of it is shown.
        if (++examined % PIECE_ENTRIES === 0) await breathe();
        const stat = isShownName(name) ? statShown({ folder, name, at }) : undefined;
        if (stat === undefined) continue;
        if (entries.push(entryOf(name, stat)) < PIECE_ENTRIES) continue;
        yield entries;
        entries = [];
      }
      if (entries.length > 0) yield entries;
    } finally {
      folder.close();
    }
  }

  /** What is there. Throws `path-missing` or `path-unreadable`. */
  look(at: SharedPath): SharedEntry {
    if (at.length === 0) return entryOf('', this.#shared.stat());
    return this.#in(at, (place) => entryOf(place.name, statThere(place)));
  }

  /**
   * Makes a folder, of `mode` under the umask. Throws `target-exists`, `path-missing` or `not-a-folder` for the
   * folder above, `name-refused`, `permission-denied`, `disk-full` or `disk-failed`.
   */
  makeFolder(at: SharedPath, mode = 0o777): void {
    checkNewPath(at);
    if (at.length === 0) throw new XferError('target-exists', { subject: showPath(at) });
    this.#in(
      at,
      ({ folder, name }) => {
        try {
          mkdirSync(`${folder.prefix}/${name}`, mode);
        } catch (thrown) {
          throw changeError(thrown, showPath(at));
        }
      },
      'not-a-folder',
    );
  }

  /**
   * Removes a file, or with `recursive` a folder with all that is in it; links in it are removed, never followed.
   * Throws `path-missing`, `is-a-folder` without `recursive`, `not-allowed` for the shared folder itself and where
   * a transfer into the folder is at work or was interrupted, `permission-denied` or `disk-failed`. Where it fails
   * half way, the error is about what could not be removed.
   */
  async remove(at: SharedPath, recursive: boolean): Promise<void> {
    if (at.length === 0) throw new XferError('not-allowed', { subject: showPath(at) });
    const place = this.#openPlace(at, 'path-missing');
    try {
      if (!statThere(place).isDirectory()) unlinkSync(locationOf(place));
      else if (recursive) await removeFolder(place.folder, place.name, showPath(at));
      else throw new XferError('is-a-folder');
    } catch (thrown) {
      throw changeError(thrown, showPath(at));
    } finally {
      place.folder.close();
    }
  }

  /**
   * Moves a file or folder. A folder that is at `to` takes it in under its own name; otherwise `to` is its new name.
   * Throws `target-exists` where something has that name, unless with `replace` it is a file and so is what is
   * moved; `usage` for a folder into itself; `not-allowed` for the shared folder itself; `path-missing`,
   * `not-a-folder` for the folder above `to`, `name-refused`, `permission-denied`, or `disk-failed`, as for another
   * file system.
   */
  move(from: SharedPath, to: SharedPath, replace: boolean): void {
    if (from.length === 0) throw new XferError('not-allowed', { subject: showPath(from) });
    this.#in(from, (source) => {
      const stat = statThere(source);
      const target = this.#openTarget(to, source.name);
      try {
        if (stat.isDirectory() && from.every((name, index) => target.at[index] === name)) {
          throw new XferError('usage', { subject: `${showPath(from)} cannot go into itself` });
        }
        moveTo(source, stat, target, replace);
      } catch (thrown) {
        throw changeError(thrown, showPath(target.at));
      } finally {
        target.folder.close();
      }
    });
  }

  /**
   * What is at these paths as the source of a transfer; whoever gets it closes it. Throws `path-missing`,
   * `path-unreadable`, `same-name` where two would arrive as one, `nothing-to-send` without any, and `limit` where
   * they lie in more than 128 folders.
   */
  source(paths: readonly SharedPath[]): OpenedSource {
    if (paths.length === 0) throw new XferError('nothing-to-send');
    const folders = new Map<string, OpenFolder>();
    try {
      const roots = paths.map((at) => this.#findRoot(at, folders));
      assertDistinct(roots, false);
      return openFoundSource(roots, [...folders.values()], endsInStaging, this.#pieces);
    } catch (thrown) {
      for (const folder of folders.values()) folder.close();
      throw thrown;
    }
  }

  /**
   * The place to give to `openSink` as `out`. All folders above were looked at; the last part may be missing. Throws
   * `path-missing`, `not-a-folder` for the folder above, `name-refused`, and `target-exists` where something has the
   * name that is neither file nor folder.
   */
  locate(at: SharedPath): string {
    checkNewPath(at);
    const above = at.slice(0, -1);
    const folder = this.#openFolder(above, 'not-a-folder');
    try {
      const location = path.join(this.#location, ...above);
      // By its path it must be the very folder that the walk came to: the shared folder may have been moved.
      const [found, held] = [lstatSync(location), folder.stat()];
      if (found.ino !== held.ino || found.dev !== held.dev) throw new XferError('path-missing');
      const name = at.at(-1);
      if (name === undefined) return location;
      if (hasOther({ folder, name, at })) throw new XferError('target-exists', { subject: showPath(at) });
      return path.join(location, name);
    } catch (thrown) {
      throw lookError(thrown, showPath(above));
    } finally {
      folder.close();
    }
  }

  /** Lets go of the folder. No method may be called afterwards; sources and listings that are open go on. */
  close(): void {
    this.#top?.close();
    this.#top = undefined;
  }

  /** The number of a closed handle may be that of another folder by now. */
  get #shared(): OpenFolder {
    if (this.#top === undefined) throw new XferError('internal', { detail: 'shared folder is closed' });
    return this.#top;
  }

  /** Runs `work` on what is, or is to be, at `at`, which is not the shared folder itself. */
  #in<T>(
    at: SharedPath,
    work: (place: Place) => T,
    ifFile: 'not-a-folder' | 'path-missing' = 'path-missing',
  ): T {
    const place = this.#openPlace(at, ifFile);
    try {
      return work(place);
    } finally {
      place.folder.close();
    }
  }

  #openPlace(at: SharedPath, ifFile: 'not-a-folder' | 'path-missing'): Place {
    checkPath(at);
    const name = at.at(-1);
    if (name === undefined) throw new XferError('internal', { detail: 'the shared folder is in no folder' });
    return { folder: this.#openFolder(at.slice(0, -1), ifFile), name, at };
  }

  /** Where `to` says that something called `name` goes. */
  #openTarget(to: SharedPath, name: string): Place {
    checkNewPath(to);
    const last = to.at(-1);
    if (last === undefined) return { folder: this.#openFolder([], 'not-a-folder'), name, at: [name] };
    const place = { folder: this.#openFolder(to.slice(0, -1), 'not-a-folder'), name: last, at: to };
    let isEntered = false;
    try {
      isEntered = statShown(place)?.isDirectory() === true;
      if (!isEntered) return place;
      const at = [...to, name];
      checkPath(at);
      return { folder: openBelow(place.folder, last, to, 'not-a-folder'), name, at };
    } catch (thrown) {
      isEntered = true;
      throw thrown;
    } finally {
      if (isEntered) place.folder.close();
    }
  }

  /**
   * The folder at `at`, opened from one to the next. Throws `path-missing` where there is none, or a link is in the
   * way, and `ifFile` where a file is there itself.
   */
  #openFolder(at: SharedPath, ifFile: 'not-a-folder' | 'path-missing'): OpenFolder {
    checkPath(at);
    let folder = this.#shared.hold();
    for (const [index, name] of at.entries()) {
      const isLast = index === at.length - 1;
      try {
        const next = openBelow(folder, name, at.slice(0, index + 1), isLast ? ifFile : 'path-missing');
        folder.close();
        folder = next;
      } catch (thrown) {
        folder.close();
        throw thrown;
      }
    }
    return folder;
  }

  /** The root of a source; what it lies in is held in `folders`, by its path. */
  #findRoot(at: SharedPath, folders: Map<string, OpenFolder>): Root {
    checkPath(at);
    const above = at.slice(0, -1);
    let folder = folders.get(above.join('/'));
    if (folder === undefined) {
      if (folders.size === MOST_SOURCE_FOLDERS) throw new XferError('limit', { subject: showPath(at) });
      folder = this.#openFolder(above, 'path-missing');
      folders.set(above.join('/'), folder);
    }
    const name = at.at(-1);
    // The dot, since the handle of a folder is itself a link.
    const place = { folder, name: name ?? '.', at };
    const stat = statThere(place);
    const location = locationOf(place);
    if (!isReadable(location, stat)) throw new XferError('path-unreadable', { subject: showPath(at) });
    return { name: name ?? this.#ownName(), given: showPath(at), location, stat };
  }

  /** What arrives elsewhere when all of it is asked for. */
  #ownName(): string {
    const name = path.basename(this.#location);
    return isShownName(name) ? name : 'root';
  }
}

function locationOf({ folder, name }: Place): string {
  return `${folder.prefix}/${name}`;
}

function entryOf(name: string, stat: Stats): SharedEntry {
  const isFolder = stat.isDirectory();
  return {
    name,
    type: isFolder ? 'folder' : 'file',
    size: isFolder ? 0 : stat.size,
    mtimeMs: Math.floor(stat.mtimeMs),
    mode: stat.mode & 0o777,
  };
}

function namesIn(folder: OpenFolder, at: SharedPath): Iterable<string> {
  try {
    return readNames(folder.prefix).names;
  } catch (thrown) {
    throw lookError(thrown, showPath(at));
  }
}

/** The file or folder in that place, if others may know of it. Throws `path-unreadable`. */
function statShown(place: Place): Stats | undefined {
  const stat = statOf(place);
  return stat?.isFile() === true || stat?.isDirectory() === true ? stat : undefined;
}

/** As `statShown`; throws `path-missing` where there is none. */
function statThere(place: Place): Stats {
  const stat = statShown(place);
  if (stat === undefined) throw new XferError('path-missing', { subject: showPath(place.at) });
  return stat;
}

/** Whether something is there that others may not know of. */
function hasOther(place: Place): boolean {
  return statOf(place) !== undefined && statShown(place) === undefined;
}

function statOf(place: Place): Stats | undefined {
  try {
    return lstatSync(locationOf(place), { throwIfNoEntry: false });
  } catch (thrown) {
    throw lookError(thrown, showPath(place.at));
  }
}

function openBelow(
  folder: OpenFolder,
  name: string,
  at: SharedPath,
  ifFile: 'not-a-folder' | 'path-missing',
): OpenFolder {
  const place = { folder, name, at };
  try {
    return new OpenFolder(locationOf(place), false);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOTDIR' && statShown(place)?.isFile() === true) {
      throw new XferError(ifFile, { subject: showPath(at), cause: thrown });
    }
    throw lookError(thrown, showPath(at));
  }
}

/** Throws `target-exists`, or the error of the system. */
function moveTo(source: Place, stat: Stats, target: Place, replace: boolean): void {
  const [from, to] = [locationOf(source), locationOf(target)];
  const there = statOf(target);
  if (there === undefined) {
    const moved = stat.isDirectory() ? moveFolderToFreeName(from, to) : moveToFreeName(from, to);
    if (!moved) throw new XferError('target-exists');
    return;
  }
  // Under two names it is one file: the system would leave both and call that done.
  const isLinked = there.ino === stat.ino && there.dev === stat.dev && there.nlink > 1;
  if (!replace || !stat.isFile() || !there.isFile() || isLinked) throw new XferError('target-exists');
  renameSync(from, to);
}
