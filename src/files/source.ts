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
import type { OpenFolder } from './directory.js';
import { readError } from './disk-errors.js';
import type { PathMatcher } from './filter.js';
import type { Gitignore } from './gitignore.js';
import { isReadable, readGitignore, readNames } from './folder-listing.js';
import { breathe } from './pace.js';
import { collisionKey } from './paths.js';
import { assertDistinct, findRoot, lookAgain, travels, type Root } from './roots.js';
import { ScannedTree } from './scanned-tree.js';
import { PieceMemory, openSourceFile, readSmallFile } from './source-file.js';
import { looksLikeStaging } from './staging-name.js';

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
  // What few ask for is loaded for them alone: the code waits for all that is loaded here.
  const excludes =
    options.exclude === undefined ? () => false : (await import('./filter.js')).matchGlobs(options.exclude);
  const gitignore = options.gitignore === true ? (await import('./gitignore.js')).Gitignore : undefined;
  const named = options.paths.map((given) => findRoot(given, portable));
  const roots = named.filter(({ name, stat }) => !excludes(name, stat.isDirectory()));
  if (roots.length === 0) throw new XferError('nothing-to-send');
  assertDistinct(roots, portable);
  return new DiskSource(roots, {
    excludes,
    portable,
    follow: options.follow === true,
    gitignore,
  });
}

/**
 * A source of roots that were found by another way than their names, in `folders`, which it closes with itself.
 * Links are left out, and what `excludes` names. Memory for pieces may be that of other sources too.
 */
export function openFoundSource(
  roots: readonly Root[],
  folders: readonly OpenFolder[],
  excludes: PathMatcher,
  pieces: PieceMemory,
): OpenedSource {
  const choice = { excludes, portable: false, follow: false, gitignore: undefined };
  return new DiskSource(roots, choice, folders, pieces);
}

interface Choice {
  readonly excludes: PathMatcher;
  readonly portable: boolean;
  readonly follow: boolean;
  readonly gitignore: typeof Gitignore | undefined;
}

/** A folder that was found and waits to be listed, with the rules that hold for it. */
interface Pending {
  readonly folder: number;
  readonly rules: Gitignore | undefined;
}

/** What was read of a folder. */
interface FolderContent {
  readonly offeredPath: string;
  readonly names: Iterable<string>;
  readonly notUtf8: readonly string[];
  /** What holds in it, its own `.gitignore` included. */
  readonly rules: Gitignore | undefined;
}

/** What is listed at once: bounds the work between two breaths and what a huge folder takes. */
const LISTING_ENTRIES = 1000;

class DiskSource implements OpenedSource {
  readonly #choice: Choice;
  /** What the locations of the roots go through. */
  readonly #holding: readonly OpenFolder[];
  #found: readonly Root[];
  #roots: FileSource['roots'] | undefined;
  #tree: ScannedTree;
  readonly #pieces: PieceMemory;
  /** For files that are read whole, one after the other. */
  #small = Buffer.alloc(0);

  constructor(
    found: readonly Root[],
    choice: Choice,
    holding: readonly OpenFolder[] = [],
    pieces = new PieceMemory(),
  ) {
    this.#found = found;
    this.#choice = choice;
    this.#holding = holding;
    this.#pieces = pieces;
    this.#tree = new ScannedTree(found);
  }

  /** As they are when first asked for: a person may work on a file while the code waits on the screen. */
  get roots(): FileSource['roots'] {
    if (this.#roots !== undefined) return this.#roots;
    this.#found = this.#found.map(lookAgain);
    this.#roots = this.#found.map(({ name, stat }) =>
      stat.isDirectory()
        ? { name, type: 'folder', size: undefined }
        : { name, type: 'file', size: stat.size },
    );
    return this.#roots;
  }

  async *scan(): AsyncGenerator<Listing> {
    // A second scan numbers anew.
    this.#tree.close();
    this.#tree = new ScannedTree(this.#found);
    const entries = this.#found.map(({ name, stat }) => this.#tree.add(ROOT, name, stat));
    yield { entries, skipped: [] };
    // A stack: the next folder is the first one in the folder listed last, near the handles that are open.
    const pending = foldersOf(entries, undefined).reverse();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const subfolders: Pending[] = [];
      yield* this.#list(next, subfolders);
      while (subfolders.length > 0) pending.push(...subfolders.splice(-LISTING_ENTRIES).reverse());
    }
  }

  async readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined> {
    await breathe();
    try {
      if (this.#small.length <= limit) this.#small = Buffer.allocUnsafeSlow(limit + 1);
      const memory = this.#small.subarray(0, limit + 1);
      return readSmallFile(this.#tree.locate(entry), this.#tree.identityOf(entry), memory);
    } catch (thrown) {
      throw readError(thrown, this.pathOf(entry));
    }
  }

  async open(entry: Entry, offset = 0): Promise<SourceFile> {
    await breathe();
    const [location, found] = [this.#tree.locate(entry), this.#tree.identityOf(entry)];
    return openSourceFile(location, this.pathOf(entry), found, this.#pieces, offset);
  }

  pathOf(entry: Entry): string {
    return this.#tree.pathOf(entry);
  }

  close(): void {
    this.#tree.close();
    for (const folder of this.#holding) folder.close();
  }

  /** Lists one folder, sorted by name, so that the same tree gives the same manifest. Adds to `subfolders`. */
  async *#list({ folder, rules: rulesAbove }: Pending, subfolders: Pending[]): AsyncGenerator<Listing> {
    const shownPath = this.#tree.folderPath(folder);
    let content: FolderContent;
    try {
      content = this.#read(folder, rulesAbove);
    } catch (thrown) {
      yield { entries: [], skipped: [{ path: shownPath, reason: readError(thrown, shownPath).code }] };
      return;
    }
    const { names, rules, notUtf8 } = content;
    const taken = new Set<string>();
    let skipped: Skipped[] = notUtf8.map((name) => ({
      path: path.join(shownPath, name),
      reason: 'name-refused',
    }));
    let entries: Entry[] = [];
    let examined = 0;
    for (const name of names) {
      // Also where nothing of it is sent.
      if (++examined % LISTING_ENTRIES === 0) await breathe();
      const entry = this.#examine({ folder, rules }, content.offeredPath, name, taken);
      if (typeof entry === 'string') skipped.push({ path: path.join(shownPath, name), reason: entry });
      else if (entry !== undefined) entries.push(entry);
      if (entries.length + skipped.length < LISTING_ENTRIES) continue;
      subfolders.push(...foldersOf(entries, rules));
      yield { entries, skipped };
      [entries, skipped] = [[], []];
    }
    subfolders.push(...foldersOf(entries, rules));
    if (entries.length + skipped.length > 0) yield { entries, skipped };
    await breathe();
  }

  #read(folder: number, rulesAbove: Gitignore | undefined): FolderContent {
    const { prefix } = this.#tree.folder(folder);
    const { names, notUtf8 } = readNames(prefix);
    const offeredPath = this.#tree.offeredPath(folder);
    const { gitignore: Rules } = this.#choice;
    const gitignore = Rules === undefined ? '' : readGitignore(prefix);
    const rules =
      Rules === undefined || gitignore === '' ? rulesAbove : new Rules(offeredPath, gitignore, rulesAbove);
    return { offeredPath, names, notUtf8, rules };
  }

  /** The entry called `name`, or why it is left out; `undefined` when the person asked for that. */
  #examine(
    { folder, rules }: Pending,
    folderPath: string,
    name: string,
    taken: Set<string>,
  ): Entry | ErrorCode | undefined {
    const isLeftOut = (stat: Stats): boolean =>
      this.#isLeftOut(`${folderPath}/${name}`, stat.isDirectory(), rules);
    let target: string | undefined;
    try {
      const location = `${this.#tree.folder(folder).prefix}/${name}`;
      let stat = lstatSync(location, { throwIfNoEntry: false });
      // Gone since the folder was read: as if it had never been there.
      if (stat === undefined || isLeftOut(stat)) return undefined;
      if (stat.isSymbolicLink()) {
        target = this.#follow(folder, location);
        if (target === undefined) return 'link-skipped';
        stat = statSync(target);
        if (isLeftOut(stat)) return undefined;
        // Following it would never end.
        if (stat.isDirectory() && this.#tree.isInside(folder, stat)) return 'link-skipped';
      }
      if (!stat.isFile() && !stat.isDirectory()) return 'special-skipped';
      if (!isReadable(location, stat)) return 'path-unreadable';
      if (stat.isDirectory() && looksLikeStaging(name)) return 'unfinished-skipped';
      if (!this.#travels(folder, name, taken)) return 'name-refused';
      return this.#tree.add(folder, name, stat, target);
    } catch (thrown) {
      return target === undefined ? readError(thrown, name).code : 'link-skipped';
    }
  }

  #isLeftOut(offeredPath: string, isFolder: boolean, rules: Gitignore | undefined): boolean {
    return this.#choice.excludes(offeredPath, isFolder) || rules?.ignores(offeredPath, isFolder) === true;
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
    const below = path.relative(this.#tree.rootOf(folder).location, target);
    const isOutside = below === '..' || below.startsWith(`..${path.sep}`) || path.isAbsolute(below);
    return isOutside ? undefined : target;
  }

  /** Whether the name may be sent; under `--portable` no two in a folder (`taken`) may be one elsewhere. */
  #travels(folder: number, name: string, taken: Set<string>): boolean {
    const { portable } = this.#choice;
    if (!travels(name, portable) || !this.#tree.fits(folder, name)) return false;
    return !portable || taken.size < taken.add(collisionKey(name)).size;
  }
}

function foldersOf(entries: readonly Entry[], rules: Gitignore | undefined): Pending[] {
  return entries.filter(({ type }) => type === 'folder').map(({ index }) => ({ folder: index, rules }));
}
