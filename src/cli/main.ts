#!/usr/bin/env node
/** The program. The only file that ends the process. */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { isLoss, takeWhole } from './standard-output.js';

// A code given as an argument must not stand in the list of processes any longer than this line needs.
process.title = 'xfer';
const code = process.env['XFER_CODE'];
delete process.env['XFER_CODE'];

// A transfer goes through thousands of buffers of 1 MiB that die young. V8 would take their size for a full heap and mark
// all of it dozens of times per GiB, which cost a quarter of the time; without that they go when the young are looked at.
setFlagsFromString('--no-incremental-marking');

// V8 makes fast code of what ran for a while. What a program of half a second runs for a while is its start, and what a large file
// goes through is native code: a tenth of the processor time went into that. Eight times later is early enough for a
// million files.
setFlagsFromString('--interrupt-budget=1000000');

// The C library of most Linux systems gives the memory of such buffers back to the system each time, and has it cleared for the
// next one, until it has seen one large buffer go: a fifth of the time that sealing takes. This one takes no memory, since
// nobody writes to it.
Buffer.allocUnsafeSlow(2 ** 25 - 2 ** 13);

const args = process.argv.slice(2);
// Traces then name lines of the source, not of the bundle. It takes memory, so only where somebody looks.
process.setSourceMapsEnabled(args.includes('--debug'));

const { stdin, stdout, stderr, env } = process;
const interruption = new AbortController();
let isHungUp = false as boolean;
/** A supervisor that says SIGTERM and SIGHUP, or what hands on to us the Ctrl-C that we have heard, wants one end. */
const TWICE_AFTER_MS = 300;
let interruptedMs = 0;
const READER_MS = 1_000;
const BUG = 70;

/** Once: the peer is told and what is unfinished is removed. Twice: the end. */
function interrupt(): void {
  if (interruption.signal.aborted) {
    if (performance.now() - interruptedMs >= TWICE_AFTER_MS) process.exit(130);
    return;
  }
  interruptedMs = performance.now();
  stderr.write('xfer: stopping; Ctrl-C again to end now\n');
  interruption.abort();
}

/** What Ctrl-C does just now: what the last one says. */
const handlers = [interrupt];

function pressed(): void {
  handlers.at(-1)?.();
}

function takeInterrupts(handle: () => void): () => void {
  const handler = (): void => {
    handle();
  };
  handlers.push(handler);
  return () => {
    handlers.splice(handlers.indexOf(handler), 1);
  };
}

process.on('SIGINT', pressed);
process.on('SIGTERM', interrupt);
process.on('SIGHUP', () => {
  isHungUp = true;
  // A terminal that goes says so, and then its shell says it again.
  if (!interruption.signal.aborted) interrupt();
});
takeWhole(stdout);
/** Why something of the standard output is lost, whoever wrote it. */
let loss: NodeJS.ErrnoException | undefined;
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (!stdout.isTTY && isLoss(error)) loss ??= error;
});
// Whoever reads our output may stop to do so, and a terminal may go: what uses a stream finds out by itself.
for (const stream of [stdin, stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    isHungUp ||= error.code === 'EIO';
  });
}
process.on('uncaughtException', (error) => {
  // Where the program was built anew meanwhile, not even this can be loaded.
  void fail(error).then(exit, () => process.exit(BUG));
});

async function run(): Promise<number> {
  const [{ runProgram }, { lazyActions }] = await Promise.all([
    import('./program.js'),
    import('./actions.js'),
  ]);
  const { signal } = interruption;
  const surroundings = { stdin, stdout, stderr, env, code, signal, interrupt: pressed, takeInterrupts };
  return runProgram(args, lazyActions(surroundings), { stdout, stderr });
}

async function fail(error: unknown): Promise<number> {
  const { reportFailure } = await import('./failure.js');
  return reportFailure(error, args, { stdout, stderr });
}

async function exit(status: number): Promise<never> {
  await written();
  const said = status === 0 && loss !== undefined ? await failFor(loss) : status;
  if (isHungUp) letTerminalsGo();
  process.exit(said);
}

async function failFor(lost: NodeJS.ErrnoException): Promise<number> {
  const { reportLoss } = await import('./failure.js');
  return reportLoss(lost, stderr);
}

/** Waits for what is still to be written: a pipe takes it later. After an interruption not for a reader that takes nothing. */
async function written(): Promise<void> {
  const { signal } = interruption;
  const interrupted = new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
    if (signal.aborted) resolve(undefined);
  });
  const streams = [stdout, stderr].map((stream) => new Promise((done) => stream.write('', done)));
  await Promise.race([Promise.all(streams), interrupted.then(() => sleep(READER_MS))]);
}

/** Node ends by giving terminals their modes back, and aborts where one is gone (`ResetStdio`). Others in their place are left alone. */
function letTerminalsGo(): void {
  for (const stream of [stdin, stdout, stderr]) {
    if (!stream.isTTY) continue;
    closeSync(stream.fd);
    openSync(devNull, 'r+');
  }
}

await exit(await run().catch(fail));
