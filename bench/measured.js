// @ts-check
/** Starts programs and says what each of them took. */
import { spawn } from 'node:child_process';
import { EventEmitter, once as event } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

export const LOOPBACK = '127.0.0.1';
/** How long a server may take to answer. */
const PATIENCE_MS = 10_000;

/** Of getrusage, where `usage.pl` knows the layout of what it gives. @type {Readonly<Record<string, string>>} */
const GETRUSAGE = { 'linux x64': '98', 'linux arm64': '165' };
const getrusage = GETRUSAGE[`${process.platform} ${process.arch}`];
/** What a measured command begins with; `undefined` where CPU time and memory are not known. */
const meter =
  getrusage !== undefined && isInstalled('perl')
    ? ['perl', path.join(import.meta.dirname, 'usage.pl'), getrusage]
    : undefined;

/**
 * @typedef {object} Usage
 * @property {number} endedMs by `performance.now()`
 * @property {number} [cpuS] user and system time, of what the program started and waited for too
 * @property {number} [peakBytes] the most that its largest process held
 */

/**
 * @typedef {object} StartOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to that of this process
 * @property {string} [input] what the program reads
 */

/**
 * A program that was started.
 *
 * @typedef {object} Running
 * @property {() => Promise<string>} firstLine on the standard output
 * @property {(pattern: RegExp) => Promise<void>} printed resolves when something like it was printed
 * @property {Promise<Usage>} ended rejects, with what was printed, when the program did not end well
 * @property {() => void} stop ends it and everything that it started
 */

/** @type {Set<Running>} */
const running = new Set();
let isInterrupted = false;

/**
 * Starts a program. It leads a process group, so that `stop` reaches everything it started.
 *
 * @param {readonly string[]} command
 * @param {StartOptions} [options]
 * @returns {Running}
 */
export function start(command, { cwd, env, input = '' } = {}) {
  if (isInterrupted) throw new Error('interrupted');
  const [file = '', ...args] = [...(meter ?? []), ...command];
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // Who does not read what it was given ends before it; `ended` says how.
  child.stdin.on('error', () => {}).end(input);
  let stdout = '';
  let stderr = '';
  let figures = '';
  const output = new EventEmitter();
  child.stdout.on('data', (bytes) => output.emit('more', (stdout += String(bytes))));
  child.stderr.on('data', (bytes) => output.emit('more', (stderr += String(bytes))));
  child.stdio[3]?.on('data', (bytes) => (figures += String(bytes)));

  /** @type {Running} */
  const program = {
    firstLine: async () => {
      await printed(() => stdout.includes('\n'));
      return stdout.slice(0, stdout.indexOf('\n')).trim();
    },
    printed: (pattern) => printed(() => pattern.test(stdout + stderr)),
    ended: ended(),
    stop: () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid);
      } catch {
        // All of it is gone.
      }
    },
  };
  // Whoever waits for it hears of it; a server that is stopped is none's business.
  program.ended.catch(() => {});
  running.add(program);
  return program;

  /** Rejects where the program ends before. @param {() => boolean} isThere */
  async function printed(isThere) {
    const over = program.ended.then(() => Promise.reject(new Error(`${command.join(' ')}\nended too early`)));
    while (!isThere()) await Promise.race([over, event(output, 'more')]);
  }

  /** @returns {Promise<Usage>} */
  async function ended() {
    const [status] = await event(child, 'close');
    const endedMs = performance.now();
    running.delete(program);
    if (status !== 0) throw new Error(`${command.join(' ')}\nended with ${status}\n${stdout}${stderr}`);
    if (figures === '') return { endedMs };
    const [userUs = 0, systemUs = 0, peakKiB = 0] = figures.split(' ').map(Number);
    return { endedMs, cpuS: (userUs + systemUs) / 1e6, peakBytes: peakKiB * 1024 };
  }
}

/** Waits for two sides; where one fails, the other has nobody to wait for. @param {Running} one @param {Running} other */
export async function both(one, other) {
  try {
    return await Promise.all([one.ended, other.ended]);
  } finally {
    one.stop();
    other.stop();
  }
}

/**
 * The same promise, however often it is asked for.
 *
 * @template T
 * @param {() => Promise<T>} make
 * @returns {() => Promise<T>}
 */
export function once(make) {
  /** @type {Promise<T> | undefined} */
  let made;
  return () => (made ??= make());
}

/** Ends everything that runs: whoever waits for it fails, and cleans up. */
export function stopAll() {
  for (const program of running) program.stop();
}

/** As `stopAll`, and nothing is started any more. */
export function interrupt() {
  isInterrupted = true;
  stopAll();
}

/** A port that was free on loopback just now. */
export async function freePort() {
  const server = createServer().listen(0, LOOPBACK);
  await event(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await event(server, 'close');
  return port;
}

/** Dials a port of loopback until somebody answers. */
const DIAL = `const [port, deadline] = process.argv.slice(1).map(Number);
const dial = () => require('net').connect(port, '${LOOPBACK}', () => process.exit())
  .on('error', () => Date.now() < deadline ? setTimeout(dial, 20) : process.exit(1));
dial();`;

/**
 * Resolves when the server answers on its port of loopback.
 *
 * @param {number} port
 * @param {Running} server
 * @param {readonly string[]} [within] what a command in its network begins with
 */
export async function listening(port, server, within = []) {
  const deadline = String(Date.now() + PATIENCE_MS);
  const dial = start([...within, process.execPath, '-e', DIAL, String(port), deadline]);
  const ended = server.ended.then(() => Promise.reject(new Error('the server ended')));
  await Promise.race([dial.ended, ended]).finally(dial.stop);
}

/** @param {string} program */
export function isInstalled(program) {
  return whereIs(program) !== undefined;
}

/** The file of a program in the PATH, or where servers are. @param {string} program */
export function whereIs(program) {
  return [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
    .map((folder) => path.join(folder, program))
    .find((file) => existsSync(file));
}
