/**
 * A small file that several processes change at once without a lock: each version has a name of its own, made by a hard link that
 * fails where another process was first. What a crash leaves is a version that is whole, or none.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { XferError } from '../errors.js';
import { errnoOf } from '../files/disk-errors.js';
import { syncFolder } from '../files/durable.js';

const VERSION = /^(\d{1,15})\.json$/;
const TEMPORARY = '.new-';
/** What a process that died has left is removed by another one after this long. */
const ABANDONED_MS = 3_600_000;
/** Answers of file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

export interface Version {
  /** 0 where there is none yet. */
  readonly number: number;
  readonly text: string | undefined;
}

/** All methods throw what the system says. */
export class VersionedFile {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Where a version lies, for messages. */
  pathOf(number: number): string {
    return path.join(this.folder, `${number}.json`);
  }

  /** The number of the newest version, 0 where there is none. */
  async newest(): Promise<number> {
    return Math.max(0, ...(await this.#names()).map(numberOf));
  }

  async read(): Promise<Version> {
    for (;;) {
      const number = await this.newest();
      if (number === 0) return { number, text: undefined };
      try {
        return { number, text: await readFile(this.pathOf(number), 'utf8') };
      } catch (error) {
        // A newer one came meanwhile, and this one went.
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    }
  }

  /** Puts `text` in the place of the version with this number; false where another process was first. It is on the disk then. */
  async replace(number: number, text: string): Promise<boolean> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const next = this.pathOf(number + 1);
    if (!(await makeWhole(this.folder, next, text))) return false;
    // The name may have been free again, since a newer version had taken over.
    if ((await this.newest()) > number + 1) {
      await remove(next);
      return false;
    }
    await this.#tidy(number + 1);
    return true;
  }

  async #tidy(newest: number): Promise<void> {
    for (const name of await this.#names()) {
      const place = path.join(this.folder, name);
      const isOld = numberOf(name) > 0 && numberOf(name) < newest;
      if (isOld || (name.startsWith(TEMPORARY) && (await isAbandoned(place)))) await remove(place);
    }
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}

/**
 * Makes a file that is there as a whole, readable by its owner only, or not at all; false where one of this name exists. It is on
 * the disk then. The folder must exist. Throws what the system says.
 */
export async function makeWhole(folder: string, target: string, text: string): Promise<boolean> {
  try {
    await placeWhole(folder, text, (temporary) =>
      link(temporary, target).catch((error: unknown) => {
        if (!NO_LINKS.has(errnoOf(error) ?? '')) throw error;
        return copyFile(temporary, target, constants.COPYFILE_EXCL);
      }),
    );
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** As `makeWhole`, in place of one of this name. */
export function replaceWhole(folder: string, target: string, text: string): Promise<void> {
  return placeWhole(folder, text, (temporary) => rename(temporary, target));
}

async function placeWhole(
  folder: string,
  text: string,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = path.join(folder, `${TEMPORARY}${randomBytes(9).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary);
    await syncFolder(folder);
  } finally {
    await remove(temporary);
  }
}

function numberOf(name: string): number {
  return Number(VERSION.exec(name)?.[1] ?? 0);
}

async function isAbandoned(place: string): Promise<boolean> {
  const { mtimeMs } = await stat(place).catch(() => ({ mtimeMs: Infinity }));
  return Date.now() - mtimeMs > ABANDONED_MS;
}

async function remove(place: string): Promise<void> {
  await unlink(place).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}

/** Gives what `work` gives, and says `disk-failed` for what the system says. */
export async function orDiskFailed<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof XferError) throw cause;
    throw new XferError('disk-failed', { subject, cause });
  }
}
