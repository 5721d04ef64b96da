/** Whether this program has the terminal: one in the background that reads it is stopped by the system. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** No shell moves programs between groups on Windows. */
export function isInForeground(): boolean {
  if (process.platform === 'win32') return true;
  try {
    const [group, ofTerminal] = process.platform === 'linux' ? groupsByProc() : groupsByPs();
    // A terminal that controls no group stops nobody.
    return ofTerminal !== undefined && (ofTerminal === group || ofTerminal <= 0);
  } catch {
    return false;
  }
}

/** This process's group, and the one that has the terminal. */
function groupsByProc(): number[] {
  // pid (name) state ppid pgrp session tty_nr tpgid …, and the name may hold anything.
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return [Number(fields[2]), Number(fields[5])];
}

function groupsByPs(): number[] {
  const text = execFileSync('ps', ['-o', 'pgid=,tpgid=', '-p', String(process.pid)], { encoding: 'utf8' });
  return text.trim().split(/\s+/).map(Number);
}
