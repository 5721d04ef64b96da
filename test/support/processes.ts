import { readFileSync } from 'node:fs';

/** What the system says of a process: state, parent, group, session, terminal, the group that has the terminal, and more. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Its name comes first, and may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Whether a process still does something: one that ended and was not looked at is gone. */
export function isRunning(pid: number): boolean {
  try {
    return !/^[ZX]/.test(statOf(pid)[0] ?? '');
  } catch {
    return false;
  }
}

/** The group of processes that has the terminal of this one. */
export function groupInFront(pid: number): number {
  return Number(statOf(pid)[5]);
}
