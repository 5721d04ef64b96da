/** `xfer config` */
import {
  CONFIG_KEYS,
  configPath,
  isConfigKey,
  loadConfig,
  saveSetting,
  settingsIn,
  type ConfigKey,
} from '../index.js';
import type { Context } from './context.js';
import { showOn } from './show.js';
import { usageError } from './usage.js';

/** Prints where the settings are. */
export function runConfigPath({ env, stdout }: Context): number {
  stdout.write(`${configPath(env)}\n`);
  return 0;
}

/** Prints one setting, a list line by line, or those of a table, or all, as `key = value`. Status 1 where it is not set. */
export async function runConfigGet(key: string | undefined, { env, stdout }: Context): Promise<number> {
  const settings = settingsIn(await loadConfig(env));
  const isTable = key !== undefined && CONFIG_KEYS.some((name) => name.startsWith(`${key}.`));
  if (key !== undefined && !isTable) {
    const value = settings.get(knownKey(key));
    if (value === undefined) return 1;
    for (const item of [value].flat()) stdout.write(`${showOn(stdout, String(item))}\n`);
    return 0;
  }
  const shown = [...settings].filter(([name]) => !isTable || name.startsWith(`${key}.`));
  for (const [name, value] of shown) {
    stdout.write(`${showOn(stdout, name)} = ${showOn(stdout, [value].flat().join(', '))}\n`);
  }
  return isTable && shown.length === 0 ? 1 : 0;
}

/** Changes a setting; without words removes it. */
export async function runConfigSet(key: string, words: readonly string[], { env }: Context): Promise<number> {
  await saveSetting(knownKey(key), words, env);
  return 0;
}

function knownKey(key: string): ConfigKey {
  if (isConfigKey(key)) return key;
  throw usageError(
    `there is no setting '${key}'`,
    `the settings are ${CONFIG_KEYS.join(', ')} and serve.allow.DEVICE`,
  );
}
