/** Questions to a person, on the terminal. The end of the input is never a yes. */
import type { Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { columnsOf } from './columns.js';
import type { Context, Input } from './context.js';
import { openReadline } from './readline.js';
import { wrap } from './show.js';

export interface QuestionOptions {
  /** Takes the question back; its answer is `undefined` then. */
  readonly signal?: AbortSignal;
  /** Completes what was typed so far, for the Tab key. */
  readonly complete?: (typed: string) => readonly string[];
}

/** How long a terminal may take to hand over what was typed before. */
const DRAIN_MS = 30;

/** What the key is where a terminal makes no signal of it. */
const CTRL_C = '\u0003';

/** The letters of the answers, with what they stand for. */
export type Choices<T> = Readonly<Record<string, T>>;

export class Prompts {
  readonly #context: Pick<Context, 'stdin' | 'stderr' | 'interrupt' | 'signal'>;

  constructor(context: Pick<Context, 'stdin' | 'stderr' | 'interrupt' | 'signal'>) {
    this.#context = context;
  }

  /** One line, trimmed. `undefined` at the end of the input, after Ctrl-C, and when the question was taken back. */
  async line(question: string, { signal, complete }: QuestionOptions = {}): Promise<string | undefined> {
    if (signal?.aborted === true) return undefined;
    const { stdin, stderr, interrupt } = this.#context;
    const terminal = openReadline({
      input: stdin,
      output: stderr,
      terminal: stdin.isTTY === true,
      historySize: 0,
      ...(complete === undefined ? {} : { completer: (typed: string) => [complete(typed), typed] }),
    });
    // readline reads the keys one by one, so that Ctrl-C arrives here and not as a signal.
    let interrupted = false as boolean;
    terminal.once('SIGINT', () => {
      interrupted = true;
      terminal.close();
    });
    try {
      const lines = question.split('\n').flatMap((line) => wrap(line, columnsOf(stderr)));
      // readline draws its prompt again and again: one line of it is enough.
      for (const line of lines.slice(0, -1)) stderr.write(`${line}\n`);
      const answer = await nextLine(terminal, stdin, `${lines.at(-1) ?? ''} `, interrupt, signal);
      // Without an answer the cursor still stands behind the question.
      if (answer === undefined) stderr.write('\n');
      if (interrupted) interrupt();
      return answer;
    } finally {
      terminal.close();
    }
  }

  /** One line that does not show while it is typed. As `line` otherwise; any interruption takes it back. */
  async secret(question: string): Promise<string | undefined> {
    const { stdin, stderr, interrupt, signal } = this.#context;
    const isTerminal = stdin.isTTY === true;
    if (isTerminal) stderr.write(`${question} `);
    const terminal = openReadline({
      input: stdin,
      // What is typed goes nowhere.
      output: new Writable({ write: (_chunk, _encoding, done) => done() }),
      terminal: isTerminal,
      historySize: 0,
    });
    terminal.once('SIGINT', () => {
      interrupt();
      terminal.close();
    });
    try {
      return await nextLine(terminal, stdin, '', interrupt, signal);
    } finally {
      terminal.close();
      if (isTerminal) stderr.write('\n');
    }
  }

  /** Yes or no; `usual` is what Enter alone means. `undefined` where nobody answered. */
  async confirm(
    question: string,
    usual: boolean,
    options: QuestionOptions = {},
  ): Promise<boolean | undefined> {
    const choices: Choices<boolean> = { y: true, yes: true, n: false, no: false };
    return this.choose(`${question} ${usual ? '[Y/n]' : '[y/N]'}`, choices, usual, options);
  }

  /**
   * One of several answers, asked again until it is one of them; Enter alone means `usual`, if there is one. What was
   * typed before the question was on the screen is no answer to it.
   */
  async choose<T>(
    question: string,
    choices: Choices<T>,
    usual: T | undefined,
    options: QuestionOptions = {},
  ): Promise<T | undefined> {
    await dropTyped(this.#context);
    for (;;) {
      const answer = await this.line(question, options);
      if (answer === undefined) return undefined;
      if (answer === '' && usual !== undefined) return usual;
      const key = answer.toLowerCase();
      if (Object.hasOwn(choices, key)) return choices[key];
    }
  }
}

/** Throws away what was typed while nothing was asked. */
export async function dropTyped({ stdin, interrupt }: Pick<Context, 'stdin' | 'interrupt'>): Promise<void> {
  if (stdin.setRawMode === undefined) return;
  const onData = (keys: Buffer | string): void => {
    if (keys.toString().includes(CTRL_C)) interrupt();
  };
  // Otherwise a terminal keeps a line that has no end yet to itself.
  stdin.setRawMode(true);
  stdin.on('data', onData);
  await sleep(DRAIN_MS);
  stdin.pause();
  stdin.off('data', onData);
  stdin.setRawMode(false);
}

function nextLine(
  terminal: Interface,
  input: Input,
  question: string,
  interrupt: () => void,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    // readline would take what stands before the end for a whole line: a `y` that nobody confirmed.
    const onEnd = (): void => {
      // Ctrl-D is a key that readline takes: this one is gone, and nobody said no.
      if (input.isTTY === true) interrupt();
      resolve(undefined);
    };
    const takeBack = (): void => {
      terminal.close();
    };
    input.prependOnceListener('end', onEnd);
    signal?.addEventListener('abort', takeBack, { once: true });
    terminal.once('close', () => {
      input.off('end', onEnd);
      signal?.removeEventListener('abort', takeBack);
      resolve(undefined);
    });
    terminal.once('line', (line) => {
      resolve(line.trim());
    });
    terminal.setPrompt(question);
    terminal.prompt();
  });
}
