/** Entries of a manifest by their number, in columns: a million of them must not take a million objects. */
import { ROOT, type Entry } from '../transfer/ports.js';

const FIRST_CAPACITY = 1024;

/** A growing list of numbers of one kind. */
export class Column<A extends Uint8Array | Uint16Array | Int32Array | Float64Array> {
  #values: A;
  readonly #make: (length: number) => A;

  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#values = make(FIRST_CAPACITY);
  }

  /** The value at `index`; 0 where none was set. */
  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    if (index >= this.#values.length) {
      const wider = this.#make(Math.max(index + 1, this.#values.length * 2));
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values[index] = value;
  }
}

/** Which entries there are and which folder each lies in. Names are kept for folders only: files bring theirs. */
export class EntryTable {
  readonly #parents = new Column((length) => new Int32Array(length));
  readonly #depths = new Column((length) => new Uint8Array(length));
  readonly #pathBytes = new Column((length) => new Uint16Array(length));
  readonly #names: string[] = [];

  /** How many entries there are. */
  get length(): number {
    return this.#names.length;
  }

  /** Takes the next entry; its depth must be at most 255 and its path at most 64 KiB. */
  add({ parent, type, name }: Pick<Entry, 'parent' | 'type' | 'name'>): void {
    const index = this.#names.push(type === 'folder' ? name : '') - 1;
    this.#parents.set(index, parent);
    this.#depths.set(index, this.depthBelow(parent));
    this.#pathBytes.set(index, this.pathBytesBelow(parent, name));
  }

  /** Segments of the path of what lies in `folder`. */
  depthBelow(folder: number): number {
    return folder === ROOT ? 1 : this.#depths.at(folder) + 1;
  }

  /** Bytes of the path of what is called `name` in `folder`. */
  pathBytesBelow(folder: number, name: string): number {
    return (folder === ROOT ? 0 : this.#pathBytes.at(folder) + 1) + Buffer.byteLength(name);
  }

  isFolder(index: number): boolean {
    return this.#names[index] !== undefined && this.#names[index] !== '';
  }

  parentOf(index: number): number {
    return this.#parents.at(index);
  }

  nameOf(folder: number): string {
    return this.#names[folder] ?? '';
  }

  /** The root that an entry lies below, or is. */
  rootOf(index: number): number {
    let root = index;
    while (this.parentOf(root) !== ROOT) root = this.parentOf(root);
    return root;
  }

  /** The folders from the root down to `folder`, both included; none for `ROOT`. */
  chain(folder: number): number[] {
    const chain: number[] = [];
    for (let index = folder; index !== ROOT; index = this.parentOf(index)) chain.push(index);
    return chain.reverse();
  }
}
