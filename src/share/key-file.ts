/** A secret of this machine in a file of its own: made once, and never replaced, since others know what belongs to it. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Secret } from '../crypto/secret.js';
import { XferError } from '../errors.js';
import { errnoOf } from '../files/disk-errors.js';
import { makeWhole, orDiskFailed } from './versioned-file.js';

const KEY_BYTES = 32;
const HEX_KEY = /^[\da-f]{64}$/;

/**
 * The 32 bytes in `file`, which is made, with its folder, where it is missing. Several processes may ask at once.
 *
 * @param whose For the error about a file that holds something else: `a relay`.
 * @throws XferError `config-invalid`, `disk-failed` (subject: the file)
 */
export function keptKey(file: string, whose: string): Promise<Secret> {
  return orDiskFailed(file, async () => {
    const text = (await readKey(file)) ?? (await makeKey(file));
    if (HEX_KEY.test(text)) return new Secret(Uint8Array.from(Buffer.from(text, 'hex')));
    throw new XferError('config-invalid', { subject: file, detail: `it does not hold the key of ${whose}` });
  });
}

async function makeKey(file: string): Promise<string> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await makeWhole(folder, file, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
  // That of another process, if that was first.
  return (await readFile(file, 'utf8')).trim();
}

async function readKey(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}
