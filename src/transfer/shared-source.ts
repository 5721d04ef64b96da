/**
 * One source for several receivers at once: walked once, and read once as far as they go in step. What was read lately is kept, within
 * bounds; whoever is further behind reads by himself, so that nobody waits for anybody.
 */
import { toXferError, type XferError } from '../errors.js';
import { pack, unpack } from './compression.js';
import { deferred, type Deferred } from './deferred.js';
import { decodeEntries, ManifestEncoder, type RawPart } from './manifest.js';
import type { Entry, FileSource, Listing, Packed, Skipped, SourceFile } from './ports.js';
import { keepsBackMs } from './scan-pace.js';
import type { SharedWork } from './shared-work.js';

/** What is kept of files for those who come after the first, in bytes. */
const KEPT_BYTES = 1 << 25;

type Read = Uint8Array | { readonly hole: number } | undefined;

/** What is read at one place of a file, and who needs it still. */
interface Piece {
  readonly read: Promise<Read>;
  /** Takes it out of its file. */
  readonly forget: () => void;
  /** Once it was read. */
  memory: { readonly data: Uint8Array; readonly of: SourceFile } | undefined;
  holders: number;
  isKept: boolean;
}

interface SharedFile {
  users: number;
  /** Open and in nobody's hands, by where they read on. */
  readonly idle: { readonly file: SourceFile; readonly offset: number }[];
  /** By offset. */
  readonly pieces: Map<number, Piece>;
}

interface Step {
  readonly parts: readonly (Omit<RawPart, 'bytes'> & { readonly body: Packed })[];
  readonly skipped: readonly Skipped[];
}

export class SharedSource {
  readonly #source: FileSource;
  readonly #work: SharedWork;
  readonly #keptBytes: number;
  readonly #files = new Map<number, SharedFile>();
  readonly #pieceOf = new WeakMap<Uint8Array, Piece>();
  /** The oldest first. */
  readonly #kept = new Set<Piece>();
  #bytes = 0;
  /** Of small files, by their number; the oldest first. */
  readonly #whole = new Map<number, Uint8Array>();
  #wholeBytes = 0;
  #reading: Promise<unknown> = Promise.resolve();
  #walk: Walk | undefined;

  /** @param keptBytes What may be kept for those who are not the first. */
  constructor(source: FileSource, work: SharedWork, keptBytes = KEPT_BYTES) {
    this.#source = source;
    this.#work = work;
    this.#keptBytes = keptBytes;
  }

  /** The source as one of the receivers gets it. */
  view(): FileSource {
    const source = this.#source;
    return {
      get roots() {
        return source.roots;
      },
      scan: () => (this.#walk ??= new Walk(source)).listings(),
      readWhole: (entry, limit) => this.#readWhole(entry, limit),
      open: async (entry, offset = 0) => this.#open(entry, offset),
      pathOf: (entry) => source.pathOf(entry),
    };
  }

  /** One after the other, since the source gives the same memory each time. */
  #readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined> {
    const content = this.#reading.then(async () => {
      const kept = this.#whole.get(entry.index);
      if (kept !== undefined) return kept.length <= limit ? kept : undefined;
      const read = await this.#source.readWhole(entry, limit);
      if (read === undefined) return undefined;
      const copy = new Uint8Array(read);
      this.#keepWhole(entry.index, copy);
      return copy;
    });
    this.#reading = content.catch(() => undefined);
    return content;
  }

  #keepWhole(index: number, content: Uint8Array): void {
    this.#whole.set(index, content);
    this.#wholeBytes += content.length;
    for (const [oldest, { length }] of this.#whole) {
      if (this.#wholeBytes <= this.#keptBytes) break;
      this.#whole.delete(oldest);
      this.#wholeBytes -= length;
    }
  }

  #open(entry: Entry, start: number): SourceFile {
    const unknown: SharedFile = { users: 0, idle: [], pieces: new Map() };
    const shared = this.#files.get(entry.index) ?? unknown;
    this.#files.set(entry.index, shared);
    shared.users++;
    let offset = start;
    return {
      read: async () => {
        const piece = shared.pieces.get(offset) ?? this.#begin(entry, shared, offset);
        // Before anything else happens: until then its memory is not used for anything else.
        piece.holders++;
        const read = await piece.read;
        offset += lengthOf(read);
        return read;
      },
      recycle: (data) => this.#letGo(data),
      readAt: async (into, at) => {
        const file = await this.#take(entry, shared, at);
        try {
          await file.readAt(into, at);
        } finally {
          await this.#giveBack(shared, file, at);
        }
      },
      close: async () => {
        shared.users--;
        this.#tidy(entry, shared);
        if (shared.users === 0) await Promise.all(shared.idle.splice(0).map(({ file }) => file.close()));
      },
    };
  }

  /** Reads what nobody read lately, for all who come for it. */
  #begin(entry: Entry, shared: SharedFile, offset: number): Piece {
    const forget = (): void => {
      shared.pieces.delete(offset);
      this.#tidy(entry, shared);
    };
    const read = this.#readOn(entry, shared, offset, (data, of) => {
      piece.memory = { data, of };
      this.#keep(piece);
    });
    const piece: Piece = { read, forget, memory: undefined, holders: 0, isKept: true };
    shared.pieces.set(offset, piece);
    // The end, and what cannot be read, is looked at again by whoever comes there. A hole is kept: it takes no room.
    read.then((found) => found ?? forget(), forget);
    return piece;
  }

  async #readOn(
    entry: Entry,
    shared: SharedFile,
    offset: number,
    keep: (data: Uint8Array, of: SourceFile) => void,
  ): Promise<Read> {
    const file = await this.#take(entry, shared, offset);
    let next = offset;
    try {
      const read = await file.read();
      next += lengthOf(read);
      if (read instanceof Uint8Array) keep(read, file);
      return read;
    } finally {
      await this.#giveBack(shared, file, next);
    }
  }

  /** A file that reads on at this offset, and is nobody else's until it is given back. */
  async #take(entry: Entry, shared: SharedFile, offset: number): Promise<SourceFile> {
    const index = shared.idle.findIndex((one) => one.offset === offset);
    const [found] = index < 0 ? [] : shared.idle.splice(index, 1);
    return found?.file ?? this.#source.open(entry, offset);
  }

  /** Closes those that nobody read on with for the longest time, and with the last user all. */
  async #giveBack(shared: SharedFile, file: SourceFile, offset: number): Promise<void> {
    shared.idle.push({ file, offset });
    const tooMany = shared.idle.splice(0, Math.max(0, shared.idle.length - shared.users));
    await Promise.all(tooMany.map((one) => one.file.close()));
  }

  #tidy(entry: Entry, shared: SharedFile): void {
    const isNeeded =
      shared.users > 0 || [...shared.pieces.values()].some(({ memory }) => memory !== undefined);
    if (!isNeeded && this.#files.get(entry.index) === shared) this.#files.delete(entry.index);
  }

  #keep(piece: Piece): void {
    const { memory } = piece;
    if (memory === undefined) return;
    this.#pieceOf.set(memory.data, piece);
    this.#work.watch(memory.data);
    this.#kept.add(piece);
    this.#bytes += memory.data.length;
    for (const oldest of this.#kept) {
      if (this.#bytes <= this.#keptBytes) break;
      this.#kept.delete(oldest);
      this.#bytes -= oldest.memory?.data.length ?? 0;
      oldest.isKept = false;
      oldest.forget();
      this.#reuse(oldest);
    }
  }

  #letGo(data: Uint8Array): void {
    const piece = this.#pieceOf.get(data);
    if (piece === undefined) return;
    piece.holders--;
    this.#reuse(piece);
  }

  /** Gives memory back that nobody needs. What a dead session held is never given back, and goes with it. */
  #reuse({ memory, isKept, holders }: Piece): void {
    if (memory === undefined || isKept || holders > 0) return;
    this.#work.forget(memory.data);
    this.#pieceOf.delete(memory.data);
    memory.of.recycle?.(memory.data);
  }
}

/** A walk through a source, shown from its start to whoever asks, as it goes on. */
class Walk {
  readonly #steps: Step[] = [];
  #more: Deferred<void> = deferred();
  #end: { readonly error?: XferError } | undefined;

  constructor(source: FileSource) {
    void this.#run(source);
  }

  async *listings(): AsyncGenerator<Listing> {
    for (let next = 0; ; next++) {
      const step = this.#steps[next];
      if (step === undefined) {
        if (this.#end !== undefined) break;
        await this.#more.promise;
        next--;
        continue;
      }
      let { skipped } = step;
      for (const { body, first } of step.parts) {
        yield { entries: decodeEntries(await unpack(body), first), skipped };
        skipped = [];
      }
      if (skipped.length > 0) yield { entries: [], skipped };
    }
    if (this.#end.error !== undefined) throw this.#end.error;
  }

  async #run(source: FileSource): Promise<void> {
    const encoder = new ManifestEncoder();
    let skipped: Skipped[] = [];
    const startMs = performance.now();
    let shownMs = startMs;
    const show = async (parts: readonly RawPart[]): Promise<void> => {
      if (parts.length === 0 && skipped.length === 0) return;
      // As entries a large tree would fill the memory.
      const packed = parts.map(async ({ bytes, ...part }) => ({
        ...part,
        body: await pack(bytes, 'brotli'),
      }));
      const shown = skipped;
      skipped = [];
      this.#steps.push({ parts: await Promise.all(packed), skipped: shown });
      this.#wake();
    };
    try {
      for await (const listing of source.scan()) {
        encoder.add(listing);
        for (const one of listing.skipped) skipped.push(one);
        const nowMs = performance.now();
        const isLate = nowMs - shownMs >= keepsBackMs(nowMs - startMs);
        if (isLate) shownMs = nowMs;
        const parts = isLate ? encoder.takeAll() : encoder.takeFull();
        if (isLate || parts.length > 0) await show(parts);
      }
      await show(encoder.takeAll());
      this.#end = {};
    } catch (error) {
      this.#end = { error: toXferError(error) };
    }
    this.#wake();
  }

  #wake(): void {
    const { resolve } = this.#more;
    this.#more = deferred();
    resolve();
  }
}

function lengthOf(read: Read): number {
  if (read === undefined) return 0;
  return read instanceof Uint8Array ? read.length : read.hole;
}
