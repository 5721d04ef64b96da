/**
 * What is kept beside the part files of a transfer, so that another one can go on with them (docs/protocol.md says nothing of it: it
 * never leaves this machine). One JSON value per line, only ever appended to; a crash may cut the last one. No code, key or secret is in it.
 */
import { hash } from 'node:crypto';
import type { Entry } from '../transfer/ports.js';

export const JOURNAL_NAME = 'journal';
/** Some two million files. A longer one is not believed. */
export const MOST_JOURNAL_BYTES = 2 ** 27;

const ID = /^[0-9a-f]{16}$/;
export const PART_NAME = /^\d{1,9}\.part$/;
const KEY_BYTES = 8;

/** A part file, and whose. */
export interface JournaledPart {
  /** In the staging folder. */
  readonly name: string;
  /** Of the file below the target. */
  readonly path: string;
  /** Of the whole file, in bytes, as the sender said. */
  readonly size: number;
}

export interface Journal {
  /** Names of the roots that were offered. */
  readonly roots: readonly string[];
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly parts: readonly JournaledPart[];
  /** Roots that got another name here. */
  readonly renamed: ReadonlyMap<string, string>;
  readonly arrived: ArrivedKeys;
}

export type JournalLine =
  | { readonly xfer: 1; readonly roots: readonly string[]; readonly started: number }
  | { readonly part: string; readonly path: string; readonly size: number }
  | { readonly root: string; readonly as: string }
  /** Keys of `arrivedKey` and `madeKey`, one after the other, in base64. */
  | { readonly arrived: string };

export function encodeLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

export function encodeArrived(keys: readonly bigint[]): string {
  const bytes = Buffer.alloc(keys.length * KEY_BYTES);
  for (const [index, key] of keys.entries()) bytes.writeBigUInt64LE(key, index * KEY_BYTES);
  return encodeLine({ arrived: bytes.toString('base64') });
}

/** Reads a journal; `undefined` where it is none. Lines that say nothing are passed over: a crash may have cut them. */
export function parseJournal(text: string): Journal | undefined {
  const lines = text.split('\n');
  const header = read(lines.shift());
  if (header?.['xfer'] !== 1 || !isNames(header['roots']) || !isCount(header['started'])) return undefined;
  const parts: JournaledPart[] = [];
  const renamed = new Map<string, string>();
  const keys: Buffer[] = [];
  for (const each of lines) {
    const line = read(each);
    if (line === undefined) continue;
    const { part, path, size, root, as, arrived } = line;
    if (typeof part === 'string' && PART_NAME.test(part) && typeof path === 'string' && isCount(size))
      parts.push({ name: part, path, size });
    else if (typeof root === 'string' && typeof as === 'string') renamed.set(root, as);
    else if (typeof arrived === 'string') keys.push(wholeKeys(Buffer.from(arrived, 'base64')));
  }
  return {
    roots: header['roots'],
    startedMs: header['started'],
    parts,
    renamed,
    arrived: new ArrivedKeys(Buffer.concat(keys)),
  };
}

/** Which files have arrived, for millions of them. */
export class ArrivedKeys {
  readonly #sorted: BigUint64Array;

  constructor(bytes: Buffer) {
    this.#sorted = new BigUint64Array(bytes.length / KEY_BYTES);
    for (let index = 0; index < this.#sorted.length; index++) {
      this.#sorted[index] = bytes.readBigUInt64LE(index * KEY_BYTES);
    }
    this.#sorted.sort();
  }

  get size(): number {
    return this.#sorted.length;
  }

  has(key: bigint): boolean {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? 0n) < key) low = middle + 1;
      else high = middle;
    }
    return this.#sorted[low] === key;
  }
}

/** What tells a file from every other that had its name before or gets it later. */
export interface FileIdentity {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/** Stands for: this very file is what the sender listed as `entry`. `id` is that of the staging folder: nobody can make another file with the same key. */
export function arrivedKey(
  id: string,
  path: string,
  { size, mtimeMs }: Pick<Entry, 'size' | 'mtimeMs'>,
  file: FileIdentity,
): bigint {
  const text = [id, size, mtimeMs, file.ino, file.size, file.mtimeMs, path].join('\n');
  return hash('sha256', text, 'buffer').readBigUInt64LE();
}

/** Stands for: this very folder was made, and has neither mode nor time of the sender's yet. */
export function madeKey(id: string, path: string, { ino }: Pick<FileIdentity, 'ino'>): bigint {
  return hash('sha256', [id, 'folder', ino, path].join('\n'), 'buffer').readBigUInt64LE();
}

export function isStagingId(text: string): boolean {
  return ID.test(text);
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

function wholeKeys(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length - (bytes.length % KEY_BYTES));
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
