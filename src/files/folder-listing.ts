/** What a folder of the sender holds. */
import { isUtf8 } from 'node:buffer';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
} from 'node:fs';
import { errnoOf } from './disk-errors.js';

/**
 * The names in the folder at `location`, sorted by UTF-16 code units; apart from them, with U+FFFD in place of
 * what cannot be read, those that are not UTF-8. Throws the error of the system.
 */
export function readNames(location: string): { names: string[]; notUtf8: string[] } {
  const names = readdirSync(location).sort();
  if (!names.some((name) => name.includes('\ufffd'))) return { names, notUtf8: [] };
  // U+FFFD may be in the name, or stand for bytes that are no UTF-8: only the bytes tell.
  const raw = readdirSync(location, { encoding: 'buffer' });
  const isText = (name: Buffer): boolean => isUtf8(name);
  return {
    names: raw.filter(isText).map(String).sort(),
    notUtf8: raw
      .filter((name) => !isText(name))
      .map(String)
      .sort(),
  };
}

/**
 * The text of the `.gitignore` in the folder at `location`; none where a symbolic link stands there, as with git.
 * Throws the error of the system where it cannot be read: leaving out too little would give away files.
 */
export function readGitignore(location: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(`${location}/.gitignore`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return fstatSync(fd).isFile() ? readFileSync(fd, 'utf8') : '';
  } catch (thrown) {
    if (errnoOf(thrown) === 'ELOOP') return '';
    throw thrown;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Whether this user may read a file or folder. Asks the system only where the mode leaves it open. */
export function isReadable(location: string, stat: Stats): boolean {
  const everyone = stat.isDirectory() ? 0o555 : 0o444;
  if ((stat.mode & everyone) === everyone) return true;
  try {
    accessSync(location, stat.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
