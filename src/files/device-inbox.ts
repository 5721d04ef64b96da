/** Where in a shared folder a device drops what it brings. */
import { XferError } from '../errors.js';
import { isPortable } from './paths.js';
import type { SharedFolder, SharedPath } from './shared-folder.js';

/**
 * The folder for what the device of that name drops, made for this user alone where it is not there yet. Two
 * devices never have the same one; names of devices differ by more than case. Throws `target-exists` where
 * something else has its name, otherwise as `SharedFolder.makeFolder`.
 */
export function inboxOf(shared: SharedFolder, deviceName: string): SharedPath {
  const at = [inboxName(deviceName)];
  try {
    shared.makeFolder(at, 0o700);
  } catch (thrown) {
    if (!(thrown instanceof XferError) || thrown.code !== 'target-exists') throw thrown;
    if (!isFolder(shared, at)) throw thrown;
  }
  return at;
}

/** A device may be called `con` or end in a dot, which not every system keeps. No name of a device holds a tilde. */
function inboxName(deviceName: string): string {
  const name = deviceName.toLowerCase();
  return isPortable(name) ? name : `~${name}~`;
}

function isFolder(shared: SharedFolder, at: SharedPath): boolean {
  try {
    return shared.look(at).type === 'folder';
  } catch {
    // A link, or another thing that nobody may know of.
    return false;
  }
}
