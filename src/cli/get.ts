/** `xfer get` and `xfer cat` */
import { loadConfig, type FarPath } from '../index.js';
import type { Context } from './context.js';
import { demandFarName, expandGlobs, parseFarName, sameDevice } from './far-path.js';
import { moveTo, type ReceiveFlags } from './receive.js';
import { runUse, type UseFlags } from './use.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export type GetFlags = UseFlags &
  Pick<
    ReceiveFlags,
    'out' | 'stdout' | 'overwrite' | 'update' | 'rename' | 'skip' | 'exec' | 'sync' | 'allowDotfiles'
  >;

/**
 * Fetches files and folders from a share, into the folder that the last word names where that is a path on this machine. Gives back the exit
 * status.
 */
export async function runGet(words: readonly string[], flags: GetFlags, context: Context): Promise<number> {
  const last = words.at(-1);
  const hasTarget = words.length > 1 && last !== undefined && parseFarName(last) === undefined;
  if (hasTarget && flags.out !== undefined) throw usageError('the target is named twice', 'leave --out out');
  const names = (hasTarget ? words.slice(0, -1) : words).map(demandFarName);
  const config = await loadConfig(context.env);
  // Who asks for files by their names says yes to them.
  const receiving = { ...flags, yes: true, ...(hasTarget ? { out: last } : {}) };
  return runUse(sameDevice(names), 'receive', flags, context, async (share, hooks, prompts) => {
    const paths: FarPath[] = [];
    for (const { path } of names) paths.push(...(await expandGlobs(path, (folder) => share.list(folder))));
    return moveTo((options) => share.get(paths, options), {
      flags: receiving,
      config,
      context,
      prompts,
      hooks,
    });
  });
}

/** Writes what a file of a share holds to the standard output. Gives back the exit status. */
export function runCat(place: string, flags: GetFlags, context: Context): Promise<number> {
  // Between what it holds nothing else must stand.
  return runGet([place], { ...flags, stdout: true, quiet: true }, context);
}
