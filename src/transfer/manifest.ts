/** The list of what is sent, in parts: docs/protocol.md section 8. */
import { Blake3, equalBytes } from '../crypto/digest.js';
import { XferError } from '../errors.js';
import { Column } from './entry-table.js';
import { decodeMode, decodeSize, encodeSize, ENTRY_TYPES, MAX_NAME_BYTES } from './message-fields.js';
import type { ControlMessage, OfferKind, OfferedRoot } from './messages.js';
import {
  MANIFEST_PART_BYTES,
  MAX_ENTRIES,
  MAX_MANIFEST_BYTES,
  ROOT,
  type Entry,
  type Listing,
} from './ports.js';
import { ByteReader, ByteWriter, MAX_VARINT, MAX_VARINT_BYTES, malformed } from './wire.js';

/** A manifest part before compression. */
export interface RawPart {
  /** Index of the first entry. */
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

export type ManifestEnd = Extract<ControlMessage, { type: 'manifest-end' }>;

const MAX_GROUP_HEADER_BYTES = 2 * MAX_VARINT_BYTES;
/** Entries cost credit: a part must cost less than what a receiver grants before its yes, 256 KiB. */
const MAX_PART_ENTRIES = 1024;

/** Turns listings into parts of at most 64 KiB. */
export class ManifestEncoder {
  readonly totals = new ManifestTotals();
  readonly #full: RawPart[] = [];
  #part = new ByteWriter(MANIFEST_PART_BYTES);
  #partFirst = 0;
  #group = new ByteWriter(MANIFEST_PART_BYTES);
  #groupParent = ROOT;
  #groupCount = 0;

  /**
   * Adds a folder's entries, or the roots. Throws `limit` past 2,000,000 entries or 1 GiB.
   */
  add(listing: Listing): void {
    for (const entry of listing.entries) {
      if (entry.index !== this.totals.entries) {
        throw new XferError('internal', { detail: `entry ${entry.index} out of order` });
      }
      if (entry.parent !== this.#groupParent) this.#endGroup();
      this.#groupParent = entry.parent;
      const start = this.#group.length;
      encodeEntry(this.#group, entry);
      const isFull =
        this.#part.length + MAX_GROUP_HEADER_BYTES + this.#group.length > MANIFEST_PART_BYTES ||
        entry.index - this.#partFirst === MAX_PART_ENTRIES;
      if (isFull) {
        const overhanging = this.#group.cut(start);
        this.#endPart();
        this.#group.raw(overhanging);
      }
      this.#groupCount++;
      this.totals.count(entry);
    }
  }

  /** The parts that are full since the last call. */
  takeFull(): RawPart[] {
    return this.#full.splice(0);
  }

  /** As `takeFull`, with what the last part holds so far. */
  takeAll(): RawPart[] {
    this.#endPart();
    return this.takeFull();
  }

  digest(): Uint8Array {
    return this.totals.digest.digest();
  }

  #endGroup(): void {
    if (this.#groupCount === 0) return;
    this.#part.varint(this.#groupParent + 1);
    this.#part.varint(this.#groupCount);
    this.#part.raw(this.#group.cut(0));
    this.#groupCount = 0;
  }

  #endPart(): void {
    this.#endGroup();
    if (this.#part.length === 0) return;
    const bytes = this.#part.cut(0);
    this.totals.countPart(bytes);
    this.#full.push({ first: this.#partFirst, count: this.totals.entries - this.#partFirst, bytes });
    this.#partFirst = this.totals.entries;
  }
}

/** Figures of a manifest, and its running digest. Throws `limit` where they grow too large. */
export class ManifestTotals {
  readonly digest = new Blake3();
  entries = 0;
  files = 0;
  /** Of the files whose size is known. */
  bytes = 0;
  #manifestBytes = 0;

  count(entry: Entry): void {
    this.entries++;
    if (this.entries > MAX_ENTRIES) throw new XferError('limit', { detail: MAX_ENTRIES });
    if (entry.type === 'folder') return;
    this.files++;
    this.bytes += entry.size ?? 0;
    if (this.bytes > MAX_VARINT) throw new XferError('limit', { detail: MAX_VARINT });
  }

  countPart(bytes: Uint8Array): void {
    this.#manifestBytes += bytes.length;
    if (this.#manifestBytes > MAX_MANIFEST_BYTES)
      throw new XferError('limit', { detail: MAX_MANIFEST_BYTES });
    this.digest.update(bytes);
  }
}

const FOLDER = 1;
const LISTED = 2;

/**
 * Takes a peer's manifest part by part and refuses what is not a tree under the offered roots. What it keeps is a
 * byte for each entry, and one name.
 */
export class ManifestDecoder {
  readonly totals = new ManifestTotals();
  readonly #kind: OfferKind;
  readonly #roots: readonly OfferedRoot[];
  /** `FOLDER` and `LISTED` of each entry. */
  readonly #flags = new Column((length) => new Uint8Array(length));
  #parent: number | undefined;
  readonly #rootNames = new Set<string>();
  /** The entry before, in the same folder. */
  #previousName = '';

  constructor(kind: OfferKind, roots: readonly OfferedRoot[]) {
    this.#kind = kind;
    this.#roots = roots;
  }

  /**
   * The entries of the next part. Whether a name can be kept is the sink's to say.
   * @throws XferError `protocol`, `limit`
   */
  decode(bytes: Uint8Array, count: number): Entry[] {
    const entries = decodeEntries(bytes, this.totals.entries);
    if (entries.length !== count) throw malformed('a manifest part with another count');
    // They are free, and there could be any number of them.
    if (count === 0) throw malformed('a manifest part without entries');
    for (const entry of entries) {
      if (entry.parent !== this.#parent) this.#enter(entry.parent);
      if (entry.parent === ROOT) this.#demandRoot(entry);
      else if (entry.name <= this.#previousName) throw malformed('names of a folder that do not rise');
      this.#previousName = entry.name;
      // Totals that a person said yes to hold only where every size is stated.
      if (entry.size === undefined && this.#kind !== 'pipe') throw malformed('a file of unknown size');
      if (entry.type === 'folder') this.#flags.set(entry.index, FOLDER);
      this.totals.count(entry);
    }
    this.totals.countPart(bytes);
    return entries;
  }

  /** @throws XferError `integrity` where the parts are not what the sender made, `protocol` where figures differ. */
  end(end: ManifestEnd): void {
    const { entries, files, bytes, digest } = this.totals;
    if (!equalBytes(digest.digest(), end.digest)) throw new XferError('integrity', { detail: 'manifest' });
    if (entries !== end.entries || files !== end.files || bytes !== end.bytes) {
      throw malformed('a manifest with other figures');
    }
    if (this.#rootNames.size < this.#roots.length) throw malformed('a root of the offer is missing');
  }

  #enter(parent: number): void {
    this.#previousName = '';
    if (parent !== ROOT) {
      if (this.#parent === undefined) throw malformed('a manifest that does not begin with its roots');
      if (parent >= this.totals.entries) throw malformed('an entry before its folder');
      if (this.#flags.at(parent) !== FOLDER) throw malformed('a folder listed twice, or a file as one');
      this.#flags.set(parent, FOLDER | LISTED);
    } else if (this.#parent !== undefined) {
      throw malformed('roots listed twice');
    }
    this.#parent = parent;
  }

  #demandRoot(entry: Entry): void {
    const offered = this.#roots[entry.index];
    const size = entry.type === 'folder' ? undefined : entry.size;
    if (offered?.name !== entry.name || offered.type !== entry.type || offered.size !== size) {
      throw malformed('a root that was not offered');
    }
    if (this.#rootNames.size === this.#rootNames.add(entry.name).size)
      throw malformed('two roots of one name');
  }
}

/**
 * The entries of a manifest part, the first of which has the index `first`. Says nothing about their places in the
 * tree. Throws `protocol` and `limit`.
 */
export function decodeEntries(bytes: Uint8Array, first: number): Entry[] {
  const from = new ByteReader(bytes);
  const entries: Entry[] = [];
  while (from.remaining > 0) {
    const parent = from.varint(MAX_ENTRIES) - 1;
    const count = from.varint(MAX_ENTRIES);
    if (count === 0) throw malformed('an empty group');
    for (let left = count; left > 0; left--) entries.push(decodeEntry(from, first + entries.length, parent));
  }
  return entries;
}

function encodeEntry(to: ByteWriter, entry: Entry): void {
  to.u8(ENTRY_TYPES.indexOf(entry.type));
  to.string(entry.name);
  if (entry.type === 'file') encodeSize(to, entry.size);
  to.svarint(entry.mtimeMs);
  to.u16(entry.mode);
}

function decodeEntry(from: ByteReader, index: number, parent: number): Entry {
  const type = from.choice(ENTRY_TYPES);
  const name = from.string(MAX_NAME_BYTES);
  const size = type === 'file' ? decodeSize(from) : 0;
  const mtimeMs = from.svarint();
  const mode = decodeMode(from);
  return { index, parent, type, name, size, mtimeMs, mode };
}
