/** `xfer edit` */
import type { FarPath, Share, TransferOutcome } from '../index.js';
import type { Context } from './context.js';
import { Draft } from './draft.js';
import { editorCommand, runEditor } from './editor.js';
import { demandFarName } from './far-path.js';
import { showOn, widthOf, wrap } from './show.js';
import { runUse, type UseFlags } from './use.js';
import { usageError } from './usage.js';

/** Works with a share and gives back the exit status, having said what failed. */
export type UseStep = (
  role: 'send' | 'receive',
  work: (share: Share) => Promise<TransferOutcome | undefined>,
) => Promise<number>;

/** Lets a person edit a file of a share. Gives back the exit status. */
export function runEdit(place: string, flags: UseFlags, context: Context): Promise<number> {
  const { device, path, isFolder } = demandFarName(place);
  if (isFolder) throw usageError(`${place} names no file`, 'xfer edit pi:notes.txt');
  // Two sessions: nothing is held open for as long as somebody thinks.
  const step: UseStep = (role, work) => runUse(device, role, flags, context, work);
  return editFar(path, step, context, { input: 'inherit', quiet: flags.quiet === true });
}

/** Fetches a file, lets a person edit it, and puts it back. Gives back the exit status. Throws `usage`, `editor-failed`. */
export async function editFar(
  path: FarPath,
  step: UseStep,
  context: Context,
  { input, quiet }: { readonly input: 'inherit' | 'ignore'; readonly quiet: boolean },
): Promise<number> {
  const { env, stderr } = context;
  const say = (text: string): void => {
    for (const line of wrap(text, widthOf(stderr))) stderr.write(`${line}\n`);
  };
  const editor = editorCommand(env);
  const draft = await Draft.make(path);
  try {
    const status = await step('receive', async (share) => {
      await draft.fetch(share);
      return undefined;
    });
    if (status !== 0) return status;
    await runEditor(editor, draft.file, context, input);
    if (await draft.isChanged()) return await step('send', (share) => draft.putBack(share));
    if (!quiet) say('not changed, so nothing was put back');
    return 0;
  } finally {
    const kept = await draft.close();
    // Also where nothing else is said: it would be lost.
    if (kept !== undefined) say(`xfer: your edit is kept in ${showOn(stderr, kept)}`);
  }
}
