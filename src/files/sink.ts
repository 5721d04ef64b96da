/** Folders of this machine as the place where a transfer arrives. */
import type { XferError } from '../errors.js';
import {
  ROOT,
  type ConflictPolicy,
  type Entry,
  type FileSink,
  type FileSource,
  type PartFile,
  type Prospect,
} from '../transfer/ports.js';
import type { OpenFolder } from './directory.js';
import { writeError } from './disk-errors.js';
import { breathe } from './pace.js';
import { OpenPart, type Metadata } from './part-file.js';
import { thisPlatform, type NamePlatform } from './paths.js';
import { PendingFiles } from './pending-files.js';
import { TargetTree } from './target-tree.js';
import { freeBytesAt, resolveTarget, type Target } from './target.js';

export { assertTarget, entersHome, isHomeFolder } from './target.js';

export interface SinkOptions {
  /** Where the roots go, see `resolveTarget`; the working folder if not given. */
  readonly out?: string | undefined;
  /** Drops the x bit of files. */
  readonly noExec?: boolean;
  /** Waits for the disk before anything is said to have arrived, and before a file gets its name. */
  readonly sync?: boolean;
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
  return new DiskSink(resolveTarget(options.out, offer.roots), offer.roots, options);
}

class DiskSink implements FileSink {
  readonly #target: Target;
  readonly #tree: TargetTree;
  /** The bits of a sender's mode that a file gets. */
  readonly #modeMask: number;
  readonly #parts = new Set<DiskPartFile>();
  /** Where the disk is waited for. */
  readonly #pending: PendingFiles | undefined;
  /** Of the folder that was written to last; files of one folder come together. */
  #last = { folder: ROOT - 1, device: 0 };

  constructor(target: Target, roots: FileSource['roots'], { noExec, platform, sync }: SinkOptions) {
    // Asking sets it for a moment, which is a risk to files that other threads make meanwhile: here none does.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way to ask
    const umask = process.umask();
    this.#target = target;
    this.#tree = new TargetTree(target, roots, platform ?? thisPlatform(), umask);
    this.#modeMask = 0o777 & ~umask & (noExec === true ? ~0o111 : ~0);
    if (sync !== true) return;
    this.#pending = new PendingFiles({
      folderOf: (entry) => this.#tree.folder(entry.parent),
      place: (entry, part) => this.#place(entry, part),
      explain: (entry, thrown) => writeError(thrown, this.pathOf(entry)),
    });
  }

  async examine(entry: Entry): Promise<Prospect> {
    await breathe();
    return this.#tree.examine(entry);
  }

  async freeBytes(): Promise<number | undefined> {
    return freeBytesAt(this.#target);
  }

  decide(policy: ConflictPolicy): void {
    this.#tree.decide(policy);
  }

  async makeFolder(entry: Entry): Promise<void> {
    await breathe();
    this.#naming(entry, () => this.#tree.folder(entry.index));
  }

  async writeWhole(
    entry: Entry,
    content: Uint8Array,
    onSettled: (error?: XferError) => void = () => {},
  ): Promise<void> {
    await breathe();
    const part = this.#naming(entry, () => this.#write(entry, content));
    if (this.#pending === undefined) onSettled();
    else await this.#pending.add({ entry, part, device: this.#last.device, onSettled }, content.length);
  }

  async create(entry: Entry): Promise<PartFile> {
    const file = this.#naming(entry, () => {
      const folder = this.#tree.folder(entry.parent).hold();
      try {
        return new DiskPartFile(folder, {
          place: async (part) => {
            if (this.#pending !== undefined) await part.sync();
            part.complete(this.#metadata(entry));
            this.#place(entry, part);
          },
          explain: (thrown) => writeError(thrown, this.pathOf(entry)),
          closed: () => this.#parts.delete(file),
        });
      } catch (thrown) {
        folder.close();
        throw thrown;
      }
    });
    this.#parts.add(file);
    return file;
  }

  async finish(): Promise<void> {
    await this.#pending?.settle();
    try {
      await this.#tree.finish(this.#pending !== undefined);
    } catch (thrown) {
      throw writeError(thrown, this.#target.folder);
    }
  }

  async abort(): Promise<void> {
    for (const part of this.#parts) await part.discard();
    // What is verified stays, as it does where nothing waits.
    await this.#pending?.settle().catch(() => this.#pending?.discard());
    await this.#tree.abandon();
  }

  pathOf(entry: Entry): string {
    return this.#tree.pathOf(entry);
  }

  /** Writes a small file, which gets its name as well where nobody waits for the disk. */
  #write(entry: Entry, content: Uint8Array): OpenPart {
    const folder = this.#tree.folder(entry.parent);
    // Verified already, so it may be what it will be from the start: a call for each file less.
    const part = new OpenPart(folder, entry.mode & this.#modeMask);
    try {
      part.writeWhole(content);
      part.complete(this.#metadata(entry));
      if (this.#pending === undefined) this.#place(entry, part);
      else if (this.#last.folder !== entry.parent) {
        this.#last = { folder: entry.parent, device: folder.stat().dev };
      }
    } catch (thrown) {
      part.remove();
      throw thrown;
    }
    return part;
  }

  #metadata(entry: Entry): Metadata {
    // The owner can read what arrives, whatever the sender says.
    return { mode: (entry.mode & this.#modeMask) | 0o400, mtimeMs: entry.mtimeMs };
  }

  #place(entry: Entry, part: OpenPart): void {
    this.#tree.placed(entry, part.place(this.#tree.placement(entry)));
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

/** What a part file needs of the sink that made it. */
interface Owner {
  place(part: OpenPart): Promise<void>;
  explain(thrown: unknown): Error;
  closed(): void;
}

class DiskPartFile implements PartFile {
  readonly #folder: OpenFolder;
  readonly #owner: Owner;
  readonly #part: OpenPart;
  /** The call under way: the file is not closed before it is over. */
  #busy: Promise<void> = Promise.resolve();
  #isOpen = true;

  constructor(folder: OpenFolder, owner: Owner) {
    this.#folder = folder;
    this.#owner = owner;
    this.#part = new OpenPart(folder);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#busyWith(this.#part.append(bytes));
  }

  skip(length: number): Promise<void> {
    return this.#busyWith(this.#part.skip(length));
  }

  async commit(): Promise<void> {
    try {
      await this.#busyWith(this.#owner.place(this.#part));
    } catch (thrown) {
      await this.discard();
      throw thrown;
    }
    this.#close();
  }

  async discard(): Promise<void> {
    await this.#busy;
    if (!this.#isOpen) return;
    this.#part.remove();
    this.#close();
  }

  async #busyWith(call: Promise<void>): Promise<void> {
    this.#busy = call.catch(() => undefined);
    try {
      await call;
    } catch (thrown) {
      throw this.#owner.explain(thrown);
    }
  }

  #close(): void {
    this.#isOpen = false;
    this.#folder.close();
    this.#owner.closed();
  }
}
