/** A program with all that it started, as long as nobody leaves the group. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { XferError } from '../errors.js';

/** How long who is asked to end may take to do so. */
const GRACE_MS = 2_000;
/** How long who was killed may take to be gone. */
const GONE_MS = 1_000;
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 100;

/** Those that run now. */
const running = new Set<ProcessGroup>();

/** Whatever ends this process, they do not outlive it. */
function killAll(): void {
  for (const group of running) group.kill();
}

export class ProcessGroup {
  readonly #id: number;

  /** @param id Of its first process, which was started to be the first of a group. */
  constructor(id: number | undefined) {
    // The group 0 is our own.
    if (id === undefined || id <= 1) throw new XferError('internal', { subject: 'a group of no process' });
    this.#id = id;
    if (running.size === 0) process.on('exit', killAll);
    running.add(this);
  }

  /** Asks all in it to end, and then makes them. Call it once: later the number may be that of others. */
  async end(): Promise<void> {
    if (!(await this.#endBy('SIGTERM', GRACE_MS))) await this.#endBy('SIGKILL', GONE_MS);
    running.delete(this);
    if (running.size === 0) process.off('exit', killAll);
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  /** Whether nobody is left. */
  async #endBy(signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
    const untilMs = performance.now() + patienceMs;
    let isLeft = this.#signal(signal);
    for (let waitMs = FIRST_LOOK_MS; isLeft; waitMs = Math.min(2 * waitMs, LAST_LOOK_MS)) {
      if (performance.now() >= untilMs) return false;
      await sleep(waitMs);
      isLeft = this.#signal(0) && runsIn(this.#id);
    }
    return true;
  }

  /** False where nobody is there. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.#id, signal);
      return true;
    } catch (error) {
      // Those that may not be signalled are there.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  }
}

/**
 * Whether any process of a group runs: what ended and was not looked at yet is there and does nothing more, for as long as a container without
 * an init lasts. True where the system does not tell.
 */
function runsIn(group: number): boolean {
  try {
    return readdirSync('/proc').some((name) => /^\d+$/.test(name) && isOf(group, name));
  } catch {
    return true;
  }
}

function isOf(group: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind its name, which may hold anything: state, parent, group.
    const [state = '', , id] = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
    return Number(id) === group && !'ZX'.includes(state);
  } catch {
    return false;
  }
}
