/** How a transfer leaves its folders: modes and times come last, since whatever is put into a folder changes them. */
import { rmdirSync } from 'node:fs';
import { Column } from '../transfer/entry-table.js';
import { ROOT, type Entry } from '../transfer/ports.js';
import type { OpenFolder } from './directory.js';
import { syncFileSystem, syncFolder } from './durable.js';
import { breathe } from './pace.js';
import { keepMetadata } from './part-file.js';

/** More are not asked for one by one. */
const FEW_FOLDERS = 16;

/** The folders of a transfer, by their indexes. */
export interface Folders {
  /** That folder, open, for use before the next wait. */
  folder(index: number): OpenFolder;
  /** What a call names it by. */
  locationOf(index: number): string;
}

export class MadeFolders {
  readonly #folders: Folders;
  readonly #umask: number;
  readonly #modes = new Column((length) => new Uint16Array(length));
  readonly #mtimesMs = new Column((length) => new Float64Array(length));
  readonly #made: number[] = [];
  /** Folders that an interrupted transfer made; touched only where this one comes to its end. */
  readonly #recalled: number[] = [];
  /** Folders in which something got its name. */
  readonly #changed = new Set<number>();
  /** What is waited for. A folder that was there before may be another file system, and those that were made in it are in that one. */
  readonly #byDevice = new Map<number, number[]>();

  constructor(folders: Folders, umask: number) {
    this.#folders = folders;
    this.#umask = umask;
  }

  /** Takes note of what a folder of the offer is to have, if it is made. */
  expect({ index, mode, mtimeMs }: Entry): void {
    this.#modes.set(index, mode);
    this.#mtimesMs.set(index, mtimeMs);
  }

  recall(index: number): void {
    this.#recalled.push(index);
  }

  add(index: number, parent: number): void {
    this.#made.push(index);
    this.#changed.add(parent);
  }

  /** Something in the folder got its name. */
  change(index: number): void {
    this.#changed.add(index);
  }

  /** Gives them their modes and times, the inner ones first; with `sync` waits for the disk. */
  async finish(sync: boolean): Promise<void> {
    // What lies in a folder comes after it in the manifest.
    const folders = [...this.#made.splice(0), ...this.#recalled.splice(0)].sort((one, other) => other - one);
    for (const index of folders) {
      await breathe();
      this.#complete(index);
      this.#changed.delete(index);
      // Now, while it is open.
      if (sync) this.#take(index);
    }
    if (sync) await this.#sync();
  }

  /** Waits for the names that were given. */
  async #sync(): Promise<void> {
    for (const index of this.#changed) {
      await breathe();
      this.#take(index);
    }
    for (const folders of this.#byDevice.values()) {
      const [first = ROOT] = folders;
      if (folders.length > FEW_FOLDERS && (await syncFileSystem(this.#folders.folder(first).self))) continue;
      for (const index of folders) await syncFolder(this.#folders.folder(index).self);
    }
  }

  /** Takes a folder that is to be waited for. */
  #take(index: number): void {
    const { dev } = this.#folders.folder(index).stat();
    const others = this.#byDevice.get(dev);
    if (others === undefined) this.#byDevice.set(dev, [index]);
    else others.push(index);
  }

  /** Takes back those that hold nothing, and completes the others. Throws nothing. */
  async abandon(): Promise<void> {
    for (let index = this.#made.pop(); index !== undefined; index = this.#made.pop()) {
      await breathe();
      try {
        // Removes nothing that is not empty.
        rmdirSync(this.#folders.locationOf(index));
      } catch {
        this.#completeIfPossible(index);
      }
    }
  }

  #complete(index: number): void {
    const mode = (this.#modes.at(index) & 0o777 & ~this.#umask) | 0o700;
    keepMetadata(this.#folders.folder(index).self, mode, this.#mtimesMs.at(index));
  }

  #completeIfPossible(index: number): void {
    try {
      this.#complete(index);
    } catch {
      // What the transfer failed of matters more.
    }
  }
}
