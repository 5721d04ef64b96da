/** `xfer resume` */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { registerPath, XferError, type Leftover, type Remainder } from '../index.js';
import type { Context } from './context.js';
import { countOf, formatPart, formatSize } from './figures.js';
import { cut, show, showJson, widthOf, wrap } from './show.js';

/** As commander gives them. */
export interface ResumeFlags {
  readonly clean?: boolean;
  readonly json?: boolean;
}

const WHAT_NOW =
  'to go on, start the transfer again with a new code and receive into the same folder; to remove this, use xfer resume --clean';
const WHY_KEPT: Readonly<Record<Remainder['reason'], string>> = {
  content: 'stays: something else is in it',
  journal: 'stays as it is: this version cannot read its journal',
};
/** Part files of one transfer before the rest is only counted. */
const SHOWN = 10;

/** Lists what interrupted transfers left, or removes it. Gives back the exit status. */
export async function runResume(
  folders: readonly string[],
  flags: ResumeFlags,
  { library, env, stdout, stderr }: Context,
): Promise<number> {
  const missing = folders.find((folder) => !existsSync(folder));
  if (missing !== undefined) throw new XferError('path-missing', { subject: missing });
  const register = registerPath(env);
  // The working folder is where a transfer went unless somebody said otherwise.
  const asked = (folders.length === 0 ? ['.'] : folders).map((folder) => path.resolve(folder));
  const all = await library.leftovers(register, asked);
  const found = folders.length === 0 ? all : all.filter(({ folder }) => asked.includes(folder));
  let removed = 0;
  for (const leftover of found) {
    const kept = flags.clean === true ? await library.removeLeftover(leftover, register) : undefined;
    if (kept?.reason !== 'journal') removed++;
    if (flags.json === true) {
      const event = flags.clean === true ? 'removed' : 'leftover';
      const { id: _, ...fields } = leftover;
      stdout.write(`${showJson({ event, ...fields, kept: kept?.location, keptFor: kept?.reason })}\n`);
    } else {
      for (const line of linesOf(leftover, widthOf(stdout))) stdout.write(`${line}\n`);
      if (kept !== undefined) stderr.write(`${show(kept.location)} ${WHY_KEPT[kept.reason]}\n`);
    }
  }
  if (flags.json === true) return 0;
  if (found.length === 0) stderr.write('nothing is left of interrupted transfers\n');
  else if (flags.clean === true && removed === 0) stderr.write('nothing was removed\n');
  else if (flags.clean === true) stderr.write(`removed what ${countOf(removed, 'transfer')} left\n`);
  else for (const line of wrap(WHAT_NOW, widthOf(stderr))) stderr.write(`${line}\n`);
  return 0;
}

function linesOf({ folder, roots, parts, arrivedFiles }: Leftover, width: number): string[] {
  const more = parts.length - SHOWN;
  return [
    show(folder, width),
    ...(roots.length > 0 ? [cut(`  of ${roots.map((root) => show(root, width)).join(', ')}`, width)] : []),
    ...(arrivedFiles > 0 ? [`  ${countOf(arrivedFiles, 'file')} arrived whole`] : []),
    ...parts.slice(0, SHOWN).map(({ path: of, bytes, size }) => {
      const amount = bytes < size ? formatPart(bytes, size) : formatSize(size);
      return `  ${show(of, width - amount.length - 4)}  ${amount}`;
    }),
    ...(more > 0 ? [`  … and ${countOf(more, 'more', 'more')}`] : []),
  ];
}
