/** Small files that are written and get their names together: for one line in the journal, and one wait for the disk. */
import { toXferError, type XferError } from '../errors.js';
import type { Entry } from '../transfer/ports.js';
import { syncFileSystem } from './durable.js';
import type { FileIdentity } from './journal.js';
import { breathe } from './pace.js';
import type { OpenPart } from './part-file.js';

/** So many bytes wait at most. */
const MOST_BYTES = 2 ** 25;
/** Nor longer than this, so that a person sees them arrive. */
const LONGEST_MS = 1_000;
/** Fewer are asked for one by one: the whole file system may hold much that is none of ours. */
const FEW_FILES = 16;
/** Asked for at once; Node has four threads for it. */
const AT_ONCE = 4;

/** What pending files need of the sink. */
export interface PendingOwner {
  /** Where the disk is waited for: a folder of its file system that stays open. */
  readonly syncedIn: number | string | undefined;
  /** More of them do not wait. */
  readonly mostFiles: number;
  /** Takes note of files that are about to get their names. */
  announce(files: readonly FileIdentity[]): void;
  /** Gives a file that is complete and on the disk its name. Throws what it cannot. */
  place(entry: Entry, part: OpenPart, identity: FileIdentity): Promise<void> | undefined;
  /** Takes note of one that did not get its name, and is gone. */
  withdraw(file: FileIdentity): void;
  /** What was thrown, as what happened to the entry. */
  explain(entry: Entry, thrown: unknown): XferError;
}

interface Pending {
  readonly entry: Entry;
  readonly part: OpenPart;
  /** What the journal knows it by. */
  readonly identity: FileIdentity;
  readonly onSettled: (error?: XferError) => void;
}

export class PendingFiles {
  readonly #owner: PendingOwner;
  #pending: Pending[] = [];
  #bytes = 0;
  #sinceMs = 0;
  /** The call under way: nothing is removed before it is over. */
  #settling: Promise<void> = Promise.resolve();
  /** What the disk said. It says so once, so nothing that waited may be asked for again. */
  #failure: XferError | undefined;

  constructor(owner: PendingOwner) {
    this.#owner = owner;
  }

  /** Takes a file that is complete. May settle all that wait; gives `undefined` where it does not. */
  add(pending: Pending, length: number): Promise<void> | undefined {
    if (this.#pending.length === 0) this.#sinceMs = performance.now();
    this.#pending.push(pending);
    this.#bytes += length;
    const isFull = this.#pending.length >= this.#owner.mostFiles || this.#bytes >= MOST_BYTES;
    return isFull ? this.settle() : this.settleDue();
  }

  /** As `settle`, where they have waited long; for while something else comes, too. Gives `undefined` where nothing is to be done. */
  settleDue(): Promise<void> | undefined {
    const isDue = this.#pending.length > 0 && performance.now() - this.#sinceMs > LONGEST_MS;
    return isDue ? this.settle() : undefined;
  }

  /**
   * Waits for the disk and gives all of them their names. What one of them cannot get is told to it alone; what `onSettled` throws,
   * or the disk, leaves the rest to `discard`.
   */
  settle(): Promise<void> {
    const settling = this.#settling.then(() => this.#settle());
    this.#settling = settling.catch(() => undefined);
    return settling;
  }

  /** Removes them. */
  async discard(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await this.#settling;
    for (const { part } of pending) part.remove();
  }

  async #settle(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pending.length === 0) return;
    try {
      await this.#prepare();
    } catch (thrown) {
      this.#failure = toXferError(thrown);
      throw this.#failure;
    }
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      const placing = this.#placed(next);
      next.onSettled(placing instanceof Promise ? await placing : placing);
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    this.#bytes = 0;
  }

  /** What comes before the names. */
  async #prepare(): Promise<void> {
    const pending = this.#pending;
    const [first] = pending;
    try {
      const { syncedIn } = this.#owner;
      this.#owner.announce(pending.map(({ identity }) => identity));
      if (syncedIn === undefined) return;
      if (pending.length > FEW_FILES && (await syncFileSystem(syncedIn))) return;
    } catch (thrown) {
      throw first === undefined ? thrown : this.#owner.explain(first.entry, thrown);
    }
    for (let at = 0; at < pending.length; at += AT_ONCE) {
      await Promise.all(pending.slice(at, at + AT_ONCE).map((one) => this.#syncOne(one)));
    }
  }

  async #syncOne({ entry, part }: Pending): Promise<void> {
    try {
      await part.syncClosed();
    } catch (thrown) {
      throw this.#owner.explain(entry, thrown);
    }
  }

  /** Why a file did not get its name, if so. */
  #placed({ entry, part, identity }: Pending): XferError | undefined | Promise<XferError | undefined> {
    const refuse = (thrown: unknown): XferError => {
      part.remove();
      this.#owner.withdraw(identity);
      return this.#owner.explain(entry, thrown);
    };
    try {
      return this.#owner.place(entry, part, identity)?.then(() => undefined, refuse);
    } catch (thrown) {
      return refuse(thrown);
    }
  }
}
