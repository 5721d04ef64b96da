/** Says what ended the program before or besides a transfer. */
import { toXferError, XferError } from '../index.js';
import type { Context } from './context.js';
import { DebugLog } from './debug.js';
import { explain } from './explain.js';
import { JsonReporter } from './json-reporter.js';
import { writeError } from './narrator.js';

/** How a disk says that the space is not there. */
const FULL: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** Prints `thrown` as the flags in `args` want it. Gives back the exit status. */
export function reportFailure(
  thrown: unknown,
  args: readonly string[],
  { stdout, stderr }: Pick<Context, 'stdout' | 'stderr'>,
): number {
  const error = toXferError(thrown);
  const now = (): number => performance.now();
  if (args.includes('--debug')) new DebugLog(stderr, now).error(error);
  if (args.includes('--json')) new JsonReporter(stdout, now).failed(error);
  else writeError(stderr, error.code, error);
  return explain(error).exitCode;
}

/** Says that the disk took not all of the standard output. Gives back the exit status. */
export function reportLoss(cause: NodeJS.ErrnoException, stderr: Context['stderr']): number {
  const code = FULL.includes(cause.code) ? 'disk-full' : 'disk-failed';
  const error = new XferError(code, { subject: 'the standard output', cause });
  writeError(stderr, code, error);
  return explain(error).exitCode;
}
