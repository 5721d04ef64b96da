/** Paths below a shared folder, as they come from the wire. */
import { XferError } from '../errors.js';
import { checkName, MAX_DEPTH, MAX_PATH_BYTES, thisPlatform } from './paths.js';
import { looksLikeStaging } from './staging-name.js';

/** Names of folders and at last of what is meant, below the shared folder; none for that itself. From the wire. */
export type SharedPath = readonly string[];

/** How people and errors name it: with slashes on every system, `.` for the shared folder itself. */
export function showPath(at: SharedPath): string {
  return at.length === 0 ? '.' : at.join('/');
}

/**
 * Checks the path of what should be there. Throws `protocol` for one that no honest peer asks for, and
 * `path-missing` for one that nothing which others may see can have.
 */
export function checkPath(at: SharedPath): void {
  if (!at.every(isShown)) throw new XferError('path-missing', { subject: showPath(at) });
  if (at.length > MAX_DEPTH || Buffer.byteLength(at.join('/')) > MAX_PATH_BYTES)
    throw new XferError('protocol');
}

/** Checks the path of what is to be made. Throws `protocol`; `name-refused` where the name cannot be kept here. */
export function checkNewPath(at: SharedPath): void {
  checkPath(at.slice(0, -1));
  const name = at.at(-1);
  if (name !== undefined && checkName(name, thisPlatform()) !== 'ok') {
    throw new XferError('name-refused', { subject: showPath(at) });
  }
  checkPath(at);
}

/** Whether others may know that a folder holds such a name. */
export function isShownName(name: string): boolean {
  try {
    return isShown(name);
  } catch {
    return false;
  }
}

function isShown(name: string): boolean {
  return checkName(name, thisPlatform()) === 'ok';
}

/** Whether the last name of an offered path is that of a staging folder, which nobody is told of. */
export function endsInStaging(offeredPath: string): boolean {
  return looksLikeStaging(offeredPath.slice(offeredPath.lastIndexOf('/') + 1));
}
