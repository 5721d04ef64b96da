/** Settings that stay, in their file, and what the environment says in place of them. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { XferError } from './errors.js';
import { configPath } from './folders.js';
import {
  isKey,
  isNode,
  settingOf,
  splitList,
  withSetting,
  wrongIn,
  type Config,
  type ConfigKey,
} from './settings.js';

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
  const wrong = wrongIn(settings);
  if (wrong !== undefined) throw new XferError('config-invalid', { subject: path, detail: wrong });
  return settings;
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
  const settings = withSetting(before, key, value);
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
  // It may be a link to where somebody keeps all such files.
  const target = await realpath(path).catch(() => path);
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    // On the disk before it has the name: an empty file would take back what was forbidden.
    await writeFile(temporary, content, { mode: 0o600, flag: 'wx', flush: true });
    await rename(temporary, target);
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
