/** `xfer config` */
import { CONFIG_KEYS, configPath, isConfigKey, loadConfig, saveSetting, type ConfigKey } from '../index.js';
import type { Context } from './context.js';
import { showOn } from './show.js';
import { usageError } from './usage.js';

/** Prints where the settings are. */
export function runConfigPath({ env, stdout }: Context): number {
  stdout.write(`${configPath(env)}\n`);
  return 0;
}

/** Prints one setting, a list line by line, or all of them as `key = value`. Status 1 where it is not set. */
export async function runConfigGet(key: string | undefined, { env, stdout }: Context): Promise<number> {
  const config = await loadConfig(env);
  if (key !== undefined) {
    const value = config[knownKey(key)];
    if (value === undefined) return 1;
    for (const item of [value].flat()) stdout.write(`${showOn(stdout, String(item))}\n`);
    return 0;
  }
  const { actions = {}, ...settings } = config;
  for (const [name, value] of Object.entries(settings)) {
    stdout.write(`${name} = ${showOn(stdout, [value].flat().join(', '))}\n`);
  }
  for (const [name, { program }] of Object.entries(actions)) {
    stdout.write(`actions.${name} = ${showOn(stdout, program)}\n`);
  }
  return 0;
}

/** Changes a setting; without words removes it. */
export async function runConfigSet(key: string, words: readonly string[], { env }: Context): Promise<number> {
  await saveSetting(knownKey(key), words, env);
  return 0;
}

function knownKey(key: string): ConfigKey {
  if (isConfigKey(key)) return key;
  throw usageError(`there is no setting '${key}'`, `the settings are ${CONFIG_KEYS.join(', ')}`);
}
