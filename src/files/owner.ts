/** Whether the process that works in a staging folder still runs. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process of another machine, or of another container, cannot be asked: it shows by what it writes. */
const SILENT_MS = 300_000;

/** How often an owner has to show that it is there. */
export const SHOW_EVERY_MS = 60_000;

/** Process, its start, machine and boot, as a part of a name of a folder. */
const OWNER_PATTERN = /^(\d{1,10})\.(\d{1,20})\.([0-9a-f]{8})\.([0-9a-f]{8})$/;

let own: string | undefined;

/** Names this process so that no later one has the same name. */
export function ownerTag(): string {
  own ??= [process.pid, statOf('self')?.[START] ?? '0', machine(), boot()].join('.');
  return own;
}

export function isOwnerTag(text: string): boolean {
  return OWNER_PATTERN.test(text);
}

/** Whether the process of that name still runs. `touchedMs` is when it last wrote, in milliseconds since 1970. */
export function isAlive(tag: string, touchedMs: number): boolean {
  const [, pid = '', start, where, when] = OWNER_PATTERN.exec(tag) ?? [];
  if (where !== machine()) return Math.abs(Date.now() - touchedMs) < SILENT_MS;
  if (when !== boot() || !isRunning(Number(pid))) return false;
  const fields = statOf(pid);
  // Killed, and nobody has looked at it yet.
  if (fields?.[STATE] === 'Z' || fields?.[STATE] === 'X') return false;
  return fields === undefined || fields[START] === start;
}

/** Whether it is a process that cannot be asked, so that it may only have slept. */
export function isElsewhere(tag: string): boolean {
  return OWNER_PATTERN.exec(tag)?.[3] !== machine();
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where the state of a process stands, and when it started, in ticks since the boot: numbers of processes are given again. */
const [STATE, START] = [0, 19];

/** What Linux tells of a process, from the third field on: the name in the second may hold anything. Others tell nothing. */
function statOf(pid: string): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Where numbers of processes mean the same. */
function machine(): string {
  let space = '';
  try {
    space = readlinkSync('/proc/self/ns/pid');
  } catch {
    // No Linux: the machine has one space.
  }
  return short(`${hostname()}\n${space}`);
}

function boot(): string {
  return short(read('/proc/sys/kernel/random/boot_id') ?? '');
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
