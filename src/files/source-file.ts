/** Reading one file that was scanned: the very one, whole, and unchanged while it was read. */
import { close, closeSync, constants, fstatSync, openSync, read, readSync, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { XferError } from '../errors.js';
import { CHUNK_BYTES, type SourceFile } from '../transfer/ports.js';
import { readError } from './disk-errors.js';
import { drawsInodes } from './inodes.js';

const readAsync = promisify(read);
const closeAsync = promisify(close);

/** A file may have been swapped for a link (not followed) or a FIFO (opening it must not wait for a writer). */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What a scan found out about a file. */
export interface Found {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  /** Whole milliseconds: finer than the clock that file systems take it from. */
  readonly mtimeMs: number;
}

/**
 * Reads the file at `location` whole into `memory`, with synchronous calls; `undefined` when it fills that. Throws
 * `source-changed`, or the error of the system.
 */
export function readSmallFile(location: string, found: Found, memory: Buffer): Buffer | undefined {
  const fd = openSync(location, OPEN_FLAGS);
  try {
    const before = fstatSync(fd);
    assertFound(fd, before, found);
    if (before.size >= memory.length) return undefined;
    // One byte more than expected shows a file that grew; one that did not is read in a single call.
    let length = 0;
    for (let got = -1; got !== 0 && length !== before.size; length += got) {
      got = readSync(fd, memory, length, before.size + 1 - length, length);
    }
    if (length !== before.size) throw new XferError('source-changed');
    assertSame(fstatSync(fd), before);
    return memory.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** So many may a peer leave unacknowledged, and all of them may come back at once. */
const MOST_FREE_CHUNKS = 32;

/**
 * Memory for pieces of files, by one source or by many at once. That of whole chunks is used again and again, and shared, so that
 * another thread may hash what lies in it. What nobody gives back is forgotten.
 */
export class PieceMemory {
  readonly #chunks: Buffer[] = [];

  take(length: number): Buffer {
    const chunk = this.#chunks.pop();
    if (length === CHUNK_BYTES) return chunk ?? Buffer.from(new SharedArrayBuffer(CHUNK_BYTES));
    // Where pieces are short there are many who need memory, and one chunk less is kept for later.
    return Buffer.allocUnsafeSlow(length);
  }

  /** Takes back what `take` gave, or a part of it. */
  give({ buffer }: Uint8Array): void {
    const isChunk = buffer.byteLength === CHUNK_BYTES;
    if (isChunk && this.#chunks.length < MOST_FREE_CHUNKS) this.#chunks.push(Buffer.from(buffer));
  }
}

/**
 * Opens the file at `location` to be read from `offset` on. `path` is for messages. Throws `source-vanished`,
 * `source-changed` or `path-unreadable`.
 */
export function openSourceFile(
  location: string,
  path: string,
  found: Found,
  memory: PieceMemory,
  offset = 0,
): SourceFile {
  let fd: number | undefined;
  try {
    fd = openSync(location, OPEN_FLAGS);
    const stat = fstatSync(fd);
    assertFound(fd, stat, found);
    return new DiskSourceFile(fd, stat, path, memory, offset);
  } catch (thrown) {
    if (fd !== undefined) closeSync(fd);
    throw readError(thrown, path);
  }
}

/** Less is not read at once. */
const SMALLEST_PIECE_BYTES = 1 << 16;
/** Holes shorter than this travel as zero bytes, which compress well. */
const HOLE_BYTES = 1 << 16;
/** Longer ones travel in several, so that the peer hears of them while they are read: that takes about a second here. */
const LONGEST_HOLE_BYTES = 1 << 28;
/** File systems store nothing less than this. */
const BLOCK_BYTES = 1 << 12;
const ZEROS = Buffer.alloc(CHUNK_BYTES);
const NO_BYTES = Buffer.alloc(0);

class DiskSourceFile implements SourceFile {
  #fd: number | undefined;
  readonly #stat: Stats;
  readonly #path: string;
  /** Fewer blocks are stored than the size asks for: worth the search for zeros. */
  readonly #isSparse: boolean;
  /** Where the next read from the disk begins. */
  #offset: number;
  #pieceBytes = CHUNK_BYTES;
  /** Read but not handed out. */
  #rest: Buffer = NO_BYTES;
  readonly #memory: PieceMemory;
  /** The read under way, so that the disk works while the caller does. */
  #ahead: Promise<Buffer> | undefined;

  constructor(fd: number, stat: Stats, path: string, memory: PieceMemory, offset: number) {
    this.#fd = fd;
    this.#offset = offset;
    this.#stat = stat;
    this.#path = path;
    this.#memory = memory;
    this.#isSparse = stat.blocks * 512 < stat.size;
  }

  async read(worthBytes = CHUNK_BYTES): Promise<Uint8Array | { readonly hole: number } | undefined> {
    this.#pieceBytes = pieceLength(worthBytes);
    if (!this.#isSparse) {
      const piece = await this.#nextPiece();
      return piece.length === 0 ? undefined : piece;
    }
    return this.#readSparse();
  }

  async readAt(into: Uint8Array, offset: number): Promise<void> {
    try {
      await this.#readInto(into, into.length, offset);
    } catch (thrown) {
      throw readError(thrown, this.#path);
    }
  }

  recycle(data: Uint8Array): void {
    // Pieces of a sparse file may be parts of one buffer.
    if (!this.#isSparse) this.#memory.give(data);
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    if (fd === undefined) return;
    // Whatever the system says it is closed, and its number soon that of another file.
    this.#fd = undefined;
    await this.#ahead?.catch(() => undefined);
    await closeAsync(fd);
  }

  get #open(): number {
    if (this.#fd === undefined) throw new XferError('internal', { detail: 'source file is closed' });
    return this.#fd;
  }

  async #readSparse(): Promise<Uint8Array | { readonly hole: number } | undefined> {
    let hole = 0;
    while (hole < LONGEST_HOLE_BYTES) {
      if (this.#rest.length === 0) this.#rest = await this.#nextPiece();
      const zeros = leadingZeros(this.#rest);
      if (zeros === 0) break;
      this.#rest = this.#rest.subarray(zeros);
      hole += zeros;
    }
    if (hole > 0) return { hole };
    if (this.#rest.length === 0) return undefined;
    const length = lengthToZeros(this.#rest);
    const data = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return data;
  }

  /** The next piece, shorter at the end, empty after it. */
  async #nextPiece(): Promise<Buffer> {
    const piece = await (this.#ahead ?? this.#readPiece());
    this.#ahead = undefined;
    if (piece.length > 0 && this.#offset < this.#stat.size) {
      this.#ahead = this.#readPiece();
      // Whoever asks for it sees the error; when nobody does, it does not matter.
      this.#ahead.catch(() => undefined);
    }
    return piece;
  }

  async #readPiece(): Promise<Buffer> {
    const length = this.#pieceBytes;
    // To the end of a leaf: one that is read in a single piece may be hashed elsewhere.
    const wanted = Math.min(length - (this.#offset % length), this.#stat.size - this.#offset);
    return wanted === 0 ? NO_BYTES : this.#fill(this.#memory.take(length).subarray(0, wanted), wanted);
  }

  async #fill(piece: Buffer, wanted: number): Promise<Buffer> {
    try {
      await this.#readInto(piece, wanted, this.#offset);
      this.#offset += wanted;
      // Before the last bytes are handed out: the caller may not ask again.
      if (this.#offset === this.#stat.size) assertSame(fstatSync(this.#open), this.#stat);
    } catch (thrown) {
      throw readError(thrown, this.#path);
    }
    return piece;
  }

  async #readInto(into: Uint8Array, wanted: number, offset: number): Promise<void> {
    for (let length = 0; length < wanted;) {
      const { bytesRead } = await readAsync(this.#open, into, length, wanted - length, offset + length);
      if (bytesRead === 0) throw new XferError('source-changed');
      length += bytesRead;
    }
  }
}

/** A power of two, so that leaves of a file begin with a piece. */
function pieceLength(worthBytes: number): number {
  let length = CHUNK_BYTES;
  while (length > worthBytes && length > SMALLEST_PIECE_BYTES) length /= 2;
  return length;
}

/** Zero bytes at the start of a piece of a sparse file, where they are worth a hole. */
function leadingZeros(piece: Buffer): number {
  if (isZero(piece, 0, piece.length)) return piece.length;
  let end = 0;
  while (isZero(piece, end, end + BLOCK_BYTES)) end += BLOCK_BYTES;
  return end >= HOLE_BYTES ? end : 0;
}

/** Bytes before the next zeros that are worth a hole. */
function lengthToZeros(piece: Buffer): number {
  let zerosBegin = 0;
  for (let block = 0; block + BLOCK_BYTES <= piece.length; block += BLOCK_BYTES) {
    if (!isZero(piece, block, block + BLOCK_BYTES)) zerosBegin = block + BLOCK_BYTES;
    else if (block + BLOCK_BYTES - zerosBegin === HOLE_BYTES) return zerosBegin;
  }
  return piece.length;
}

function isZero(piece: Buffer, start: number, end: number): boolean {
  return start < end && end <= piece.length && piece.compare(ZEROS, 0, end - start, start, end) === 0;
}

function assertFound(fd: number, stat: Stats, found: Found): void {
  const same =
    stat.isFile() &&
    stat.dev === found.dev &&
    stat.size === found.size &&
    Math.floor(stat.mtimeMs) === found.mtimeMs &&
    (stat.ino === found.ino || drawsInodes(`/proc/self/fd/${fd}`));
  if (!same) throw new XferError('source-changed');
}

function assertSame(after: Stats, before: Stats): void {
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
    throw new XferError('source-changed');
  }
}
