/** What interrupted transfers left on this machine: found, told and removed. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import path from 'node:path';
import { XferError } from '../errors.js';
import { OpenFolder } from './directory.js';
import { errnoOf, writeError } from './disk-errors.js';
import {
  JOURNAL_NAME,
  MOST_JOURNAL_BYTES,
  emptyJournal,
  isUnbegun,
  parseJournal,
  PART_NAME,
  type Identities,
  type Journal,
} from './journal.js';
import { isAlive } from './owner.js';
import { identityOf } from './part-file.js';
import { isStagingId, parseStagingName, stagingName } from './staging-name.js';

/** In place of a journal that is not read: nothing that begins one. */
const TOO_LONG = '\n';
const REGISTER_MODE = 0o700;
/** A folder that is not there is remembered so long. */
const LONGEST_GONE_MS = 30 * 24 * 3_600_000;
/** How systems say that a folder is not empty. */
const NOT_EMPTY: readonly (string | undefined)[] = ['ENOTEMPTY', 'EEXIST'];

/** A staging folder that nobody works in. */
export interface Interrupted {
  readonly id: string;
  /** Of the staging folder, in its target. */
  readonly name: string;
  readonly ino: number;
  readonly journal: Journal;
  /** Its journal says something that this version does not know: another may, so it stays as it is. */
  readonly isUnknown: boolean;
}

/** The staging folders in `folder` that are this user's and that no process works in, the last one first. */
export function findInterrupted(folder: string): Interrupted[] {
  return stagingsIn(folder)
    .filter(({ isUnderWay: isBusy }) => !isBusy)
    .sort((a, b) => b.journal.startedMs - a.journal.startedMs);
}

/** Whether a process works in a staging folder in `folder` for one of these roots. */
export function isUnderWay(folder: string, roots: readonly string[]): boolean {
  return stagingsIn(folder).some((staging) => staging.isUnderWay && isOf(staging.journal, roots));
}

/** Whether a journal is about one of these roots. */
export function isOf(journal: Journal, roots: readonly string[]): boolean {
  const names = new Set(roots);
  return journal.roots.some((root) => names.has(root));
}

interface FoundStaging extends Interrupted {
  readonly isUnderWay: boolean;
}

function stagingsIn(folder: string): FoundStaging[] {
  return namesIn(folder).flatMap((name) => examine(folder, name) ?? []);
}

function examine(folder: string, name: string): FoundStaging | undefined {
  const { id, owner } = parseStagingName(name) ?? {};
  if (id === undefined) return undefined;
  const location = path.join(folder, name);
  try {
    const stat = lstatSync(location);
    if (!stat.isDirectory() || !isPrivate(stat)) return undefined;
    const read = readJournal(location);
    if (read === undefined && !holdsNothingElse(location)) return undefined;
    const { text, touchedMs } = read ?? { text: '', touchedMs: stat.mtimeMs };
    const isUnderWay = owner !== undefined && isAlive(owner, touchedMs);
    // Of one that is under way nobody asks for more than its roots, which come first.
    const known = isUnderWay ? text.slice(0, text.indexOf('\n')) : text;
    const parsed = parseJournal(known);
    const isUnknown = parsed === undefined && !isUnbegun(text);
    const journal = parsed ?? emptyJournal(stat.mtimeMs);
    return { id, name, ino: stat.ino, journal, isUnknown, isUnderWay };
  } catch {
    // Somebody else's, or gone meanwhile.
    return undefined;
  }
}

/** Whether nobody else put anything into a staging folder. */
function holdsNothingElse(location: string): boolean {
  return readdirSync(location).every(isOurs);
}

function isOurs(name: string): boolean {
  return PART_NAME.test(name) || name === JOURNAL_NAME;
}

/** `undefined` where there is none. Throws the error of the system. */
export function readJournal(location: string): { text: string; touchedMs: number } | undefined {
  let fd: number;
  try {
    fd = openSync(path.join(location, JOURNAL_NAME), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw thrown;
  }
  try {
    const { size, mtimeMs } = fstatSync(fd);
    if (size > MOST_JOURNAL_BYTES) return { text: TOO_LONG, touchedMs: mtimeMs };
    return { text: readFileSync(fd, 'utf8'), touchedMs: mtimeMs };
  } finally {
    closeSync(fd);
  }
}

/** Whether a file or folder can have been made by nobody but this user. */
export function isPrivate(stat: Stats): boolean {
  return isOwn(stat) && (process.platform === 'win32' || (stat.mode & 0o022) === 0);
}

/** Whether a file or folder is this user's. */
export function isOwn({ uid }: Stats): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nobody may look there. Writing there will say so.
    return [];
  }
}

/** What an interrupted transfer left. */
export interface Leftover {
  readonly id: string;
  /** Where the transfer went. */
  readonly folder: string;
  /** Names of its roots. Foreign text. */
  readonly roots: readonly string[];
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly parts: readonly LeftPart[];
  /** Files of it that have arrived; they are whole and have their names. */
  readonly arrivedFiles: number;
}

export interface LeftPart {
  /** Of the file below the folder. Foreign text. */
  readonly path: string;
  /** What is there, in bytes. */
  readonly bytes: number;
  /** Of the whole file. */
  readonly size: number;
}

/** Remembers where transfers of this user go, so that what a crash leaves can be found. `folder` may not exist. */
export class Register {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where it cannot be written, what is left is found in its own folder only. */
  note(id: string, target: string): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: REGISTER_MODE });
      writeFileSync(path.join(this.#folder, id), target, { mode: 0o600 });
    } catch {
      // Said above.
    }
  }

  forget(id: string): void {
    try {
      unlinkSync(path.join(this.#folder, id));
    } catch {
      // It was not there.
    }
  }

  /** `undefined` where that transfer has ended meanwhile, or was another user's. */
  #targetOf(id: string): string | undefined {
    try {
      return readFileSync(path.join(this.#folder, id), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** Folders where something may be left, each once. Forgets those where nothing is, and in time those that are gone. */
  folders(): string[] {
    const folders = new Set<string>();
    for (const id of namesIn(this.#folder)) {
      if (!isStagingId(id)) continue;
      const target = this.#targetOf(id);
      if (target === undefined) continue;
      const holds = mayHold(target, id);
      // It may be on a disk that is not plugged in.
      if (holds === false || (holds === undefined && this.#isOld(id))) this.forget(id);
      else folders.add(target);
    }
    return [...folders];
  }

  #isOld(id: string): boolean {
    const stat = lstatSync(path.join(this.#folder, id), { throwIfNoEntry: false });
    return stat !== undefined && Date.now() - stat.mtimeMs > LONGEST_GONE_MS;
  }
}

/** Whether a staging folder is there, or nobody may look; `undefined` where its folder is not there itself. */
function mayHold(folder: string, id: string): boolean | undefined {
  try {
    return readdirSync(folder).some((name) => name.startsWith(stagingName(id)));
  } catch (thrown) {
    return errnoOf(thrown) === 'EACCES' ? true : undefined;
  }
}

/** Bytes of a part file that an interrupted transfer left in `folder`; `undefined` where it is gone, or the disk does not say. */
export function partLength(folder: string, { name }: Interrupted, part: string): number | undefined {
  try {
    return lstatSync(path.join(folder, name, part)).size;
  } catch {
    return undefined;
  }
}

/** What interrupted transfers left in these folders; a folder that comes again, perhaps by a link, is passed over. */
export function leftoversIn(folders: readonly string[]): Leftover[] {
  const byPlace = new Map<string, string>();
  for (const folder of folders) {
    const place = placeOf(folder);
    if (!byPlace.has(place)) byPlace.set(place, folder);
  }
  return [...byPlace.values()].flatMap((folder) =>
    findInterrupted(folder).map((interrupted) => {
      const { id, journal } = interrupted;
      const parts = journal.parts.flatMap(({ name, path: of, size }) => {
        const bytes = partLength(folder, interrupted, name);
        return bytes === undefined ? [] : [{ path: of, bytes: Math.min(bytes, size), size }];
      });
      const { roots, startedMs, arrived } = journal;
      const arrivedFiles = arrived.size - namelessIn(path.join(folder, interrupted.name), arrived);
      return { id, folder, roots, startedMs, parts, arrivedFiles };
    }),
  );
}

/** Files that were about to get their names when the transfer broke off: the journal counts them already. */
function namelessIn(location: string, arrived: Identities): number {
  return namesIn(location).filter((name) => {
    const stat = lstatSync(path.join(location, name), { throwIfNoEntry: false });
    return stat !== undefined && arrived.has(identityOf(stat));
  }).length;
}

/** A folder by whatever way it is named. */
function placeOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

/** A staging folder that was to be removed and stays. */
export interface Remainder {
  readonly location: string;
  /** Something else is in it, and nothing of xfer's any more; or a journal that this version cannot read, and all of it stays. */
  readonly reason: 'content' | 'journal';
}

/**
 * Removes what an interrupted transfer left; files that have arrived stay. Gives what else does. Throws `permission-denied`,
 * `disk-failed`, or `target-exists` where something else has the place of the staging folder.
 */
export function removeLeftover(
  { id, folder }: Leftover,
  register: Register | undefined,
): Remainder | undefined {
  let kept: Remainder | undefined;
  for (const { id: found, name, ino, journal, isUnknown } of findInterrupted(folder)) {
    if (found !== id) continue;
    const location = path.join(folder, name);
    // It is found again, perhaps by the version that can.
    if (isUnknown) return { location, reason: 'journal' };
    removeCopies(folder, journal);
    try {
      const staging = new OpenFolder(location, false);
      try {
        emptyStaging(staging, location, ino);
      } finally {
        staging.close();
      }
    } catch (thrown) {
      if (!NOT_EMPTY.includes(errnoOf(thrown))) throw writeError(thrown, location);
      kept = { location, reason: 'content' };
    }
  }
  register?.forget(id);
  return kept;
}

/** Removes copies of parts that a crash left elsewhere below `folder`. What cannot be removed is left. */
export function removeCopies(folder: string, journal: Journal | undefined): void {
  for (const copy of journal?.copies ?? []) {
    try {
      const location = path.join(folder, copy.folder, copy.name);
      const stat = lstatSync(location);
      // Nobody else knows the name, and the mode may already be the final one.
      if (stat.isFile() && isOwn(stat)) unlinkSync(location);
    } catch {
      // Most got their final names long ago.
    }
  }
}

/**
 * Removes a staging folder and what xfer puts into one. Throws the system's error where anything else is in it: that stays, and so does
 * the folder. Throws `target-exists` where it is not the one with that inode: who may write beside it has put another in its place.
 */
export function emptyStaging(folder: OpenFolder, location: string, ino: number): void {
  if (folder.stat().ino !== ino) throw new XferError('target-exists', { subject: location });
  for (const name of readdirSync(folder.prefix)) {
    if (isOurs(name)) unlinkSync(`${folder.prefix}/${name}`);
  }
  // By its name there is no way but this, which removes nothing but an empty folder.
  rmdirSync(location);
}
