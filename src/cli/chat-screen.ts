/** Where a chat is read and written: a terminal whose prompt stays whole whatever comes in, or pipes. */
import type { Interface } from 'node:readline';
import { columnsOf } from './columns.js';
import type { Context, Output } from './context.js';
import { writeAbove } from './prompt-line.js';
import { openReadline } from './readline.js';
import { wrap } from './show.js';

const PROMPT = '> ';

export class ChatScreen {
  readonly #context: Pick<Context, 'stdin' | 'stdout' | 'stderr' | 'interrupt'>;
  readonly #isTerminal: boolean;
  #prompt: Interface | undefined;

  constructor(context: Pick<Context, 'stdin' | 'stdout' | 'stderr' | 'interrupt'>) {
    this.#context = context;
    this.#isTerminal = context.stdin.isTTY === true && context.stderr.isTTY === true;
  }

  /** What is typed or piped in, line by line, until its end or the signal. */
  async *lines(over: AbortSignal): AsyncGenerator<string> {
    const { stdin, stderr, interrupt } = this.#context;
    const isOver = (): boolean => over.aborted;
    // One that is closed before it is read would never end.
    if (isOver()) return;
    const prompt = openReadline({
      input: stdin,
      ...(this.#isTerminal ? { output: stderr, prompt: PROMPT } : {}),
      terminal: this.#isTerminal,
      historySize: this.#isTerminal ? 100 : 0,
    });
    const close = (): void => prompt.close();
    // readline reads the keys one by one, so that Ctrl-C arrives here and not as a signal.
    prompt.on('SIGINT', interrupt);
    over.addEventListener('abort', close, { once: true });
    if (this.#isTerminal) {
      this.#prompt = prompt;
      prompt.prompt();
    }
    try {
      for await (const line of prompt) {
        yield line;
        if (isOver()) break;
        this.#prompt?.prompt();
      }
    } finally {
      over.removeEventListener('abort', close);
      this.#prompt = undefined;
      prompt.close();
      if (this.#isTerminal) stderr.write('\n');
    }
  }

  /** What others say, and what a script wants: whole lines on stdout. */
  write(line: string): void {
    this.#above(this.#context.stdout, [line]);
  }

  /** What goes on, for a person. */
  say(text: string): void {
    this.#above(this.#context.stderr, this.#isTerminal ? wrap(text, this.width) : [text]);
  }

  get width(): number {
    return columnsOf(this.#context.stderr);
  }

  /** Above what is being typed, which is drawn again as it was. */
  #above(output: Output, lines: readonly string[]): void {
    const prompt = this.#prompt;
    if (prompt === undefined) for (const line of lines) output.write(`${line}\n`);
    else writeAbove(prompt, this.#context.stderr, output, lines);
  }
}
