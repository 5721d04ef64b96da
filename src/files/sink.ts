/** Folders of this machine as the place where a transfer arrives. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import {
  NOTHING_KEPT,
  ROOT,
  type ConflictPolicy,
  type Entry,
  type FileSink,
  type FileSource,
  type HeldPart,
  type Kept,
  type OlderCopy,
  type PartFile,
  type Prospect,
} from '../transfer/ports.js';
import type { OpenFolder } from './directory.js';
import { errnoOf, writeError } from './disk-errors.js';
import { DiskHeldPart, DiskPartFile } from './disk-part-file.js';
import { findInterrupted, isOf, isUnderWay, partLength, Register, type Interrupted } from './interrupted.js';
import type { FileIdentity } from './journal.js';
import { DiskOlderCopy, type Offered } from './older-copy.js';
import { breathe } from './pace.js';
import { identityOf, type Metadata, type OpenPart } from './part-file.js';
import { thisPlatform, type NamePlatform } from './paths.js';
import { PendingFiles } from './pending-files.js';
import { copyName } from './staging-name.js';
import { Staging, type StagingOptions } from './staging.js';
import { TargetTree } from './target-tree.js';
import { freeBytesAt, resolveTarget, type Target } from './target.js';

export { assertTarget, entersHome, isHomeFolder } from './target.js';

export interface SinkOptions {
  /** Where the roots go, see `resolveTarget`; the working folder if not given. */
  readonly out?: string | undefined;
  /** Does not go there by way of a symbolic link. */
  readonly noLinks?: boolean;
  /** Drops the x bit of files. */
  readonly noExec?: boolean;
  /** Waits for the disk before anything is said to have arrived, and before a file gets its name. */
  readonly sync?: boolean;
  /** Where it is remembered what transfers are under way; nowhere if not given. */
  readonly register?: string | undefined;
  /** How many small files may get their names together; as many as pays if not given. */
  readonly together?: number;
  /** Whose rules for names hold; those of this system if not given. */
  readonly platform?: NamePlatform;
}

/**
 * A sink for the roots that an offer names. Changes nothing on the disk before the first folder or file is
 * written. Throws `path-missing`, `target-exists` or `permission-denied` where `out` cannot be the target.
 *
 * Methods that write throw `disk-full`, `disk-failed`, `permission-denied`, `target-exists` or `name-refused`.
 */
export function openSink(offer: Pick<FileSource, 'roots'>, options: SinkOptions = {}): FileSink {
  const target = { ...resolveTarget(options.out, offer.roots), noLinks: options.noLinks === true };
  return new DiskSink(target, offer.roots, options);
}

const MOST_SYNCED = 4_000;
const MOST_UNSYNCED = 64;

/** Where nobody else hears of it. */
function throwAny(error?: XferError): void {
  if (error !== undefined) throw error;
}

class DiskSink implements FileSink {
  readonly #target: Target;
  readonly #roots: readonly string[];
  readonly #tree: TargetTree;
  /** The bits of a sender's mode that a file gets. */
  readonly #modeMask: number;
  readonly #register: Register | undefined;
  /** What an interrupted transfer of one of these roots left. */
  readonly #interrupted: Interrupted | undefined;
  /** Files of which it left a part, with the name of the newest. */
  readonly #partNames: ReadonlyMap<string, string>;
  #staging: Staging | undefined;
  readonly #parts = new Set<DiskPartFile | DiskHeldPart>();
  /** Files from before that are read. */
  readonly #copies = new Set<DiskOlderCopy>();
  readonly #isSyncing: boolean;
  readonly #mostFiles: number;
  /** Small files without a name. */
  #pending: PendingFiles | undefined;
  /** It was ended, and begins nothing any more: whoever writes to a slow disk hears of that late. */
  #isAborted = false;

  constructor(
    target: Target,
    roots: FileSource['roots'],
    { noExec, platform, sync, register, together }: SinkOptions,
  ) {
    // Asking sets it for a moment, which is a risk to files that other threads make meanwhile: here none does.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way to ask
    const umask = process.umask();
    this.#target = target;
    this.#roots = roots.map(({ name }) => name);
    this.#register = register === undefined ? undefined : new Register(register);
    this.#interrupted = target.isNew ? undefined : this.#findInterrupted();
    this.#partNames = new Map(this.#interrupted?.journal.parts.map(({ path, name }) => [path, name]));
    this.#tree = new TargetTree(target, roots, platform ?? thisPlatform(), umask, {
      renamed: this.#interrupted?.journal.renamed ?? new Map(),
      // Neither that file nor the sender's was changed since.
      hasArrived: ({ size, mtimeMs }, stat) =>
        this.#interrupted?.journal.arrived.has(stat) === true &&
        stat.isFile() &&
        stat.size === size &&
        Math.floor(stat.mtimeMs) === mtimeMs,
      hasMade: (stat) => this.#interrupted?.journal.made.has(stat) === true,
      onMade: (stat) => this.#stage().noteMade(identityOf(stat)),
      onRenamed: (root, as) => this.#stage().noteRenamed(root, as),
    });
    this.#modeMask = 0o777 & ~umask & (noExec === true ? ~0o111 : ~0);
    this.#isSyncing = sync === true;
    this.#mostFiles = together ?? (this.#isSyncing ? MOST_SYNCED : MOST_UNSYNCED);
  }

  async examine(entry: Entry): Promise<Prospect> {
    await breathe();
    const prospect = this.#tree.examine(entry);
    if (prospect.status !== 'new' && prospect.status !== 'exists') return prospect;
    const partBytes = this.#partBytes(entry);
    return partBytes > 0 ? { ...prospect, partBytes } : prospect;
  }

  async freeBytes(): Promise<number | undefined> {
    return freeBytesAt(this.#target);
  }

  isBusy(): boolean {
    // What is under way by then is this one.
    if (this.#target.isNew || this.#staging !== undefined) return false;
    return isUnderWay(this.#target.folder, this.#roots);
  }

  decide(policy: ConflictPolicy): void {
    this.#tree.decide(policy);
  }

  isMadeAnew(entry: Entry): boolean {
    return this.#tree.isMadeAnew(entry);
  }

  lookAgain(entry: Entry): 'new' | 'exists' | 'arrived' {
    return this.#tree.lookAgain(entry);
  }

  async makeFolder(entry: Entry): Promise<void> {
    await breathe();
    this.#assertRunning();
    this.#naming(entry, () => this.#tree.folder(entry.index));
  }

  writeWhole(
    entry: Entry,
    content: Uint8Array,
    onSettled: (error?: XferError) => void = throwAny,
  ): Promise<void> | undefined {
    const write = (): Promise<void> | undefined => {
      this.#assertRunning();
      const { part, identity } = this.#naming(entry, () => this.#write(entry, content));
      return this.#pendingFiles().add({ entry, part, identity, onSettled }, content.length);
    };
    const pause = breathe();
    return pause === undefined ? write() : pause.then(write);
  }

  async create(entry: Entry): Promise<PartFile> {
    this.#assertRunning();
    return this.#naming(entry, () => {
      // What is in the way, or not allowed, shows before the content comes.
      accessSync(this.#tree.folder(entry.parent).prefix, constants.W_OK | constants.X_OK);
      return this.#open(entry, this.#stage().createPart(this.#tree.pathBelow(entry), entry.size));
    });
  }

  heldBytes(entry: Entry): number {
    const path = this.#tree.pathBelow(entry);
    if (!this.#partNames.has(path)) return 0;
    this.#staging ??= this.#claim();
    return this.#staging?.heldBytes(path) ?? 0;
  }

  async openHeld(entry: Entry): Promise<HeldPart | undefined> {
    this.#assertRunning();
    await this.#staging?.makeOwn(this.#tree.pathBelow(entry), entry.size ?? 0);
    this.#assertRunning();
    return this.#naming(entry, () => {
      this.#tree.folder(entry.parent);
      const part = this.#stage().openPart(this.#tree.pathBelow(entry));
      if (part === undefined) return undefined;
      const held = new DiskHeldPart(part, {
        explain: (thrown) => writeError(thrown, this.pathOf(entry)),
        closed: () => this.#parts.delete(held),
        continued: () => this.#open(entry, part),
      });
      this.#parts.add(held);
      return held;
    });
  }

  async openOlder(entry: Entry): Promise<OlderCopy[]> {
    await breathe();
    this.#assertRunning();
    const folder = this.#naming(entry, () => this.#tree.folder(entry.parent));
    const offered = {
      ...this.#metadata(entry),
      look: () => this.#tree.look(entry),
      explain: (thrown: unknown) => writeError(thrown, this.pathOf(entry)),
      onAdopted: () => this.#dropParts(entry),
    };
    const copies = [this.#openCopy(folder, this.#tree.nameOf(entry), offered)];
    // An empty staging folder is made for nothing: there may be nothing to write.
    this.#staging ??= this.#claim();
    const part = this.#staging?.earlierPart(this.#tree.pathBelow(entry));
    if (part !== undefined) copies.push(this.#openCopy(part.folder, part.name, undefined));
    return copies.filter((copy) => copy !== undefined);
  }

  async finish(isWhole: boolean, signal?: AbortSignal): Promise<Kept> {
    await this.#pending?.settle();
    try {
      await this.#tree.finish(this.#isSyncing);
    } catch (thrown) {
      throw writeError(thrown, this.#target.folder);
    }
    this.#assertRunning();
    if (signal?.aborted === true) throw new XferError('interrupted');
    // Where all of it had arrived before, nothing has been looked for in what was left.
    this.#staging ??= this.#claim();
    const kept = this.#leave()?.finish(isWhole) ?? NOTHING_KEPT;
    this.#tree.close();
    return kept;
  }

  async abort(keep: boolean): Promise<Kept> {
    this.#isAborted = true;
    // Those in a folder that another process has taken over are none of ours any more.
    const keeps = keep || this.#staging?.isLost === true;
    for (const part of this.#parts) await (keeps ? part.keep() : part.discard());
    // What is verified stays, as it does where nothing waits.
    await this.#pending?.settle().catch(() => this.#pending?.discard());
    for (const copy of this.#copies) await copy.close();
    const kept = this.#leave()?.abandon(keep) ?? NOTHING_KEPT;
    await this.#tree.abandon();
    return kept;
  }

  pathOf(entry: Entry): string {
    return this.#tree.pathOf(entry);
  }

  /** As `heldBytes`, before anything is taken over. */
  #partBytes(entry: Entry): number {
    if (this.#interrupted === undefined || this.#partNames.size === 0) return 0;
    const part = this.#partNames.get(this.#tree.pathBelow(entry));
    return part === undefined ? 0 : (partLength(this.#target.folder, this.#interrupted, part) ?? 0);
  }

  #assertRunning(): void {
    if (this.#isAborted) throw new XferError('interrupted');
  }

  #findInterrupted(): Interrupted | undefined {
    return findInterrupted(this.#target.folder).find(({ journal }) => isOf(journal, this.#roots));
  }

  /** Where everything lies that has no final name yet: what an interrupted transfer left, or a new one. */
  #stage(): Staging {
    this.#staging ??= this.#claim() ?? Staging.create(this.#stagingOptions());
    return this.#staging;
  }

  #claim(): Staging | undefined {
    const interrupted = this.#interrupted;
    return interrupted === undefined ? undefined : Staging.claim(this.#stagingOptions(), interrupted);
  }

  #stagingOptions(): StagingOptions {
    return {
      target: this.#tree.folder(ROOT),
      targetPath: this.#tree.targetPath,
      roots: this.#roots,
      register: this.#register,
    };
  }

  #leave(): Staging | undefined {
    const staging = this.#staging;
    this.#staging = undefined;
    return staging;
  }

  #pendingFiles(): PendingFiles {
    this.#pending ??= new PendingFiles({
      syncedIn: this.#isSyncing ? this.#stage().self : undefined,
      mostFiles: this.#mostFiles,
      announce: (files) => this.#stage().noteArrived(files),
      place: (entry, part, identity) => this.#place(entry, part, identity),
      withdraw: (file) => this.#staging?.withdrawArrived(file),
      explain: (entry, thrown) => writeError(thrown, this.pathOf(entry)),
    });
    return this.#pending;
  }

  #openCopy(folder: OpenFolder, name: string, offered: Offered | undefined): DiskOlderCopy | undefined {
    const copy = DiskOlderCopy.open(folder, name, offered, (closed) => this.#copies.delete(closed));
    if (copy !== undefined) this.#copies.add(copy);
    return copy;
  }

  #open(entry: Entry, part: OpenPart): DiskPartFile {
    const file = new DiskPartFile(part, {
      place: async () => {
        if (this.#isSyncing) await part.sync();
        const identity = part.complete(this.#metadata(entry));
        this.#stage().noteArrived([identity]);
        await this.#place(entry, part, identity);
      },
      // Small files that came before a large one do not wait for its end.
      grown: () => this.#pending?.settleDue(),
      explain: (thrown) => writeError(thrown, this.pathOf(entry)),
      closed: () => this.#parts.delete(file),
    });
    this.#parts.add(file);
    return file;
  }

  /** Writes a small file, which has no name yet. */
  #write(entry: Entry, content: Uint8Array): { part: OpenPart; identity: FileIdentity } {
    const staging = this.#stage();
    // Verified already, so it may be what it will be from the start: a call for each file less.
    const part = staging.createWhole(entry.mode & this.#modeMask);
    try {
      part.writeWhole(content);
      return { part, identity: part.complete(this.#metadata(entry)) };
    } catch (thrown) {
      part.remove();
      throw thrown;
    }
  }

  #metadata(entry: Entry): Metadata {
    // The owner can read what arrives, whatever the sender says.
    return { mode: (entry.mode & this.#modeMask) | 0o400, mtimeMs: entry.mtimeMs };
  }

  #place(entry: Entry, part: OpenPart, identity: FileIdentity): Promise<void> | undefined {
    try {
      const folder = this.#tree.folder(entry.parent);
      this.#placed(entry, part.place(folder, this.#tree.placement(entry)));
      return undefined;
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EXDEV') throw thrown;
      return this.#placeElsewhere(entry, part, identity);
    }
  }

  #placed(entry: Entry, name: string): void {
    this.#dropParts(entry);
    this.#tree.placed(entry, name);
    this.#stage().countArrived();
  }

  /** A file that is here has no use for parts, however it came: it may have been larger when they were begun. */
  #dropParts(entry: Entry): void {
    if (this.#staging?.hasParts === true) this.#staging.removeParts(this.#tree.pathBelow(entry));
  }

  /** Into a folder that was there before and is another file system. */
  async #placeElsewhere(entry: Entry, part: OpenPart, original: FileIdentity): Promise<void> {
    const folder = this.#tree.folder(entry.parent).hold();
    try {
      const name = copyName();
      this.#stage().noteCopy(name, path.posix.dirname(this.#tree.pathBelow(entry)));
      const copy = await part.copyTo(folder, name, this.#metadata(entry));
      const copied = copy.identity();
      try {
        this.#stage().noteArrived([copied]);
        if (this.#isSyncing) await copy.sync();
        copy.close();
        this.#placed(entry, copy.place(folder, this.#tree.placement(entry)));
      } catch (thrown) {
        copy.remove();
        this.#staging?.withdrawArrived(copied);
        throw thrown;
      }
      part.remove();
      this.#staging?.withdrawArrived(original);
    } finally {
      folder.close();
    }
  }

  /** Runs `work`; what it throws is told as what happened to `entry`. */
  #naming<T>(entry: Entry, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw writeError(thrown, this.pathOf(entry));
    }
  }
}
