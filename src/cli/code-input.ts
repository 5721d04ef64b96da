/** Where a code comes from: the command line, the environment, a pipe, or a person who types it. */
import { completeWord, formatCode, parseCode, XferError } from '../index.js';
import { canAsk, type Context, type OutputFlags } from './context.js';
import { explain } from './explain.js';
import { piecesOf } from './input.js';
import type { Prompts } from './prompts.js';
import { widthOf, wrap } from './show.js';
import { usageError } from './usage.js';

/** A code is never longer than 16 words of 8 letters, with some room for a pasted command. */
const LONGEST_LINE = 1_000;

/**
 * The code to join with, as it is written: `argument` (`-` reads a line of the standard input), `XFER_CODE`, or what a
 * person types.
 *
 * @throws XferError `bad-code`, `unknown-word`; `usage` where there is none and nobody to ask
 */
export async function readCode(
  argument: string | undefined,
  context: Context,
  flags: OutputFlags,
  prompts: Prompts,
): Promise<string> {
  if (argument === '-') return normalCode(await firstLine(context));
  const given = argument ?? context.code;
  if (given !== undefined) return normalCode(given);
  if (!canAsk(context, flags)) {
    throw usageError('the code is missing', 'give it in XFER_CODE, or with - on the standard input');
  }
  return askCode(context, prompts);
}

async function askCode(context: Context, prompts: Prompts): Promise<string> {
  for (;;) {
    const typed = await prompts.line('code:', { complete: completeCode, signal: context.signal });
    if (typed === undefined) {
      throw context.signal.aborted
        ? new XferError('interrupted', { subject: 'code' })
        : usageError('the code is missing', 'type it as the other person sees it');
    }
    if (typed === '') continue;
    try {
      return normalCode(typed);
    } catch (error) {
      if (!(error instanceof XferError)) throw error;
      const { sentence, hint } = explain(error);
      const text = hint === undefined ? sentence : `${sentence}; ${hint}`;
      for (const line of wrap(text, widthOf(context.stderr))) context.stderr.write(`${line}\n`);
    }
  }
}

/**
 * What a code that begins with `typed` may be: its last word completed, and a dash where another word must follow.
 * Nobody can complete a nameplate.
 */
export function completeCode(typed: string): string[] {
  const { nameplate, words, prefix } =
    /^\s*(?<nameplate>\d{1,6}[-\s_]+)(?<words>(?:[a-z]+[-\s_]+)*)(?<prefix>[a-z]*)$/i.exec(typed)?.groups ??
    {};
  if (nameplate === undefined || words === undefined || prefix === undefined) return [];
  const behind = words === '' ? '-' : '';
  return completeWord(prefix).map((word) => `${nameplate}${words}${word}${behind}`);
}

function normalCode(text: string): string {
  return formatCode(parseCode(text));
}

async function firstLine({ stdin, signal }: Context): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const piece of piecesOf(stdin, signal, 'code')) {
    text += String(piece);
    if (text.includes('\n') || text.length > LONGEST_LINE) break;
  }
  return text.split('\n', 1)[0] ?? '';
}
