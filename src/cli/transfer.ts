/** What `send` and `receive` have in common: who is told what, and with which status it ends. */
import {
  toXferError,
  XferError,
  type MeetingOptions,
  type ReceiveOutcome,
  type Skipped,
  type TransferOutcome,
  type XferEvent,
} from '../index.js';
import { canAsk, type Context, type OutputFlags } from './context.js';
import { DebugLog } from './debug.js';
import { circumstancesOf, explain } from './explain.js';
import { JsonReporter } from './json-reporter.js';
import { Narrator } from './narrator.js';
import type { Meeting } from './other-side.js';
import type { Prompts } from './prompts.js';
import type { Reporter, Result } from './reporter.js';
import { openScreen, quietScreen, type Screen } from './screen.js';
import { usageError } from './usage.js';

const MOST_LISTED = 1_000;

/** What a command hands to the library. */
export interface Hooks {
  readonly reporter: Reporter;
  readonly onEvent: (event: XferEvent) => void;
  readonly compareWords?: (words: readonly string[], signal: AbortSignal) => Promise<boolean>;
}

/** What one of several transfers writes to, and how its events are told from those of others. */
export interface SharedOutput {
  readonly screen: Screen;
  /** Fields of each line of JSON. */
  readonly fields: object;
  /** Whose failure it is, where the error does not say. */
  readonly who?: string;
}

export interface TransferOptions {
  readonly flags: OutputFlags;
  readonly meeting: Meeting & Pick<MeetingOptions, 'verify'>;
  /** Where this is one of several transfers at once. */
  readonly shared?: SharedOutput;
  /** The code, where this side joins. */
  readonly code?: string | undefined;
}

/**
 * Runs `move` with a reporter and gives back the exit status. `move` gives `undefined` where nothing was to be moved,
 * and that went well.
 *
 * @throws XferError `usage` where the words of `--verify` are to be compared and nobody can be asked
 */
export async function runTransfer(
  context: Context,
  prompts: Prompts,
  options: TransferOptions,
  move: (hooks: Hooks) => Promise<TransferOutcome | ReceiveOutcome | undefined>,
): Promise<number> {
  const now = (): number => performance.now();
  const { flags, meeting } = options;
  const asks = canAsk(context, flags);
  // Before a code is used up for nothing.
  assertComparable(context, flags, meeting.verify);
  const debug = flags.debug === true ? new DebugLog(context.stderr, now) : undefined;
  if (options.code !== undefined) debug?.hide(options.code);
  const reporter = openReporter(context, flags, meeting, now, options.shared);
  const skipped = new Map<string, Skipped>();
  const hooks: Hooks = {
    reporter,
    onEvent: (event) => {
      debug?.event(event);
      if (event.type === 'skipped' && skipped.size < MOST_LISTED)
        skipped.set(event.skipped.path, event.skipped);
      reporter.event(event);
    },
    ...(asks ? { compareWords: (words, signal) => compareWords(words, signal, reporter, prompts) } : {}),
  };
  try {
    const outcome = await move(hooks);
    if (outcome === undefined) return 0;
    const result = resultOf(outcome, skipped);
    await reporter.done(result);
    return result.exitCode;
  } catch (thrown) {
    const error = toXferError(thrown);
    debug?.error(error);
    reporter.failed(error);
    return explain(error).exitCode;
  } finally {
    reporter.close();
  }
}

/** Throws `usage` where words are to be compared and nobody can be asked. */
export function assertComparable(context: Context, flags: OutputFlags, verify: boolean | undefined): void {
  if (verify !== true || canAsk(context, flags)) return;
  throw usageError('--verify needs somebody to compare the words', 'run this on a terminal, without --json');
}

/** The reporter that the flags ask for. */
export function openReporter(
  { stdout, stderr, env }: Pick<Context, 'stdout' | 'stderr' | 'env'>,
  flags: OutputFlags,
  meeting: Meeting,
  now: () => number = () => performance.now(),
  shared?: SharedOutput,
): Reporter {
  if (flags.json === true) {
    return new JsonReporter(stdout, now, shared?.fields, circumstancesOf(meeting));
  }
  const screen = shared?.screen ?? (flags.quiet === true ? quietScreen : openScreen(stderr, env, now));
  // Where the bytes of a file go to the standard output, nothing else does.
  const output = flags.stdout === true ? stderr : stdout;
  return new Narrator({ meeting, screen, stdout: output, stderr, now, who: shared?.who });
}

/** What is left out, said by the outcome or by an event on the way. Only what is missing is a failure. */
function resultOf(outcome: TransferOutcome | ReceiveOutcome, skipped: ReadonlyMap<string, Skipped>): Result {
  const leftOut = new Map(skipped);
  for (const entry of outcome.missing) leftOut.set(entry.path, entry);
  return {
    outcome,
    leftOut: [...leftOut.values()],
    leftOutCount: outcome.skippedCount + outcome.missingCount,
    exitCode: outcome.missingCount > 0 ? explain(new XferError('incomplete')).exitCode : 0,
  };
}

/** Asks whether both screens show the same words. */
export async function compareWords(
  words: readonly string[],
  signal: AbortSignal,
  reporter: Reporter,
  prompts: Prompts,
): Promise<boolean> {
  return reporter.aside(async () => {
    const question = `${words.join(' ')}\ndo both screens show the same words?`;
    return (await prompts.confirm(question, false, { signal })) === true;
  });
}
