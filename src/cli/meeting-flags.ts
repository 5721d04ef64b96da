/** The flags by which two sides meet, the same for `send` and `receive`. */
import {
  bootstrapNodes,
  relayKeys,
  DEFAULT_PORT,
  parseDuration,
  parseEndpoint,
  parsePatience,
  parseRate,
  proxyFor,
  XferError,
  type Config,
  type Endpoint,
  type MeetingOptions,
} from '../index.js';
import type { OutputFlags } from './context.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export interface MeetingFlags extends OutputFlags {
  readonly words?: string;
  readonly expire?: string;
  /** `true` where no address follows. */
  readonly listen?: string | true;
  readonly connect?: string;
  readonly alsoDht?: boolean;
  readonly local?: boolean;
  readonly patience?: string;
  readonly limit?: string;
  readonly lanes?: string;
  readonly port?: string;
  readonly verify?: boolean;
  readonly copy?: boolean;
  readonly qr?: boolean;
}

export type MeetingChoices = Pick<
  MeetingOptions,
  | 'words'
  | 'expireMs'
  | 'bootstrap'
  | 'relays'
  | 'listen'
  | 'connect'
  | 'proxy'
  | 'alsoDht'
  | 'lan'
  | 'local'
  | 'verify'
  | 'patienceMs'
  | 'limit'
  | 'lanes'
  | 'lanePort'
>;

/**
 * What the flags ask of the library; settings fill in what no flag says. A joiner makes no code: `words`
 * does not concern it.
 *
 * @throws XferError `usage`, `bad-address`
 */
export function meetingOptions(
  flags: MeetingFlags,
  config: Config,
  env: NodeJS.ProcessEnv,
  isHost: boolean,
): MeetingChoices {
  if (flags.local === true && env['XFER_LAN'] === 'off') {
    throw usageError('--local needs the local network, and XFER_LAN=off switches it off', 'unset XFER_LAN');
  }
  const words = flags.words === undefined ? config.words : parseWordCount(flags.words);
  const expire = flags.expire ?? config.expire;
  const bootstrap = bootstrapNodes(config, env);
  const relays = relayKeys(config, env);
  const verify = flags.verify ?? config.verify;
  const limit = flags.limit ?? config.limit;
  const patience = flags.patience ?? config.patience;
  const lanes = flags.lanes === undefined ? config.lanes : parseLaneCount(flags.lanes);
  const lanePort = lanePortOf(flags, config, lanes);
  return {
    ...(isHost && words !== undefined ? { words } : {}),
    ...(expire !== undefined ? { expireMs: parseDuration(expire) } : {}),
    ...(bootstrap === undefined ? {} : { bootstrap }),
    ...(relays.length === 0 ? {} : { relays }),
    ...(flags.listen === undefined ? {} : { listen: listenEndpoint(flags.listen) }),
    ...(flags.connect === undefined ? {} : connectionTo(flags.connect, env)),
    ...(flags.alsoDht === true ? { alsoDht: true } : {}),
    ...(flags.local === true ? { local: true } : {}),
    ...(env['XFER_LAN'] === 'off' ? {} : { lan: true }),
    ...(verify === undefined ? {} : { verify }),
    ...(patience === undefined ? {} : { patienceMs: parsePatience(patience) }),
    ...(limit === undefined ? {} : { limit: parseRate(limit) }),
    ...(lanes === undefined ? {} : { lanes }),
    ...(lanePort === undefined ? {} : { lanePort }),
  };
}

function parseWordCount(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  if (!(count >= 2 && count <= 16)) {
    throw usageError(
      `a code has 2 to 16 words, not '${text}'`,
      '2 are enough for most; --words 4 is for the wary',
    );
  }
  return count;
}

function parseLaneCount(text: string): number {
  if (/^[0-8]$/.test(text)) return Number(text);
  throw usageError(`there may be 0 to 8 lanes, not '${text}'`, 'without --lanes there are as many as help');
}

/** A port where no lane can come is a misunderstanding, unless it is only a setting. */
function lanePortOf(flags: MeetingFlags, config: Config, lanes: number | undefined): number | undefined {
  const isDirect = flags.listen !== undefined || flags.connect !== undefined;
  const unused =
    isDirect && flags.alsoDht !== true
      ? '--port is for a meeting over the internet or the local network, not for --listen or --connect'
      : lanes === 0
        ? '--port is for lanes, and with --lanes 0 there are none'
        : undefined;
  if (flags.port === undefined) return unused === undefined ? config.port : undefined;
  if (unused !== undefined) throw usageError(unused, 'leave one of them out');
  const port = /^\d{1,5}$/.test(flags.port) ? Number(flags.port) : NaN;
  if (port >= 1024 && port <= 65_535) return port;
  throw usageError(
    `'${flags.port}' is not a port for lanes`,
    'choose a number from 1024 to 65535, such as --port 7337',
  );
}

function listenEndpoint(value: string | true): Endpoint {
  if (value === true) return { host: undefined, port: DEFAULT_PORT };
  // `--listen photos/` reads naturally and means something else.
  if (/[/\\]/.test(value)) {
    throw usageError(
      `'${value}' stands where --listen has its address`,
      'put --listen last, or give a port: --listen 7337',
    );
  }
  return parseEndpoint(value);
}

/**
 * Where somebody can be reached.
 *
 * @throws XferError `bad-address`
 */
export function connectEndpoint(text: string): Endpoint & { readonly host: string } {
  const { host, port } = parseEndpoint(text);
  if (host === undefined || port === 0) throw new XferError('bad-address', { subject: text });
  return { host, port };
}

/** The settings where a device is met: it is known by its key, and the words of `verify` are for codes. */
export function forDevices({ verify: _, ...config }: Config): Config {
  return config;
}

/** As `meetingOptions`, for a side that waits for devices: it has no code, dials nobody, and waits without end. */
export function waitingOptions(
  flags: MeetingFlags,
  config: Config,
  env: NodeJS.ProcessEnv,
): Omit<MeetingChoices, 'connect' | 'expireMs' | 'words'> {
  const {
    connect: _,
    expireMs: _unused,
    words: _none,
    ...choices
  } = meetingOptions(flags, forDevices(config), env, true);
  return choices;
}

/** Where to dial, and by way of which proxy, if any. */
function connectionTo(text: string, env: NodeJS.ProcessEnv): Pick<MeetingOptions, 'connect' | 'proxy'> {
  const connect = connectEndpoint(text);
  const proxy = proxyFor(connect, env);
  return { connect, ...(proxy === undefined ? {} : { proxy }) };
}
