/** `xfer put` */
import type { ConflictPolicy, FilesToSend } from '../index.js';
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
  const content: FilesToSend = filesToSend(paths.toReversed(), flags);
  const policy: ConflictPolicy = policyOf(flags) ?? 'refuse';
  return runUse(device, 'send', flags, context, (share) => share.put(content, path, policy));
}
