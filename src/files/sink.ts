/** Folders of this machine as the place where a transfer arrives. */
import type { Entry, ConflictPolicy, FileSink, FileSource, PartFile, Prospect } from '../transfer/ports.js';
import type { OpenFolder } from './directory.js';
import { writeError } from './disk-errors.js';
import { breathe } from './pace.js';
import { OpenPart, type Placement } from './part-file.js';
import { thisPlatform, type NamePlatform } from './paths.js';
import { TargetTree } from './target-tree.js';
import { freeBytesAt, resolveTarget, type Target } from './target.js';

export { assertTarget, entersHome, isHomeFolder } from './target.js';

export interface SinkOptions {
  /** Where the roots go, see `resolveTarget`; the working folder if not given. */
  readonly out?: string | undefined;
  /** Drops the x bit of files. */
  readonly noExec?: boolean;
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

  constructor(target: Target, roots: FileSource['roots'], { noExec, platform }: SinkOptions) {
    // Asking sets it for a moment, which is a risk to files that other threads make meanwhile: here none does.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way to ask
    const umask = process.umask();
    this.#target = target;
    this.#tree = new TargetTree(target, roots, platform ?? thisPlatform(), umask);
    this.#modeMask = 0o777 & ~umask & (noExec === true ? ~0o111 : ~0);
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

  async writeWhole(entry: Entry, content: Uint8Array): Promise<void> {
    await breathe();
    this.#naming(entry, () => {
      // Verified already, so it may be what it will be from the start: a call for each file less.
      const part = new OpenPart(this.#tree.folder(entry.parent), entry.mode & this.#modeMask);
      try {
        part.writeWhole(content);
        this.#place(entry, part);
      } catch (thrown) {
        part.remove();
        throw thrown;
      }
    });
  }

  async create(entry: Entry): Promise<PartFile> {
    const file = this.#naming(entry, () => {
      const folder = this.#tree.folder(entry.parent).hold();
      try {
        return new DiskPartFile(folder, {
          place: (part) => this.#place(entry, part),
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
    try {
      await this.#tree.finish();
    } catch (thrown) {
      throw writeError(thrown, this.#target.folder);
    }
  }

  async abort(): Promise<void> {
    for (const part of this.#parts) await part.discard();
    await this.#tree.abandon();
  }

  pathOf(entry: Entry): string {
    return this.#tree.pathOf(entry);
  }

  #place(entry: Entry, part: OpenPart): void {
    const placement: Placement = {
      ...this.#tree.placement(entry),
      // The owner can read what arrives, whatever the sender says.
      mode: (entry.mode & this.#modeMask) | 0o400,
      mtimeMs: entry.mtimeMs,
    };
    this.#tree.placed(entry, part.place(placement));
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
  place(part: OpenPart): void;
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
      this.#owner.place(this.#part);
    } catch (thrown) {
      await this.discard();
      throw this.#owner.explain(thrown);
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
