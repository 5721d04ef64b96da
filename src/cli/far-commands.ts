/** `xfer rm`, `xfer mv` and `xfer mkdir` */
import type { FarPath } from '../index.js';
import type { Context } from './context.js';
import { demandFarName, expandGlobs, sameDevice } from './far-path.js';
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
  return runUse(sameDevice(names), 'send', flags, context, async (share) => {
    // All globs first: what one of them means must not depend on what another one removed.
    const paths: FarPath[] = [];
    for (const { path } of names) paths.push(...(await expandGlobs(path, (folder) => share.list(folder))));
    for (const path of paths) await share.remove(path, flags.recursive === true);
    return undefined;
  });
}

/** Moves files and folders of a share into a folder, or gives one of them a new name. Gives back the exit status. */
export function runMv(places: readonly string[], flags: MvFlags, context: Context): Promise<number> {
  const names = places.map(demandFarName);
  const target = names.at(-1);
  if (target === undefined || names.length < 2) {
    throw usageError('where to move it is missing', 'xfer mv pi:a.txt pi:docs');
  }
  return runUse(sameDevice(names), 'send', flags, context, async (share) => {
    const paths: FarPath[] = [];
    for (const { path } of names.slice(0, -1)) {
      paths.push(...(await expandGlobs(path, (folder) => share.list(folder))));
    }
    if (paths.length > 1 || target.isFolder) await share.list(target.path);
    for (const path of paths) await share.move(path, target.path, flags.overwrite === true);
    return undefined;
  });
}

/** Makes folders in a share. Gives back the exit status. */
export function runMkdir(places: readonly string[], flags: UseFlags, context: Context): Promise<number> {
  const names = places.map(demandFarName);
  return runUse(sameDevice(names), 'send', flags, context, async (share) => {
    for (const { path } of names) await share.makeFolder(path);
    return undefined;
  });
}
