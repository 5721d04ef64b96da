/**
 * A folder beside what arrives, private and hidden, for what has no final name yet: part files, and a journal of them. It is
 * removed with the last of them. Where a transfer is interrupted it stays, and the next one into the same place goes on with it.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { XferError } from '../errors.js';
import { NOTHING_KEPT, type Kept } from '../transfer/ports.js';
import { LEAF_BYTES } from '../transfer/resume.js';
import { OpenFolder } from './directory.js';
import { errnoOf } from './disk-errors.js';
import {
  emptyStaging,
  isOwn,
  isPrivate,
  readJournal,
  removeCopies,
  type Interrupted,
  type Register,
} from './interrupted.js';
import {
  encodeArrived,
  encodeLine,
  encodeMade,
  encodeWithdrawn,
  JOURNAL_NAME,
  parseJournal,
  PART_NAME,
  type FileIdentity,
  type JournalLine,
} from './journal.js';
import { isElsewhere, ownerTag, SHOW_EVERY_MS } from './owner.js';
import { makePrivate, OpenPart, removePart } from './part-file.js';
import { parseStagingName, stagingName } from './staging-name.js';

const REFUSED: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM']);
const JOURNAL_FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW;

export interface StagingOptions {
  /** The open target folder; it must stay open. */
  readonly target: OpenFolder;
  /** As others can find it. */
  readonly targetPath: string;
  readonly roots: readonly string[];
  readonly register: Register | undefined;
}

export class Staging {
  readonly id: string;
  readonly #options: StagingOptions;
  readonly #name: string;
  readonly #folder: OpenFolder;
  readonly #stat: Stats;
  readonly #journal: number;
  /** Whether the file system says that nobody else can write here. Where it does not, no later transfer would believe what is left. */
  readonly #isBelieved: boolean;
  /** Part files that a later transfer can go on with, by the path of the file; the last one is the newest. */
  readonly #parts = new Map<string, string[]>();
  /** Those that this transfer began. */
  readonly #begun = new Set<string>();
  /** Those that the process they were taken from may still write to. */
  readonly #shared = new Set<string>();
  #isClosed = false;
  #nextPart = 0;
  #arrived = 0;
  #wasClaimed = false;
  /** There are roots in the journal that were not offered this time. */
  #otherRoots = false;
  /** The journal may end inside a line. */
  #isTorn = false;
  readonly #pulse: NodeJS.Timeout;

  private constructor(
    options: StagingOptions,
    id: string,
    name: string,
    folder: OpenFolder,
    journal: number,
  ) {
    this.id = id;
    this.#options = options;
    this.#name = name;
    this.#folder = folder;
    this.#stat = folder.stat();
    this.#journal = journal;
    this.#isBelieved = isPrivate(this.#stat) && this.#isOurs(fstatSync(journal));
    this.#pulse = setInterval(() => this.#show(), SHOW_EVERY_MS).unref();
  }

  /** Makes one. Throws the error of the system, as do the methods. */
  static create(options: StagingOptions): Staging {
    const id = randomBytes(8).toString('hex');
    const name = stagingName(id, ownerTag());
    const location = `${options.target.prefix}/${name}`;
    mkdirSync(location, 0o700);
    let folder: OpenFolder | undefined;
    let staging: Staging | undefined;
    try {
      folder = new OpenFolder(location, false);
      options.register?.note(id, options.targetPath);
      const flags = JOURNAL_FLAGS | constants.O_CREAT | constants.O_EXCL;
      const journal = openSync(`${folder.prefix}/${JOURNAL_NAME}`, flags, 0o600);
      staging = new Staging(options, id, name, folder, journal);
      staging.#write({ xfer: 1, roots: options.roots, started: Date.now() });
      return staging;
    } catch (thrown) {
      if (staging === undefined) {
        options.register?.forget(id);
        removeIfPossible(folder, location);
      } else staging.abandon(false);
      throw thrown;
    }
  }

  /** Takes over what an interrupted transfer left; `undefined` where somebody else did, or it is gone. */
  static claim(options: StagingOptions, { id, name: before, ino }: Interrupted): Staging | undefined {
    const { target } = options;
    const name = stagingName(id, ownerTag());
    let folder: OpenFolder | undefined;
    let staging: Staging | undefined;
    try {
      // The name says whose it is: who renames it first has it.
      renameSync(`${target.prefix}/${before}`, `${target.prefix}/${name}`);
      folder = new OpenFolder(`${target.prefix}/${name}`, false);
      const stat = folder.stat();
      if (stat.ino !== ino || !isPrivate(stat)) throw new Error('another folder');
      const journal = openSync(`${folder.prefix}/${JOURNAL_NAME}`, JOURNAL_FLAGS);
      staging = new Staging(options, id, name, folder, journal);
      const { owner } = parseStagingName(before) ?? {};
      staging.#takeOver(owner !== undefined && isElsewhere(owner));
      return staging;
    } catch {
      // Whatever it is, a later transfer may look at it again.
      if (staging === undefined) folder?.close();
      else staging.#close(0, true);
      return undefined;
    }
  }

  /** A new part file for `path`, which a later transfer can go on with. */
  createPart(path: string, size: number | undefined): OpenPart {
    const { part, name } = this.#create();
    this.#begun.add(name);
    // What has no size cannot be gone on with.
    if (size !== undefined) {
      this.#remember(path, name);
      try {
        this.#write({ part: name, path, size });
      } catch (thrown) {
        part.close();
        throw thrown;
      }
    }
    return part;
  }

  /** A new part file for content that is verified and whole. `mode` may be what the file will have. */
  createWhole(mode: number): OpenPart {
    return this.#create(mode).part;
  }

  /** Bytes of what `openPart` would open; 0 for none. */
  heldBytes(path: string): number {
    const name = this.#parts.get(path)?.at(-1);
    return name === undefined ? 0 : this.#lengthOf(name);
  }

  /** Where the newest part lies that an earlier transfer began for `path`. */
  earlierPart(path: string): { readonly folder: OpenFolder; readonly name: string } | undefined {
    const name = this.#parts.get(path)?.findLast((each) => !this.#begun.has(each));
    return name === undefined ? undefined : { folder: this.#folder, name };
  }

  /** What `createPart` began for `path` before, or another transfer did; the newest. `undefined` also where it may not be written to. */
  openPart(path: string): OpenPart | undefined {
    const name = this.#parts.get(path)?.at(-1);
    if (name === undefined) return undefined;
    try {
      return OpenPart.reopen(this.#folder, name);
    } catch (thrown) {
      if (!REFUSED.has(errnoOf(thrown))) throw thrown;
      return undefined;
    }
  }

  /**
   * To do before `openPart`: a part that another process may still write to is copied, and the copy is gone on with. That process was
   * taken for dead since it was silent, and one that slept goes on with what it has open. Throws nothing.
   */
  async makeOwn(path: string, size: number): Promise<void> {
    const name = this.#parts.get(path)?.at(-1);
    if (name === undefined || !this.#shared.has(name)) return;
    const folder = this.#folder.hold();
    const copy = `${this.#nextPart++}.part`;
    try {
      const how = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
      await copyFile(`${folder.prefix}/${name}`, `${folder.prefix}/${copy}`, how);
      if (this.#isClosed) throw new Error('too late');
      this.#write({ part: copy, path, size });
      this.#remember(path, copy);
    } catch {
      removePart(folder, copy);
      // Then the file comes from its beginning.
      this.#parts.delete(path);
    } finally {
      // Without its name nobody else can give it one.
      if (!this.#isClosed) removePart(folder, name);
      folder.close();
    }
  }

  /** Whether another process has taken it over, which took this one for dead. What cannot be looked at is not relied on. */
  get isLost(): boolean {
    try {
      const { ino, dev } = lstatSync(this.#location);
      return ino !== this.#stat.ino || dev !== this.#stat.dev;
    } catch {
      return true;
    }
  }

  get #isRemoved(): boolean {
    try {
      return this.#folder.stat().nlink === 0;
    } catch {
      return true;
    }
  }

  /** The folder, for calls about its file system. */
  get self(): number | string {
    return this.#folder.self;
  }

  /**
   * Files that are about to get their names: before, or a crash in between would leave files that nobody knows. Throws `disk-failed`
   * where another process has taken over the folder, since it may have written to what lies in it, or somebody removed it.
   */
  noteArrived(files: readonly FileIdentity[]): void {
    if (this.isLost) {
      const { targetPath } = this.#options;
      const detail = this.#isRemoved ? 'removed' : 'taken';
      throw new XferError('disk-failed', { subject: `${targetPath}/${this.#name}`, detail });
    }
    this.#append(encodeArrived(files));
  }

  /** One of them did not get it, and is gone. Throws nothing: without it, it is counted where `xfer resume` lists what arrived, and no more. */
  withdrawArrived(file: FileIdentity): void {
    try {
      this.#append(encodeWithdrawn(file));
    } catch {
      // Said above.
    }
  }

  /** A copy of a part is about to be made in this folder below the target: a crash would leave a file that nobody knows. */
  noteCopy(copy: string, folder: string): void {
    this.#write({ copy, folder });
  }

  /** A root has another name here. */
  noteRenamed(root: string, as: string): void {
    this.#write({ root, as });
  }

  /** A folder was made. */
  noteMade(folder: FileIdentity): void {
    this.#append(encodeMade([folder]));
  }

  /** A file has its name. */
  countArrived(): void {
    this.#arrived++;
  }

  /** Whether there is anything to remove. */
  get hasParts(): boolean {
    return this.#parts.size > 0;
  }

  /** The parts of a file that has its name are of no use any more. */
  removeParts(path: string): void {
    for (const name of this.#parts.get(path) ?? []) removePart(this.#folder, name);
    this.#parts.delete(path);
  }

  /** Lets go of it after a transfer: only files that did not come whole can be something for a later one. */
  finish(isWhole: boolean): Kept {
    if (this.isLost) return this.#letGo();
    const bytes = this.#tidy(this.#isBelieved);
    const isOwn = [...this.#parts.values()].flat().some((name) => this.#begun.has(name));
    // It is still needed for roots that were not offered this time, and for what nobody wanted of those that were.
    const isChoice = !isWhole && this.#wasClaimed;
    const isForOthers = (this.#otherRoots || isChoice) && this.#arrived > 0;
    if (this.#otherRoots && !isChoice && !isOwn) this.#noteFinished();
    this.#close(bytes, isForOthers || this.#parts.size > 0);
    return isOwn ? { bytes, any: true } : { bytes: 0, any: false };
  }

  /** As `FileSink.abort`. */
  abandon(wanted: boolean): Kept {
    if (this.isLost) return this.#letGo();
    const keep = wanted && this.#isBelieved;
    const bytes = this.#tidy(keep);
    const any = this.#parts.size > 0 || (this.#arrived > 0 && (keep || this.#wasClaimed));
    const kept = this.#close(bytes, any);
    return keep ? kept : { bytes: 0, any: false };
  }

  /** It stays where there is something in it for a later transfer, and otherwise is removed. */
  #close(bytes: number, any: boolean): Kept {
    this.#stop();
    const { target, register } = this.#options;
    const location = this.#location;
    try {
      if (any) renameSync(location, `${target.prefix}/${stagingName(this.id)}`);
      else emptyStaging(this.#folder, location, this.#stat.ino);
    } catch {
      // Left for a later transfer, or for whoever removed it.
    }
    this.#folder.close();
    if (!any) register?.forget(this.id);
    return { bytes, any };
  }

  /** Leaves it to whoever has it now. */
  #letGo(): Kept {
    this.#stop();
    this.#folder.close();
    return NOTHING_KEPT;
  }

  #stop(): void {
    this.#isClosed = true;
    clearInterval(this.#pulse);
    closeSync(this.#journal);
  }

  get #location(): string {
    return `${this.#options.target.prefix}/${this.#name}`;
  }

  /** Removes what nobody can go on with. Gives the bytes that are left. */
  #tidy(keep: boolean): number {
    let bytes = 0;
    for (const [path, names] of this.#parts) {
      const left = names.filter((name) => {
        const length = this.#lengthOf(name);
        const isWorthIt = length >= LEAF_BYTES && (keep || !this.#begun.has(name));
        if (isWorthIt) bytes += length;
        else removePart(this.#folder, name);
        return isWorthIt;
      });
      if (left.length === 0) this.#parts.delete(path);
    }
    return bytes;
  }

  #lengthOf(name: string): number {
    try {
      return lstatSync(`${this.#folder.prefix}/${name}`).size;
    } catch {
      return 0;
    }
  }

  #create(mode?: number): { part: OpenPart; name: string } {
    for (;;) {
      const name = `${this.#nextPart++}.part`;
      try {
        return { part: OpenPart.create(this.#folder, name, mode), name };
      } catch (thrown) {
        // Nobody but this user can have put something there; it is none of ours all the same.
        if (errnoOf(thrown) !== 'EEXIST') throw thrown;
      }
    }
  }

  #remember(path: string, name: string): void {
    const names = this.#parts.get(path);
    if (names === undefined) this.#parts.set(path, [name]);
    else names.push(name);
  }

  /** Reads what is there, since another process may have worked in it, and removes what has no place in the journal. */
  #takeOver(mayBeAwake: boolean): void {
    this.#wasClaimed = true;
    const journal = parseJournal(readJournal(this.#folder.prefix)?.text ?? '');
    const isKnown = new Set(journal?.parts.map(({ name }) => name));
    for (const name of readdirSync(this.#folder.prefix)) {
      if (!PART_NAME.test(name)) continue;
      this.#nextPart = Math.max(this.#nextPart, Number.parseInt(name, 10) + 1);
      if (!isKnown.has(name)) removePart(this.#folder, name);
    }
    removeCopies(this.#options.target.prefix, journal);
    const offered = new Set(this.#options.roots);
    this.#otherRoots =
      journal?.roots.some((root) => !offered.has(root) && !journal.finished.has(root)) ?? false;
    this.#arrived = journal?.arrived.size ?? 0;
    for (const { name, path } of journal?.parts ?? []) {
      if (!this.#isPart(name)) continue;
      makePrivate(this.#folder, name);
      this.#remember(path, name);
      if (mayBeAwake) this.#shared.add(name);
    }
    this.#isTorn = !endsLine(this.#journal);
    this.#write({ xfer: 1, roots: this.#options.roots, started: Date.now() });
  }

  #isPart(name: string): boolean {
    const stat = lstatSync(`${this.#folder.prefix}/${name}`, { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.nlink === 1 && this.#isOurs(stat);
  }

  /** Whether nobody else can have written to a file in the folder. */
  #isOurs(stat: Stats): boolean {
    // A part that was complete has the mode of the file already, which lets nobody in who is kept out of the folder.
    const isShut = (this.#stat.mode & 0o077) === 0;
    return isPrivate(stat) || (isShut && isOwn(stat));
  }

  /** The roots of this transfer have come. */
  #noteFinished(): void {
    try {
      this.#write({ finished: this.#options.roots });
    } catch {
      // Then it stays longer than it has to.
    }
  }

  #write(line: JournalLine): void {
    this.#append(encodeLine(line));
  }

  /** Appends a line whole, or throws: a disk that is almost full takes a part of it, and says nothing. */
  #append(line: string): void {
    const bytes = Buffer.from(this.#isTorn ? `\n${line}` : line);
    this.#isTorn = true;
    for (let done = 0; done < bytes.length;) done += writeSync(this.#journal, bytes, done);
    this.#isTorn = false;
  }

  /** For processes that cannot look whether this one runs. */
  #show(): void {
    try {
      const now = new Date();
      futimesSync(this.#journal, now, now);
    } catch {
      // The disk has more to say about that when something is written.
    }
  }
}

function removeIfPossible(folder: OpenFolder | undefined, location: string): void {
  try {
    if (folder === undefined) rmdirSync(location);
    else emptyStaging(folder, location, folder.stat().ino);
  } catch {
    // What went wrong before matters more.
  } finally {
    folder?.close();
  }
}

function endsLine(fd: number): boolean {
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a);
}
