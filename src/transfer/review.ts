/** What the receiver learns of an offer before it says yes; nothing on the disk changes. */
import { ERROR_CODES, XferError } from '../errors.js';
import { unpack } from './compression.js';
import { Column, EntryTable } from './entry-table.js';
import type { OfferSummary } from './events.js';
import { ManifestDecoder, decodeEntries, type ManifestEnd } from './manifest.js';
import type { Offer } from './offer.js';
import {
  ROOT,
  type Entry,
  type FileSink,
  type ManifestPart,
  type Packed,
  type Prospect,
  type Skipped,
} from './ports.js';
import { malformed } from './wire.js';

export interface ReviewOptions {
  /** Chooses entries by their path in the offer; all if not given. */
  readonly wants?: (path: string, isFolder: boolean) => boolean;
  /** Whether the roots would go into the home folder. Asked after the sink was chosen. */
  readonly intoHome: () => boolean;
}

/** A part that was examined, kept as it came: a million entries stay small until they are needed. */
export interface ReviewedPart {
  readonly part: number;
  readonly first: number;
  readonly body: Packed;
}

/**
 * What may be kept of a manifest at once, in bytes: bodies of parts as they came, and its folders. Two million files under
 * names that do not compress, such as digests, take less.
 */
export const MAX_KEPT_BYTES = 80 * 2 ** 20;
/** What a folder takes beside its name, here and in a sink. */
const FOLDER_BYTES = 128;
/** What a part takes beside its body, at most: here, and with what is wanted of it until it has come. */
const PART_BYTES = 2048;

/** How many of each kind the summary names. */
const MAX_NAMED = 100;

// A prospect is kept as a byte: its place here, then the reasons of a refusal; the high bit says that it is wanted.
const STATUSES = ['new', 'merges', 'exists', 'arrived'] as const;
const WANTED = 0x80;

export class Review {
  readonly offer: Offer;
  readonly #sink: FileSink;
  readonly #options: ReviewOptions;
  readonly #manifest: ManifestDecoder;
  readonly #roots: Entry[] = [];
  readonly #table = new EntryTable();
  readonly #marks = new Column((length) => new Uint8Array(length));
  #keptBytes = 0;
  #parts = 0;
  #end: ManifestEnd | undefined;
  #freeBytes: number | undefined;
  #isBusy = false;
  #newRoots = 0;
  #isWhole = true;
  #wantedFiles = 0;
  #wantedFolders = 0;
  #wantedBytes = 0;
  #arrivedFiles = 0;
  #arrivedBytes = 0;
  #partBytes = 0;
  readonly #conflicts = new Named<string>();
  readonly #refused = new Named<Skipped>();
  readonly #executables = new Named<string>();

  constructor(offer: Offer, sink: FileSink, options: ReviewOptions) {
    this.offer = offer;
    this.#sink = sink;
    this.#options = options;
    this.#manifest = new ManifestDecoder(offer.kind, offer.roots);
  }

  /** Entries that the sender should have offered and could not. */
  get missingAtSender(): number {
    return this.#end?.missing ?? 0;
  }

  /** Nothing that was offered is unwanted. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get complete(): boolean {
    return this.#end !== undefined;
  }

  /** Examines the next part, and keeps it until it is forgotten. Throws `protocol` and `limit`, and what the sink throws. */
  async examine({ part, count, body }: ManifestPart): Promise<ReviewedPart> {
    if (this.complete || part !== this.#parts) throw malformed('a manifest part out of place');
    this.#parts++;
    const first = this.#manifest.totals.entries;
    for (const entry of this.#manifest.decode(await unpack(body), count)) {
      const prospect = await this.#sink.examine(entry);
      this.#table.add(entry);
      if (entry.type === 'folder') this.#keep(FOLDER_BYTES + Buffer.byteLength(entry.name));
      if (entry.parent === ROOT) {
        this.#roots.push(entry);
        if (prospect.status === 'new') this.#newRoots++;
      }
      const wanted = this.#isWanted(entry);
      this.#mark(entry.index, prospect, wanted);
      if (wanted) this.#count(entry, prospect);
      else this.#isWhole = false;
    }
    this.#keep(PART_BYTES + body.bytes.length);
    return { part, first, body: { ...body, bytes: Uint8Array.from(body.bytes) } };
  }

  /** A part that was examined is needed no more. */
  forget({ body }: ReviewedPart): void {
    this.#keptBytes -= PART_BYTES + body.bytes.length;
  }

  /** Takes the manifest's end. Throws `integrity` and `protocol`. */
  finish(end: ManifestEnd): void {
    if (this.complete) throw malformed('a second end of the manifest');
    if (end.missing > end.skipped) throw malformed('more missing than left out');
    this.#manifest.end(end);
    this.#end = end;
  }

  /** Asks the sink how much room there is, and who else is at work there, for the summary. */
  async measure(): Promise<void> {
    this.#freeBytes = await this.#sink.freeBytes();
    // It looks through the whole target: not before there is something to say of it.
    this.#isBusy = (this.complete || this.#conflicts.count > 0) && this.#sink.isBusy();
  }

  summary(): OfferSummary {
    const { kind, roots } = this.offer;
    return {
      kind,
      roots,
      files: this.#wantedFiles,
      folders: this.#wantedFolders,
      bytes: this.#wantedBytes,
      arrivedFiles: this.#arrivedFiles,
      arrivedBytes: this.#arrivedBytes,
      partBytes: this.#partBytes,
      complete: this.complete,
      skippedBySender: this.#end?.skipped ?? 0,
      conflicts: this.#conflicts.names,
      conflictCount: this.#conflicts.count,
      isBusy: this.#isBusy,
      refused: this.#refused.names,
      refusedCount: this.#refused.count,
      executables: this.#executables.names,
      executableCount: this.#executables.count,
      dotNames: roots.map(({ name }) => name).filter((name) => name.startsWith('.')),
      freeBytes: this.#freeBytes,
      isAllNew: this.#newRoots === roots.length,
      intoHome: this.#options.intoHome(),
    };
  }

  /** The entries of a part that was examined. */
  async entriesOf({ first, body }: ReviewedPart): Promise<Entry[]> {
    return decodeEntries(await unpack(body), first);
  }

  wants(entry: Entry): boolean {
    return (this.#marks.at(entry.index) & WANTED) !== 0;
  }

  prospectOf(entry: Entry): Prospect {
    const place = this.#marks.at(entry.index) & ~WANTED;
    const status = STATUSES[place];
    if (status !== undefined) return { status };
    return { status: 'refused', reason: ERROR_CODES[place - STATUSES.length] ?? 'name-refused' };
  }

  /** The entry's path in the offer. Foreign text. */
  pathOf(entry: Entry): string {
    const folders = this.#table.chain(entry.parent).map((folder) => this.#table.nameOf(folder));
    return [...folders, entry.name].join('/');
  }

  /** The root that the entry is in. */
  rootOf(entry: Entry): Entry {
    return (entry.parent === ROOT ? undefined : this.#roots[this.#table.rootOf(entry.parent)]) ?? entry;
  }

  #isWanted(entry: Entry): boolean {
    return this.#options.wants?.(this.pathOf(entry), entry.type === 'folder') ?? true;
  }

  #mark(index: number, prospect: Prospect, wanted: boolean): void {
    const place =
      prospect.status === 'refused'
        ? STATUSES.length + ERROR_CODES.indexOf(prospect.reason)
        : STATUSES.indexOf(prospect.status);
    this.#marks.set(index, place | (wanted ? WANTED : 0));
  }

  #keep(bytes: number): void {
    this.#keptBytes += bytes;
    if (this.#keptBytes > MAX_KEPT_BYTES) throw new XferError('limit', { detail: MAX_KEPT_BYTES });
  }

  #count(entry: Entry, prospect: Prospect): void {
    if (prospect.status === 'refused') {
      const { reason } = prospect;
      this.#refused.add(() => ({ path: this.pathOf(entry), reason }));
    } else if (prospect.status === 'exists') {
      this.#conflicts.add(() => this.pathOf(entry));
    }
    if (entry.type === 'folder') {
      this.#wantedFolders++;
      return;
    }
    if (prospect.status === 'arrived') {
      this.#arrivedFiles++;
      this.#arrivedBytes += entry.size ?? 0;
      return;
    }
    this.#wantedFiles++;
    this.#wantedBytes += entry.size ?? 0;
    if ('partBytes' in prospect) this.#partBytes += Math.min(prospect.partBytes ?? 0, entry.size ?? 0);
    if ((entry.mode & 0o111) !== 0) this.#executables.add(() => this.pathOf(entry));
  }
}

/** A count with its first examples. */
class Named<T> {
  readonly names: T[] = [];
  count = 0;

  add(name: () => T): void {
    this.count++;
    if (this.names.length < MAX_NAMED) this.names.push(name());
  }
}
