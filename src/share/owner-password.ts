/** The password with which a share can be stopped from elsewhere, as it is kept: stretched, and in no way that gives it back. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { OWNER_SALT_BYTES, stretchPassword } from '../crypto/owner.js';
import { Secret } from '../crypto/secret.js';
import { loadPairingSodium } from '../crypto/sodium.js';
import { XferError } from '../errors.js';
import { errnoOf } from '../files/disk-errors.js';
import { orDiskFailed, replaceWhole } from './versioned-file.js';

export interface StoredPassword {
  readonly salt: Uint8Array;
  readonly stretched: Secret;
}

/** Fewer are guessed too easily, also with five tries a minute. */
const SHORTEST = 8;
const LONGEST_BYTES = 1024;
const STORED = /^(?<salt>[\da-f]{32}) (?<stretched>[\da-f]{64})\n$/;

/** As it goes into the proof: equal however it was typed. Throws `usage` for what cannot be one. */
export function parsePassword(text: string): Secret {
  const bytes = Uint8Array.from(Buffer.from(text.normalize('NFC')));
  if (Array.from(text).length < SHORTEST || bytes.length > LONGEST_BYTES) {
    throw new XferError('usage', {
      subject: 'this cannot be a password',
      detail: `take ${SHORTEST} characters or more`,
    });
  }
  return new Secret(bytes);
}

/** Keeps it in `file`, readable by its owner only, in place of one from before. Throws `disk-failed`. */
export async function setOwnerPassword(file: string, password: Secret): Promise<void> {
  await loadPairingSodium();
  const salt = randomBytes(OWNER_SALT_BYTES);
  const stretched = stretchPassword(password, salt);
  password.erase();
  const text = `${salt.toString('hex')} ${Buffer.from(stretched.expose()).toString('hex')}\n`;
  stretched.erase();
  await orDiskFailed(file, async () => {
    const folder = path.dirname(file);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await replaceWhole(folder, file, text);
  });
}

/** As it is now; `undefined` where none was set. Throws `config-invalid`, `disk-failed` (subject: the file). */
export function ownerPassword(file: string): Promise<StoredPassword | undefined> {
  return orDiskFailed(file, async () => {
    let text: string;
    try {
      text = await readFile(file, 'latin1');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    const { salt, stretched } = STORED.exec(text)?.groups ?? {};
    if (salt === undefined || stretched === undefined) {
      throw new XferError('config-invalid', { subject: file, detail: 'it does not hold a password' });
    }
    return {
      salt: Buffer.from(salt, 'hex'),
      stretched: new Secret(Uint8Array.from(Buffer.from(stretched, 'hex'))),
    };
  });
}
