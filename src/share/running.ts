/** A program that runs for a device, and the end of all that it started. */
import { spawn, type ChildProcessByStdio, type IOType } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { XferError } from '../errors.js';
import { orAborted } from '../transfer/deadline.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import { MAX_OUTPUT_BYTES, type Ending, type Stream } from '../transfer/share-messages.js';
import { inheritedFiles } from './inherited-files.js';
import { ProcessGroup } from './process-group.js';

export interface Command {
  /** Absolute path. */
  readonly program: string;
  /** What it hears that it is called: one program may be several. */
  readonly name: string;
  readonly args: readonly string[];
  /** All of it: nothing of this process comes with it. */
  readonly env: Readonly<Record<string, string>>;
}

export interface RunLimits {
  readonly timeoutMs: number;
  /** Of both streams together. */
  readonly maxBytes: number;
}

export interface Outcome {
  readonly ending: Ending;
  /** How much was handed over. */
  readonly bytes: number;
}

/** Takes a piece of what is written, and is done when there is room for the next. */
type Say = (stream: Stream, bytes: Uint8Array) => Promise<void>;

/** How long it is waited for what is still in a pipe whose writers are gone: who left the group may hold it for ever. */
const REST_MS = 500;

type Child = ChildProcessByStdio<null, Readable, Readable>;

/**
 * Starts a program in a group of its own: without a shell, without input, without files of this process, in the root folder. It is ended
 * with its group at its time limit, at its output limit and when `signal` is aborted.
 *
 * @throws XferError `action-failed`
 */
export async function startProgram(
  { program, name, args, env }: Command,
  limits: RunLimits,
  signal: AbortSignal,
): Promise<RunningProgram> {
  let child: Child;
  try {
    child = spawnApart({ program, name, args, env });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
  } catch (cause) {
    throw new XferError('action-failed', { cause });
  }
  return new RunningProgram(child, limits, signal);
}

function spawnApart({ program, name, args, env }: Command): Child {
  const nothing = openSync('/dev/null', 'r');
  try {
    const inherited = inheritedFiles();
    const stdio: (IOType | number)[] = ['ignore', 'pipe', 'pipe'];
    for (let file = stdio.length; file <= Math.max(...inherited); file++) {
      // What is ignored there stays as it is.
      stdio.push(inherited.includes(file) ? nothing : 'ignore');
    }
    // The first three are what they are, whatever stands behind them.
    return spawn(program, args, { cwd: '/', env, detached: true, argv0: name, stdio }) as Child;
  } finally {
    closeSync(nothing);
  }
}

export class RunningProgram {
  /** Resolves when the program and its group are gone. */
  readonly over: Promise<void>;
  readonly #child: Child;
  readonly #signal: AbortSignal;
  readonly #group: ProcessGroup;
  readonly #rest: Deferred<void> = deferred();
  #left: number;
  #bytes = 0;
  #isCut = false;
  #ending: Ending | undefined;
  #stopping: Promise<void> | undefined;

  constructor(child: Child, { timeoutMs, maxBytes }: RunLimits, signal: AbortSignal) {
    this.#child = child;
    this.#signal = signal;
    this.#left = maxBytes;
    this.#group = new ProcessGroup(child.pid);
    const timer = setTimeout(() => this.#stop({ how: 'timeout' }), timeoutMs);
    const stop = (): void => this.#stop();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const exited = new Promise<void>((resolve) => {
      child.once('exit', (status, name) => {
        this.#ending ??=
          name === null
            ? { how: 'exit', status: status ?? 0 }
            : { how: 'signal', signal: constants.signals[name] };
        clearTimeout(timer);
        resolve();
      });
    });
    this.over = exited
      // Who is left of the group has nobody to work for.
      .then(() => this.#end())
      .finally(() => {
        signal.removeEventListener('abort', stop);
        this.#rest.resolve();
      });
  }

  /**
   * Hands over what it writes, as fast as `say` takes it: until then it waits, and the program in its pipe. Resolves when it is over and
   * all was handed over, or `signal` is aborted. Once. Throws what `say` throws, when the program is gone.
   */
  async outcome(say: Say): Promise<Outcome> {
    const reading = Promise.all([
      this.#read('stdout', this.#child.stdout, say),
      this.#read('stderr', this.#child.stderr, say),
    ]).catch((error: unknown) => {
      this.#stop();
      throw error;
    });
    try {
      await orAborted(reading, this.#signal);
    } finally {
      await this.over;
      this.#child.stdout.destroy();
      this.#child.stderr.destroy();
    }
    // Whatever became of the program: who reads this must not take it for all.
    const ending = this.#isCut ? ({ how: 'output' } as const) : this.#ending;
    return { ending: ending ?? { how: 'exit', status: 0 }, bytes: this.#bytes };
  }

  /** @param ending What it is told as; what comes of the program if not given. */
  #stop(ending?: Ending): void {
    this.#ending ??= ending;
    void this.#end();
  }

  /** Ends the group, once. */
  #end(): Promise<void> {
    this.#stopping ??= this.#group.end();
    return this.#stopping;
  }

  async #read(name: Stream, from: Readable, say: Say): Promise<void> {
    const chunks = from[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let patienceMs = REST_MS;
    for (;;) {
      const next = chunks.next();
      next.catch(() => undefined);
      await Promise.race([next, this.#rest.promise]);
      const sinceMs = performance.now();
      const found = await within(patienceMs, next);
      patienceMs -= performance.now() - sinceMs;
      if (found === undefined || found.done === true) return;
      const chunk = found.value.subarray(0, this.#left);
      this.#left -= chunk.length;
      for (let at = 0; at < chunk.length; at += MAX_OUTPUT_BYTES) {
        const piece = chunk.subarray(at, at + MAX_OUTPUT_BYTES);
        await say(name, piece);
        this.#bytes += piece.length;
      }
      if (chunk.length < found.value.length) {
        this.#isCut = true;
        this.#stop();
        return;
      }
    }
  }
}

/** `undefined` where it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const controller = new AbortController();
  const late = sleep(Math.max(ms, 1), undefined, { signal: controller.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    controller.abort();
  }
}
