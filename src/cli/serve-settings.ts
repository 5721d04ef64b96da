/** What a share does: flags, and settings where no flag says otherwise. */
import type { ServeSettings } from '../index.js';
import type { MeetingFlags } from './meeting-flags.js';
import type { ServeFlags } from './serve.js';
import { usageError } from './usage.js';

/** What is shared, and whether that is a setting. */
export interface Place {
  readonly folder: string;
  readonly isSetting: boolean;
}

/** Flags and settings in one. */
export interface SettledFlags extends Omit<ServeFlags, 'listen'>, MeetingFlags {
  /** Rights of single devices among the settings; `allow` comes after them. */
  readonly allowed: readonly (readonly [string, string | readonly string[]])[];
}

/** Throws `usage` where nobody says what to share. */
export function placeOf(named: string | undefined, { folder }: ServeSettings, file: string): Place {
  if (named !== undefined) return { folder: named, isSetting: false };
  if (folder !== undefined) return { folder, isSetting: true };
  throw usageError(
    'the folder to share is missing',
    `xfer serve /srv/share, or xfer config set serve.folder /srv/share, which ${file} keeps`,
  );
}

/** Flags as they are with these settings of the file. Throws `usage` where a flag and a setting contradict each other. */
export function settled(flags: ServeFlags, settings: ServeSettings, file: string): SettledFlags {
  const { listen: _, local: _local, alsoDht: _alsoDht, ...others } = flags;
  const both = {
    write: flags.write ?? settings.write,
    delete: flags.delete ?? settings.delete,
    inbox: flags.inbox ?? settings.inbox,
    run: flags.run ?? settings.run,
    allowDotfiles: flags.allowDotfiles ?? settings['allow-dotfiles'],
    chat: flags.chat ?? settings.chat,
    exec: flags.exec ?? settings.exec,
    sync: flags.sync ?? settings.sync,
  };
  for (const right of ['write', 'delete'] as const) {
    const areFlags = flags.inbox === true && flags[right] === true;
    if (both.inbox !== true || both[right] !== true || areFlags) continue;
    const [flag, setting] = flags.inbox === true ? ['inbox', right] : [right, 'inbox'];
    throw usageError(
      `--${flag} does not go with serve.${setting} = true in ${file}`,
      `add --no-${setting}, or remove the setting: xfer config set serve.${setting}`,
    );
  }
  return {
    ...others,
    ...defined(both),
    ...defined(waysOf(flags, settings)),
    allowed: Object.entries(settings.allow ?? {}),
  };
}

/** Where a flag says how devices find the share, settings that contradict it do not count. */
function waysOf(
  flags: ServeFlags,
  settings: ServeSettings,
): Pick<MeetingFlags, 'listen' | 'local' | 'alsoDht'> {
  const isLocal = flags.local === true;
  const { listen = isLocal || settings.listen === undefined ? undefined : String(settings.listen) } = flags;
  const { alsoDht = isLocal ? undefined : settings['also-dht'] } = flags;
  const isElsewhere = (flags.listen ?? false) !== false || flags.alsoDht === true;
  const { local = isElsewhere ? undefined : settings.local } = flags;
  return defined({ listen: listen === false ? undefined : listen, alsoDht, local });
}

/** Without what is undefined, which a flag that was not given is not. */
function defined<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const found = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(found) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
