/** `xfer run` */
import { whyNoWord, XferError, type Ending, type Share, type Stream } from '../index.js';
import type { Context } from './context.js';
import { FarOutput } from './far-output.js';
import { writeWhole } from './reporter.js';
import { showJson, showOn } from './show.js';
import { runUse, type UseFlags } from './use.js';
import { usageError } from './usage.js';

/** As commander gives them. */
export type RunFlags = UseFlags;

/** What shells say of a program that a signal ended. */
const SIGNALLED = 128;

/**
 * Has an action run by a share, or lists those that there are: `words` are the device, the action and what it is told. Gives back the exit
 * status, which is that of the action where it came to its end.
 */
export async function runRun(words: readonly string[], flags: RunFlags, context: Context): Promise<number> {
  const [name = '', ...said] = words;
  const flag = [name, said[0] ?? ''].find((word) => word.startsWith('-'));
  if (flag !== undefined) throw usageError(`xfer run knows no ${flag}`, 'xfer run --help lists its flags');
  assertWords(said);
  // The colon of a path is easily typed too.
  const device = name.replace(/:$/, '');
  let status = 0;
  // Between what the action writes nothing else must stand.
  const quiet = { ...flags, quiet: true };
  const ending = await runUse(device, 'receive', quiet, context, async (share) => {
    status = await runFar(share, said, flags, context);
    return undefined;
  });
  return ending === 0 ? status : ending;
}

/** As `runRun`, in a session. Throws what the share refuses it for, `action-timeout` and `action-output`. */
export async function runFar(
  share: Share,
  [name, ...words]: readonly string[],
  { json }: Pick<RunFlags, 'json'>,
  { stdout, stderr }: Pick<Context, 'stdout' | 'stderr'>,
): Promise<number> {
  if (name === undefined) {
    for (const action of await share.actions()) {
      const line = [action.name, ...action.parameters.map((parameter) => `<${parameter}>`)].join(' ');
      stdout.write(`${json === true ? showJson({ event: 'runnable', ...action }) : showOn(stdout, line)}\n`);
    }
    return 0;
  }
  assertWords([name, ...words]);
  if (json === true) {
    const ending = await share.run(name, words, (stream, bytes) =>
      writeWhole(stdout, outputLine(stream, bytes)),
    );
    assertWhole(name, ending);
    stdout.write(`${showJson({ event: 'ran', ...ending, exitCode: statusOf(ending) })}\n`);
    return statusOf(ending);
  }
  const outputs = { stdout: new FarOutput(stdout), stderr: new FarOutput(stderr) };
  try {
    const ending = await share.run(name, words, (stream, bytes) => outputs[stream].write(bytes));
    assertWhole(name, ending);
    return statusOf(ending);
  } finally {
    for (const output of Object.values(outputs)) await output.end().catch(() => undefined);
  }
}

/** What no share takes need not be asked for. Throws `argument-refused`. */
function assertWords([, ...words]: readonly string[]): void {
  for (const word of words) {
    const why = whyNoWord(word);
    if (why !== undefined) throw new XferError('argument-refused', { subject: word, detail: why });
  }
}

/** Throws where it was ended by the limits of its owner. */
function assertWhole(name: string, { how }: Ending): void {
  if (how === 'timeout') throw new XferError('action-timeout', { subject: name });
  if (how === 'output') throw new XferError('action-output', { subject: name });
}

function statusOf(ending: Ending): number {
  if (ending.how === 'exit') return ending.status;
  return ending.how === 'signal' ? SIGNALLED + ending.signal : 1;
}

/** Bytes need be no text, and a letter may be in two pieces. */
function outputLine(stream: Stream, bytes: Uint8Array): string {
  return `${showJson({ event: 'output', stream, base64: Buffer.from(bytes).toString('base64') })}\n`;
}
