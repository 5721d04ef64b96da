/**
 * A folder of this machine that others look into and change. What they mean comes as names from the wire, and nothing leads out: the way
 * goes from folder to folder, and a symbolic link in it is nothing that is there.
 */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  type Stats,
} from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import { OpenFolder } from './directory.js';
import { errnoOf, writeError } from './disk-errors.js';
import { readNames } from './folder-listing.js';
import { breathe } from './pace.js';
import { checkName, MAX_DEPTH, MAX_PATH_BYTES, thisPlatform } from './paths.js';
import { assertDistinct, type Root } from './roots.js';
import { sourceOfRoots, type OpenedSource } from './source.js';

/** Names of folders below the share and at last of what is meant; none for the share itself. From the wire. */
export type SharedPath = readonly string[];

/** A file or a folder that others may see. */
export interface SharedEntry {
  readonly name: string;
  readonly type: 'file' | 'folder';
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** Last change, milliseconds since 1970. */
  readonly mtimeMs: number;
  /** The nine permission bits. */
  readonly mode: number;
}

/** Most entries that are listed at once. */
const BATCH = 1_000;

/**
 * Every method throws `protocol` for names that no honest peer says, and `name-refused` for those that this system cannot keep. The subject
 * of an error is the path below the share.
 */
export class SharedFolder {
  /** Absolute, without any symbolic link. */
  readonly #location: string;

  private constructor(location: string) {
    this.#location = location;
  }

  /** Throws `path-missing`, `not-a-folder`, `path-unreadable`. */
  static open(given: string): SharedFolder {
    let location: string;
    try {
      location = realpathSync(given);
      if (!statSync(location).isDirectory()) throw new XferError('not-a-folder', { subject: given });
      new OpenFolder(location, false).close();
    } catch (thrown) {
      if (thrown instanceof XferError) throw thrown;
      const isMissing = errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ENOTDIR';
      throw new XferError(isMissing ? 'path-missing' : 'path-unreadable', { subject: given, cause: thrown });
    }
    return new SharedFolder(location);
  }

  /**
   * What a folder holds, in the order of names. What others could not fetch is left out: links, devices, names that cannot travel, and
   * what transfers left unfinished. Throws `path-missing`, `not-a-folder`, `path-unreadable`.
   */
  async *list(at: SharedPath): AsyncGenerator<readonly SharedEntry[]> {
    const folder = this.#open(at);
    try {
      let batch: SharedEntry[] = [];
      for (const name of reading(at, () => readNames(folder.prefix)).names) {
        await breathe();
        const entry = travels(name) ? entryIn(folder, name) : undefined;
        if (entry !== undefined) batch.push(entry);
        if (batch.length < BATCH) continue;
        yield batch;
        batch = [];
      }
      if (batch.length > 0) yield batch;
    } finally {
      folder.close();
    }
  }

  /** Throws `path-missing`. */
  look(at: SharedPath): SharedEntry {
    if (at.length === 0) return reading(at, () => entryOf('', lstatSync(this.#location))) ?? missing(at);
    return this.#within(at, (folder, name) => entryIn(folder, name) ?? missing(at));
  }

  /** Throws `target-exists`, `path-missing` and `not-a-folder` for what is above, and as `writeError`. */
  makeFolder(at: SharedPath): void {
    this.#within(at, (folder, name) => writing(at, () => mkdirSync(`${folder.prefix}/${name}`)));
  }

  /**
   * Removes a file, or with `recursive` a folder with all that is in it; stops at the first thing that cannot be removed. Throws
   * `path-missing`, `is-a-folder`, `not-allowed` for the share itself, and as `writeError`.
   */
  async remove(at: SharedPath, recursive: boolean): Promise<void> {
    if (at.length === 0) throw new XferError('not-allowed', { detail: 'remove all of it' });
    const above = this.#open(at.slice(0, -1));
    try {
      const name = lastOf(at);
      const entry = entryIn(above, name) ?? missing(at);
      if (entry.type === 'file') writing(at, () => unlinkSync(`${above.prefix}/${name}`));
      else if (!recursive) throw new XferError('is-a-folder', { subject: textOf(at) });
      else await removeFolder(above, name, at);
    } finally {
      above.close();
    }
  }

  /**
   * Moves into a folder that is there, or to a new name. `replace` lets a file take the place of another one. Throws `path-missing`,
   * `target-exists`, `not-a-folder`, `usage` for a folder into itself, and as `writeError`.
   */
  move(from: SharedPath, to: SharedPath, replace: boolean): void {
    if (from.length === 0) throw new XferError('not-allowed', { detail: 'move all of it' });
    const entry = this.look(from);
    const there = to.length === 0 ? 'folder' : this.#typeOf(to);
    const target = there === 'folder' ? [...to, lastOf(from)] : to;
    if (entry.type === 'folder' && from.every((name, index) => name === target[index])) {
      throw new XferError('usage', { subject: 'a folder cannot go into itself', detail: textOf(from) });
    }
    this.#within(from, (source, name) => {
      this.#within(target, (folder, newName) => {
        const [old, young] = [`${source.prefix}/${name}`, `${folder.prefix}/${newName}`];
        writing(target, () => {
          if (entry.type === 'folder') moveFolder(old, young, target);
          else moveFile(old, young, replace && this.#typeOf(target) !== 'folder');
        });
      });
    });
  }

  /** What `paths` name, to be sent. Throws `path-missing`, `path-unreadable`, `same-name`. */
  source(paths: readonly SharedPath[]): OpenedSource {
    const roots = paths.map((at): Root => {
      // Its own name, where all of it is meant.
      const name = at.at(-1) ?? path.basename(this.#location);
      const entry = this.look(at);
      const location = path.join(this.#location, ...at);
      const stat = reading(at, () => lstatSync(location));
      if (stat.isDirectory() !== (entry.type === 'folder')) missing(at);
      return { name, given: textOf(at), location, stat };
    });
    assertDistinct(roots, false);
    return sourceOfRoots(roots);
  }

  /**
   * The path on this machine, to put something there. Throws `path-missing` and `not-a-folder` for what is above it, `target-exists` where
   * something stands there that others cannot see.
   */
  locate(at: SharedPath): string {
    if (at.length === 0) return this.#location;
    return this.#within(at, (folder, name) => {
      const stat = lstatSync(`${folder.prefix}/${name}`, { throwIfNoEntry: false });
      if (stat !== undefined && entryOf(name, stat) === undefined) {
        throw new XferError('target-exists', { subject: textOf(at) });
      }
      return path.join(this.#location, ...at);
    });
  }

  /** A folder at the top for this device alone, made where it is missing. Throws as `writeError`. */
  inboxOf(device: string): string {
    assertName(device, [device]);
    const location = path.join(this.#location, device);
    writing([device], () => {
      try {
        mkdirSync(location, 0o700);
      } catch (thrown) {
        if (errnoOf(thrown) !== 'EEXIST' || !lstatSync(location).isDirectory()) throw thrown;
      }
    });
    return location;
  }

  close(): void {
    // Nothing is held between two calls.
  }

  #typeOf(at: SharedPath): SharedEntry['type'] | undefined {
    return this.#within(at, (folder, name) => entryIn(folder, name)?.type);
  }

  /** Gives `work` the folder above, and the name in it. */
  #within<T>(at: SharedPath, work: (folder: OpenFolder, name: string) => T): T {
    if (at.length === 0) throw new XferError('target-exists', { subject: '' });
    const name = lastOf(at);
    assertName(name, at);
    const folder = this.#open(at.slice(0, -1));
    try {
      return work(folder, name);
    } finally {
      folder.close();
    }
  }

  /** Throws `path-missing`, `not-a-folder`, `path-unreadable`. */
  #open(at: SharedPath): OpenFolder {
    if (at.length > MAX_DEPTH || Buffer.byteLength(textOf(at)) > MAX_PATH_BYTES) {
      throw new XferError('name-refused', { subject: textOf(at) });
    }
    let folder = reading([], () => new OpenFolder(this.#location, false));
    for (const [index, name] of at.entries()) {
      const here = at.slice(0, index + 1);
      const above = folder;
      try {
        assertName(name, here);
        const entry = entryIn(above, name) ?? missing(here);
        if (entry.type === 'file') throw new XferError('not-a-folder', { subject: textOf(here) });
        folder = reading(here, () => new OpenFolder(`${above.prefix}/${name}`, false));
      } finally {
        above.close();
      }
    }
    return folder;
  }
}

function textOf(at: SharedPath): string {
  return at.join('/');
}

function lastOf(at: SharedPath): string {
  return at.at(-1) ?? '';
}

function missing(at: SharedPath): never {
  throw new XferError('path-missing', { subject: textOf(at) });
}

function assertName(name: string, at: SharedPath): void {
  if (checkName(name, thisPlatform()) !== 'ok') throw new XferError('name-refused', { subject: textOf(at) });
}

/** Whether others could ask for a name that is here. */
function travels(name: string): boolean {
  try {
    return checkName(name, 'linux') === 'ok';
  } catch {
    return false;
  }
}

/** `undefined` where nothing has the name, or what others do not see. */
function entryIn(folder: OpenFolder, name: string): SharedEntry | undefined {
  const stat = lstatSync(`${folder.prefix}/${name}`, { throwIfNoEntry: false });
  return stat === undefined ? undefined : entryOf(name, stat);
}

function entryOf(name: string, stat: Stats): SharedEntry | undefined {
  if (!stat.isFile() && !stat.isDirectory()) return undefined;
  const type = stat.isDirectory() ? 'folder' : 'file';
  const size = type === 'folder' ? 0 : stat.size;
  return { name, type, size, mtimeMs: Math.floor(stat.mtimeMs), mode: stat.mode & 0o777 };
}

async function removeFolder(above: OpenFolder, name: string, at: SharedPath): Promise<void> {
  const folder = reading(at, () => new OpenFolder(`${above.prefix}/${name}`, false));
  try {
    // Also what others do not see: a link is removed, never followed.
    for (const child of reading(at, () => readNames(folder.prefix)).names) {
      await breathe();
      const stat = lstatSync(`${folder.prefix}/${child}`, { throwIfNoEntry: false });
      if (stat?.isDirectory() === true) await removeFolder(folder, child, [...at, child]);
      else if (stat !== undefined) writing([...at, child], () => unlinkSync(`${folder.prefix}/${child}`));
    }
  } finally {
    folder.close();
  }
  writing(at, () => rmdirSync(`${above.prefix}/${name}`));
}

function moveFile(old: string, young: string, replace: boolean): void {
  if (replace) {
    renameSync(old, young);
    return;
  }
  // Fails where something has the name, unlike a rename.
  linkSync(old, young);
  unlinkSync(old);
}

function moveFolder(old: string, young: string, target: SharedPath): void {
  if (lstatSync(young, { throwIfNoEntry: false }) !== undefined) {
    throw new XferError('target-exists', { subject: textOf(target) });
  }
  // The system takes nothing but an empty folder away with it that came in between.
  renameSync(old, young);
}

function reading<T>(at: SharedPath, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof XferError) throw thrown;
    const isMissing = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(thrown) ?? '');
    throw new XferError(isMissing ? 'path-missing' : 'path-unreadable', {
      subject: textOf(at),
      cause: thrown,
    });
  }
}

function writing(at: SharedPath, work: () => void): void {
  try {
    work();
  } catch (thrown) {
    throw errnoOf(thrown) === 'ENOENT'
      ? new XferError('path-missing', { subject: textOf(at), cause: thrown })
      : writeError(thrown, textOf(at));
  }
}
