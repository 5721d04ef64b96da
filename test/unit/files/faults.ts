import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';

type Call =
  | 'closeSync'
  | 'linkSync'
  | 'lstatSync'
  | 'fstatSync'
  | 'statfsSync'
  | 'openSync'
  | 'readdirSync'
  | 'writeSync'
  | 'fchmodSync'
  | 'futimesSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'unlinkSync';

/**
 * Runs `work` while the system refuses calls of that name with `errno`, or the first `most` of them. Only in this process, for every
 * module that imports it from `node:fs`.
 */
export async function withFailing<T>(
  call: Call,
  errno: string,
  work: () => Promise<T>,
  most = Infinity,
): Promise<T> {
  const original = fs[call] as (...given: unknown[]) => unknown;
  let calls = 0;
  const failing = (...given: unknown[]): unknown => {
    if (++calls > most) return original(...given);
    throw Object.assign(new Error(`${errno}: ${call}`), { code: errno });
  };
  return withCall(call, failing, work);
}

/** Runs `work`, and `swap` just before the call with that number. */
export async function withSwap<T>(
  call: Call,
  number: number,
  swap: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const original = fs[call] as (...given: unknown[]) => unknown;
  let calls = 0;
  const swapping = (...given: unknown[]): unknown => {
    // What the swap itself calls does not count.
    if (++calls === number) swap();
    return original(...given);
  };
  return withCall(call, swapping, work);
}

/**
 * Runs `work` on a disk that takes no more than `most` bytes of what is written with one call, and throws `errno` in place of the call
 * with the number `failing`.
 */
export async function withShortWrites<T>(
  most: number,
  work: () => Promise<T>,
  failing?: { readonly at: number; readonly errno: string },
): Promise<T> {
  const { writeSync } = fs;
  let calls = 0;
  const short = (fd: number, content: string | Uint8Array, offset = 0, ...rest: number[]): number => {
    if (++calls === failing?.at) {
      throw Object.assign(new Error(`${failing.errno}: writeSync`), { code: failing.errno });
    }
    const bytes = Buffer.from(content);
    const length = Math.min(most, rest[0] ?? Infinity, bytes.length - offset);
    return writeSync(fd, bytes, offset, length, rest[1]);
  };
  return withCall('writeSync', short, work);
}

/** Runs `work` on a file system of a server, which says as the first part file is closed that it could not keep it. */
export async function withFailingClose<T>(errno: string, work: () => Promise<T>): Promise<T> {
  const close = fs.closeSync;
  let isTold = false;
  const closing = (fd: number): void => {
    const isPart = fs.readlinkSync(`/proc/self/fd/${fd}`).endsWith('.part');
    close(fd);
    if (!isPart || isTold) return;
    isTold = true;
    throw Object.assign(new Error(`${errno}: closeSync`), { code: errno });
  };
  return withCall('closeSync', closing, work);
}

/** Runs `work` on a file system that takes names for one that are the same when folded, if not otherwise said in lower case. */
export async function withFoldedNames<T>(
  below: string,
  work: () => Promise<T>,
  fold = (name: string): string => name.toLowerCase(),
): Promise<T> {
  const lstat = fs.lstatSync;
  const folded = (location: string, options: fs.StatSyncOptions): unknown => {
    const folder = path.dirname(location);
    const wanted = fold(path.basename(location));
    const isFolded = fs.existsSync(folder) && fs.realpathSync(folder).startsWith(below);
    const there = isFolded ? fs.readdirSync(folder).find((name) => fold(name) === wanted) : undefined;
    return lstat(there === undefined ? location : path.join(folder, there), options);
  };
  return withCall('lstatSync', folded, work);
}

/** Runs `work` while the folder at `mount`, and those below it, say that they are of another device. */
export async function withMount<T>(mount: string, work: () => Promise<T>): Promise<T> {
  const fstat = fs.fstatSync;
  const mounted = (fd: number): fs.Stats => {
    const stat = fstat(fd);
    const isMounted = `${fs.readlinkSync(`/proc/self/fd/${fd}`)}/`.startsWith(`${mount}/`);
    return isMounted ? Object.assign(stat, { dev: stat.dev + 1 }) : stat;
  };
  return withCall('fstatSync', mounted, work);
}

/** Runs `work` on a file system that keeps no modes, and says of everything that all may do everything. */
export async function withoutModes<T>(work: () => Promise<T>): Promise<T> {
  const { fstatSync, lstatSync } = fs;
  const open = (stat: fs.Stats | undefined): fs.Stats | undefined =>
    stat === undefined ? stat : Object.assign(stat, { mode: stat.mode | 0o777 });
  const ofHandle = (fd: number): unknown => open(fstatSync(fd));
  const ofName = (location: string, options?: fs.StatSyncOptions & { bigint?: false }): unknown =>
    open(lstatSync(location, options));
  return withCall('fstatSync', ofHandle, () => withCall('lstatSync', ofName, work));
}

/** Runs `work` on a file system of that type, which has drawn new inodes for all that was looked at before. */
export async function withNewInodes<T>(type: number, work: () => Promise<T>): Promise<T> {
  const { fstatSync, statfsSync } = fs;
  const drawn = (fd: number): fs.Stats => {
    const stat = fstatSync(fd);
    return Object.assign(stat, { ino: stat.ino + 1_000_000 });
  };
  const typed = (location: string): fs.StatsFs => Object.assign(statfsSync(location), { type });
  return withCall('fstatSync', drawn, () => withCall('statfsSync', typed, work));
}

async function withCall<T>(call: Call, other: unknown, work: () => Promise<T>): Promise<T> {
  const original: unknown = fs[call];
  Object.assign(fs, { [call]: other });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fs, { [call]: original });
    syncBuiltinESMExports();
  }
}
