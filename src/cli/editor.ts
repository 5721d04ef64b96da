/** The editor that a person likes. */
import { spawn } from 'node:child_process';
import { XferError } from '../index.js';
import type { Context } from './context.js';
import { usageError } from './usage.js';
import { demandWords } from './words.js';

/** A program and what it gets before the path of a file. */
export type EditorCommand = readonly [program: string, ...args: string[]];

/**
 * What `VISUAL` or `EDITOR` says, with its arguments, or else what every system has. Throws `usage` for a quote in it that is not
 * closed.
 */
export function editorCommand(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): EditorCommand {
  for (const name of ['VISUAL', 'EDITOR']) {
    const [program, ...args] = wordsOf(name, env[name] ?? '', platform);
    if (program !== undefined) return [program, ...args];
  }
  return [platform === 'win32' ? 'notepad' : 'vi'];
}

function wordsOf(name: string, value: string, platform: NodeJS.Platform): readonly string[] {
  try {
    return demandWords(value, platform !== 'win32').map(({ text }) => text);
  } catch {
    throw usageError(`a quote in ${name} is not closed: ${value}`, `set it as ${name}='code --wait'`);
  }
}

/**
 * Lets a person edit a file. No shell sees its name. Ctrl-C is the editor's meanwhile. Throws `editor-failed`.
 *
 * @param input Whether the editor reads what this program would.
 */
export async function runEditor(
  [program, ...args]: EditorCommand,
  file: string,
  { env, takeInterrupts }: Pick<Context, 'env' | 'takeInterrupts'>,
  input: 'inherit' | 'ignore',
): Promise<void> {
  const giveBack = takeInterrupts(() => undefined);
  try {
    const editor = spawn(program, [...args, file], { stdio: [input, 'inherit', 'inherit'], env });
    const ending = await new Promise<number | string | null>((resolve, reject) => {
      editor.once('error', reject);
      editor.once('close', (status, signal) => {
        resolve(signal ?? status);
      });
    });
    if (ending !== 0) throw new XferError('editor-failed', { subject: program, detail: String(ending) });
  } catch (error) {
    throw error instanceof XferError
      ? error
      : new XferError('editor-failed', { subject: program, cause: error });
  } finally {
    giveBack();
  }
}
