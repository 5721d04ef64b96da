/** The files and folders that a person names to be sent, checked before anything is offered. */
import { accessSync, constants, lstatSync, realpathSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import { errnoOf } from './disk-errors.js';
import { checkName, collisionKey, isPortable } from './paths.js';

export interface Root {
  readonly name: string;
  /** As the person wrote it, for messages. */
  readonly given: string;
  /** Absolute, without any symbolic link but the handle of a folder that is held open. */
  readonly location: string;
  readonly stat: Stats;
}

/**
 * Finds what `given` names. A symbolic link named here means what it points to, under the link's own name, as
 * with cp and scp. Throws `path-missing`, `path-unreadable`, `special-skipped` for what is neither file nor
 * folder, `name-refused` for a name that cannot travel.
 */
export function findRoot(given: string, portable: boolean): Root {
  const { location, stat } = look(given);
  if (!stat.isFile() && !stat.isDirectory()) throw new XferError('special-skipped', { subject: given });
  const name = rootName(given, location);
  if (!travels(name, portable)) throw new XferError('name-refused', { subject: given });
  return { name, given, location, stat };
}

/** The root as it is now. What is gone, cannot be reached or has become something else stays as it was: reading it will say so. */
export function lookAgain(root: Root): Root {
  let stat: Stats;
  try {
    stat = lstatSync(root.location);
  } catch {
    return root;
  }
  const isSame = root.stat.isDirectory() ? stat.isDirectory() : stat.isFile();
  return isSame ? { ...root, stat } : root;
}

/** Throws `same-name` where two roots would arrive as one. */
export function assertDistinct(roots: readonly Root[], portable: boolean): void {
  const seen = new Set<string>();
  for (const { name } of roots) {
    const key = portable ? collisionKey(name) : name;
    if (seen.has(key)) throw new XferError('same-name', { subject: name });
    seen.add(key);
  }
}

/** Whether a name may be put into a manifest at all, and under `--portable` kept on every system. */
export function travels(name: string, portable: boolean): boolean {
  try {
    return checkName(name, 'linux') === 'ok' && (!portable || isPortable(name));
  } catch {
    return false;
  }
}

function look(given: string): { location: string; stat: Stats } {
  try {
    const location = realpathSync(given);
    const stat = statSync(location);
    // Not for devices and FIFOs: asking costs nothing, but what they are says more.
    if (stat.isDirectory()) accessSync(location, constants.R_OK | constants.X_OK);
    else if (stat.isFile()) accessSync(location, constants.R_OK);
    return { location, stat };
  } catch (cause) {
    const errno = errnoOf(cause);
    const missing = errno === 'ENOENT' || errno === 'ENOTDIR';
    throw new XferError(missing ? 'path-missing' : 'path-unreadable', { subject: given, cause });
  }
}

/** `photos`, `photos/` and `./photos` are all `photos`; `.` and `..` have the name of the folder they are. */
function rootName(given: string, location: string): string {
  const written = path.basename(given);
  const name = written === '.' || written === '..' ? path.basename(location) : written;
  // The root of a file system has no name of its own.
  return name === '' ? 'root' : name;
}
