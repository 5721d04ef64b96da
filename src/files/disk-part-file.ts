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

export class DiskPartFile implements PartFile {
  readonly #owner: Owner & { place(): Promise<void> };
  readonly #part: OpenPart;
  /** The call under way: the file is not closed before it is over. */
  #busy: Promise<void> = Promise.resolve();
  #isOpen = true;

  constructor(part: OpenPart, owner: Owner & { place(): Promise<void> }) {
    this.#part = part;
    this.#owner = owner;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#busyWith(this.#part.append(bytes));
  }

  skip(length: number): Promise<void> {
    return this.#busyWith(this.#part.skip(length));
  }

  async commit(): Promise<void> {
    try {
      await this.#busyWith(this.#owner.place());
    } catch (thrown) {
      // What cannot have its place will not have it next time either; what the disk failed of may.
      const isRefused = thrown instanceof XferError && REFUSALS.includes(thrown.code);
      await (isRefused ? this.discard() : this.keep());
      throw thrown;
    }
    this.#close();
  }

  discard(): Promise<void> {
    return this.#end(() => this.#part.remove());
  }

  keep(): Promise<void> {
    return this.#end(() => this.#part.close());
  }

  async #end(end: () => void): Promise<void> {
    await this.#busy;
    if (!this.#isOpen) return;
    end();
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
    this.#owner.closed();
  }
}

export class DiskHeldPart implements HeldPart {
  readonly leaves: number;
  readonly #part: OpenPart;
  readonly #owner: Owner & { continued(): PartFile };
  readonly #memory = Buffer.allocUnsafeSlow(LEAF_BYTES);
  #busy: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  constructor(part: OpenPart, owner: Owner & { continued(): PartFile }) {
    this.#part = part;
    this.#owner = owner;
    this.leaves = Math.floor(part.length / LEAF_BYTES);
  }

  read(leaf: number): Promise<Uint8Array> {
    return this.#busyWith(this.#part.read(this.#memory, leaf * LEAF_BYTES));
  }

  async continueFrom(leaf: number): Promise<PartFile> {
    await this.#busyWith(this.#part.truncate(leaf * LEAF_BYTES));
    this.#close();
    return this.#owner.continued();
  }

  async setAside(): Promise<void> {
    await this.#busy;
    if (!this.#isOpen) return;
    this.#part.close();
    this.#close();
  }

  /** As the whole transfer ends. */
  keep(): Promise<void> {
    return this.setAside();
  }

  /** It is of an earlier transfer, whatever became of this one. */
  discard(): Promise<void> {
    return this.setAside();
  }

  async #busyWith<T>(call: Promise<T>): Promise<T> {
    this.#busy = call.catch(() => undefined);
    try {
      return await call;
    } catch (thrown) {
      throw this.#owner.explain(thrown);
    }
  }

  #close(): void {
    this.#isOpen = false;
    this.#owner.closed();
  }
}
