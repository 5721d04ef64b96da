/** The lines that somebody types at a prompt, with a history and the Tab key, or pipes in. */
import type { Interface } from 'node:readline';
import type { Context } from '../context.js';
import { openReadline } from '../readline.js';

export type Completer = (line: string) => Promise<[candidates: string[], replaced: string]>;

export interface Lines {
  /** The next line. `undefined` at the end of the input, after Ctrl-D, and after Ctrl-C twice. */
  next(prompt: string): Promise<string | undefined>;
}

const HISTORY_SIZE = 500;
const AGAIN = 'Ctrl-C again, Ctrl-D or exit leaves';

/**
 * At a terminal. The keyboard is read only while a line is asked for: an editor, a question and Ctrl-C of what runs are others'
 * business.
 */
export class TypedLines implements Lines {
  readonly #context: Pick<Context, 'stdin' | 'stderr' | 'signal'>;
  readonly #complete: Completer;
  #history: string[] = [];
  /** What came at once with a line before, as where several are pasted. */
  readonly #waiting: string[] = [];
  #begun = '';
  /** How often Ctrl-C was pressed since the last line. */
  #presses = 0;
  /** What Ctrl-C does at the prompt, while there is one. */
  #press: (() => void) | undefined;

  constructor(context: Pick<Context, 'stdin' | 'stderr' | 'signal'>, complete: Completer) {
    this.#context = context;
    this.#complete = complete;
  }

  /** As Ctrl-C at the prompt: the next one, where there is none just now. */
  interrupt(): void {
    if (this.#press !== undefined) {
      this.#press();
      return;
    }
    this.#presses = 1;
    this.#waiting.length = 0;
  }

  async next(prompt: string): Promise<string | undefined> {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      this.#context.stderr.write(`${prompt}${waiting}\n`);
      return waiting;
    }
    const { stdin, stderr, signal } = this.#context;
    if (signal.aborted) return undefined;
    const terminal = openReadline({
      input: stdin,
      output: stderr,
      terminal: true,
      history: this.#history,
      historySize: HISTORY_SIZE,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        void this.#complete(line).then((found) => {
          done(null, found);
        });
      },
    });
    terminal.on('history', (history) => {
      this.#history = history;
    });
    const close = (): void => {
      terminal.close();
    };
    signal.addEventListener('abort', close, { once: true });
    try {
      // The terminal has shown the key.
      if (this.#presses > 0) stderr.write(`\n${AGAIN}\n`);
      terminal.setPrompt(prompt);
      terminal.prompt();
      terminal.write(this.#begun);
      this.#begun = '';
      return await this.#lineOf(terminal);
    } finally {
      this.#press = undefined;
      signal.removeEventListener('abort', close);
      terminal.close();
    }
  }

  #lineOf(terminal: Interface): Promise<string | undefined> {
    const { stderr } = this.#context;
    return new Promise((resolve) => {
      let first: string | undefined;
      terminal.on('line', (line) => {
        if (first !== undefined) {
          this.#waiting.push(line);
          return;
        }
        first = line;
        this.#presses = 0;
        this.#press = undefined;
        // What was pasted comes in one piece.
        setImmediate(() => {
          this.#begun = terminal.line;
          resolve(line);
        });
      });
      this.#press = () => {
        this.#presses = terminal.line === '' ? this.#presses + 1 : 0;
        stderr.write('^C\n');
        if (this.#presses > 1) {
          resolve(undefined);
          return;
        }
        if (this.#presses === 1) stderr.write(`${AGAIN}\n`);
        terminal.write(null, { ctrl: true, name: 'e' });
        terminal.write(null, { ctrl: true, name: 'u' });
        terminal.prompt();
      };
      terminal.on('SIGINT', () => this.interrupt());
      terminal.on('close', () => {
        if (first !== undefined) return;
        stderr.write('\n');
        resolve(undefined);
      });
    });
  }
}

/** From a pipe or a file. */
export class PipedLines implements Lines {
  readonly #lines: AsyncIterator<string>;

  constructor({ stdin, signal }: Pick<Context, 'stdin' | 'signal'>) {
    const input = openReadline({ input: stdin, terminal: false, crlfDelay: Infinity });
    signal.addEventListener(
      'abort',
      () => {
        input.close();
      },
      { once: true },
    );
    this.#lines = input[Symbol.asyncIterator]();
  }

  async next(): Promise<string | undefined> {
    const result = await this.#lines.next();
    return result.done === true ? undefined : result.value;
  }
}
