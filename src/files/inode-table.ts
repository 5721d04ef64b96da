/** A number for each inode: millions of them, so in one list of numbers. */
export class InodeTable {
  /** Pairs of inode and number, each at the place that its inode leads to or at the next free one. */
  #pairs: Float64Array;
  #size = 0;

  /** @param expected It grows where more are added. */
  constructor(expected = 0) {
    this.#pairs = freePairs(expected);
  }

  get size(): number {
    return this.#size;
  }

  get(ino: number): number | undefined {
    const at = this.#find(ino);
    return this.#pairs[at] === ino ? this.#pairs[at + 1] : undefined;
  }

  /** Takes the place of what was set for the inode before. */
  set(ino: number, value: number): void {
    // Of no file, and not to be told from a free place.
    if (Number.isNaN(ino)) return;
    let at = this.#find(ino);
    if (this.#pairs[at] !== ino) {
      if (this.#isFull()) {
        this.#widen();
        at = this.#find(ino);
      }
      this.#size++;
    }
    this.#pairs[at] = ino;
    this.#pairs[at + 1] = value;
  }

  /** Where the pair of an inode stands, or would. */
  #find(ino: number): number {
    const places = this.#pairs.length / 2;
    // Those of one folder may differ in a few bits only, low or high ones.
    const mixed = Math.imul(ino ^ Math.imul(ino / 2 ** 32, 0x85ebca6b), 0x9e3779b1);
    let place = ((mixed ^ (mixed >>> 15)) >>> 0) % places;
    for (;;) {
      const there = this.#pairs[2 * place];
      if (there === ino || there === undefined || Number.isNaN(there)) return 2 * place;
      place = (place + 1) % places;
    }
  }

  /** A third is free, so that a search is short and has an end. */
  #isFull(): boolean {
    return 3 * (this.#size + 1) > this.#pairs.length;
  }

  #widen(): void {
    const pairs = this.#pairs;
    this.#pairs = freePairs(Math.max(2 * this.#size, 512));
    for (let from = 0; from < pairs.length; from += 2) {
      const ino = pairs[from] ?? NaN;
      if (Number.isNaN(ino)) continue;
      const at = this.#find(ino);
      this.#pairs[at] = ino;
      this.#pairs[at + 1] = pairs[from + 1] ?? NaN;
    }
  }
}

function freePairs(expected: number): Float64Array {
  return new Float64Array(2 * (Math.ceil(1.5 * expected) + 1)).fill(NaN);
}
