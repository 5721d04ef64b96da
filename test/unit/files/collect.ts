import { XferError } from '../../../src/errors.js';
import type { Entry, FileSource, Skipped, SourceFile } from '../../../src/transfer/ports.js';

export interface Scanned {
  readonly entries: readonly Entry[];
  /** Each entry with its path in the offer. */
  readonly byPath: ReadonlyMap<string, Entry>;
  readonly skipped: readonly Skipped[];
}

/** Scans a source to its end. */
export async function scan(source: FileSource): Promise<Scanned> {
  const entries: Entry[] = [];
  const skipped: Skipped[] = [];
  const paths: string[] = [];
  const byPath = new Map<string, Entry>();
  for await (const listing of source.scan()) {
    for (const entry of listing.entries) {
      const parent = paths[entry.parent];
      const path = parent === undefined ? entry.name : `${parent}/${entry.name}`;
      paths.push(path);
      byPath.set(path, entry);
    }
    entries.push(...listing.entries);
    skipped.push(...listing.skipped);
  }
  return { entries, byPath, skipped };
}

/** Reads a file in the pieces that it comes in. */
export async function readPieces(file: SourceFile): Promise<(Uint8Array | { readonly hole: number })[]> {
  const pieces: (Uint8Array | { readonly hole: number })[] = [];
  try {
    for (let piece = await file.read(); piece !== undefined; piece = await file.read()) pieces.push(piece);
  } finally {
    await file.close();
  }
  return pieces;
}

/** Reads a file, its holes as zeros. */
export async function readAll(file: SourceFile): Promise<Buffer> {
  const pieces = await readPieces(file);
  return Buffer.concat(
    pieces.map((piece) => (piece instanceof Uint8Array ? piece : Buffer.alloc(piece.hole))),
  );
}

/** The code of the error that `work` throws. */
export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof XferError) return error.code;
    throw error;
  }
  return 'no error';
}
