/** A part file as the receiver sees it: one call at a time, closed once, and every error told as what happened to its entry. */
import { XferError, type ErrorCode } from '../errors.js';
import type { HeldPart, PartFile } from '../transfer/ports.js';
import { LEAF_BYTES } from '../transfer/resume.js';
import type { OpenPart } from './part-file.js';

const REFUSALS: readonly ErrorCode[] = ['target-exists', 'name-refused'];

interface Owner {
  explain(thrown: unknown): Error;
  closed(): void;
}

/** What both kinds have in common. */
abstract class OnDisk<O extends Owner> {
  protected readonly part: OpenPart;
  protected readonly owner: O;
  /** The call under way: the file is not closed before it is over. */
  #busy: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  constructor(part: OpenPart, owner: O) {
    this.part = part;
    this.owner = owner;
  }

  protected async busyWith<T>(call: Promise<T>): Promise<T> {
    this.#busy = call.catch(() => undefined);
    try {
      return await call;
    } catch (thrown) {
      throw this.owner.explain(thrown);
    }
  }

  /** Ends it after the call under way, unless it was ended before. */
  protected async end(end: () => void): Promise<void> {
    await this.#busy;
    if (!this.#isOpen) return;
    end();
    this.close();
  }

  protected close(): void {
    this.#isOpen = false;
    this.owner.closed();
  }
}

interface GrowingOwner extends Owner {
  place(): Promise<void>;
  /** There is more of it. What this throws is not about its entry. */
  grown(): Promise<void> | undefined;
}

export class DiskPartFile extends OnDisk<GrowingOwner> implements PartFile {
  async write(bytes: Uint8Array): Promise<void> {
    await this.busyWith(this.part.append(bytes));
    await this.owner.grown();
  }

  async skip(length: number): Promise<void> {
    await this.busyWith(this.part.skip(length));
    await this.owner.grown();
  }

  async commit(): Promise<void> {
    try {
      await this.busyWith(this.owner.place());
    } catch (thrown) {
      // What cannot have its place will not have it next time either; what the disk failed of may, if it has kept the content.
      const isRefused = thrown instanceof XferError && REFUSALS.includes(thrown.code);
      await (isRefused ? this.discard() : this.keep());
      throw thrown;
    }
    this.close();
  }

  discard(): Promise<void> {
    return this.end(() => this.part.remove());
  }

  keep(): Promise<void> {
    return this.end(() => this.part.leave());
  }
}

export class DiskHeldPart extends OnDisk<Owner & { continued(): PartFile }> implements HeldPart {
  readonly leaves = Math.floor(this.part.length / LEAF_BYTES);
  readonly #memory = Buffer.allocUnsafeSlow(LEAF_BYTES);

  read(leaf: number): Promise<Uint8Array> {
    return this.busyWith(this.part.read(this.#memory, leaf * LEAF_BYTES));
  }

  async continueFrom(leaf: number): Promise<PartFile> {
    await this.busyWith(this.part.truncate(leaf * LEAF_BYTES));
    this.close();
    return this.owner.continued();
  }

  setAside(): Promise<void> {
    return this.end(() => this.part.leave());
  }

  /** As the whole transfer ends. */
  keep(): Promise<void> {
    return this.setAside();
  }

  /** It is of an earlier transfer, whatever became of this one. */
  discard(): Promise<void> {
    return this.setAside();
  }
}
