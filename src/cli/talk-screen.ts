/** The screen of a program that runs long, at which somebody may type while there is somebody to talk to. */
import type { Interface } from 'node:readline';
import type { Context } from './context.js';
import { isInForeground } from './foreground.js';
import { liftPrompt, writeAbove } from './prompt-line.js';
import { openReadline } from './readline.js';
import { dropTyped } from './prompts.js';
import type { Screen, Status } from './screen.js';
import { wrap } from './show.js';

const PROMPT = '> ';
const HISTORY_SIZE = 100;

export class TalkScreen implements Screen {
  readonly #context: Pick<Context, 'stdin' | 'stderr' | 'interrupt'>;
  readonly #screen: Screen;
  readonly #hasTerminal: () => boolean;
  #onLine: ((line: string) => void) | undefined;
  #prompt: Interface | undefined;
  /** What was typed when the prompt went. */
  #begun = '';
  #history: string[] = [];

  /**
   * @param screen What is drawn while there is no prompt.
   * @param hasTerminal Whether the keyboard is this program's just now.
   */
  constructor(
    context: Pick<Context, 'stdin' | 'stderr' | 'interrupt'>,
    screen: Screen,
    hasTerminal: () => boolean = isInForeground,
  ) {
    this.#context = context;
    this.#screen = screen;
    this.#hasTerminal = hasTerminal;
  }

  get width(): number {
    return this.#screen.width;
  }

  say(line: string): void {
    if (this.#prompt === undefined) this.#screen.say(line);
    else writeAbove(this.#prompt, this.#context.stderr, this.#context.stderr, wrap(line, this.width));
  }

  status(status: Status): void {
    this.#screen.status(status);
  }

  aside<T>(ask: () => Promise<T>): Promise<T> {
    return this.#screen.aside(ask);
  }

  close(): void {
    this.shut();
    this.#screen.close();
  }

  /** Shows a prompt in place of what goes on, until `shut`, Ctrl-D or Ctrl-C. False in the background, where there is none. */
  open(onLine: (line: string) => void): boolean {
    if (this.#onLine !== undefined) return true;
    if (!this.#hasTerminal()) return false;
    this.#onLine = onLine;
    void this.#screen.aside(async () => {
      // Typed while nobody was there to hear it.
      await dropTyped(this.#context);
      if (this.#onLine === onLine) await this.#ask(onLine);
    });
    return true;
  }

  /** Takes the prompt away. What was typed comes back with the next one. */
  shut(): void {
    this.#onLine = undefined;
    const prompt = this.#prompt;
    if (prompt === undefined) return;
    this.#prompt = undefined;
    this.#begun = prompt.line;
    liftPrompt(prompt, this.#context.stderr);
    prompt.close();
  }

  /** Resolves when the prompt is gone. */
  #ask(onLine: (line: string) => void): Promise<void> {
    const { stdin, stderr, interrupt } = this.#context;
    const prompt = openReadline({
      input: stdin,
      output: stderr,
      prompt: PROMPT,
      terminal: true,
      history: this.#history,
      historySize: HISTORY_SIZE,
    });
    this.#prompt = prompt;
    prompt.on('line', (line) => {
      onLine(line);
      if (this.#prompt === prompt) prompt.prompt();
    });
    prompt.on('history', (history) => {
      this.#history = history;
    });
    // readline reads the keys one by one, so that Ctrl-C arrives here and not as a signal, and Ctrl-Z too.
    prompt.on('SIGINT', () => {
      this.shut();
      interrupt();
    });
    prompt.on('SIGTSTP', () => {
      this.shut();
      // Whoever goes on in the background leaves the keyboard alone.
      process.once('SIGCONT', () => this.open(onLine));
      process.kill(process.pid, 'SIGTSTP');
    });
    prompt.prompt();
    prompt.write(this.#begun);
    this.#begun = '';
    return new Promise((resolve) => {
      prompt.once('close', () => {
        const isLeft = this.#prompt === prompt;
        if (isLeft) {
          this.#prompt = undefined;
          this.#onLine = undefined;
          stderr.write('\n');
        }
        resolve();
      });
    });
  }
}
