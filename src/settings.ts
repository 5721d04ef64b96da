/** What settings there are, and what each may be. */
import { isAbsolute, resolve } from 'node:path';
import { checkActions, isTable, type ActionSettings } from './action-settings.js';
import { parseDuration, parsePatience } from './duration.js';
import { HIGHEST_PORT, parseEndpoint } from './endpoint.js';
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

/** A setting, with the table that it is in before a dot. Actions are written into the file by hand. */
export type ConfigKey = Exclude<keyof Config, 'serve' | 'actions'> | `serve.${string}`;

/** What a key may hold. */
export interface Setting {
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

export function settingOf(key: string): Setting | undefined {
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

/** The first thing that is wrong, as a sentence; `undefined` where nothing is. */
export function wrongIn({ actions, ...settings }: Config): string | undefined {
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

/** `settings` with another value, or without one. */
export function withSetting(settings: Config, key: ConfigKey, value: unknown): Config {
  return placed(settings, pathOf(key), value);
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

/** What commas separate. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** A node needs both parts: there is no usual port of a DHT node. */
export function isNode(value: unknown): boolean {
  if (typeof value !== 'string' || !/[^:]:\d+$/.test(value)) return false;
  try {
    const { host, port } = parseEndpoint(value);
    return host !== undefined && port > 0;
  } catch {
    return false;
  }
}

/** Whether it is the public key of a relay. */
export function isKey(value: unknown): boolean {
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
