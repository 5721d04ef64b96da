/** Paths on another machine, as people write them: `pi:docs/a.pdf`. Pure. */
import { nameMatcher, type FarPath } from '../index.js';
import { usageError } from './usage.js';

/** What a person means in a share. */
export interface FarTarget {
  readonly path: FarPath;
  /** The same as globs, where it has some. */
  readonly glob: FarPath | undefined;
  /** Written with a slash at its end: it means a folder. */
  readonly isFolder: boolean;
}

export interface FarName extends FarTarget {
  readonly device: string;
}

/** What has a slash before its colon is on this machine. */
const FAR = /^(?<device>[\w.-]+):(?<path>.*)$/s;
/** As Windows has them. */
const DRIVE = /^[a-z]$/i;
const GLOB = /[*?[{]/;
/** Also what stands for itself in a glob by a backslash. */
const MATCHED = /[*?[{\\]/;

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
  const glob = names.some((name) => GLOB.test(name)) ? names : undefined;
  return { device, path: names, glob, isFolder: meansFolder(path) };
}

/** Whether a path is written as one of a folder. */
export function meansFolder(path: string): boolean {
  return path === '' || /(?:^|\/)\.{0,2}$/.test(path);
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

/** What all of them mean, as a shell has globs: one that matches nothing stands for itself. */
export async function expandGlobs(targets: readonly FarTarget[], list: ListFar): Promise<FarPath[]> {
  const paths: FarPath[] = [];
  for (const { path, glob } of targets) {
    const found = glob === undefined ? [] : await matchesBelow([], glob, list);
    paths.push(...(found.length === 0 ? [path] : found));
  }
  return paths;
}

async function matchesBelow(above: FarPath, globs: FarPath, list: ListFar): Promise<FarPath[]> {
  const [glob, ...behind] = globs;
  if (glob === undefined) return [[...above]];
  if (!globs.some((name) => MATCHED.test(name))) return [[...above, ...globs]];
  if (!MATCHED.test(glob)) return matchesBelow([...above, glob], behind, list);
  const matches = await nameMatcher(glob);
  const found: FarPath[] = [];
  for (const { name, type } of await list(above)) {
    if (!matches(name) || (behind.length > 0 && type !== 'folder')) continue;
    found.push(...(await matchesBelow([...above, name], behind, list)));
  }
  return found;
}
