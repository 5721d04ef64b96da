/** A tree in memory as the source of a transfer. */
import { XferError, type ErrorCode } from '../../src/errors.js';
import {
  CHUNK_BYTES,
  ROOT,
  type Entry,
  type FileSource,
  type Listing,
  type Skipped,
  type SourceFile,
} from '../../src/transfer/ports.js';

export type Piece = Uint8Array | { readonly hole: number };

/** A file's content: bytes, or pieces with holes. */
export type Content = Uint8Array | readonly Piece[];

/** A folder: names and what is under them. */
export interface Tree {
  readonly [name: string]: Content | Tree;
}

export interface SourceFaults {
  /** What happens when a file is read, by its path. */
  readonly failures?: Readonly<Record<string, ErrorCode>>;
  /** Fails only after this many bytes of the file. */
  readonly failAfterBytes?: number;
  readonly skipped?: readonly Skipped[];
}

interface Node {
  readonly entry: Entry;
  readonly path: string;
  readonly content: Content | undefined;
}

export class MemorySource implements FileSource {
  readonly roots: FileSource['roots'];
  /** Entries in one listing of `scan`. */
  listingSize = Infinity;
  /** Called before each listing. */
  onListing: () => Promise<void> = async () => {};
  /** What a file has become since it was read first, by its path. */
  contentNow: (path: string) => Content | undefined = () => undefined;
  readonly #nodes: Node[] = [];
  readonly #listings: Entry[][] = [];
  readonly #faults: SourceFaults;

  constructor(tree: Tree, faults: SourceFaults = {}) {
    this.#faults = faults;
    const open: [parent: number, path: string, folder: Tree][] = [[ROOT, '', tree]];
    for (const [parent, path, folder] of open) {
      const sorted = Object.entries(folder).sort(([one], [other]) => (one < other ? -1 : 1));
      const listing = sorted.map(([name, content]) => this.#add(parent, `${path}${name}`, name, content));
      this.#listings.push(listing.map(({ entry }) => entry));
      for (const node of listing) {
        const below = folder[node.entry.name];
        if (below !== undefined && !isContent(below)) open.push([node.entry.index, `${node.path}/`, below]);
      }
    }
    this.roots = this.#nodes.filter(({ entry }) => entry.parent === ROOT).map(({ entry }) => entry);
  }

  async *scan(): AsyncIterable<Listing> {
    let skipped = this.#faults.skipped ?? [];
    for (const entries of this.#listings) {
      for (let start = 0; start < Math.max(entries.length, 1); start += this.listingSize) {
        await this.onListing();
        yield { entries: entries.slice(start, start + this.listingSize), skipped };
        skipped = [];
      }
    }
  }

  async readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined> {
    const { path, content } = this.#node(entry);
    this.#failIfMeantTo(path, 0);
    const bytes = Buffer.concat(piecesOf(content).map(bytesOf));
    return bytes.length > limit ? undefined : bytes;
  }

  async open(entry: Entry, offset = 0): Promise<SourceFile> {
    const { path, content } = this.#node(entry);
    this.#failIfMeantTo(path, offset);
    const pieces = behind(piecesOf(content).flatMap(cut), offset);
    let read = offset;
    return {
      read: async () => {
        this.#failIfMeantTo(path, read);
        const piece = pieces.shift();
        read += piece === undefined ? 0 : lengthOf(piece);
        return piece;
      },
      readAt: async (into, offset) => {
        this.#failIfMeantTo(path, offset + into.length);
        const all = Buffer.concat(piecesOf(this.contentNow(path) ?? content).map(bytesOf));
        if (all.copy(into, 0, offset) < into.length) throw new XferError('source-changed', { subject: path });
      },
      close: async () => {},
    };
  }

  pathOf(entry: Entry): string {
    return this.#node(entry).path;
  }

  #add(parent: number, path: string, name: string, content: Content | Tree): Node {
    const index = this.#nodes.length;
    const isFile = isContent(content);
    const entry: Entry = {
      index,
      parent,
      name,
      type: isFile ? 'file' : 'folder',
      size: isFile ? sizeOf(content) : 0,
      mtimeMs: 1_700_000_000_000 + index,
      mode: isFile ? 0o640 : 0o750,
    };
    const node = { entry, path, content: isFile ? content : undefined };
    this.#nodes.push(node);
    return node;
  }

  #node({ index }: Entry): Node {
    return this.#nodes[index]!;
  }

  #failIfMeantTo(path: string, readBytes: number): void {
    const code = this.#faults.failures?.[path];
    if (code !== undefined && readBytes >= (this.#faults.failAfterBytes ?? 0)) {
      throw new XferError(code, { subject: path });
    }
  }
}

/** A source of one root whose length nobody knows. */
export class MemoryPipe implements FileSource {
  readonly roots = [{ name: 'stdin', type: 'file', size: undefined }] as const;
  readonly #pieces: AsyncIterator<Uint8Array>;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async *scan(): AsyncIterable<Listing> {
    yield {
      entries: [
        { index: 0, parent: ROOT, name: 'stdin', type: 'file', size: undefined, mtimeMs: 0, mode: 0o600 },
      ],
      skipped: [],
    };
  }

  async readWhole(): Promise<Uint8Array | undefined> {
    return undefined;
  }

  async open(): Promise<SourceFile> {
    return {
      read: async () => {
        const next = await this.#pieces.next();
        return next.done === true ? undefined : next.value;
      },
      readAt: async () => {
        throw new Error('a pipe');
      },
      close: async () => {},
    };
  }

  pathOf(): string {
    return 'stdin';
  }
}

/** The files and folders of a tree by their paths; holes as zeros. */
export function flatten(tree: Tree, above = ''): Map<string, Uint8Array | 'folder'> {
  const all = new Map<string, Uint8Array | 'folder'>();
  for (const [name, content] of Object.entries(tree)) {
    const path = `${above}${name}`;
    if (isContent(content)) {
      all.set(path, Buffer.concat(piecesOf(content).map(bytesOf)));
    } else {
      all.set(path, 'folder');
      for (const [inner, value] of flatten(content, `${path}/`)) all.set(inner, value);
    }
  }
  return all;
}

function isContent(value: Content | Tree): value is Content {
  return value instanceof Uint8Array || Array.isArray(value);
}

function piecesOf(content: Content | undefined): readonly Piece[] {
  if (content === undefined) return [];
  return content instanceof Uint8Array ? [content] : content;
}

function lengthOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : piece.hole;
}

function sizeOf(content: Content): number {
  return piecesOf(content).reduce((sum, piece) => sum + lengthOf(piece), 0);
}

function bytesOf(piece: Piece): Uint8Array {
  return piece instanceof Uint8Array ? piece : new Uint8Array(piece.hole);
}

/** What of the pieces is behind an offset. */
function behind(pieces: readonly Piece[], offset: number): Piece[] {
  let left = offset;
  return pieces.flatMap((piece) => {
    const skipped = Math.min(left, lengthOf(piece));
    left -= skipped;
    if (skipped === lengthOf(piece)) return [];
    return [piece instanceof Uint8Array ? piece.subarray(skipped) : { hole: piece.hole - skipped }];
  });
}

/** Pieces no larger than a chunk; none for no bytes. */
function cut(piece: Piece): Piece[] {
  if (!(piece instanceof Uint8Array)) return [piece];
  const pieces: Piece[] = [];
  for (let start = 0; start < piece.length; start += CHUNK_BYTES) {
    pieces.push(piece.subarray(start, start + CHUNK_BYTES));
  }
  return pieces;
}
