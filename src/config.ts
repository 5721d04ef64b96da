/** Settings that stay: where they are kept, what they may hold, and how addresses and durations are written. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP, isIPv6 } from 'node:net';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { checkActions, isTable, type ActionSettings } from './action-settings.js';
import { parseDuration, parsePatience } from './duration.js';
import { XferError } from './errors.js';
import { parseRate } from './rate.js';
import { parseRights } from './share/rights.js';
import { MAX_LANES } from './transfer/messages.js';

/** What `config.toml` may hold. Everything is optional; a flag of a command wins over it. */
export interface Config {
  /** Nodes of a private DHT, as `host:port`. */
  readonly bootstrap?: readonly string[];
  /** Public keys of relays, 64 hexadecimal digits each. */
  readonly relay?: readonly string[];
  /** Words of a new code, 2 to 16. */
  readonly words?: number;
  /** How long a new code waits, such as `30m`; see `parseDuration`. */
  readonly expire?: string;
  /** The folder that `receive` puts things into. */
  readonly out?: string;
  /** Always compare words with the other person. */
  readonly verify?: boolean;
  /** The most that a session may send in a second, such as `10M`; see `parseRate`. */
  readonly limit?: string;
  /** How long to look for a lost peer, such as `1h`, or `0`; see `parsePatience`. */
  readonly patience?: string;
  /** How many lanes to have, 0 to 8. */
  readonly lanes?: number;
  /** Where lanes are awaited: the TCP port that a firewall lets through, from `LOWEST_LANE_PORT`. */
  readonly port?: number;
  /** What devices may have run where a folder is shared, by the names that they call it by. */
  readonly actions?: Readonly<Record<string, ActionSettings>>;
  /** What `serve` does, too. */
  readonly serve?: ServeSettings;
}

/** The table `[serve]`. */
export interface ServeSettings {
  /** The folder to share where none is named; absolute. */
  readonly folder?: string;
  readonly write?: boolean;
  readonly delete?: boolean;
  readonly inbox?: boolean;
  readonly run?: boolean;
  readonly 'allow-dotfiles'?: boolean;
  readonly chat?: boolean;
  readonly exec?: boolean;
  readonly sync?: boolean;
  /** Where direct connections are awaited; see `parseEndpoint`. */
  readonly listen?: string | number;
  readonly local?: boolean;
  readonly 'also-dht'?: boolean;
  /** Rights of single devices by their names; see `rightsAsText`. */
  readonly allow?: Readonly<Record<string, RightsSetting>>;
}

/** Rights, one by one or joined by commas. */
export type RightsSetting = string | readonly string[];

/** Ports below belong to the services of a machine. */
const LOWEST_LANE_PORT = 1024;
const HIGHEST_PORT = 65_535;

/** A setting, with the table that it is in before a dot. Actions are written into the file by hand. */
export type ConfigKey = Exclude<keyof Config, 'serve' | 'actions'> | `serve.${string}`;

interface Setting {
  /** What a valid value is, for the message about one that is not. */
  readonly expected: string;
  accepts(value: unknown): boolean;
  /** The value as it stands in the file, from the words of a command line. */
  fromWords(words: readonly string[]): unknown;
}

const text: Setting['fromWords'] = (words) => words.join(' ');

function wholeNumber(from: number, to: number): Setting {
  return {
    expected: `a number from ${from} to ${to}`,
    accepts: (value) => Number.isInteger(value) && Number(value) >= from && Number(value) <= to,
    fromWords: (words) => (/^\d+$/.test(words.join(' ')) ? Number(words.join(' ')) : undefined),
  };
}

const trueOrFalse: Setting = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
  fromWords: (words) => ({ true: true, false: false })[words.join(' ')],
};

const SERVE_SETTINGS: Readonly<Record<`serve.${Exclude<keyof ServeSettings, 'allow'>}`, Setting>> = {
  'serve.folder': {
    // A service starts in a folder that nobody thinks of.
    expected: 'a whole path, such as /srv/share',
    accepts: (value) => typeof value === 'string' && isAbsolute(value),
    fromWords: (words) => (words.join(' ') === '' ? '' : resolve(words.join(' '))),
  },
  'serve.write': trueOrFalse,
  'serve.delete': trueOrFalse,
  'serve.inbox': trueOrFalse,
  'serve.run': trueOrFalse,
  'serve.allow-dotfiles': trueOrFalse,
  'serve.chat': trueOrFalse,
  'serve.exec': trueOrFalse,
  'serve.sync': trueOrFalse,
  'serve.listen': {
    expected: 'a port or HOST:PORT',
    accepts: (value) => parses(Number.isInteger(value) ? String(value) : value, parseEndpoint),
    fromWords: text,
  },
  'serve.local': trueOrFalse,
  'serve.also-dht': trueOrFalse,
};

/** Below it stands a setting for each device. */
const ALLOW = 'serve.allow';

const RIGHTS_OF_DEVICE: Setting = {
  expected: '"none", or a list of read, write, delete, dotfiles and run, or of inbox, dotfiles and run',
  accepts: (value) => {
    const isList = Array.isArray(value) && value.every((right) => typeof right === 'string');
    return (isList || typeof value === 'string') && parses(rightsAsText(value), parseRights);
  },
  fromWords: (words) => (words.join() === 'none' ? 'none' : words.flatMap(splitList)),
};

/** What `parseRights` reads. */
export function rightsAsText(setting: RightsSetting): string {
  if (typeof setting === 'string') return setting;
  return setting.length === 0 ? 'none' : setting.join(',');
}

const TABLES: readonly string[] = ['serve', ALLOW];

const SETTINGS: Readonly<
  Record<Exclude<keyof Config, 'serve' | 'actions'>, Setting> & Record<keyof typeof SERVE_SETTINGS, Setting>
> = {
  bootstrap: {
    expected: 'a list of host:port',
    accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isNode),
    fromWords: (words) => words.flatMap(splitList),
  },
  relay: {
    expected: 'a list of keys of 64 hexadecimal digits',
    accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isKey),
    fromWords: (words) => words.flatMap(splitList),
  },
  words: wholeNumber(2, 16),
  expire: {
    expected: 'a duration such as 30m',
    accepts: (value) => parses(value, parseDuration),
    fromWords: text,
  },
  out: {
    expected: 'a folder',
    accepts: (value) => typeof value === 'string' && value !== '',
    fromWords: text,
  },
  verify: trueOrFalse,
  limit: {
    expected: 'a rate such as 10M, from 10K to 100G',
    accepts: (value) => parses(value, parseRate),
    fromWords: text,
  },
  patience: {
    expected: 'a duration such as 10m, or 0',
    accepts: (value) => parses(value, parsePatience),
    fromWords: text,
  },
  lanes: wholeNumber(0, MAX_LANES),
  port: wholeNumber(LOWEST_LANE_PORT, HIGHEST_PORT),
  ...SERVE_SETTINGS,
};

/** All keys but those that have the name of a device in them: `serve.allow.NAME`. */
export const CONFIG_KEYS = Object.keys(SETTINGS) as readonly ConfigKey[];

export function isConfigKey(text: string): text is ConfigKey {
  return settingOf(text) !== undefined;
}

function settingOf(key: string): Setting | undefined {
  if (key.startsWith(`${ALLOW}.`) && key.length > ALLOW.length + 1) return RIGHTS_OF_DEVICE;
  return Object.hasOwn(SETTINGS, key) ? SETTINGS[key as keyof typeof SETTINGS] : undefined;
}

export type SettingValue = string | number | boolean | readonly string[];

/** What is set, each under its whole key, and the program of each action. */
export function settingsIn({ actions = {}, ...config }: Config): ReadonlyMap<string, SettingValue> {
  const settings = [...entriesOf(config)].map(({ key, value }) => [key, value as SettingValue] as const);
  const programs = Object.entries(actions).map(
    ([name, { program }]) => [`actions.${name}`, program] as const,
  );
  return new Map([...settings, ...programs]);
}

/** Where the settings are: `$XFER_HOME/config.toml`, else where the platform keeps such files. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(folderOf('config', env), 'config.toml');
}

/** Where it is remembered which transfers are under way: below `$XFER_HOME`, else where the platform keeps what programs remember. */
export function registerPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(folderOf('data', env), 'transfers');
}

/** Where a node of one's own network keeps the secret key of its relay, beside what else the program remembers. */
export function relayKeyPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(folderOf('data', env), 'relay-key');
}

/** Where the devices are remembered that were paired, and the key of this machine. */
export function devicesPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(folderOf('config', env), 'devices');
}

/** Where the password is kept with which a share of this machine can be stopped from elsewhere. */
export function ownerPasswordPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(folderOf('config', env), 'owner-password');
}

function folderOf(kind: 'config' | 'data', env: NodeJS.ProcessEnv): string {
  const home = env['XFER_HOME'];
  return home === undefined || home === '' ? envPaths('xfer', { suffix: '' })[kind] : home;
}

/**
 * Reads the settings; no file means no settings.
 *
 * @throws XferError `config-invalid` (subject: the file, detail: what is wrong in it)
 */
export async function loadConfig(env: NodeJS.ProcessEnv = process.env): Promise<Config> {
  const path = configPath(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new XferError('config-invalid', { subject: path, detail: (cause as Error).message, cause });
  }
  return await parseConfig(text, path);
}

/**
 * Settings as they stand in the file at `path`.
 *
 * @throws XferError `config-invalid` (subject: the file, detail: what is wrong in it)
 */
export async function parseConfig(text: string, path: string): Promise<Config> {
  const { parse } = await import('smol-toml');
  let settings: object;
  try {
    settings = parse(text);
  } catch (cause) {
    // smol-toml's message goes on with a picture of the place; its first line says it.
    const detail = (cause as Error).message.split('\n', 1)[0] ?? '';
    throw new XferError('config-invalid', { subject: path, detail, cause });
  }
  return check(settings, path);
}

/**
 * Changes one setting, or removes it where `words` is empty. The file is replaced at once and as a whole, readable by
 * its owner only. Comments in it are lost.
 *
 * @throws XferError `usage` for a bad value, `config-invalid` for a bad file, `disk-failed` when it cannot be written
 */
export async function saveSetting(
  key: ConfigKey,
  words: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const before = await loadConfig(env);
  const path = configPath(env);
  const value = words.length === 0 ? undefined : settingOf(key)?.fromWords(words);
  const settings = placed(before, pathOf(key), value);
  const isRefused = words.length > 0 && settingOf(key)?.accepts(value) !== true;
  const wrong = isRefused ? `${key} must be ${settingOf(key)?.expected ?? 'a setting'}` : wrongIn(settings);
  if (wrong !== undefined) {
    throw new XferError('usage', {
      subject: wrong,
      detail: `xfer config set ${key} without a value removes it`,
    });
  }
  const { stringify } = await import('smol-toml');
  const content = stringify(settings);
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(temporary, content, { mode: 0o600, flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new XferError('disk-failed', { subject: path, cause: error });
  }
}

/**
 * Nodes of a private DHT: `XFER_BOOTSTRAP` (joined by commas), else the setting. `undefined` stands for the public DHT.
 *
 * @throws XferError `bad-address`
 */
export function bootstrapNodes(
  config: Config,
  env: NodeJS.ProcessEnv = process.env,
): readonly string[] | undefined {
  const nodes = splitList(env['XFER_BOOTSTRAP'] ?? '');
  const wrong = nodes.find((node) => !isNode(node));
  if (wrong !== undefined) throw new XferError('bad-address', { subject: wrong });
  return nodes.length > 0 ? nodes : config.bootstrap;
}

/**
 * Relays: `XFER_RELAY` (joined by commas), else the setting.
 *
 * @throws XferError `usage`
 */
export function relayKeys(config: Config, env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const keys = splitList(env['XFER_RELAY'] ?? '');
  const wrong = keys.find((key) => !isKey(key));
  if (wrong !== undefined) {
    throw new XferError('usage', {
      subject: `'${wrong}' is not the key of a relay`,
      detail: 'it has 64 hexadecimal digits; xfer node prints it',
    });
  }
  return (keys.length > 0 ? keys : (config.relay ?? [])).map((key) => key.toLowerCase());
}

export { parseDuration, parsePatience };

/** Where a direct connection is made when no port is given. */
export const DEFAULT_PORT = 7337;

/**
 * Reads `host:port`, `host`, `port`, `[::1]:port` or `::1`. What is left out is `undefined` (host) or `DEFAULT_PORT`.
 *
 * @throws XferError `bad-address`
 */
export function parseEndpoint(text: string): { readonly host: string | undefined; readonly port: number } {
  const { host, port } = splitAddress(text);
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  const validHost =
    host === undefined || isIP(host) !== 0 || (HOST_NAME.test(host) && !NUMERIC_HOST.test(host));
  if (!validHost || number > HIGHEST_PORT) throw new XferError('bad-address', { subject: text });
  return { host, port: number };
}

/** What systems still read as an IPv4 address, such as 1.2.3 for 1.2.0.3: here it is one with a part forgotten. */
const NUMERIC_HOST = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i;

function splitAddress(text: string): { host: string | undefined; port: string | undefined } {
  if (/^\d+$/.test(text)) return { host: undefined, port: text };
  if (isIPv6(text)) return { host: text, port: undefined };
  const match = /^(?:\[(?<literal>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups;
  const host = match?.['literal'] ?? match?.['name'];
  const isWrongLiteral = match?.['literal'] !== undefined && !isIPv6(match['literal']);
  if (host === undefined || isWrongLiteral || text === '')
    throw new XferError('bad-address', { subject: text });
  return { host: host === '' ? undefined : host, port: match?.['port'] };
}

function check(settings: object, path: string): Config {
  const wrong = wrongIn(settings);
  if (wrong !== undefined) throw new XferError('config-invalid', { subject: path, detail: wrong });
  return settings;
}

/** The first thing that is wrong, as a sentence; `undefined` where nothing is. */
function wrongIn({ actions, ...settings }: Config): string | undefined {
  const wrongAction = actions === undefined ? undefined : checkActions(actions);
  if (wrongAction !== undefined) return wrongAction;
  for (const { key, value, isOneName } of entriesOf(settings)) {
    const setting = isOneName ? settingOf(key) : undefined;
    if (isOneName && TABLES.includes(key)) return `${key} must be a table: [${key}]`;
    if (setting === undefined) return `there is no setting '${key}'`;
    if (!setting.accepts(value)) return `${key} must be ${setting.expected}`;
  }
  return contradictionIn(settings.serve ?? {});
}

/** Settings that each alone would do. */
function contradictionIn({
  inbox,
  write,
  local,
  listen,
  allow,
  ...serve
}: ServeSettings): string | undefined {
  const pairs = [
    ['inbox', inbox === true, 'write', write === true],
    ['inbox', inbox === true, 'delete', serve.delete === true],
    ['local', local === true, 'listen', listen !== undefined],
    ['local', local === true, 'also-dht', serve['also-dht'] === true],
  ] as const;
  const found = pairs.find(([, isOne, , isOther]) => isOne && isOther);
  if (found !== undefined) return `serve.${found[0]} and serve.${found[2]} do not go together`;
  const names = Object.keys(allow ?? {});
  const twice = names.find((name, at) =>
    names.slice(0, at).some((other) => other.toLowerCase() === name.toLowerCase()),
  );
  return twice === undefined ? undefined : `${ALLOW}.${twice} is there twice: names are the same in capitals`;
}

interface Entry {
  readonly key: string;
  readonly value: unknown;
  /** False where somebody put a key with dots in quotes, which is another key. */
  readonly isOneName: boolean;
}

function* entriesOf(table: object, prefix = ''): Generator<Entry> {
  for (const [name, value] of Object.entries(table) as [string, unknown][]) {
    const key = prefix + name;
    const isOneName = !name.includes('.') || prefix === `${ALLOW}.`;
    if (isOneName && TABLES.includes(key) && isTable(value)) yield* entriesOf(value, `${key}.`);
    else yield { key, value, isOneName };
  }
}

function pathOf(key: string): readonly string[] {
  const table = TABLES.findLast((name) => key.startsWith(`${name}.`));
  return table === undefined ? [key] : [...table.split('.'), key.slice(table.length + 1)];
}

/** The table with a value in its place, or without one. Tables that are empty then go too. */
function placed(table: object, [name = '', ...below]: readonly string[], value: unknown): object {
  const { [name]: before, ...others } = table as Record<string, unknown>;
  const now = below.length === 0 ? value : placed(isTable(before) ? before : {}, below, value);
  const isNothing = now === undefined || (isTable(now) && Object.keys(now).length === 0);
  return isNothing ? others : { ...others, [name]: now };
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** A node needs both parts: there is no usual port of a DHT node. */
function isNode(value: unknown): boolean {
  if (typeof value !== 'string' || !/[^:]:\d+$/.test(value)) return false;
  try {
    const { host, port } = parseEndpoint(value);
    return host !== undefined && port > 0;
  } catch {
    return false;
  }
}

function isKey(value: unknown): boolean {
  return typeof value === 'string' && /^[\da-f]{64}$/i.test(value);
}

function parses(value: unknown, parse: (text: string) => unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    parse(value);
    return true;
  } catch {
    return false;
  }
}
