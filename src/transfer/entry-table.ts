/** Entries of a manifest by their number, in columns: a million of them must not take a million objects. */
import { ROOT, type Entry } from './ports.js';

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

/** The folders of a manifest and where each lies. Of files nothing is kept but that they are none. */
export class EntryTable {
  /** One more than a folder's place in what follows; 0 for a file. */
  readonly #places = new Column((length) => new Int32Array(length));
  readonly #names: string[] = [];
  readonly #parents = new Column((length) => new Int32Array(length));
  readonly #depths = new Column((length) => new Uint8Array(length));
  readonly #pathBytes = new Column((length) => new Uint16Array(length));
  #length = 0;

  /** How many entries there are. */
  get length(): number {
    return this.#length;
  }

  /** Takes the next entry; its depth must be at most 255 and its path at most 64 KiB. */
  add({ parent, type, name }: Pick<Entry, 'parent' | 'type' | 'name'>): void {
    const index = this.#length++;
    if (type !== 'folder') return;
    const place = this.#names.push(name);
    this.#places.set(index, place);
    this.#parents.set(place, parent);
    this.#depths.set(place, this.depthBelow(parent));
    this.#pathBytes.set(place, this.pathBytesBelow(parent, name));
  }

  /** Segments of the path of what lies in `folder`. */
  depthBelow(folder: number): number {
    return folder === ROOT ? 1 : this.#depths.at(this.#places.at(folder)) + 1;
  }

  /** Bytes of the path of what is called `name` in `folder`. */
  pathBytesBelow(folder: number, name: string): number {
    return (folder === ROOT ? 0 : this.#pathBytes.at(this.#places.at(folder)) + 1) + Buffer.byteLength(name);
  }

  isFolder(index: number): boolean {
    return this.#places.at(index) > 0;
  }

  parentOf(folder: number): number {
    return this.#parents.at(this.#places.at(folder));
  }

  nameOf(folder: number): string {
    return this.#names[this.#places.at(folder) - 1] ?? '';
  }

  /** The root that a folder lies below, or is. */
  rootOf(folder: number): number {
    let root = folder;
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
