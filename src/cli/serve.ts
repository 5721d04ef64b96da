/** `xfer serve` */
import { hostname } from 'node:os';
import {
  checkRights,
  configPath,
  devicesPath,
  loadConfig,
  ownerPasswordPath,
  parseRights,
  registerPath,
  rightsAsText,
  toXferError,
  TryLimit,
  XferError,
  type Config,
  type DeviceSession,
  type DeviceStore,
  type ErrorCode,
  type Rights,
  type SharedActions,
} from '../index.js';
import { canAsk, type Context } from './context.js';
import { DebugLog } from './debug.js';
import { waitingOptions, type MeetingFlags } from './meeting-flags.js';
import { OwnerTalk } from './owner-talk.js';
import { Prompts } from './prompts.js';
import { placeOf, settled, type Place, type SettledFlags } from './serve-settings.js';
import { openScreen, quietScreen, type Screen } from './screen.js';
import { ServeLines, ServeJson, type ServeLog } from './serve-log.js';
import { SharedScreen } from './shared-screen.js';
import { noPassword } from './stop.js';
import { TalkScreen } from './talk-screen.js';
import { wrap } from './show.js';
import { usageError } from './usage.js';

/** As commander gives them: false for those with `no` in front. */
export interface ServeFlags extends Omit<MeetingFlags, 'listen'> {
  readonly write?: boolean;
  readonly delete?: boolean;
  readonly inbox?: boolean;
  readonly run?: boolean;
  /** Of one device each, as `NAME=RIGHTS`. */
  readonly allow?: readonly string[];
  readonly allowDotfiles?: boolean;
  readonly setPassword?: boolean;
  readonly chat?: boolean;
  readonly exec?: boolean;
  readonly sync?: boolean;
  /** `true` where no address follows. */
  readonly listen?: string | boolean;
}

const IDLE = { kind: 'idle', draw: () => 'waiting for devices' };

/** Shares a folder with the devices that are remembered, until Ctrl-C. Gives back the exit status. */
export async function runServe(
  named: string | undefined,
  given: ServeFlags,
  context: Context,
): Promise<number> {
  const { env, stdout, stderr, library, signal } = context;
  if (given.setPassword === true) return setPassword(named, context);
  const config = await loadConfig(env);
  const { serve: settings = {} } = config;
  const file = configPath(env);
  const flags = settled(given, settings, file);
  const place = placeOf(named, settings, file);
  const devices = devicesPath(env);
  const store = await library.openDevices(devices);
  const { rightsOf, all } = await rightsFor(flags, store, file);
  const choices = waitingOptions(flags, config, env);
  const folder = await opened(place, () => library.openShared(place.folder), file);
  const actions = await actionsFor(all, config, place.folder, store, context).catch((error: unknown) => {
    folder.close();
    throw error;
  });
  const now = (): number => performance.now();
  const isQuiet = flags.json === true || flags.quiet === true;
  const plain = isQuiet ? quietScreen : openScreen(stderr, env, now);
  const isTyped = !isQuiet && env['TERM'] !== 'dumb' && canAsk(context, flags);
  const typed = isTyped ? new TalkScreen(context, plain) : undefined;
  const screen = new SharedScreen(typed ?? plain, IDLE);
  const debug = flags.debug === true ? new DebugLog(stderr, now) : undefined;
  const log: ServeLog = flags.json === true ? new ServeJson(stdout, now) : new ServeLines(screen, now);
  // Who hears what is said is seen to be there.
  const hears = flags.chat !== false && (isTyped || flags.json === true);
  const rooms = await library.openRooms(hears ? { host: hostname() } : {});
  const own = screen.part('');
  const talk = typed === undefined ? undefined : new OwnerTalk(rooms, typed, (text) => sayIn(own, text));
  const tries = new TryLimit();
  const [draining, over] = [new AbortController(), new AbortController()];
  let count = 0;
  let open = 0;
  const endIfDrained = (): void => {
    if (draining.signal.aborted && open === 0) over.abort();
  };

  const onSession = async (session: DeviceSession): Promise<void> => {
    const { device } = session;
    const line = log.session(device, ++count);
    open += 1;
    try {
      await session.share({
        folder,
        rights: () => rightsOf(session),
        sessions: () => open,
        passwordFile: ownerPasswordPath(env),
        tries,
        actions: actions?.for(session, device),
        draining: draining.signal,
        onStop: () => draining.abort(),
        register: registerPath(env),
        ...(flags.exec === false ? { noExec: true } : {}),
        ...(flags.sync === false ? { sync: false } : {}),
        ...(flags.chat === false ? {} : { rooms }),
        onAction: (action) => line.action(action),
        onTalk: (event) => {
          line.talk(event);
          talk?.hear(event);
        },
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
      endIfDrained();
    }
  };
  // Before the sessions hear of it.
  for (const end of [signal, draining.signal])
    end.addEventListener('abort', () => void rooms.close(), { once: true });
  try {
    log.begin(place.folder, (await store.list()).length, Object.keys(settings).length > 0 ? file : undefined);
    await library.waitForDevices({
      ...choices,
      devices,
      onSession,
      onEvent: (event) => {
        debug?.event(event);
        log.event(event);
      },
      signal: AbortSignal.any([signal, over.signal]),
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

function sayIn(screen: Screen, text: string): void {
  for (const line of wrap(text, screen.width)) screen.say(line);
}

/** `--set-password`: a program that shares takes it up at once. */
async function setPassword(place: string | undefined, context: Context): Promise<number> {
  if (place !== undefined) {
    throw usageError('--set-password shares nothing', 'set the password first, then share the folder');
  }
  const prompts = new Prompts(context);
  const password = await prompts.secret('a password that stops the share from elsewhere:');
  // Typed blind, it may be mistyped; what is piped in is not.
  const again = context.stdin.isTTY === true ? await prompts.secret('once more:') : password;
  if (password === undefined || again === undefined) throw noPassword(context);
  if (password !== again) throw usageError('these are two passwords', 'type the same one twice');
  await context.library.setOwnerPassword(ownerPasswordPath(context.env), password);
  context.stderr.write('the password is set\n');
  return 0;
}

interface AllRights {
  readonly rightsOf: (session: DeviceSession) => Rights;
  /** Those that any device has. */
  readonly all: readonly Rights[];
}

/**
 * What devices may have run, checked in full; `undefined` where none may. Throws `config-invalid`, and `usage` where they may and there is
 * nothing.
 */
async function actionsFor(
  rights: readonly Rights[],
  { actions = {} }: Config,
  folder: string,
  store: DeviceStore,
  { library, env }: Context,
): Promise<SharedActions | undefined> {
  if (!rights.some(({ run }) => run)) return undefined;
  if (Object.keys(actions).length === 0) {
    throw usageError('there are no actions to run', `list them in ${configPath(env)}, as the README shows`);
  }
  const isWritable = rights.some((right) => right.write || right.delete || right.inbox);
  return library.openActions(actions, configPath(env), { folder, isWritable }, store);
}

/** What each device may do, by its key, so that another name changes nothing. Throws `usage`, `device-unknown`, `config-invalid`. */
async function rightsFor(flags: SettledFlags, store: DeviceStore, file: string): Promise<AllRights> {
  const inbox = flags.inbox === true;
  const usual = checkRights({
    read: !inbox,
    write: flags.write === true,
    delete: flags.delete === true,
    inbox,
    dotfiles: flags.allowDotfiles === true,
    run: flags.run === true,
  });
  const special = new Map<string, Rights>();
  for (const [name, rights] of flags.allowed) {
    const device = await store.find(name).catch((error: unknown) => {
      // Whoever was meant would get the rights of all others.
      throw inFile(error, 'device-unknown', file, `serve.allow.${name} names no device that is known here`);
    });
    special.set(keyOf(device), parseRights(rightsAsText(rights)));
  }
  for (const text of flags.allow ?? []) {
    const [, name, rights] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || rights === undefined) {
      throw usageError(`--allow ${text} is no device with rights`, 'write it as --allow laptop=read,write');
    }
    special.set(keyOf(await store.find(name)), parseRights(rights));
  }
  return {
    rightsOf: (session) => special.get(keyOf(session)) ?? usual,
    all: [usual, ...special.values()],
  };
}

/** Throws as `openShared`; where the folder stands in the file, `config-invalid` for one that is none. */
async function opened<T>({ folder, isSetting }: Place, open: () => Promise<T>, file: string): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!isSetting) throw error;
    const other = inFile(error, 'path-missing', file, `serve.folder: there is no ${folder}`);
    throw inFile(other, 'not-a-folder', file, `serve.folder: ${folder} is no folder`);
  }
}

/** An error with this code, as one about the settings; any other as it is. */
function inFile(error: unknown, code: ErrorCode, file: string, detail: string): unknown {
  if (!(error instanceof XferError) || error.code !== code) return error;
  return new XferError('config-invalid', { subject: file, detail, cause: error });
}

function keyOf({ publicKey }: { readonly publicKey: Uint8Array }): string {
  return Buffer.from(publicKey).toString('hex');
}
