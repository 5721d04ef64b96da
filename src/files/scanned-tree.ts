/** What a scan found, so that the very same files and folders are read later. */
import type { Stats } from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import { Column, EntryTable } from '../transfer/entry-table.js';
import { ROOT, type Entry } from '../transfer/ports.js';
import { FolderCache, OpenFolder } from './directory.js';
import { readError } from './disk-errors.js';
import { drawsInodes } from './inodes.js';
import { MAX_DEPTH, MAX_PATH_BYTES } from './paths.js';
import type { Root } from './roots.js';
import type { Found } from './source-file.js';

export class ScannedTree {
  readonly #roots: readonly Root[];
  readonly #table = new EntryTable();
  /** Identities of what was scanned. File systems are few: `#devs` holds their places in `#devNumbers`. */
  readonly #inos = new Column((length) => new Float64Array(length));
  readonly #devs = new Column((length) => new Uint16Array(length));
  readonly #devNumbers: number[] = [];
  /** Where followed links lead. */
  readonly #linked = new Map<number, string>();
  readonly #folders = new FolderCache();

  constructor(roots: readonly Root[]) {
    this.#roots = roots;
  }

  /** Takes the next entry; `target` is where it really is when a link was followed. */
  add(parent: number, name: string, stat: Stats, target?: string): Entry {
    const index = this.#table.length;
    const type = stat.isDirectory() ? 'folder' : 'file';
    this.#table.add({ parent, type, name });
    this.#inos.set(index, stat.ino);
    this.#devs.set(index, this.#devPlace(stat.dev));
    if (target !== undefined) this.#linked.set(index, target);
    const size = type === 'folder' ? 0 : stat.size;
    return { index, parent, type, name, size, mtimeMs: Math.floor(stat.mtimeMs), mode: stat.mode & 0o777 };
  }

  /** Whether the path of what is called `name` in `folder` is short enough to travel. */
  fits(folder: number, name: string): boolean {
    return (
      this.#table.depthBelow(folder) <= MAX_DEPTH &&
      this.#table.pathBytesBelow(folder, name) <= MAX_PATH_BYTES
    );
  }

  /** Whether `folder` is, or lies in, the very folder that `stat` is of. */
  isInside(folder: number, stat: Stats): boolean {
    return this.#table.chain(folder).some((above) => this.#isScanned(above, stat));
  }

  /**
   * The scanned folder itself, not what may stand in its place now, for use before the next wait. Throws
   * `source-changed`, or the error of the system.
   */
  folder(index: number): OpenFolder {
    return this.#folders.get(index, () => {
      const opened = new OpenFolder(
        this.#location(index, this.#table.parentOf(index), this.#table.nameOf(index)),
        false,
      );
      const stat = opened.stat();
      if (this.#isScanned(index, stat)) return opened;
      if (this.#devOf(index) === stat.dev && drawsInodes(opened.prefix)) return opened;
      opened.close();
      throw new XferError('source-changed', { subject: this.folderPath(index) });
    });
  }

  /**
   * The path to give to the system for a file, before the next wait. Throws as `FileSource.readWhole` when a
   * folder above is not as it was.
   */
  locate({ index, parent, name }: Entry): string {
    try {
      return this.#location(index, parent, name);
    } catch (thrown) {
      throw readError(thrown, this.pathOf({ index, parent, name }));
    }
  }

  /** What must hold of a file when it is read. */
  identityOf({ index, size, mtimeMs }: Entry): Found {
    const dev = this.#devOf(index) ?? 0;
    return { dev, ino: this.#inos.at(index), size: size ?? 0, mtimeMs };
  }

  rootOf(index: number): Root {
    return this.#root(this.#table.rootOf(index));
  }

  /** The entry's path as the person would write it. */
  pathOf({ index, parent, name }: Pick<Entry, 'index' | 'parent' | 'name'>): string {
    return parent === ROOT ? this.#root(index).given : path.join(this.folderPath(parent), name);
  }

  folderPath(folder: number): string {
    const [root = ROOT, ...below] = this.#table.chain(folder);
    return path.join(this.#root(root).given, ...below.map((index) => this.#table.nameOf(index)));
  }

  /** The folder's path in the offer, with slashes on every system. */
  offeredPath(folder: number): string {
    return this.#table
      .chain(folder)
      .map((index) => this.#table.nameOf(index))
      .join('/');
  }

  close(): void {
    this.#folders.close();
  }

  #location(index: number, parent: number, name: string): string {
    if (parent === ROOT) return this.#root(index).location;
    return this.#linked.get(index) ?? `${this.folder(parent).prefix}/${name}`;
  }

  #root(index: number): Root {
    const root = this.#roots[index];
    if (root === undefined) throw new XferError('internal', { detail: `no root ${index}` });
    return root;
  }

  #devPlace(dev: number): number {
    const place = this.#devNumbers.indexOf(dev);
    return place === -1 ? this.#devNumbers.push(dev) - 1 : place;
  }

  #isScanned(index: number, { dev, ino }: Stats): boolean {
    return this.#inos.at(index) === ino && this.#devOf(index) === dev;
  }

  #devOf(index: number): number | undefined {
    return this.#devNumbers[this.#devs.at(index)];
  }
}
