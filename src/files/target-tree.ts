/**
 * The folders of a transfer at the receiver: what is there already, what is made, and under which name. Changes
 * nothing before the first folder is asked for.
 */
import { lstatSync, mkdirSync, rmdirSync, type Stats } from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import { Column, EntryTable } from '../transfer/entry-table.js';
import { ROOT, type ConflictPolicy, type Entry, type FileSource, type Prospect } from '../transfer/ports.js';
import { FolderCache, OpenFolder } from './directory.js';
import { errnoOf } from './disk-errors.js';
import { syncFolder } from './durable.js';
import { freeNames } from './free-names.js';
import { MadeFolders, type Folders } from './made-folders.js';
import { checkName, collisionKey, MAX_DEPTH, MAX_PATH_BYTES, type NamePlatform } from './paths.js';
import { Siblings } from './siblings.js';
import { openTarget, type Target } from './target.js';

/** What is known of an entry; `made` are folders that this transfer has made. */
const STATES = ['unknown', 'new', 'merges', 'exists', 'arrived', 'refused', 'made'] as const;
type State = (typeof STATES)[number];

/** What is known of an earlier transfer that was interrupted, and what a later one will want to know. */
export interface TreeMemory {
  /** Roots that got another name here. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Whether this very file was put there for the entry. */
  readonly hasArrived: (entry: Entry, stat: Stats) => boolean;
  /** Whether an interrupted transfer made this very folder. */
  readonly hasMade: (stat: Stats) => boolean;
  readonly onRenamed: (root: string, as: string) => void;
  readonly onMade: (stat: Stats) => void;
}

const NAME_REFUSED: Prospect = { status: 'refused', reason: 'name-refused' };

export class TargetTree implements Folders {
  readonly #target: Target;
  readonly #roots: FileSource['roots'];
  readonly #platform: NamePlatform;
  readonly #memory: TreeMemory;
  readonly #table = new EntryTable();
  readonly #states = new Column((length) => new Uint8Array(length));
  readonly #made: MadeFolders;
  readonly #open = new FolderCache();
  #top: OpenFolder | undefined;
  #policy: ConflictPolicy = 'refuse';
  /** Roots that got another name than the sender gave them. */
  readonly #renamed = new Map<number, string>();
  /** Roots that an interrupted transfer made. */
  readonly #continued = new Set<number>();
  /** Roots that have the name which an interrupted transfer gave to another one: what it brought there is not theirs. */
  readonly #foreign = new Set<number>();
  /** Names of all roots, as they may collide. */
  readonly #offered: ReadonlySet<string>;
  /** Names that an interrupted transfer gave to roots instead of their own. */
  readonly #given: ReadonlySet<string>;
  readonly #siblings: Siblings;

  constructor(
    target: Target,
    roots: FileSource['roots'],
    platform: NamePlatform,
    umask: number,
    memory: TreeMemory,
  ) {
    this.#memory = memory;
    this.#target = target;
    this.#roots = roots;
    this.#offered = new Set(roots.map(({ name }) => collisionKey(name)));
    this.#given = new Set([...memory.renamed.values()].map(collisionKey));
    this.#platform = platform;
    this.#made = new MadeFolders(this, umask);
    this.#siblings = new Siblings(platform);
    if (target.newName !== undefined) this.#renamed.set(0, target.newName);
  }

  /** As `FileSink.examine`. */
  examine(entry: Entry): Prospect {
    this.#assertHonest(entry);
    if (entry.parent === ROOT && !this.#target.isNew) this.#recall(entry);
    const prospect = this.#isKept(entry) ? this.#look(entry) : NAME_REFUSED;
    this.#table.add(entry);
    this.#setState(entry.index, prospect.status);
    if (entry.type === 'folder') this.#made.expect(entry);
    return prospect;
  }

  decide(policy: ConflictPolicy): void {
    this.#policy = policy;
    // With `rename` the roots that were looked into are not the ones that will be written to.
    this.#open.close();
  }

  /**
   * The folder of that index, open, for use before the next wait; it is made where it is not there yet. Throws
   * `target-exists` where something else is in its place, `name-refused`, or the error of the system.
   */
  folder(index: number): OpenFolder {
    if (index === ROOT) return (this.#top ??= openTarget(this.#target));
    return this.#open.get(index, () => {
      const above = this.folder(this.#table.parentOf(index));
      const isNew = this.#mustMake(index);
      if (isNew) this.#make(above, index);
      const folder = new OpenFolder(`${above.prefix}/${this.#nameOf(index)}`, false);
      if (isNew) this.#noteMade(folder);
      return folder;
    });
  }

  /** What a call names a folder by, before the next wait. */
  locationOf(index: number): string {
    return `${this.folder(this.#table.parentOf(index)).prefix}/${this.#nameOf(index)}`;
  }

  /** The names that a file may get, the best first, and whether it takes the place of what is there. */
  placement(entry: Entry): { names: Iterable<string>; replace: boolean } {
    const state = this.#state(entry.index);
    if (state === 'refused') throw new XferError('name-refused');
    const isThere = state === 'exists' || state === 'arrived';
    const replace = (this.#policy === 'overwrite' || this.#policy === 'update') && isThere;
    return { names: this.#namesFor(entry), replace };
  }

  /** Takes note of the name that a file got. */
  placed({ index, parent, name: offered }: Entry, name: string): void {
    this.#made.change(parent);
    if (parent !== ROOT) return;
    this.#renamed.set(index, name);
    if (name !== offered && this.#target.newName === undefined) this.#memory.onRenamed(offered, name);
  }

  /** The name that a file has in its folder here, if it is there. */
  nameOf({ index, name }: Entry): string {
    return this.#renamed.get(index) ?? name;
  }

  /** What has the entry's name here. */
  look({ index, parent, name }: Entry): Stats | undefined {
    try {
      const location = `${this.folder(parent).prefix}/${this.#renamed.get(index) ?? name}`;
      return lstatSync(location, { throwIfNoEntry: false });
    } catch {
      // Nobody may look there, or it is no folder any more. Writing there will say so.
      return undefined;
    }
  }

  /** As `FileSink.lookAgain`. */
  lookAgain(entry: Entry): 'new' | 'exists' | 'arrived' {
    const stat = this.look(entry);
    const found = stat !== undefined && this.#hasArrived(entry, stat) ? 'arrived' : 'exists';
    const status = stat === undefined ? 'new' : found;
    this.#setState(entry.index, status);
    return status;
  }

  /** As `FileSink.pathOf`. */
  pathOf({ index, parent, name }: Entry): string {
    if (parent === ROOT) return path.join(this.#target.folder, this.#renamed.get(index) ?? name);
    const folders = this.#table.chain(parent).map((folder) => this.#nameOf(folder));
    return path.join(this.#target.folder, ...folders, name);
  }

  /** Whether an entry goes into another folder than it was looked for in, since its root is made anew. */
  isMadeAnew({ parent }: Entry): boolean {
    return parent !== ROOT && this.#policy === 'rename' && !this.#isContinued(parent);
  }

  /** The target as others find it. */
  get targetPath(): string {
    return path.resolve(this.#target.folder);
  }

  /** The entry's final path below the target, with slashes. */
  pathBelow({ index, parent, name }: Pick<Entry, 'index' | 'parent' | 'name'>): string {
    if (parent === ROOT) return this.#renamed.get(index) ?? name;
    const folders = this.#table.chain(parent).map((folder) => this.#nameOf(folder));
    return [...folders, name].join('/');
  }

  /** Gives the folders that were made their modes and times; with `sync` waits for the disk. */
  async finish(sync: boolean): Promise<void> {
    await this.#made.finish(sync);
    const isTargetMade = this.#top !== undefined && this.#target.isNew;
    if (sync && isTargetMade) await syncFolder(path.dirname(this.#target.folder));
  }

  /** Takes back the folders that were made and that hold nothing, and completes the others. Throws nothing. */
  async abandon(): Promise<void> {
    await this.#made.abandon();
    const isTargetMade = this.#top !== undefined && this.#target.isNew;
    this.close();
    if (isTargetMade) removeIfEmpty(this.#target.folder);
  }

  close(): void {
    this.#open.close();
    this.#top?.close();
    this.#top = undefined;
  }

  /** Throws `protocol` for what the protocol does not allow a sender to list. */
  #assertHonest({ index, parent, type, name }: Entry): void {
    checkName(name, 'linux');
    const isOffered = this.#roots[index]?.name === name && this.#roots[index].type === type;
    const honest =
      index === this.#table.length &&
      (parent === ROOT ? isOffered : this.#table.isFolder(parent)) &&
      this.#table.depthBelow(parent) <= MAX_DEPTH &&
      this.#table.pathBytesBelow(parent, name) <= MAX_PATH_BYTES;
    if (!honest) throw new XferError('protocol', { subject: name });
  }

  /** Whether this system can keep the name, beside those that were examined in its folder before. */
  #isKept({ parent, name }: Entry): boolean {
    return checkName(name, this.#platform) === 'ok' && this.#siblings.add(parent, name);
  }

  #look(entry: Entry): Prospect {
    const above = entry.parent === ROOT ? 'merges' : this.#state(entry.parent);
    if (above === 'refused') return NAME_REFUSED;
    if (above === 'made' || this.#isFresh(entry.parent)) return { status: 'new' };
    if (above === 'new' || above === 'exists') return { status: above };
    const stat = this.look(entry);
    if (stat === undefined) return { status: 'new' };
    if (this.#siblings.addFound(entry.parent, entry.name, stat)) return NAME_REFUSED;
    if (this.#hasArrived(entry, stat)) return { status: 'arrived' };
    if (entry.type === 'file' || !stat.isDirectory()) return { status: 'exists' };
    // Its mode and time are still to come.
    if (this.#memory.hasMade(stat)) this.#made.recall(entry.index);
    return { status: 'merges' };
  }

  /** Whether nothing that was on the disk before can be in the folder. */
  #isFresh(folder: number): boolean {
    if (folder === ROOT) return this.#target.isNew;
    return this.#policy === 'rename' && !this.#isContinued(folder);
  }

  /** Whether it is a root, or lies in one, that an interrupted transfer made. */
  #isContinued(folder: number): boolean {
    return this.#continued.size > 0 && this.#continued.has(this.#table.rootOf(folder));
  }

  /** Whether an interrupted transfer brought this very file for the entry. */
  #hasArrived(entry: Entry, stat: Stats): boolean {
    if (entry.type !== 'file' || !this.#memory.hasArrived(entry, stat)) return false;
    if (this.#foreign.size === 0) return true;
    return !this.#foreign.has(entry.parent === ROOT ? entry.index : this.#table.rootOf(entry.parent));
  }

  /** Goes on in the folder that an interrupted transfer made for a root, and finds the file that it brought, perhaps under another name. */
  #recall(root: Entry): void {
    const as = this.#target.newName === undefined ? this.#memory.renamed.get(root.name) : undefined;
    if (as !== undefined && this.#isFree(as)) this.#renamed.set(root.index, as);
    const stat = this.look(root);
    // Nothing but the very folder that it made, or the very file: a journal must not lead anywhere else.
    const isOwn = stat !== undefined && this.#isOwn(root, stat);
    if (as !== undefined && !isOwn) this.#renamed.delete(root.index);
    if (this.#given.has(collisionKey(this.nameOf(root))) && this.nameOf(root) !== as)
      this.#foreign.add(root.index);
    else if (isOwn && root.type === 'folder') this.#continued.add(root.index);
  }

  /** Whether a root may have that name instead of its own. It must not be that of another root, which would fall onto it. */
  #isFree(name: string): boolean {
    return checkName(name, this.#platform) === 'ok' && !this.#offered.has(collisionKey(name));
  }

  #isOwn(root: Entry, stat: Stats): boolean {
    if (root.type === 'file') return this.#memory.hasArrived(root, stat);
    return stat.isDirectory() && this.#memory.hasMade(stat);
  }

  #mustMake(index: number): boolean {
    const state = this.#state(index);
    if (state === 'refused') throw new XferError('name-refused');
    if (state === 'made') return false;
    // A root that is there already is renamed as a whole, so whatever lies in it is made anew.
    if (state === 'new' || (this.#policy === 'rename' && !this.#isContinued(index))) return true;
    if (state === 'merges') return false;
    throw new XferError('target-exists');
  }

  #make(above: OpenFolder, index: number): void {
    const entry = {
      index,
      parent: this.#table.parentOf(index),
      name: this.#nameOf(index),
      type: 'folder',
    } as const;
    for (const name of this.#namesFor(entry)) {
      if (!makeFolder(`${above.prefix}/${name}`)) continue;
      if (name !== entry.name) {
        this.#renamed.set(index, name);
        this.#memory.onRenamed(entry.name, name);
      }
      this.#setState(index, 'made');
      this.#made.add(index, entry.parent);
      return;
    }
    throw new XferError('target-exists');
  }

  #noteMade(folder: OpenFolder): void {
    try {
      this.#memory.onMade(folder.stat());
    } catch (thrown) {
      folder.close();
      throw thrown;
    }
  }

  /** The names to try for an entry: its own, and with `rename` others for a root. */
  #namesFor({
    index,
    parent,
    name,
    type,
  }: Pick<Entry, 'index' | 'parent' | 'name' | 'type'>): Iterable<string> {
    const own = this.#renamed.get(index) ?? name;
    if (this.#policy !== 'rename' || this.#continued.has(index)) return [own];
    if (parent !== ROOT) return this.#isContinued(parent) ? freeNames(own, type) : [own];
    return this.#notOffered(freeNames(own, type), own);
  }

  /** Another name must not be that of another root, which may come later. */
  *#notOffered(names: Iterable<string>, own: string): Generator<string> {
    for (const name of names) if (name === own || !this.#offered.has(collisionKey(name))) yield name;
  }

  #nameOf(folder: number): string {
    return this.#renamed.get(folder) ?? this.#table.nameOf(folder);
  }

  #state(index: number): State {
    return STATES[this.#states.at(index)] ?? 'unknown';
  }

  #setState(index: number, state: State): void {
    this.#states.set(index, STATES.indexOf(state));
  }
}

/** Makes a folder for this user alone; false where something has the name. */
function makeFolder(location: string): boolean {
  try {
    mkdirSync(location, 0o700);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') return false;
    throw thrown;
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something is in it.
  }
}
