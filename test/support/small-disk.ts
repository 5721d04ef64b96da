/** A disk of its own that is as small as a test wants it. Needs root. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach } from 'vitest';

const run = promisify(execFile);
const mounted = new Set<string>();

afterEach(async () => {
  for (const folder of mounted) {
    await run('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true });
  }
  mounted.clear();
});

export interface SmallDisk {
  readonly folder: string;
  resize(bytes: number): Promise<void>;
  /** Nobody can write to it any more. */
  close(): Promise<void>;
}

/** Mounts one; `undefined` where that is not allowed. It goes away when the test is over. */
export async function smallDisk(bytes: number): Promise<SmallDisk | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), 'xfer-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  } catch {
    await rm(folder, { recursive: true });
    return undefined;
  }
  mounted.add(folder);
  const remount = async (option: string): Promise<void> => {
    await run('mount', ['-o', `remount,${option}`, folder]);
  };
  return { folder, resize: (size) => remount(`size=${size}`), close: () => remount('ro') };
}
