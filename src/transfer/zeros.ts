/** Content that is nothing but zero bytes: it needs neither a line nor a disk. */
import { CHUNK_BYTES } from './ports.js';

const ZEROS = Buffer.alloc(CHUNK_BYTES);

export function isZero(bytes: Uint8Array): boolean {
  for (let start = 0; start < bytes.length; start += ZEROS.length) {
    const piece = bytes.subarray(start, start + ZEROS.length);
    if (ZEROS.compare(piece, 0, piece.length, 0, piece.length) !== 0) return false;
  }
  return true;
}
