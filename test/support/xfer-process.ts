/** Starts the built program as a person or a script does, with nothing of this machine's configuration. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import * as pty from '@lydell/node-pty';
import { afterEach, expect } from 'vitest';
import { groupInFront } from './processes.js';
import { temporaryFolder } from './temporary-folder.js';

export const PROGRAM = path.resolve(import.meta.dirname, '../../dist/cli/main.js');

/** How long a test waits for a line or for the end before it fails and shows what was printed. */
const PATIENCE_MS = 30_000;

const CODE = /\b\d{1,6}(?:-[a-z]{3,8}){2,16}\b/;

const ESCAPES = /\u001b(?:\[[0-9;?]*[a-zA-Z]|\][^\u0007]*\u0007|[=>78])/g;

export interface StartOptions {
  /** Nodes of the private DHT. Without it nothing answers: a test that forgets it never meets the public one. */
  readonly bootstrap?: readonly string[];
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the program reads before the end of its input. Nothing if not given. */
  readonly stdin?: string | Uint8Array;
  /** Leaves the input open for what the test writes to `input`. */
  readonly keepInputOpen?: boolean;
  /** Starts the program below another one, such as `['prlimit', '--fsize=1000']`. */
  readonly wrapper?: readonly string[];
  /** Whose process it is; this user's if not given. Only root may choose. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Given to node before the program, such as `['--import', file]`. */
  readonly nodeArgs?: readonly string[];
}

export interface Ended {
  /** Exit status; `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a running program printed so far, and ways to wait for more. */
abstract class Running {
  abstract readonly pid: number;
  abstract readonly ended: Promise<Ended>;
  /** Everything printed so far, both streams, as a person would see it. */
  screen = '';
  readonly #watchers = new Set<() => void>();

  abstract kill(signal?: NodeJS.Signals): void;

  /** What was printed, without colours and movements of the cursor. */
  get text(): string {
    return this.screen.replace(ESCAPES, '');
  }

  /** The lines that stay: what was drawn in place and taken away again is left out. */
  get lines(): string[] {
    return this.screen
      .replace(/[^\n]*\u001b\[1G/g, '')
      .replace(ESCAPES, '')
      .replaceAll('\r', '')
      .split('\n');
  }

  /** The first match of `pattern` in what was printed. Fails when it does not come in time, or never will. */
  async waitFor(pattern: RegExp, patienceMs = PATIENCE_MS): Promise<RegExpExecArray> {
    return this.when(() => pattern.exec(this.text) ?? undefined, String(pattern), patienceMs);
  }

  /** The code on the screen of a host. */
  async code(): Promise<string> {
    const [code] = await this.waitFor(CODE);
    return code;
  }

  /** The exit status. Fails when the program does not end in time. */
  async status(patienceMs = PATIENCE_MS): Promise<number | null> {
    const { status } = await this.within(this.ended, 'the end', patienceMs);
    return status;
  }

  protected async when<T>(look: () => T | undefined, what: string, patienceMs: number): Promise<T> {
    const found = new Promise<T>((resolve, reject) => {
      const watch = (): void => {
        const value = look();
        if (value === undefined) return;
        this.#watchers.delete(watch);
        resolve(value);
      };
      this.#watchers.add(watch);
      watch();
      void this.ended.then(({ status, signal }) => {
        watch();
        reject(new Error(`ended with ${status ?? signal} before ${what}\n${this.text}`));
      });
    });
    return this.within(found, what, patienceMs);
  }

  protected printed(text: string): void {
    this.screen += text;
    for (const watch of this.#watchers) watch();
  }

  private async within<T>(promise: Promise<T>, what: string, patienceMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no ${what} within ${patienceMs} ms\n${this.text}`));
      }, patienceMs);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The program without a terminal. */
export class XferProcess extends Running {
  readonly ended: Promise<Ended>;
  readonly pid: number;
  stderr = '';
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #stdout: Buffer[] = [];

  constructor(command: readonly string[], cwd: string, env: Record<string, string>, options: StartOptions) {
    super();
    const [file = '', ...args] = command;
    const child = spawn(file, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], ...options.user });
    this.#child = child;
    this.pid = child.pid ?? -1;
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => resolve({ status, signal }));
    });
    child.stdout.on('data', (bytes: Buffer) => {
      this.#stdout.push(bytes);
      this.printed(bytes.toString());
    });
    child.stderr.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString();
      this.printed(bytes.toString());
    });
    // A program that ended without reading its input is what some tests are about.
    child.stdin.on('error', () => {});
    if (options.keepInputOpen !== true) child.stdin.end(options.stdin ?? '');
  }

  /** What the program reads, when it was started with `keepInputOpen`. */
  get input(): Writable {
    return this.#child.stdin;
  }

  /** What the program prints for scripts, as it comes. */
  get output(): Readable {
    return this.#child.stdout;
  }

  get stdoutBytes(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  get stdout(): string {
    return this.stdoutBytes.toString();
  }

  override kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }
}

/** The program on a terminal of 80 columns, in front of which a person sits. */
export class XferTerminal extends Running {
  readonly ended: Promise<Ended>;
  readonly pid: number;
  readonly #terminal: pty.IPty;

  constructor(command: readonly string[], cwd: string, env: Record<string, string>, columns: number) {
    super();
    const [file = '', ...args] = command;
    this.#terminal = pty.spawn(file, args, { name: 'xterm-256color', cols: columns, rows: 24, cwd, env });
    this.pid = this.#terminal.pid;
    this.#terminal.onData((text) => {
      this.printed(text);
    });
    this.ended = new Promise((resolve) => {
      this.#terminal.onExit(({ exitCode, signal }) => {
        resolve({ status: signal === undefined || signal === 0 ? exitCode : null, signal: null });
      });
    });
  }

  /** Resolves when another program than the one that was started has the terminal, as after `fg` in a shell. */
  async untilOtherInFront(): Promise<void> {
    // A shell leads its own group.
    await expect.poll(() => groupInFront(this.pid), { timeout: PATIENCE_MS }).not.toBe(this.pid);
  }

  type(keys: string): void {
    this.#terminal.write(keys);
  }

  /** Closes the terminal, as a window, or the line to another machine. */
  hangUp(): void {
    (this.#terminal as pty.IPty & { destroy(): void }).destroy();
  }

  override kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#terminal.kill(signal);
  }
}

const started = new Set<Running>();

afterEach(async () => {
  for (const running of started) running.kill();
  await Promise.all([...started].map(({ ended }) => ended));
});

/** Starts `xfer` with `args`. It is killed when the test is over. */
export async function xfer(args: readonly string[], options: StartOptions = {}): Promise<XferProcess> {
  const { command, cwd, env } = await surroundings(args, options);
  return register(new XferProcess(command, cwd, env, options));
}

/** Starts `xfer` with `args` on a terminal. It is killed when the test is over. */
export async function xferOnTerminal(
  args: readonly string[],
  options: Omit<StartOptions, 'stdin' | 'keepInputOpen'> & { readonly columns?: number } = {},
): Promise<XferTerminal> {
  const { command, cwd, env } = await surroundings(args, options);
  return register(new XferTerminal(command, cwd, env, options.columns ?? 80));
}

/** Starts another program on a terminal, with the surroundings of `xfer`. */
export async function onTerminal(
  command: readonly string[],
  options: Pick<StartOptions, 'env' | 'cwd'> = {},
): Promise<XferTerminal> {
  const { cwd, env } = await surroundings([], options);
  return register(new XferTerminal(command, cwd, env, 80));
}

async function surroundings(args: readonly string[], options: StartOptions) {
  if (!existsSync(PROGRAM)) throw new Error('dist/ is not built: run `npm run build` first');
  const home = await temporaryFolder();
  if (options.user !== undefined) await chown(home, options.user.uid, options.user.gid);
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    HOME: home,
    XFER_HOME: path.join(home, 'xfer'),
    // The discard port: nothing answers there, and no packet leaves the machine.
    XFER_BOOTSTRAP: (options.bootstrap ?? ['127.0.0.1:9']).join(','),
    XFER_LAN: 'off',
    ...options.env,
  };
  const coverage = process.env['NODE_V8_COVERAGE'];
  if (coverage !== undefined) env['NODE_V8_COVERAGE'] = coverage;
  const node = [process.execPath, ...(options.nodeArgs ?? []), PROGRAM, ...args];
  return { command: [...(options.wrapper ?? []), ...node], cwd: options.cwd ?? home, env };
}

function register<T extends Running>(running: T): T {
  started.add(running);
  void running.ended.finally(() => started.delete(running));
  return running;
}
