/** Says what ended the program before or besides a transfer. */
import { toXferError } from '../index.js';
import type { Context } from './context.js';
import { DebugLog } from './debug.js';
import { explain } from './explain.js';
import { JsonReporter } from './json-reporter.js';
import { writeError } from './narrator.js';

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
