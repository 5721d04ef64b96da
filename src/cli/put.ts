/** `xfer put` */
import type { FarPath, Share, TransferOutcome } from '../index.js';
import type { Context } from './context.js';
import { demandFarName } from './far-path.js';
import { policyOf, type ReceiveFlags } from './receive.js';
import { filesToSend, type FilesFlags } from './send.js';
import { runUse, type UseFlags } from './use.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export type PutFlags = UseFlags & FilesFlags & Pick<ReceiveFlags, 'overwrite' | 'update' | 'rename' | 'skip'>;

/** Puts files and folders into a folder of a share, or a single file under a new name. Gives back the exit status. */
export function runPut(words: readonly string[], flags: PutFlags, context: Context): Promise<number> {
  const [last, ...paths] = words.toReversed();
  if (last === undefined || paths.length === 0) {
    throw usageError('what to put, or where, is missing', 'xfer put a.pdf photos/ pi:docs');
  }
  const { device, path } = demandFarName(last);
  return runUse(device, 'send', flags, context, (share) => putFar(share, paths.toReversed(), path, flags));
}

/** Puts files and folders of this machine to a path of a share. */
export function putFar(
  share: Share,
  paths: readonly string[],
  to: FarPath,
  flags: Omit<PutFlags, keyof UseFlags>,
): Promise<TransferOutcome> {
  return share.put(filesToSend(paths, flags), to, policyOf(flags) ?? 'refuse');
}
