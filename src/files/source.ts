/** Files and folders of this machine as the source of a transfer. */
import { lstatSync, realpathSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { type ErrorCode, XferError } from '../errors.js';
import {
  ROOT,
  type Entry,
  type FileSource,
  type Listing,
  type Skipped,
  type SourceFile,
} from '../transfer/ports.js';
import { FolderCache, OpenFolder } from './directory.js';
import { readError } from './disk-errors.js';
import { Column, EntryTable } from './entry-table.js';
import { Gitignore } from './gitignore.js';
import { matchGlobs, type PathMatcher } from './filter.js';
import { isReadable, readGitignore, readNames } from './folder-listing.js';
import { breathe } from './pace.js';
import { collisionKey, MAX_DEPTH, MAX_PATH_BYTES } from './paths.js';
import { assertDistinct, findRoot, travels, type Root } from './roots.js';
import { openSourceFile, readSmallFile, type Found } from './source-file.js';

export interface SourceOptions {
  readonly paths: readonly string[];
  /** Sends what a symbolic link points to, where that lies inside its root. Links are left out otherwise. */
  readonly follow?: boolean;
  /** Globs of what to leave out, see `matchGlobs`. */
  readonly exclude?: readonly string[];
  /** Leaves out what the `.gitignore` files of the tree name. */
  readonly gitignore?: boolean;
  /** Leaves out names that another system could not keep. */
  readonly portable?: boolean;
}

/** A source that somebody opened, and closes when the transfer is over, however it ended. */
export interface OpenedSource extends FileSource {
  /** Lets go of what is held open. Nothing can be read afterwards. */
  close(): void;
}

/**
 * Opens what `options.paths` name. Throws `path-missing`, `path-unreadable`, `special-skipped`, `name-refused`,
 * `same-name` or `nothing-to-send`, each before anything is offered, and `usage` for a bad glob.
 */
export async function openSource(options: SourceOptions): Promise<OpenedSource> {
  const portable = options.portable === true;
  const excludes = matchGlobs(options.exclude ?? []);
  const named = options.paths.map((given) => findRoot(given, portable));
  const roots = named.filter(({ name, stat }) => !excludes(name, stat.isDirectory()));
  if (roots.length === 0) throw new XferError('nothing-to-send');
  assertDistinct(roots, portable);
  return new DiskSource(roots, {
    excludes,
    portable,
    follow: options.follow === true,
    gitignore: options.gitignore === true,
  });
}

interface Choice {
  readonly excludes: PathMatcher;
  readonly portable: boolean;
  readonly follow: boolean;
  readonly gitignore: boolean;
}

/** A folder that was found and waits to be listed, with the rules that hold for it. */
interface Pending {
  readonly folder: number;
  readonly rules: Gitignore | undefined;
}

/** What is listed at once: bounds the work between two breaths and what a huge folder takes. */
const LISTING_ENTRIES = 1000;

class DiskSource implements OpenedSource {
  readonly roots: FileSource['roots'];
  readonly #found: readonly Root[];
  readonly #choice: Choice;
  readonly #folders = new FolderCache();
  #table = new EntryTable();
  /** Identities of what was scanned. File systems are few: `#devs` holds their places in `#devNumbers`. */
  readonly #inos = new Column((length) => new Float64Array(length));
  readonly #devs = new Column((length) => new Uint16Array(length));
  readonly #devNumbers: number[] = [];
  /** Where followed links lead. */
  readonly #linked = new Map<number, string>();

  constructor(found: readonly Root[], choice: Choice) {
    this.#found = found;
    this.#choice = choice;
    this.roots = found.map(({ name, stat }) =>
      stat.isDirectory()
        ? { name, type: 'folder', size: undefined }
        : { name, type: 'file', size: stat.size },
    );
  }

  async *scan(): AsyncGenerator<Listing> {
    // A second scan numbers anew.
    this.#table = new EntryTable();
    this.#linked.clear();
    this.#folders.close();
    const entries = this.#found.map(({ name, stat }) => this.#add(ROOT, name, stat));
    yield { entries, skipped: [] };
    const pending = foldersToList(entries, undefined);
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield* this.#list(next, pending);
    }
  }

  async readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined> {
    await breathe();
    return readSmallFile(this.#locate(entry), this.pathOf(entry), this.#identity(entry), limit);
  }

  async open(entry: Entry): Promise<SourceFile> {
    await breathe();
    return openSourceFile(this.#locate(entry), this.pathOf(entry), this.#identity(entry));
  }

  pathOf({ index, parent, name }: Entry): string {
    return parent === ROOT ? this.#root(index).given : path.join(this.#folderPath(parent), name);
  }

  close(): void {
    this.#folders.close();
  }

  /** Lists one folder, sorted by name, so that the same tree gives the same manifest. */
  async *#list({ folder, rules: rulesAbove }: Pending, pending: Pending[]): AsyncGenerator<Listing> {
    let names: string[];
    let skipped: Skipped[] = [];
    let rules = rulesAbove;
    const shownPath = this.#folderPath(folder);
    const sentPath = this.#sentPath(folder);
    try {
      const { prefix } = this.#folder(folder);
      const content = readNames(prefix);
      names = content.names;
      skipped = content.notUtf8.map((name) => ({ path: path.join(shownPath, name), reason: 'name-refused' }));
      if (this.#choice.gitignore && names.includes('.gitignore')) {
        rules = new Gitignore(sentPath, readGitignore(prefix), rulesAbove);
      }
    } catch (thrown) {
      yield { entries: [], skipped: [{ path: shownPath, reason: readError(thrown, shownPath).code }] };
      return;
    }
    const taken = this.#choice.portable ? new Set<string>() : undefined;
    const subfolders: Pending[] = [];
    for (let start = 0; start < names.length; start += LISTING_ENTRIES) {
      await breathe();
      const entries: Entry[] = [];
      for (const name of names.slice(start, start + LISTING_ENTRIES)) {
        const entry = this.#examine(folder, name, `${sentPath}/${name}`, rules, taken);
        if (typeof entry === 'string') skipped.push({ path: path.join(shownPath, name), reason: entry });
        else if (entry !== undefined) entries.push(entry);
      }
      subfolders.push(...foldersToList(entries, rules).reverse());
      yield { entries, skipped };
      skipped = [];
    }
    if (skipped.length > 0) yield { entries: [], skipped };
    pending.push(...subfolders.reverse());
  }

  /** The entry called `name`, or why it is left out; `undefined` when the person asked for that. */
  #examine(
    folder: number,
    name: string,
    sentPath: string,
    rules: Gitignore | undefined,
    taken: Set<string> | undefined,
  ): Entry | ErrorCode | undefined {
    const location = `${this.#folder(folder).prefix}/${name}`;
    let stat: Stats | undefined;
    let target: string | undefined;
    try {
      stat = lstatSync(location, { throwIfNoEntry: false });
      // Gone since the folder was read: as if it had never been there.
      if (stat === undefined) return undefined;
      if (this.#isLeftOut(sentPath, stat.isDirectory(), rules)) return undefined;
      if (stat.isSymbolicLink()) {
        target = this.#follow(folder, location);
        if (target === undefined) return 'link-skipped';
        stat = statSync(target);
        if (this.#isLeftOut(sentPath, stat.isDirectory(), rules)) return undefined;
        if (stat.isDirectory() && this.#isInside(folder, stat)) return 'link-skipped';
      }
      if (!stat.isFile() && !stat.isDirectory()) return 'special-skipped';
      if (!isReadable(location, stat)) return 'path-unreadable';
    } catch (thrown) {
      return target === undefined ? readError(thrown, location).code : 'link-skipped';
    }
    if (!travels(name, this.#choice.portable) || !this.#fits(folder, name)) return 'name-refused';
    if (taken !== undefined && taken.size === taken.add(collisionKey(name)).size) return 'name-refused';
    const entry = this.#add(folder, name, stat);
    if (target !== undefined) this.#linked.set(entry.index, target);
    return entry;
  }

  #isLeftOut(sentPath: string, isFolder: boolean, rules: Gitignore | undefined): boolean {
    return this.#choice.excludes(sentPath, isFolder) || rules?.ignores(sentPath, isFolder) === true;
  }

  /** Where a link leads, when the person wants links followed and it stays inside its root. */
  #follow(folder: number, location: string): string | undefined {
    if (!this.#choice.follow) return undefined;
    let target: string;
    try {
      target = realpathSync(location);
    } catch {
      // Dangling, or a loop of links.
      return undefined;
    }
    const below = path.relative(this.#root(this.#table.rootOf(folder)).location, target);
    const isOutside = below === '..' || below.startsWith(`..${path.sep}`) || path.isAbsolute(below);
    return isOutside ? undefined : target;
  }

  /** Whether `folder` is, or lies in, the very folder that `stat` is of: following it would never end. */
  #isInside(folder: number, stat: Stats): boolean {
    return this.#table.chain(folder).some((above) => this.#isScanned(above, stat));
  }

  #fits(folder: number, name: string): boolean {
    return (
      this.#table.depthBelow(folder) <= MAX_DEPTH &&
      this.#table.pathBytesBelow(folder, name) <= MAX_PATH_BYTES
    );
  }

  #add(parent: number, name: string, stat: Stats): Entry {
    const index = this.#table.length;
    const type = stat.isDirectory() ? 'folder' : 'file';
    this.#table.add({ parent, type, name });
    this.#inos.set(index, stat.ino);
    this.#devs.set(index, this.#devPlace(stat.dev));
    const size = type === 'folder' ? 0 : stat.size;
    return { index, parent, type, name, size, mtimeMs: Math.floor(stat.mtimeMs), mode: stat.mode & 0o777 };
  }

  #devPlace(dev: number): number {
    const place = this.#devNumbers.indexOf(dev);
    return place === -1 ? this.#devNumbers.push(dev) - 1 : place;
  }

  #isScanned(index: number, { dev, ino }: Stats): boolean {
    return this.#inos.at(index) === ino && this.#devNumbers[this.#devs.at(index)] === dev;
  }

  #identity({ index, size, mtimeMs }: Entry): Found {
    const dev = this.#devNumbers[this.#devs.at(index)] ?? 0;
    return { dev, ino: this.#inos.at(index), size: size ?? 0, mtimeMs };
  }

  /** The path to give to the system for a file. Throws as `readWhole` when a folder above is not as it was. */
  #locate({ index, parent, name }: Entry): string {
    if (parent === ROOT) return this.#root(index).location;
    const linked = this.#linked.get(index);
    if (linked !== undefined) return linked;
    try {
      return `${this.#folder(parent).prefix}/${name}`;
    } catch (thrown) {
      throw readError(thrown, path.join(this.#folderPath(parent), name));
    }
  }

  /** The scanned folder itself, not what may stand in its place now. */
  #folder(index: number): OpenFolder {
    return this.#folders.get(index, () => {
      const parent = this.#table.parentOf(index);
      const location =
        parent === ROOT
          ? this.#root(index).location
          : (this.#linked.get(index) ?? `${this.#folder(parent).prefix}/${this.#table.nameOf(index)}`);
      const opened = new OpenFolder(location, false);
      if (this.#isScanned(index, opened.stat())) return opened;
      opened.close();
      throw new XferError('source-changed', { subject: this.#folderPath(index) });
    });
  }

  #root(index: number): Root {
    const root = this.#found[index];
    if (root === undefined) throw new XferError('internal', { detail: `no root ${index}` });
    return root;
  }

  #folderPath(folder: number): string {
    const [root = ROOT, ...below] = this.#table.chain(folder);
    return path.join(this.#root(root).given, ...below.map((index) => this.#table.nameOf(index)));
  }

  #sentPath(folder: number): string {
    return this.#table
      .chain(folder)
      .map((index) => this.#table.nameOf(index))
      .join('/');
  }
}

function foldersToList(entries: readonly Entry[], rules: Gitignore | undefined): Pending[] {
  return entries
    .filter(({ type }) => type === 'folder')
    .map(({ index }) => ({ folder: index, rules }))
    .reverse();
}
