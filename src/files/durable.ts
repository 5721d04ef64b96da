/**
 * What a power cut cannot undo any more: docs/durability.md. A single file or folder is waited for by its handle; of many
 * the whole file system is asked at once, which costs a tenth.
 */
import { closeSync, fsync, openSync } from 'node:fs';

/** Answers of file systems that have nothing to wait for, or keep no such promise. */
const NOT_KEPT = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** Waits until everything that was written through the handle, or to the folder, is on the disk. */
export function syncHandle(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(fd, (error) => {
      if (error === null || NOT_KEPT.has(error.code ?? '')) resolve();
      else reject(error);
    });
  });
}

/** Waits until the names in a folder are on the disk. Windows opens no folders, and keeps names in order itself. */
export async function syncFolder(folder: number | string): Promise<void> {
  if (typeof folder === 'number') return syncHandle(folder);
  if (process.platform === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    await syncHandle(fd);
  } finally {
    closeSync(fd);
  }
}

let hasCommand = process.platform === 'linux';

/**
 * Waits until everything in the file system of that folder is on the disk; false where nothing here can say that: then
 * files have to be asked one by one. Throws `EIO` where something could not be kept.
 */
export async function syncFileSystem(folder: number | string): Promise<boolean> {
  if (!hasCommand) return false;
  const path = typeof folder === 'number' ? `/proc/${process.pid}/fd/${folder}` : folder;
  const first = await runSync(path);
  if (first === 'done') return true;
  // What a killed one was told nobody hears again, but of each file by itself.
  if (first === 'killed') return false;
  // A lost write is told once. A command that cannot do it fails again.
  const second = await runSync(path);
  if (second === 'done') throw Object.assign(new Error('EIO: syncfs'), { code: 'EIO' });
  if (second === 'failed') hasCommand = false;
  return false;
}

async function runSync(path: string): Promise<'done' | 'failed' | 'killed'> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve) => {
    // In a group of its own: Ctrl-C at a terminal is for all that run in it.
    spawn('sync', ['-f', path], { detached: true, stdio: 'ignore' })
      .once('error', () => resolve('failed'))
      .once('close', (status) => resolve(status === null ? 'killed' : status === 0 ? 'done' : 'failed'));
  });
}
