/** Where things are kept that stay. */
import { join } from 'node:path';
import envPaths from 'env-paths';

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
