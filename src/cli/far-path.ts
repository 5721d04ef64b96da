/** Paths on another machine, as people write them: `pi:docs/a.pdf`. Pure. */
import { nameMatcher, type FarPath } from '../index.js';
import { usageError } from './usage.js';

export interface FarName {
  readonly device: string;
  readonly path: FarPath;
  /** Written with a slash at its end: it means a folder. */
  readonly isFolder: boolean;
}

/** What has a slash before its colon is on this machine. */
const FAR = /^(?<device>[\w.-]+):(?<path>.*)$/s;
/** As Windows has them. */
const DRIVE = /^[a-z]$/i;
const GLOB = /[*?[{]/;

/** `undefined` for what is a path on this machine. Throws `usage` for a path that leads out of the share. */
export function parseFarName(text: string): FarName | undefined {
  const groups = FAR.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { device = '', path = '' } = groups;
  if (process.platform === 'win32' && DRIVE.test(device)) return undefined;
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) {
    throw usageError(
      `${text} leads out of what is shared`,
      `paths begin at the shared folder: ${device}:docs/a.pdf`,
    );
  }
  return { device, path: names, isFolder: path === '' || /(?:^|\/)\.?$/.test(path) };
}

/** As `parseFarName`. Throws `usage` for a path on this machine. */
export function demandFarName(text: string): FarName {
  const name = parseFarName(text);
  if (name === undefined) {
    throw usageError(`${text} names no device`, `put the device and a colon before it: pi:${text}`);
  }
  return name;
}

/** The device that all of them are on. Throws `usage` where they are on several. */
export function sameDevice(names: readonly FarName[]): string {
  const [first, ...others] = names;
  const other = others.find(({ device }) => device !== first?.device);
  if (first === undefined || other !== undefined) {
    throw usageError('one command works with one device', 'use one command for each device');
  }
  return first.device;
}

/** What is in a folder of a share. */
export type ListFar = (
  folder: FarPath,
) => Promise<readonly { readonly name: string; readonly type: 'file' | 'folder' }[]>;

/** What a path with globs means, as a shell has it; itself where it has none, or where nothing matches. */
export async function expandGlobs(path: FarPath, list: ListFar): Promise<readonly FarPath[]> {
  if (!path.some((name) => GLOB.test(name))) return [path];
  const found = await matchesBelow([], path, list);
  return found.length === 0 ? [path] : found;
}

async function matchesBelow(above: FarPath, globs: FarPath, list: ListFar): Promise<FarPath[]> {
  const [glob, ...behind] = globs;
  if (glob === undefined) return [[...above]];
  if (!globs.some((name) => GLOB.test(name))) return [[...above, ...globs]];
  if (!GLOB.test(glob)) return matchesBelow([...above, glob], behind, list);
  const matches = await nameMatcher(glob);
  const found: FarPath[] = [];
  for (const { name, type } of await list(above)) {
    if (!matches(name) || (behind.length > 0 && type !== 'folder')) continue;
    found.push(...(await matchesBelow([...above, name], behind, list)));
  }
  return found;
}
