/** Puts what comes over several paths back into its order. */
export class Resequencer<T> {
  /** What came before its turn. What the peer may send at all bounds it. */
  readonly #early = new Map<number, T>();
  #next = 0;

  /** The place of the item to come; so many have come with none missing before them. */
  get next(): number {
    return this.#next;
  }

  /** Whether the item of that place is here already, or was. */
  has(sequence: number): boolean {
    return sequence < this.#next || this.#early.has(sequence);
  }

  /** Takes an item that is not here yet, and gives those whose turn it is now. */
  put(sequence: number, item: T): T[] {
    this.#early.set(sequence, item);
    const ready: T[] = [];
    for (let one = this.#early.get(this.#next); one !== undefined; one = this.#early.get(this.#next)) {
      this.#early.delete(this.#next);
      this.#next += 1;
      ready.push(one);
    }
    return ready;
  }
}
