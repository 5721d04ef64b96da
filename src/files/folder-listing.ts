/** What a folder of the sender holds. */
import { isUtf8 } from 'node:buffer';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  opendirSync,
  readdirSync,
  readFileSync,
  type Stats,
} from 'node:fs';
import { errnoOf } from './disk-errors.js';

/** Names read from the disk in one call. */
const NAMES_AT_ONCE = 1024;
/** Names that are sorted at once. A million strings would take more memory than all else. */
const RUN_NAMES = 1 << 15;

/**
 * The names in the folder at `location`, sorted by UTF-16 code units; apart from them, with U+FFFD in place of
 * what cannot be read, those that are not UTF-8. Throws the error of the system.
 */
export function readNames(location: string): { names: Iterable<string>; notUtf8: readonly string[] } {
  const names = new SortedNames();
  const folder = opendirSync(location, { bufferSize: NAMES_AT_ONCE });
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) names.add(entry.name);
  } finally {
    folder.closeSync();
  }
  // U+FFFD may be in a name, or stand for bytes that are no UTF-8: only the bytes tell.
  return names.isText ? { names, notUtf8: [] } : readRawNames(location);
}

function readRawNames(location: string): { names: Iterable<string>; notUtf8: readonly string[] } {
  const names = new SortedNames();
  const notUtf8: string[] = [];
  for (const name of readdirSync(location, { encoding: 'buffer' })) {
    if (isUtf8(name)) names.add(String(name));
    else notUtf8.push(String(name));
  }
  return { names, notUtf8: notUtf8.sort() };
}

/** Names that come in any order and go in theirs, in runs that are sorted and joined by slashes: no name has one. */
class SortedNames implements Iterable<string> {
  isText = true;
  #run: string[] = [];
  readonly #runs: string[] = [];

  add(name: string): void {
    this.isText &&= !name.includes('\ufffd');
    if (this.#run.push(name) === RUN_NAMES) this.#endRun();
  }

  *[Symbol.iterator](): Generator<string> {
    this.#endRun();
    const heads = this.#runs.map((run) => new RunHead(run));
    while (heads.length > 0) {
      const least = heads.reduce((one, other) => (other.name < one.name ? other : one));
      yield least.name;
      if (!least.advance()) heads.splice(heads.indexOf(least), 1);
    }
  }

  #endRun(): void {
    if (this.#run.length > 0) this.#runs.push(this.#run.sort().join('/'));
    this.#run = [];
  }
}

/** The least name of a run that is left. */
class RunHead {
  name = '';
  readonly #run: string;
  #next = 0;

  constructor(run: string) {
    this.#run = run;
    this.advance();
  }

  /** False where none is left. */
  advance(): boolean {
    if (this.#next > this.#run.length) return false;
    const slash = this.#run.indexOf('/', this.#next);
    const end = slash === -1 ? this.#run.length : slash;
    this.name = this.#run.slice(this.#next, end);
    this.#next = end + 1;
    return true;
  }
}

/**
 * The text of the `.gitignore` in the folder at `location`, if there is one; none where a symbolic link stands there, as with git.
 * Throws the error of the system where it cannot be read: leaving out too little would give away files.
 */
export function readGitignore(location: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(`${location}/.gitignore`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return fstatSync(fd).isFile() ? readFileSync(fd, 'utf8') : '';
  } catch (thrown) {
    if (errnoOf(thrown) === 'ELOOP' || errnoOf(thrown) === 'ENOENT') return '';
    throw thrown;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Whether this user may read a file or folder. Asks the system only where the mode leaves it open. */
export function isReadable(location: string, stat: Stats): boolean {
  const everyone = stat.isDirectory() ? 0o555 : 0o444;
  if ((stat.mode & everyone) === everyone) return true;
  try {
    accessSync(location, stat.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
