/** `xfer stop` */
import { XferError } from '../index.js';
import type { Context } from './context.js';
import { Prompts } from './prompts.js';
import { runUse, type UseFlags } from './use.js';
import { usageError } from './usage.js';

/** Ends what another machine shares, for all, with the password of its owner. Gives back the exit status. */
export async function runStop(name: string, flags: UseFlags, context: Context): Promise<number> {
  // The colon of a path is easily typed too.
  const device = name.replace(/:$/, '');
  const password = await new Prompts(context).secret(`the password of the owner of '${device}':`);
  if (password === undefined) throw noPassword(context);
  return runUse(device, 'send', flags, context, async (share, { reporter }) => {
    await share.stop(password);
    reporter.say(`'${device}' shares nothing any more`);
    return undefined;
  });
}

/** Nobody typed one. */
export function noPassword({ signal }: Pick<Context, 'signal'>): XferError {
  if (signal.aborted) return new XferError('interrupted');
  return usageError('no password was given', 'type it when asked, or pipe it in');
}
