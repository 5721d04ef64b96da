/** Entries of one folder that the system may take for one, although their names differ. */
import type { Stats } from 'node:fs';
import { InodeTable } from './inode-table.js';
import { collisionKey, foldsNames, type NamePlatform } from './paths.js';

/** What an entry found: a file, or whatever else has its name. */
export type Found = Pick<Stats, 'dev' | 'ino' | 'nlink' | 'isDirectory'>;

/** What was examined in the folder examined last; entries of one folder come together. */
export class Siblings {
  readonly #foldsNames: boolean;
  #folder: number | undefined;
  /** Where names fold, those of all entries. */
  #names = new Set<string>();
  /**
   * Elsewhere, for each device, the inodes of those that were found, each with a hash of the first name that led there: texts would
   * take too much. There are more devices than one where something is mounted in the folder.
   */
  #found = new Map<number, InodeTable>();
  /** Other names that led to one of these inodes, as hard links do. */
  #links = new Map<string, number>();

  constructor(platform: NamePlatform) {
    this.#foldsNames = foldsNames(platform);
  }

  /** Takes an entry; false where the system would take its name for that of one before it. */
  add(folder: number, name: string): boolean {
    if (!this.#foldsNames) return true;
    this.#enter(folder);
    return this.#names.size < this.#names.add(collisionKey(name)).size;
  }

  /**
   * Takes what an entry found; true where one before it found the same, and has almost the same name or is the only name that there can
   * be: then the file system does not tell the two apart, although this is Linux.
   */
  addFound(folder: number, name: string, found: Found): boolean {
    if (this.#foldsNames) return false;
    this.#enter(folder);
    const { ino } = found;
    const key = collisionKey(name);
    const hash = hashOf(key);
    const inodes = this.#inodesOf(found.dev);
    const first = inodes.get(ino);
    if (first === undefined) {
      inodes.set(ino, hash);
      return false;
    }
    if (first === hash || this.#links.get(key) === ino || hasOneName(found)) return true;
    this.#links.set(key, ino);
    return false;
  }

  #inodesOf(device: number): InodeTable {
    let inodes = this.#found.get(device);
    if (inodes === undefined) this.#found.set(device, (inodes = new InodeTable()));
    return inodes;
  }

  #enter(folder: number): void {
    if (this.#folder === folder) return;
    this.#folder = folder;
    this.#names = new Set();
    this.#found = new Map();
    this.#links = new Map();
  }
}

/**
 * Each file system takes other names for one: FAT drops dots at the end and has short names, ext4 may leave out soft hyphens. Whatever
 * it does, what has no hard links is one thing. Not where the number says nothing: there may be none, or too large a one to be exact.
 */
function hasOneName(found: Found): boolean {
  const isTold = found.ino > 0 && Number.isSafeInteger(found.ino);
  return isTold && (found.nlink === 1 || found.isDirectory());
}

/** FNV-1a: it tells names of one file apart, and nobody gains by two that are alike. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
