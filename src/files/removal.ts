/** Removing a folder with all that is in it, and nothing else. */
import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { XferError } from '../errors.js';
import { OpenFolder } from './directory.js';
import { changeError, errnoOf } from './disk-errors.js';
import { breathe } from './pace.js';
import { looksLikeStaging } from './staging-name.js';

/**
 * Removes the folder called `name` in `above`, which stays open. No link is followed: a link is removed itself.
 * Stops at the first thing that cannot be removed and throws what the disk says about it, or `not-allowed` where
 * a transfer is at work in a folder; what was removed until then is gone. `shown` is the folder's path for people.
 */
export async function removeFolder(above: OpenFolder, name: string | Buffer, shown: string): Promise<void> {
  const location = within(above, name);
  try {
    const folder = new OpenFolder(location, false);
    try {
      await empty(folder, shown);
    } finally {
      folder.close();
    }
    rmdirSync(location);
  } catch (thrown) {
    throw changeError(thrown, shown);
  }
}

async function empty(folder: OpenFolder, shown: string): Promise<void> {
  // As bytes: a name need not be text to be in the way.
  const names = readdirSync(folder.prefix, { encoding: 'buffer' });
  if (names.some((name) => looksLikeStaging(String(name))))
    throw new XferError('not-allowed', { subject: shown });
  for (const name of names) {
    await breathe();
    const below = `${shown}/${String(name)}`;
    if (isFolder(within(folder, name))) await removeFolder(folder, name, below);
    else removeFile(within(folder, name), below);
  }
}

function isFolder(location: Buffer): boolean {
  return lstatSync(location, { throwIfNoEntry: false })?.isDirectory() === true;
}

function removeFile(location: Buffer, shown: string): void {
  try {
    unlinkSync(location);
  } catch (thrown) {
    // Gone meanwhile, as it should be.
    if (errnoOf(thrown) !== 'ENOENT') throw changeError(thrown, shown);
  }
}

function within(folder: OpenFolder, name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder.prefix}/`), Buffer.from(name)]);
}
