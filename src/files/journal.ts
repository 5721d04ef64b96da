/**
 * What is kept beside the part files of a transfer, so that another one can go on with them (docs/protocol.md says nothing of it: it
 * never leaves this machine). One JSON value per line, only ever appended to; a crash may cut the last one. No code, key or secret is in it.
 */
import { InodeTable } from './inode-table.js';
import { isCopyName } from './staging-name.js';

export const JOURNAL_NAME = 'journal';
/** Some two million files. A longer one is not believed. */
export const MOST_JOURNAL_BYTES = 2 ** 27;

export const PART_NAME = /^\d{1,9}\.part$/;
const PAIR_BYTES = 16;

/** A part file, and whose. */
export interface JournaledPart {
  /** In the staging folder. */
  readonly name: string;
  /** Of the file below the target. */
  readonly path: string;
  /** Of the whole file, in bytes, as the sender said. */
  readonly size: number;
}

/** A copy of a part file outside of the staging folder, as long as it has no final name. */
export interface JournaledCopy {
  readonly name: string;
  /** The folder that it lies in, below the target. */
  readonly folder: string;
}

export interface Journal {
  /** Names of the roots that were offered. */
  readonly roots: readonly string[];
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly parts: readonly JournaledPart[];
  /** Copies that were begun; most are gone. */
  readonly copies: readonly JournaledCopy[];
  /** Roots of transfers that came to their end. */
  readonly finished: ReadonlySet<string>;
  /** Roots that got another name here. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Files that got their names, or were about to. */
  readonly arrived: Identities;
  /** Folders that were made. */
  readonly made: Identities;
}

export type JournalLine =
  | { readonly xfer: 1; readonly roots: readonly string[]; readonly started: number }
  | { readonly part: string; readonly path: string; readonly size: number }
  | { readonly copy: string; readonly folder: string }
  | { readonly root: string; readonly as: string }
  | { readonly finished: readonly string[] }
  /** Identities of files that get their names, in base64. */
  | { readonly arrived: string }
  /** Identities of those among them that got none after all, and are gone. */
  | { readonly withdrawn: string }
  /** Identities of folders that were made. */
  | { readonly made: string };

export function encodeLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

export function encodeArrived(files: readonly FileIdentity[]): string {
  return encodeLine({ arrived: encodeIdentities(files) });
}

export function encodeWithdrawn(file: FileIdentity): string {
  return encodeLine({ withdrawn: encodeIdentities([file]) });
}

export function encodeMade(folders: readonly FileIdentity[]): string {
  return encodeLine({ made: encodeIdentities(folders) });
}

function encodeIdentities(files: readonly FileIdentity[]): string {
  const bytes = Buffer.alloc(files.length * PAIR_BYTES);
  let at = 0;
  for (const { ino, birthtimeMs } of files) {
    at = bytes.writeDoubleLE(ino, at);
    at = bytes.writeDoubleLE(birthtimeMs, at);
  }
  return bytes.toString('base64');
}

/** Reads a journal; `undefined` where it is none. Lines that say nothing are passed over: a crash may have cut them. */
export function parseJournal(text: string): Journal | undefined {
  const lines = text.split('\n');
  const header = read(lines.shift());
  if (header?.['xfer'] !== 1 || !isNames(header['roots']) || !isCount(header['started'])) return undefined;
  const roots = new Set(header['roots']);
  const finished = new Set<string>();
  const parts: JournaledPart[] = [];
  const copies: JournaledCopy[] = [];
  const renamed = new Map<string, string>();
  const arrivals: Buffer[] = [];
  const withdrawals: Buffer[] = [];
  const makings: Buffer[] = [];
  for (const each of lines) {
    const line = read(each);
    if (line === undefined) continue;
    const { part, path, size, copy, folder, root, as, arrived, withdrawn, made } = line;
    // Whoever goes on with it adds its own.
    if (isNames(line['roots'])) {
      for (const name of line['roots']) {
        roots.add(name);
        finished.delete(name);
      }
    }
    if (isNames(line['finished'])) for (const name of line['finished']) finished.add(name);
    if (typeof part === 'string' && PART_NAME.test(part) && typeof path === 'string' && isCount(size))
      parts.push({ name: part, path, size });
    else if (typeof copy === 'string' && isCopyName(copy) && typeof folder === 'string' && isBelow(folder))
      copies.push({ name: copy, folder });
    else if (typeof root === 'string' && typeof as === 'string') renamed.set(root, as);
    else if (typeof arrived === 'string') arrivals.push(Buffer.from(arrived, 'base64'));
    else if (typeof withdrawn === 'string') withdrawals.push(Buffer.from(withdrawn, 'base64'));
    else if (typeof made === 'string') makings.push(Buffer.from(made, 'base64'));
  }
  const arrived = new Identities(arrivals);
  arrived.withdraw(withdrawals);
  return {
    roots: [...roots],
    startedMs: header['started'],
    parts,
    copies,
    finished,
    renamed,
    arrived,
    made: new Identities(makings),
  };
}

/** How the first line begins. */
const BEGINNING = '{"xfer":1,"roots":[';

/** Whether it is what a crash leaves of a journal that was just begun: nothing, or a part of the first line, and zeros for the rest. */
export function isUnbegun(text: string): boolean {
  // Not by an expression, which would begin anew at each of millions of zeros.
  let length = text.length;
  while (text[length - 1] === '\0') length--;
  const line = text.slice(0, length);
  return !line.includes('\n') && line.slice(0, BEGINNING.length) === BEGINNING.slice(0, line.length);
}

/** Of a staging folder in which nothing is written yet. */
export function emptyJournal(startedMs: number): Journal {
  return {
    roots: [],
    startedMs,
    parts: [],
    copies: [],
    finished: new Set(),
    renamed: new Map(),
    arrived: new Identities([]),
    made: new Identities([]),
  };
}

/** What a file or folder is known by, whatever it is called: a later one may get the same inode, but not with the same birth. */
export interface FileIdentity {
  readonly ino: number;
  /** 0 on file systems that do not know it. */
  readonly birthtimeMs: number;
}

/** There may be millions. */
function eachIdentity(piece: Buffer, visit: (ino: number, birthtimeMs: number) => void): void {
  for (let at = 0; at + PAIR_BYTES <= piece.length; at += PAIR_BYTES) {
    visit(piece.readDoubleLE(at), piece.readDoubleLE(at + PAIR_BYTES / 2));
  }
}

/** Files or folders that a journal names. */
export class Identities {
  /** Their births; an inode that comes again is that of a later file. */
  readonly #births: InodeTable;
  #withdrawn = 0;

  /** @param pieces Pairs of inode and birth, as little-endian doubles. */
  constructor(pieces: readonly Buffer[]) {
    this.#births = new InodeTable(
      pieces.reduce((sum, { length }) => sum + Math.floor(length / PAIR_BYTES), 0),
    );
    for (const piece of pieces) {
      eachIdentity(piece, (ino, birthtimeMs) => this.#births.set(ino, birthtimeMs));
    }
  }

  get size(): number {
    return this.#births.size - this.#withdrawn;
  }

  has({ ino, birthtimeMs }: FileIdentity): boolean {
    return this.#births.get(ino) === birthtimeMs;
  }

  /** Takes these out, as pairs too. */
  withdraw(pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      eachIdentity(piece, (ino, birthtimeMs) => {
        if (!this.has({ ino, birthtimeMs })) return;
        // The birth of none.
        this.#births.set(ino, NaN);
        this.#withdrawn++;
      });
    }
  }
}

function read(line: string | undefined): Record<string, unknown> | undefined {
  if (line === undefined || line === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a path leads nowhere but below the folder that it starts in. */
function isBelow(folder: string): boolean {
  return folder.split('/').every((name) => name !== '' && name !== '..');
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
