/** What the commands that work with a share have in common. */
import { devicesPath, loadConfig, type Config, type Share, type UseOptions } from '../index.js';
import type { Context } from './context.js';
import { forDevices, meetingOptions, type MeetingChoices, type MeetingFlags } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import { runTransfer, type Hooks } from './transfer.js';

/** As commander gives them. */
export interface UseFlags extends MeetingFlags {
  readonly addr?: string;
}

/** What moved, where something did. */
export type Outcome = Awaited<ReturnType<Parameters<typeof runTransfer>[3]>>;

/** Runs `use` with the share of a device. Gives back the exit status. */
export async function runUse(
  device: string,
  role: 'send' | 'receive',
  flags: UseFlags,
  context: Context,
  use: (share: Share, hooks: Hooks, prompts: Prompts) => Promise<Outcome>,
): Promise<number> {
  const config = await loadConfig(context.env);
  const prompts = new Prompts(context);
  const choices = useChoices(flags, config, context.env);
  const meeting = { role, joins: true, ...choices, device, seeks: 'share' as const };
  return runTransfer(context, prompts, { flags, meeting }, (hooks) => {
    const options: UseOptions = {
      ...choices,
      device: { name: device, devices: devicesPath(context.env) },
      ...(hooks.compareWords === undefined ? {} : { compareWords: hooks.compareWords }),
      onEvent: hooks.onEvent,
      signal: context.signal,
    };
    return context.library.useShare(options, (share) => use(share, hooks, prompts));
  });
}

/** As `meetingOptions`. */
export function useChoices(flags: UseFlags, config: Config, env: NodeJS.ProcessEnv): MeetingChoices {
  const found = flags.addr === undefined ? flags : { ...flags, connect: flags.addr };
  return meetingOptions(found, forDevices(config), env, false);
}
