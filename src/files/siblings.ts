/** Entries of one folder that the system may take for one, although their names differ. */
import { InodeTable } from './inode-table.js';
import { collisionKey, foldsNames, type NamePlatform } from './paths.js';

/** What was examined in the folder examined last; entries of one folder come together. */
export class Siblings {
  readonly #foldsNames: boolean;
  #folder: number | undefined;
  /** Where names fold, those of all entries. */
  #names = new Set<string>();
  /** Elsewhere the inodes of those that were found, each with a hash of the first name that led there: texts would take too much. */
  #found = new InodeTable();
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
   * Takes what an entry found; true where one before it, of almost the same name, found the same: then the file system does not
   * tell the two apart, although this is Linux.
   */
  addFound(folder: number, name: string, ino: number): boolean {
    if (this.#foldsNames) return false;
    this.#enter(folder);
    const key = collisionKey(name);
    const hash = hashOf(key);
    const first = this.#found.get(ino);
    if (first === hash || this.#links.get(key) === ino) return true;
    if (first === undefined) this.#found.set(ino, hash);
    else this.#links.set(key, ino);
    return false;
  }

  #enter(folder: number): void {
    if (this.#folder === folder) return;
    this.#folder = folder;
    this.#names = new Set();
    this.#found = new InodeTable();
    this.#links = new Map();
  }
}

/** FNV-1a: it tells names of one file apart, and nobody gains by two that are alike. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
