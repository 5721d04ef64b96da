/** `xfer pair` */
import { devicesPath, formatAddress, loadConfig, XferError, type DeviceProposal } from '../index.js';
import { withCodeExtras } from './code-extras.js';
import { readCode } from './code-input.js';
import { canAsk, type Context } from './context.js';
import { connectEndpoint, meetingOptions, type MeetingFlags } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import type { Reporter } from './reporter.js';
import { show } from './show.js';
import { runTransfer } from './transfer.js';

/** As commander gives them. */
export interface PairFlags extends MeetingFlags {
  readonly name?: string;
  readonly addr?: string;
  readonly yes?: boolean;
}

/** Shows a code, or joins with one, and remembers the other machine. Gives back the exit status. */
export async function runPair(
  argument: string | undefined,
  flags: PairFlags,
  context: Context,
): Promise<number> {
  const config = await loadConfig(context.env);
  const prompts = new Prompts(context);
  const asks = canAsk(context, flags);
  // Before a code is used up for nothing.
  if (flags.yes !== true && !asks) throw new XferError('no-terminal');
  const address = flags.addr === undefined ? undefined : deviceAddress(flags.addr);
  const code = argument === undefined ? undefined : await readCode(argument, context, flags, prompts);
  // Nothing is moved, so there are no lanes.
  const { lanePort: _, ...choices } = meetingOptions(flags, config, context.env, code === undefined);
  const meeting = { role: 'pair' as const, joins: code !== undefined, ...choices };
  return runTransfer(
    context,
    prompts,
    { flags, meeting, code },
    async ({ reporter, onEvent, compareWords }) => {
      await context.library.pair({
        ...choices,
        ...(code === undefined ? {} : { code }),
        ...(compareWords === undefined ? {} : { compareWords }),
        ...(flags.name === undefined ? {} : { name: flags.name }),
        address,
        devices: devicesPath(context.env),
        decide: async (proposal, signal) => flags.yes === true || ask(proposal, signal, reporter, prompts),
        onEvent: withCodeExtras(flags, reporter, onEvent),
        signal: context.signal,
      });
      return undefined;
    },
  );
}

/**
 * Where a device can be reached, as it is remembered.
 *
 * @throws XferError `bad-address`
 */
export function deviceAddress(text: string): string {
  const { host, port } = connectEndpoint(text);
  return formatAddress(host, port);
}

async function ask(
  { name, foreign, isKnown }: DeviceProposal,
  signal: AbortSignal,
  reporter: Reporter,
  prompts: Prompts,
): Promise<boolean> {
  const itself =
    foreign === '' ? 'it does not say what it is called' : `it calls itself ${show(foreign, 64)}`;
  const question = isKnown
    ? `this machine knows '${name}' already (${itself}); pair it anew?`
    : `${itself}\nremember it as '${name}'?`;
  return reporter.aside(async () => (await prompts.confirm(question, true, { signal })) === true);
}
