/** What a staging folder is called: an id of its own, and the process that works in it, as long as one does. */
import { randomBytes } from 'node:crypto';
import { isOwnerTag } from './owner.js';

const PREFIX = '.xfer-';
const ID = /^[0-9a-f]{16}$/;
/** What may pass for one, on file systems that know no capitals too. */
const LIKENESS = /^\.xfer-[0-9a-f]{16}(?:\.|$)/i;

export interface StagingName {
  readonly id: string;
  readonly owner: string | undefined;
}

export function stagingName(id: string, owner?: string): string {
  return `${PREFIX}${id}${owner === undefined ? '' : `.${owner}`}`;
}

/** `undefined` for any other name. */
export function parseStagingName(name: string): StagingName | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const [id = '', ...rest] = name.slice(PREFIX.length).split('.');
  const owner = rest.length === 0 ? undefined : rest.join('.');
  return ID.test(id) && (owner === undefined || isOwnerTag(owner)) ? { id, owner } : undefined;
}

const COPY = /^\.xfer-[0-9a-f]{32}\.part$/;

/** For a copy of a part file in a folder that is another file system, where it gets its final name. */
export function copyName(): string {
  return `${PREFIX}${randomBytes(16).toString('hex')}.part`;
}

export function isCopyName(name: string): boolean {
  return COPY.test(name);
}

export function isStagingId(text: string): boolean {
  return ID.test(text);
}

/** What arrives under such a name could pass for what an interrupted transfer of our own left. */
export function looksLikeStaging(name: string): boolean {
  return LIKENESS.test(name);
}
