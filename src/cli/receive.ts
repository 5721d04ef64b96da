/** `xfer receive` */
import {
  loadConfig,
  registerPath,
  type Config,
  type ConflictPolicy,
  type ReceiveOutcome,
  type TakeOptions,
} from '../index.js';
import { withCodeExtras } from './code-extras.js';
import { readCode } from './code-input.js';
import { Consent } from './consent.js';
import { canAsk, type Context } from './context.js';
import { meetingOptions, type MeetingFlags } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import { CountedOutput } from './counted-output.js';
import { runTransfer, type Hooks } from './transfer.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export interface ReceiveFlags extends MeetingFlags {
  readonly new?: boolean;
  readonly wait?: boolean;
  readonly out?: string;
  readonly stdout?: boolean;
  readonly overwrite?: boolean;
  readonly update?: boolean;
  readonly rename?: boolean;
  readonly skip?: boolean;
  /** False for `--no-exec`. */
  readonly exec?: boolean;
  /** False for `--no-sync`. */
  readonly sync?: boolean;
  readonly allowDotfiles?: boolean;
  readonly only?: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** What only the side with a new code can choose. */
const NEW_CODE_FLAGS = ['words', 'copy', 'qr'] as const;

/** Receives what the other side offers. Gives back the exit status. */
export async function runReceive(
  argument: string | undefined,
  flags: ReceiveFlags,
  context: Context,
): Promise<number> {
  if (flags.wait === true) {
    if (argument !== undefined) {
      throw usageError('--wait is for devices, which need no code', 'leave one of them out');
    }
    const { runWait } = await import('./wait.js');
    return runWait(flags, context);
  }
  if (flags.new === true && argument !== undefined) {
    throw usageError('--new makes a code, so none can be given', 'leave one of them out');
  }
  const unused = flags.new === true ? undefined : NEW_CODE_FLAGS.find((name) => flags[name] !== undefined);
  if (unused !== undefined) {
    throw usageError(
      `--${unused} is for a new code`,
      'add --new, or give it on the side that shows the code',
    );
  }
  const config = await loadConfig(context.env);
  const prompts = new Prompts(context);
  const code = flags.new === true ? undefined : await readCode(argument, context, flags, prompts);
  const choices = meetingOptions(flags, config, context.env, code === undefined);
  const meeting = { role: 'receive' as const, joins: code !== undefined, ...choices };
  return runTransfer(context, prompts, { flags, meeting, code }, (hooks) =>
    moveTo(
      (options) =>
        context.library.receive({ ...choices, ...(code === undefined ? {} : { code }), ...options }),
      { flags, config, context, prompts, hooks },
    ),
  );
}

/** What one transfer is received with. */
export interface Receiving {
  readonly flags: ReceiveFlags;
  readonly config: Config;
  readonly context: Context;
  readonly prompts: Prompts;
  readonly hooks: Hooks;
}

/** Receives by `receive` what the person says yes to, as the flags ask for it. `undefined` where the person only had a look. */
export async function moveTo(
  receive: (options: TakeOptions) => Promise<ReceiveOutcome>,
  { flags, config, context, prompts, hooks: { reporter, onEvent, compareWords } }: Receiving,
): Promise<ReceiveOutcome | undefined> {
  const out = flags.out ?? config.out;
  const asks = canAsk(context, flags);
  const output = flags.stdout === true ? new CountedOutput(context.stdout) : undefined;
  const consent = new Consent(
    {
      yes: flags.yes === true,
      dryRun: flags.dryRun === true,
      policy: policyOf(flags),
      allowDotfiles: flags.allowDotfiles === true,
      canAsk: asks,
      signal: context.signal,
    },
    reporter,
    prompts,
  );
  try {
    return await receive({
      ...(output !== undefined ? { output } : out === undefined ? {} : { out }),
      register: registerPath(context.env),
      ...(flags.only === undefined ? {} : { only: flags.only }),
      ...(flags.exec === false ? { noExec: true } : {}),
      ...(flags.sync === false ? { sync: false } : {}),
      ...(compareWords === undefined ? {} : { compareWords }),
      early: (asks || flags.yes === true) && flags.dryRun !== true,
      decide: (offer, watch) => consent.decide(offer, watch),
      onEvent: withCodeExtras(flags, reporter, onEvent),
      signal: context.signal,
    });
  } catch (error) {
    // What the library says about a no is less than what is known here, unless the end came first.
    const refusal = context.signal.aborted ? undefined : consent.refusal;
    if (refusal?.code === 'dry-run') return undefined;
    throw refusal ?? output?.explain(error) ?? error;
  } finally {
    output?.endText();
  }
}

/** What the flags say of files that exist; `undefined` where they say nothing. */
export function policyOf({
  overwrite,
  update,
  rename,
  skip,
}: Pick<ReceiveFlags, 'overwrite' | 'update' | 'rename' | 'skip'>): ConflictPolicy | undefined {
  if (overwrite === true) return 'overwrite';
  if (update === true) return 'update';
  if (rename === true) return 'rename';
  return skip === true ? 'skip' : undefined;
}
