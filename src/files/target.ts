/** The place that a person named with `--out`. */
import { accessSync, constants, lstatSync, mkdirSync, realpathSync, statSync, statfsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import { XferError } from '../errors.js';
import type { FileSource } from '../transfer/ports.js';
import { OpenFolder } from './directory.js';
import { errnoOf, writeError } from './disk-errors.js';

/**
 * Looks at `out` before there is an offer, so that nobody wastes a code on a place that can take none. Throws
 * `path-missing` or `permission-denied`.
 */
export function assertTarget(out: string): void {
  if (out === '') throw new XferError('path-missing');
  if (statOf(out)?.isDirectory() === true) assertWritable(out);
  else assertWritable(folderAbove(out));
}

/** Where the roots of an offer go. */
export interface Target {
  /** The folder that they go into, as the person would write it. */
  readonly folder: string;
  /** The folder is not there yet: it is made when the first file comes. */
  readonly isNew: boolean;
  /** The name that a single file gets in place of its own. */
  readonly newName: string | undefined;
  /** No part of the folder's path may be a symbolic link. */
  readonly noLinks?: boolean;
}

/**
 * What `out` means for these roots, as cp and scp have it: a folder that is there takes them in. Anything else
 * is the new name for a single file, unless it ends in a slash, and otherwise a folder that is to be made.
 * Throws `path-missing` where the folder above is not there, `target-exists` where a file is in the place of a
 * folder, `permission-denied` where nothing can be made.
 */
export function resolveTarget(out: string | undefined, roots: FileSource['roots']): Target {
  const given = out ?? '.';
  const meansFolder = roots.length !== 1 || roots[0]?.type === 'folder' || /[/\\]$/.test(given);
  const there = statOf(given);
  if (there?.isDirectory() === true) {
    assertWritable(given);
    return { folder: given, isNew: false, newName: undefined };
  }
  const above = folderAbove(given);
  if (!meansFolder) {
    assertWritable(above);
    return { folder: above, isNew: false, newName: path.basename(given) };
  }
  if (lstatSync(given.replace(/[/\\]+$/, ''), { throwIfNoEntry: false }) !== undefined) {
    throw new XferError('target-exists', { subject: given });
  }
  assertWritable(above);
  return { folder: given, isNew: true, newName: undefined };
}

/** Throws `path-missing` where it is no folder. */
function folderAbove(given: string): string {
  const above = path.dirname(given);
  if (statOf(above)?.isDirectory() !== true) throw new XferError('path-missing', { subject: above });
  return above;
}

/** Opens the target, which is made first where it is new. Throws as `resolveTarget`. */
export function openTarget({ folder, isNew, noLinks = false }: Target): OpenFolder {
  const location = path.resolve(folder);
  try {
    if (!isNew) return openAt(location, noLinks);
    const above = openAt(path.dirname(location), noLinks);
    try {
      const made = `${above.prefix}/${path.basename(location)}`;
      mkdirSync(made);
      return new OpenFolder(made, false);
    } finally {
      above.close();
    }
  } catch (thrown) {
    throw writeError(thrown, folder);
  }
}

/** A folder that a person names may be a symbolic link, or lie behind one. Throws `target-exists` for such a one with `noLinks`. */
function openAt(location: string, noLinks: boolean): OpenFolder {
  const opened = new OpenFolder(location, !noLinks);
  if (!noLinks || opened.realPath() === location) return opened;
  opened.close();
  throw new XferError('target-exists');
}

/** Bytes that this user may still write there; `undefined` where the system does not say. */
export function freeBytesAt({ folder, isNew }: Target): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(isNew ? path.dirname(folder) : folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** True where roots that go to `out` would be in the user's home itself: it is the target, or a root has its name. */
export function entersHome(out: string | undefined, roots: FileSource['roots']): boolean {
  const { folder } = resolveTarget(out, roots);
  const roofs = roots.filter(({ type }) => type === 'folder').map(({ name }) => path.join(folder, name));
  return [folder, ...roofs].some(isHomeFolder);
}

/** True where `folder` is the user's home, by whatever way it is written. */
export function isHomeFolder(folder: string): boolean {
  const location = realPathOf(folder);
  return homes().some((home) => realPathOf(home) === location);
}

/** `HOME` may be set to something else than what the system has on record; either is a home. */
function homes(): string[] {
  try {
    return [homedir(), userInfo().homedir];
  } catch {
    // The system has no record of this user, as in some containers.
    return [homedir()];
  }
}

function realPathOf(given: string): string {
  try {
    return realpathSync(given);
  } catch {
    return path.resolve(given);
  }
}

function statOf(given: string): ReturnType<typeof statSync> {
  try {
    return statSync(given, { throwIfNoEntry: false });
  } catch (thrown) {
    // A file stands in the place of a folder above, or links go round.
    if (errnoOf(thrown) === 'ENOTDIR' || errnoOf(thrown) === 'ELOOP') return undefined;
    throw writeError(thrown, given);
  }
}

function assertWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    throw writeError(thrown, folder);
  }
}
