/** The standard output where it is a file: on a disk that may be full. */
import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** What a disk says that takes no more. A reader that is gone says other things, and may go. */
const LOSSES: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO']);

/**
 * Has a standard stream that is a file take each piece whole, or fail with what the system says. Node's own stream for files (20,
 * `SyncWriteStream`) takes what the system wrote of a piece for all of it: the end would be missing, and nobody told.
 */
export function takeWhole(stream: Writable & { readonly fd: number }): void {
  if (!isFile(stream.fd)) return;
  stream._write = (piece: Buffer, _encoding, done) => {
    try {
      for (let at = 0; at < piece.length;) at += writeSync(stream.fd, piece, at);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };
}

/** Whether this says that what was written is lost, which somebody may read later and take for all. */
export function isLoss({ code }: NodeJS.ErrnoException): boolean {
  return LOSSES.has(code);
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}
