/** `xfer ls` */
import type { FarPath, ListedItem, Share } from '../index.js';
import type { Context, Output } from './context.js';
import { demandFarName, expandGlobs, sameDevice, type FarTarget } from './far-path.js';
import { formatSize } from './figures.js';
import { showJson, showOn } from './show.js';
import { runUse, type UseFlags } from './use.js';

/** As commander gives them. */
export interface LsFlags extends UseFlags {
  /** `-l` */
  readonly long?: boolean;
}

/** A call for each line takes longer than all the rest of a long list. */
const LINES_AT_ONCE = 1_000;

/** Lists what is in folders of a share. Gives back the exit status. */
export function runLs(places: readonly string[], flags: LsFlags, context: Context): Promise<number> {
  const names = places.map(demandFarName);
  return runUse(sameDevice(names), 'receive', flags, context, (share) =>
    listFar(share, names, flags, context),
  );
}

/** Lists what is in these folders of a share, and these files. */
export async function listFar(
  share: Share,
  targets: readonly FarTarget[],
  flags: Pick<LsFlags, 'json' | 'long'>,
  { stdout }: Pick<Context, 'stdout'>,
): Promise<undefined> {
  const found = await expandGlobs(targets, (folder) => share.list(folder));
  for (const path of found) {
    const { isFolder, listed } = await itemsAt(share, path);
    if (found.length > 1 && isFolder) heading(share.nameOf(path), flags, stdout);
    for (let at = 0; at < listed.length; at += LINES_AT_ONCE) {
      const lines = listed
        .slice(at, at + LINES_AT_ONCE)
        .map((item) => lineOf(item, path, isFolder, flags, stdout));
      stdout.write(lines.join(''));
    }
  }
  return undefined;
}

/** What a folder holds, or the file itself. */
async function itemsAt(
  share: Share,
  path: FarPath,
): Promise<{ readonly isFolder: boolean; readonly listed: readonly ListedItem[] }> {
  const item = path.length === 0 ? undefined : await share.look(path);
  return item?.type === 'file'
    ? { isFolder: false, listed: [item] }
    : { isFolder: true, listed: await share.list(path) };
}

function heading(name: string, { json }: Pick<LsFlags, 'json'>, stdout: Output): void {
  if (json !== true) stdout.write(`${showOn(stdout, name)}:\n`);
}

function lineOf(
  item: ListedItem,
  at: FarPath,
  isFolder: boolean,
  flags: Pick<LsFlags, 'json' | 'long'>,
  stdout: Output,
): string {
  const { name, type, size, mtimeMs, mode } = item;
  if (flags.json === true) {
    const path = [...(isFolder ? at : at.slice(0, -1)), name].join('/');
    return `${showJson({ event: 'item', path, type, size, mtimeMs, mode: mode.toString(8) })}\n`;
  }
  const shown = `${showOn(stdout, name)}${type === 'folder' ? '/' : ''}\n`;
  if (flags.long !== true) return shown;
  const bytes = type === 'folder' ? '-' : stdout.isTTY === true ? formatSize(size) : String(size);
  return `${permissionsOf(item)}  ${bytes.padStart(10)}  ${dateOf(mtimeMs)}  ${shown}`;
}

/** As `ls -l` has them. */
function permissionsOf({ type, mode }: ListedItem): string {
  const letters = Array.from('rwxrwxrwx', (letter, place) => ((mode >> (8 - place)) & 1 ? letter : '-'));
  return `${type === 'folder' ? 'd' : '-'}${letters.join('')}`;
}

/** In this machine's time zone, to the minute; a time that no calendar has is no date. */
function dateOf(mtimeMs: number): string {
  const date = new Date(mtimeMs - new Date(mtimeMs).getTimezoneOffset() * 60_000);
  return Number.isNaN(date.getTime()) ? '?'.padEnd(16) : date.toISOString().slice(0, 16).replace('T', ' ');
}
