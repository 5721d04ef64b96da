/** What a person sees of an offer before the question. Pure. */
import type { ConflictPolicy, OfferSummary, OfferedRoot, Skipped } from '../index.js';
import { brief } from './explain.js';
import { countOf, formatSize } from './figures.js';
import { displayWidth } from './display-width.js';
import { cut, show, wrap } from './show.js';

/** Lines of one kind before the rest is only counted. */
const SHOWN = 10;

/** What becomes of what exists already, where that is decided. */
const EXISTING: Readonly<Record<ConflictPolicy, string>> = {
  refuse: 'exists here already:',
  overwrite: 'exists here, will be overwritten:',
  update: 'exists here, will be updated:',
  rename: 'exists here, the new one is renamed:',
  skip: 'exists here, will be skipped:',
};

/** The offer in lines of at most `width` columns. */
export function offerLines(offer: OfferSummary, width: number, policy: ConflictPolicy = 'refuse'): string[] {
  return [
    ...wrap(heading(offer), width),
    ...listed(offer.roots, offer.roots.length, (root) => rootLine(root, width)),
    ...arrivedLines(offer, width),
    ...section(EXISTING[policy], offer.conflicts, offer.conflictCount, width),
    ...(offer.isBusy ? wrap('another xfer receives the same here just now', width) : []),
    ...section('would be executable:', offer.executables, offer.executableCount, width),
    ...refusedLines(offer, width),
    ...(offer.skippedBySender === 0
      ? []
      : [cut(`${countOf(offer.skippedBySender, 'entry', 'entries')} left out by the sender`, width)]),
    ...spaceLines(offer, width),
  ];
}

/** `12 files in 3 folders, 3.1 GB`; what was found so far while the sender counts. */
export function amountOf({ kind, files, folders, bytes, complete }: OfferSummary): string {
  if (kind === 'text') return `a text, ${formatSize(bytes)}`;
  if (kind === 'pipe') return 'a stream of unknown length';
  const inFolders = folders === 0 ? '' : ` in ${countOf(folders, 'folder')}`;
  return `${countOf(files, 'file')}${inFolders}, ${formatSize(bytes)}${complete ? '' : ' so far'}`;
}

/** True where the system says that the offer does not fit. */
export function isTooLarge({ bytes, partBytes, freeBytes }: OfferSummary): boolean {
  return freeBytes !== undefined && bytes - partBytes > freeBytes;
}

/** What was left out, and why: the first of them and how many more. */
export function skippedLines(skipped: readonly Skipped[], count: number, width: number): string[] {
  return listed(skipped, count, ({ path, reason }) => withReason(path, brief(reason), width));
}

function heading(offer: OfferSummary): string {
  return `offered: ${amountOf(offer)}`;
}

/** Names line by line: two columns of margin, the size behind. */
function rootLine({ name, type, size }: OfferedRoot, width: number): string {
  if (type === 'folder') return `  ${show(name, width - 3)}/`;
  return withReason(name, size === undefined ? '' : formatSize(size), width);
}

function withReason(name: string, reason: string, width: number): string {
  if (reason === '') return `  ${show(name, width - 2)}`;
  // The reason may take half of the line, the name the rest.
  const behind = cut(reason, Math.floor(width / 2));
  return `  ${show(name, width - 4 - displayWidth(behind))}  ${behind}`;
}

function section(title: string, paths: readonly string[], count: number, width: number): string[] {
  if (count === 0) return [];
  return [cut(title, width), ...listed(paths, count, (path) => `  ${show(path, width - 2)}`)];
}

/** What an interrupted transfer brought. */
function arrivedLines({ arrivedFiles, arrivedBytes, partBytes }: OfferSummary, width: number): string[] {
  const files = `arrived before: ${countOf(arrivedFiles, 'file')}, ${formatSize(arrivedBytes)}`;
  const parts = `arrived in part: ${formatSize(partBytes)}`;
  return [...(arrivedFiles > 0 ? [cut(files, width)] : []), ...(partBytes > 0 ? [cut(parts, width)] : [])];
}

function refusedLines({ refused, refusedCount }: OfferSummary, width: number): string[] {
  if (refusedCount === 0) return [];
  return [cut('cannot be kept here:', width), ...skippedLines(refused, refusedCount, width)];
}

function spaceLines(offer: OfferSummary, width: number): string[] {
  const { freeBytes } = offer;
  if (freeBytes === undefined || offer.kind === 'text') return [];
  const free = formatSize(freeBytes);
  return [cut(isTooLarge(offer) ? `warning: only ${free} free here` : `free here: ${free}`, width)];
}

/** A line for each of the first items and one for all others. */
function listed<T>(items: readonly T[], count: number, line: (item: T) => string): string[] {
  const shown = items.slice(0, SHOWN);
  const more = count - shown.length;
  return [...shown.map(line), ...(more > 0 ? [`  … and ${countOf(more, 'more', 'more')}`] : [])];
}
