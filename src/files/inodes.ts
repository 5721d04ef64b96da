/** File systems in which an inode says nothing of a file. */
import { statfsSync } from 'node:fs';

/** FAT and exFAT, as Linux calls them. */
const WITHOUT_INODES: ReadonlySet<number> = new Set([0x4d44, 0x2011bab0]);

/**
 * Whether what lies at `location` may have another inode the next time that it is opened: file systems that have none get them from
 * Linux, which draws new ones once it has forgotten those.
 */
export function drawsInodes(location: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return WITHOUT_INODES.has(statfsSync(location).type);
  } catch {
    return false;
  }
}
