/** `xfer get` and `xfer cat` */
import { loadConfig, type ReceiveOutcome, type Share } from '../index.js';
import type { Context } from './context.js';
import { demandFarName, expandGlobs, parseFarName, sameDevice, type FarTarget } from './far-path.js';
import { moveTo, type ReceiveFlags, type Receiving } from './receive.js';
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
 * status. Throws `usage` where the target is named twice.
 */
export async function runGet(words: readonly string[], flags: GetFlags, context: Context): Promise<number> {
  const last = words.at(-1);
  const hasTarget = words.length > 1 && last !== undefined && parseFarName(last) === undefined;
  if (hasTarget && flags.out !== undefined) throw usageError('the target is named twice', 'leave --out out');
  if (hasTarget && flags.stdout === true) {
    throw usageError('the standard output is the target', `leave '${last}' out, or --stdout`);
  }
  const names = (hasTarget ? words.slice(0, -1) : words).map(demandFarName);
  const config = await loadConfig(context.env);
  const receiving = { ...flags, ...(hasTarget ? { out: last } : {}) };
  return runUse(sameDevice(names), 'receive', flags, context, (share, hooks, prompts) =>
    getFar(share, names, { flags: receiving, config, context, prompts, hooks }),
  );
}

/** Fetches these files and folders of a share. */
export async function getFar(
  share: Share,
  targets: readonly FarTarget[],
  receiving: Receiving,
): Promise<ReceiveOutcome | undefined> {
  const paths = await expandGlobs(targets, (folder) => share.list(folder));
  // Who asks for files by their names says yes to them.
  const flags = { ...receiving.flags, yes: true };
  return moveTo((options) => share.get(paths, options), { ...receiving, flags });
}

/** Writes what a file of a share holds to the standard output. Gives back the exit status. */
export function runCat(place: string, flags: GetFlags, context: Context): Promise<number> {
  // Between what it holds nothing else must stand.
  return runGet([place], { ...flags, stdout: true, quiet: true }, context);
}
