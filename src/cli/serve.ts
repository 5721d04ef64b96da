/** `xfer serve` */
import {
  checkRights,
  devicesPath,
  loadConfig,
  parseRights,
  registerPath,
  toXferError,
  type DeviceSession,
  type DeviceStore,
  type Rights,
} from '../index.js';
import type { Context } from './context.js';
import { DebugLog } from './debug.js';
import { meetingOptions, type MeetingFlags } from './meeting-flags.js';
import { openScreen, quietScreen } from './screen.js';
import { ServeLines, ServeJson, type ServeLog } from './serve-log.js';
import { SharedScreen } from './shared-screen.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export interface ServeFlags extends MeetingFlags {
  readonly write?: boolean;
  readonly delete?: boolean;
  readonly inbox?: boolean;
  /** Of one device each, as `NAME=RIGHTS`. */
  readonly allow?: readonly string[];
  readonly allowDotfiles?: boolean;
  /** False for `--no-exec`. */
  readonly exec?: boolean;
  /** False for `--no-sync`. */
  readonly sync?: boolean;
}

const IDLE = { kind: 'idle', draw: () => 'waiting for devices' };

/** Shares a folder with the devices that are remembered, until Ctrl-C. Gives back the exit status. */
export async function runServe(place: string, flags: ServeFlags, context: Context): Promise<number> {
  const { env, stdout, stderr, library, signal } = context;
  const config = await loadConfig(env);
  const devices = devicesPath(env);
  const store = await library.openDevices(devices);
  const rightsOf = await rightsFor(flags, store);
  const {
    connect: _,
    expireMs: _unused,
    words: _none,
    ...choices
  } = meetingOptions(flags, config, env, true);
  const folder = await library.openShared(place);
  const now = (): number => performance.now();
  const isQuiet = flags.json === true || flags.quiet === true;
  const screen = new SharedScreen(isQuiet ? quietScreen : openScreen(stderr, env, now), IDLE);
  const debug = flags.debug === true ? new DebugLog(stderr, now) : undefined;
  const log: ServeLog = flags.json === true ? new ServeJson(stdout, now) : new ServeLines(screen, now);
  let count = 0;
  let open = 0;

  const onSession = async (session: DeviceSession): Promise<void> => {
    const { device } = session;
    const line = log.session(device, ++count);
    open += 1;
    try {
      await session.share({
        folder,
        rights: () => rightsOf(session),
        sessions: () => open,
        register: registerPath(env),
        ...(flags.exec === false ? { noExec: true } : {}),
        ...(flags.sync === false ? { sync: false } : {}),
        onAction: (action) => line.action(action),
        onEvent: (event) => {
          debug?.event(event);
          line.event(event);
        },
      });
      line.gone();
    } catch (error) {
      debug?.error(toXferError(error));
      line.failed(toXferError(error));
    } finally {
      open -= 1;
    }
  };
  try {
    log.begin(place, (await store.list()).length);
    await library.waitForDevices({
      ...choices,
      devices,
      onSession,
      onEvent: (event) => {
        debug?.event(event);
        log.event(event);
      },
      signal,
    });
    return 0;
  } catch (error) {
    debug?.error(toXferError(error));
    throw error;
  } finally {
    screen.close();
    folder.close();
  }
}

type RightsOf = (session: DeviceSession) => Rights;

/** What each device may do, by its key, so that another name changes nothing. Throws `usage`, `device-unknown`. */
async function rightsFor(flags: ServeFlags, store: DeviceStore): Promise<RightsOf> {
  const inbox = flags.inbox === true;
  const usual = checkRights({
    read: !inbox,
    write: flags.write === true,
    delete: flags.delete === true,
    inbox,
    dotfiles: flags.allowDotfiles === true,
  });
  const special = new Map<string, Rights>();
  for (const text of flags.allow ?? []) {
    const [, name, rights] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || rights === undefined) {
      throw usageError(`--allow ${text} is no device with rights`, 'write it as --allow laptop=read,write');
    }
    special.set(keyOf(await store.find(name)), parseRights(rights));
  }
  return (session) => special.get(keyOf(session)) ?? usual;
}

function keyOf({ publicKey }: { readonly publicKey: Uint8Array }): string {
  return Buffer.from(publicKey).toString('hex');
}
