/** `xfer receive --wait` */
import { devicesPath, loadConfig, toXferError, XferError, type DeviceSession } from '../index.js';
import { canAsk, type Context } from './context.js';
import { DebugLog } from './debug.js';
import { JsonReporter } from './json-reporter.js';
import { waitingOptions } from './meeting-flags.js';
import { Prompts } from './prompts.js';
import { moveTo, type ReceiveFlags } from './receive.js';
import { openScreen, quietScreen, type Screen } from './screen.js';
import { SharedScreen } from './shared-screen.js';
import { assertComparable, runTransfer } from './transfer.js';
import { WaitingLines } from './waiting-lines.js';

const IDLE = { kind: 'idle', draw: () => 'waiting for devices' };
const INTERRUPTED = 130;

/** Receives what devices send, until Ctrl-C. Gives back the exit status: 0 unless that broke something off. */
export async function runWait(flags: ReceiveFlags, context: Context): Promise<number> {
  const { env, stdout, stderr, library, signal } = context;
  // Before somebody sends for nothing.
  if (flags.yes !== true && flags.dryRun !== true && !canAsk(context, flags)) {
    throw new XferError('no-terminal');
  }
  const config = await loadConfig(env);
  const devices = devicesPath(env);
  const prompts = new Prompts(context);
  const choices = waitingOptions(flags, config, env);
  const now = (): number => performance.now();
  assertComparable(context, flags, choices.verify);
  const screen = new SharedScreen(screenOf(flags, context, now), IDLE);
  const debug = flags.debug === true ? new DebugLog(stderr, now) : undefined;
  const report = flags.json === true ? new JsonReporter(stdout, now) : new WaitingLines(screen.part(''));
  // Whoever is paired from now on is taken up.
  if ((await (await library.openDevices(devices)).list()).length === 0) {
    report.say(
      'no device is remembered yet; xfer pair here and on another machine makes them known to each other',
    );
  }
  let count = 0;
  let isBroken = false as boolean;

  const onSession = async (session: DeviceSession): Promise<void> => {
    const meeting = { role: 'receive' as const, joins: false, device: session.device, ...choices };
    const { device } = session;
    const shared = { screen: screen.part(`${device}: `), fields: { device, session: ++count } };
    const status = await runTransfer(context, prompts, { flags, meeting, shared }, (hooks) =>
      moveTo((options) => session.receive(options), { flags, config, context, prompts, hooks }),
    );
    isBroken ||= signal.aborted && status !== 0;
  };
  try {
    await library.waitForDevices({
      ...choices,
      devices,
      onSession,
      onEvent: (event) => {
        debug?.event(event);
        report.event(event);
      },
      signal,
    });
    return isBroken ? INTERRUPTED : 0;
  } catch (error) {
    debug?.error(toXferError(error));
    throw error;
  } finally {
    screen.close();
  }
}

function screenOf({ json, quiet }: ReceiveFlags, { stderr, env }: Context, now: () => number): Screen {
  return json === true || quiet === true ? quietScreen : openScreen(stderr, env, now);
}
