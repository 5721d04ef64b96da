/** A user without rights. Root, as whom tests run in many containers, may do everything: what is refused is refused to others. */
import { spawnSync } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { PROGRAM } from './xfer-process.js';
import { temporaryFolder } from './temporary-folder.js';

export const NOBODY = { uid: 65_534, gid: 65_534 };

/** Whether a program can be started as that user: this one is root, and that one can read the build. */
export function canBeNobody(): boolean {
  return process.getuid?.() === 0 && spawnSync(process.execPath, [PROGRAM, '--version'], NOBODY).status === 0;
}

/** An empty folder of its own that everybody can look into. */
export async function openFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  return folder;
}
