// @ts-check
/**
 * Loaded before the program (`--import`): after 4 MiB the disk is full. Faults of the disk need no switch in the
 * program and no right to mount a small one.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';

let left = 4 * 2 ** 20;

/** Takes `length` from the room that is left. Throws as the system does. @param {number} fd @param {number} length */
function take(fd, length) {
  if (fd <= 2) return;
  left -= length;
  if (left < 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
}

const { writeSync } = fs;
const write = promisify(fs.write);

/** @param {number} fd @param {Uint8Array} bytes @param {number[]} rest */
const writeSyncOrFail = (fd, bytes, ...rest) => {
  take(fd, bytes.length);
  return writeSync(fd, bytes, ...rest);
};

/** What `promisify(write)` gives. @param {number} fd @param {Uint8Array} bytes @param {number[]} rest */
const writeOrFail = async (fd, bytes, ...rest) => {
  take(fd, bytes.length);
  return write(fd, bytes, ...rest);
};

Object.defineProperty(fs.write, promisify.custom, { value: writeOrFail });
Object.assign(fs, { writeSync: writeSyncOrFail });
syncBuiltinESMExports();
