/** `xfer rm`, `xfer mv` and `xfer mkdir` */
import type { Share } from '../index.js';
import type { Context } from './context.js';
import { demandFarName, expandGlobs, sameDevice, type FarTarget } from './far-path.js';
import { runUse, type UseFlags } from './use.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export interface RmFlags extends UseFlags {
  readonly recursive?: boolean;
}

export interface MvFlags extends UseFlags {
  readonly overwrite?: boolean;
}

/** Removes files of a share, and with `-r` folders. Gives back the exit status. */
export function runRm(places: readonly string[], flags: RmFlags, context: Context): Promise<number> {
  const names = places.map(demandFarName);
  return runUse(sameDevice(names), 'send', flags, context, (share) => removeFar(share, names, flags));
}

/** Moves files and folders of a share into a folder, or gives one of them a new name. Gives back the exit status. */
export function runMv(places: readonly string[], flags: MvFlags, context: Context): Promise<number> {
  const names = places.map(demandFarName);
  const target = names.at(-1);
  if (target === undefined || names.length < 2) {
    throw usageError('where to move it is missing', 'xfer mv pi:a.txt pi:docs');
  }
  return runUse(sameDevice(names), 'send', flags, context, (share) =>
    moveFar(share, names.slice(0, -1), target, flags),
  );
}

/** Makes folders in a share. Gives back the exit status. */
export function runMkdir(places: readonly string[], flags: UseFlags, context: Context): Promise<number> {
  const names = places.map(demandFarName);
  return runUse(sameDevice(names), 'send', flags, context, (share) => makeFarFolders(share, names));
}

export async function removeFar(
  share: Share,
  targets: readonly FarTarget[],
  { recursive }: Pick<RmFlags, 'recursive'>,
): Promise<undefined> {
  // All globs first: what one of them means must not depend on what another one removed.
  const paths = await expandGlobs(targets, (folder) => share.list(folder));
  for (const path of paths) await share.remove(path, recursive === true);
  return undefined;
}

export async function moveFar(
  share: Share,
  targets: readonly FarTarget[],
  to: FarTarget,
  { overwrite }: Pick<MvFlags, 'overwrite'>,
): Promise<undefined> {
  const paths = await expandGlobs(targets, (folder) => share.list(folder));
  if (paths.length > 1 || to.isFolder) await share.list(to.path);
  for (const path of paths) await share.move(path, to.path, overwrite === true);
  return undefined;
}

export async function makeFarFolders(share: Share, targets: readonly FarTarget[]): Promise<undefined> {
  for (const { path } of targets) await share.makeFolder(path);
  return undefined;
}
