/** Moving to another name without ever taking the place of what has it. */
import {
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { errnoOf } from './disk-errors.js';

const RESERVE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** File systems without hard links, such as FAT, answer one of these; `EISDIR` is how Node tells it on Windows. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR']);

/**
 * Moves a file; false where something has the new name. `rename` would replace it, `link` fails. Without hard
 * links the name is reserved by an empty file first: then a crash in between leaves that, and no bytes. Throws
 * the error of the system; the file has its old name alone then.
 */
export function moveToFreeName(from: string, to: string): boolean {
  try {
    linkSync(from, to);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'EEXIST') return false;
    if (errno === undefined || !NO_HARD_LINKS.has(errno)) throw thrown;
    return reserveAndMove(from, to);
  }
  orElse(
    () => {
      unlinkSync(from);
    },
    () => {
      unlinkSync(to);
    },
  );
  return true;
}

function reserveAndMove(from: string, to: string): boolean {
  if (
    !reserved(() => {
      closeSync(openSync(to, RESERVE_FLAGS, 0o600));
    })
  )
    return false;
  orElse(
    () => {
      renameSync(from, to);
    },
    () => {
      unlinkSync(to);
    },
  );
  return true;
}

/**
 * Moves a folder; false where something has the new name. `rename` would replace an empty folder that somebody
 * makes at the same moment, so the name is reserved by one of our own. Throws as `moveToFreeName`.
 */
export function moveFolderToFreeName(from: string, to: string): boolean {
  if (
    !reserved(() => {
      mkdirSync(to, 0o700);
    })
  )
    return false;
  // Windows does not rename onto a folder, empty or not: there the name is only seen to be free.
  if (process.platform === 'win32') rmdirSync(to);
  try {
    orElse(
      () => {
        renameSync(from, to);
      },
      () => {
        rmdirSync(to);
      },
    );
    return true;
  } catch (thrown) {
    // Somebody has put something into it since.
    if (errnoOf(thrown) === 'ENOTEMPTY' || errnoOf(thrown) === 'EEXIST') return false;
    throw thrown;
  }
}

function reserved(reserve: () => void): boolean {
  try {
    reserve();
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') return false;
    throw thrown;
  }
}

/** Does `work`; where that fails, `undo` before what it threw goes on. */
function orElse(work: () => void, undo: () => void): void {
  try {
    work();
  } catch (thrown) {
    try {
      undo();
    } catch {
      // Left: why it came to this matters more.
    }
    throw thrown;
  }
}
