/** A source in memory that shows what is read of it and when, and that stops in the middle where a test wants. */
import { XferError } from '../../src/errors.js';
import {
  CHUNK_BYTES,
  ROOT,
  type Entry,
  type FileSource,
  type Listing,
  type SourceFile,
} from '../../src/transfer/ports.js';

/** A file: zeros, which are a hole, and what is behind them. */
export interface Content {
  readonly zeros: number;
  readonly rest: Uint8Array;
  /** Where nothing more can be read: at its start it is gone, behind that it changed. */
  readonly failsAt?: number;
}

export interface Listed {
  readonly entry: Entry;
  readonly path: string;
  /** `undefined` for a folder. */
  readonly content: Content | undefined;
}

/** So much of a hole is told at once. */
const HOLE_BYTES = 1 << 25;

export const lengthOf = ({ zeros, rest }: Content): number => zeros + rest.length;

export function sliceOf({ zeros, rest }: Content, from: number, to: number): Uint8Array {
  const bytes = Buffer.alloc(to - from);
  if (to > zeros) bytes.set(rest.subarray(Math.max(0, from - zeros), to - zeros), Math.max(0, zeros - from));
  return bytes;
}

export class WatchedSource implements FileSource {
  readonly roots: FileSource['roots'];
  /** How often a file was opened or read whole, and bytes that were read of it, by its number. */
  readonly opened = new Map<number, number>();
  readonly readBytes = new Map<number, number>();
  openFiles = 0;
  /** What was read where nothing is. */
  readonly outside: string[] = [];
  /** So many steps of the scan, and so many reads, are made before the next one waits. */
  readonly scans = new Gate();
  readonly reads = new Gate();
  /** Milliseconds that a listing takes. */
  listingMs = 0;
  now = 0;
  readonly #lists: readonly (readonly Listed[])[];
  readonly #all: readonly Listed[];

  constructor(lists: readonly (readonly Listed[])[]) {
    this.#lists = lists;
    this.#all = lists.flat();
    this.roots = this.#all.map(({ entry }) => entry).filter(({ parent }) => parent === ROOT);
  }

  async *scan(): AsyncIterable<Listing> {
    for (const list of this.#lists) {
      await this.scans.pass();
      this.now += this.listingMs;
      yield { entries: list.map(({ entry }) => entry), skipped: [] };
    }
  }

  async readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined> {
    await this.reads.pass();
    const content = this.#open(entry);
    if (lengthOf(content) > limit) return undefined;
    this.#note(entry, 0, lengthOf(content), content);
    return sliceOf(content, 0, lengthOf(content));
  }

  async open(entry: Entry): Promise<SourceFile> {
    await this.reads.pass();
    const content = this.#open(entry);
    this.openFiles++;
    let offset = 0;
    let isOpen = true;
    return {
      read: async () => {
        await this.reads.pass();
        if (!isOpen) this.outside.push('a closed file');
        const from = offset;
        const isHole = from < content.zeros;
        const end = isHole
          ? Math.min(content.zeros, from + HOLE_BYTES)
          : Math.min(lengthOf(content), from + CHUNK_BYTES);
        if (end === from) return undefined;
        this.#note(entry, from, end, content);
        offset = end;
        return isHole ? { hole: end - from } : sliceOf(content, from, end);
      },
      readAt: async (into, from) => {
        await this.reads.pass();
        if (!isOpen) this.outside.push('a closed file');
        this.#note(entry, from, from + into.length, content);
        into.set(sliceOf(content, from, from + into.length));
      },
      close: async () => {
        if (isOpen) this.openFiles--;
        isOpen = false;
      },
    };
  }

  pathOf({ index }: Entry): string {
    return this.#all[index]?.path ?? '';
  }

  #open({ index }: Entry): Content {
    const content = this.#all[index]?.content;
    if (content === undefined) throw new Error('a folder is no file');
    this.opened.set(index, (this.opened.get(index) ?? 0) + 1);
    if (content.failsAt === 0) throw new XferError('source-vanished');
    return content;
  }

  #note({ index }: Entry, from: number, to: number, content: Content): void {
    if (from < 0 || to > lengthOf(content)) this.outside.push(`${from} to ${to} of entry ${index}`);
    if (to > (content.failsAt ?? Infinity)) throw new XferError('source-changed');
    this.readBytes.set(index, (this.readBytes.get(index) ?? 0) + to - from);
  }
}

/** Lets so many pass. */
export class Gate {
  #left = Infinity;
  #wake: (() => void)[] = [];

  get isOpen(): boolean {
    return this.#left === Infinity;
  }

  set(left: number): void {
    this.#left = left;
    for (const wake of this.#wake.splice(0)) wake();
  }

  async pass(): Promise<void> {
    while (this.#left <= 0) await new Promise<void>((resolve) => this.#wake.push(resolve));
    this.#left--;
  }
}
