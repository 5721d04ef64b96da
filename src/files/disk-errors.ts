/** What the disk's own error codes mean to a person who sends or receives. */
import { type ErrorCode, XferError } from '../errors.js';

export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
}

/** What was thrown while `path` was read, as `source-vanished`, `source-changed` or `path-unreadable`. */
export function readError(thrown: unknown, path: string): XferError {
  return named(thrown, path, readErrorCode);
}

function readErrorCode(errno: string | undefined): ErrorCode {
  switch (errno) {
    case undefined:
      return 'internal';
    case 'ENOENT':
      return 'source-vanished';
    // A link or another kind of thing stands where a file or folder was found before.
    case 'ELOOP':
    case 'ENOTDIR':
    case 'ENXIO':
      return 'source-changed';
    default:
      return 'path-unreadable';
  }
}

/**
 * What was thrown while `path` was written, as `disk-full`, `permission-denied`, `target-exists`,
 * `name-refused` or `disk-failed`.
 */
export function writeError(thrown: unknown, path: string): XferError {
  return named(thrown, path, writeErrorCode);
}

/**
 * What was thrown while `path`, below a folder that others may look into, was looked for: `path-missing` or
 * `path-unreadable`.
 */
export function lookError(thrown: unknown, path: string): XferError {
  return named(thrown, path, lookErrorCode);
}

/** As `writeError`, where what is to be changed, or the folder that it is in, may be gone: `path-missing`. */
export function changeError(thrown: unknown, path: string): XferError {
  return named(thrown, path, (errno) => (errno === 'ENOENT' ? 'path-missing' : writeErrorCode(errno)));
}

function lookErrorCode(errno: string | undefined): ErrorCode {
  switch (errno) {
    case undefined:
      return 'internal';
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return 'path-missing';
    default:
      return 'path-unreadable';
  }
}

function named(thrown: unknown, path: string, codeOf: (errno: string | undefined) => ErrorCode): XferError {
  if (!(thrown instanceof XferError)) {
    return new XferError(codeOf(errnoOf(thrown)), { subject: path, cause: thrown });
  }
  return thrown.subject === undefined ? new XferError(thrown.code, { subject: path, cause: thrown }) : thrown;
}

function writeErrorCode(errno: string | undefined): ErrorCode {
  switch (errno) {
    case undefined:
      return 'internal';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'disk-full';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'permission-denied';
    // Something of another kind is in the way, such as a link in place of a folder.
    case 'EEXIST':
    case 'EISDIR':
    case 'ENOTEMPTY':
    case 'ENOTDIR':
    case 'ELOOP':
      return 'target-exists';
    // The file system cannot keep the name, although the path check could not know.
    case 'ENAMETOOLONG':
    case 'EILSEQ':
    case 'EINVAL':
      return 'name-refused';
    default:
      return 'disk-failed';
  }
}
