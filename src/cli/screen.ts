/** Lines that stay and one line that is drawn in place, on a terminal or without one. The only file that knows ora. */
import type { Ora } from 'ora';
import { columnsOf, mendColumns, USUAL_WIDTH } from './columns.js';
import type { Output } from './context.js';
import { wrap } from './show.js';

/** Without a terminal a line about progress is written this often. */
const PLAIN_EVERY_MS = 5_000;
/** Columns of a log file. */
const LOG_WIDTH = 120;
/** The spinner, the space behind it, and the last column, where many terminals would wrap. */
const MARGIN = 3;
/** What is over sooner is not worth a drawn line, nor what it takes to load what draws. */
const DRAW_AFTER_MS = 200;

/** `kind` changes when something else goes on; `draw` makes the line, or lines, in at most `width` columns. */
export interface Status {
  readonly kind: string;
  readonly draw: (width: number) => string;
}

export interface Screen {
  /** Columns for a line that stays. */
  readonly width: number;
  say(line: string): void;
  /** Shows what is going on, in place of what was shown before. */
  status(status: Status): void;
  /** Takes the drawn line away while a question is on the screen. */
  aside<T>(ask: () => Promise<T>): Promise<T>;
  /** Takes the drawn line away for good. */
  close(): void;
}

/** For `--quiet`: only questions. */
export const quietScreen: Screen = {
  width: USUAL_WIDTH,
  say: () => undefined,
  status: () => undefined,
  aside: (ask) => ask(),
  close: () => undefined,
};

/** For logs and pipes: a line when something else begins, and now and then. */
export class PlainScreen implements Screen {
  readonly width = LOG_WIDTH;
  readonly #output: Output;
  readonly #now: () => number;
  #shown = { kind: '', line: '', atMs: -Infinity };

  constructor(output: Output, now: () => number) {
    this.#output = output;
    this.#now = now;
  }

  say(line: string): void {
    this.#output.write(`${line}\n`);
  }

  status({ kind, draw }: Status): void {
    const atMs = this.#now();
    if (kind === this.#shown.kind && atMs - this.#shown.atMs < PLAIN_EVERY_MS) return;
    const line = draw(LOG_WIDTH);
    if (line !== this.#shown.line && line !== '') this.say(line);
    this.#shown = { kind, line, atMs };
  }

  aside<T>(ask: () => Promise<T>): Promise<T> {
    return ask();
  }

  close(): void {
    // Every line is written already.
  }
}

class TerminalScreen implements Screen {
  readonly #output: Output;
  readonly #color: 'cyan' | false;
  /** Comes with the first status that lasts. */
  #spinner: Ora | undefined;
  #late: NodeJS.Timeout | undefined;
  readonly #drawAfterMs: number;
  #status: Status | undefined;
  #isAsking = false;

  constructor(output: Output, color: 'cyan' | false, drawAfterMs: number) {
    this.#output = output;
    this.#color = color;
    this.#drawAfterMs = drawAfterMs;
    output.on('resize', this.#draw);
  }

  get width(): number {
    return columnsOf(this.#output);
  }

  say(line: string): void {
    // ora takes its line away before a write to the stream, and draws it again below.
    for (const part of wrap(line, this.width)) this.#output.write(`${part}\n`);
  }

  status(status: Status): void {
    this.#status = status;
    this.#late ??= setTimeout(() => void this.#open(), this.#drawAfterMs);
    this.#draw();
  }

  async aside<T>(ask: () => Promise<T>): Promise<T> {
    this.#isAsking = true;
    this.#spinner?.stop();
    try {
      return await ask();
    } finally {
      this.#isAsking = false;
      this.#draw();
    }
  }

  close(): void {
    clearTimeout(this.#late);
    this.#status = undefined;
    this.#spinner?.stop();
    this.#output.off('resize', this.#draw);
  }

  async #open(): Promise<void> {
    const { default: ora } = await import('ora');
    // In 0 columns a line takes rows without end, and ora goes up all of them.
    mendColumns(this.#output);
    // Prompts read the keyboard themselves, so ora must leave it alone.
    this.#spinner = ora({ stream: this.#output, discardStdin: false, color: this.#color });
    this.#draw();
  }

  readonly #draw = (): void => {
    if (this.#spinner === undefined || this.#status === undefined || this.#isAsking) return;
    // Further lines stand under the first, behind the spinner.
    this.#spinner.text = this.#status.draw(this.width - MARGIN).replaceAll('\n', '\n  ');
    if (!this.#spinner.isSpinning) this.#spinner.start();
  };
}

/** The screen for a person who reads `output`: drawn in place on a terminal, in color unless `NO_COLOR` is set. */
export function openScreen(
  output: Output,
  env: NodeJS.ProcessEnv,
  now: () => number = () => performance.now(),
  drawAfterMs: number = DRAW_AFTER_MS,
): Screen {
  if (output.isTTY !== true || env['TERM'] === 'dumb') return new PlainScreen(output, now);
  const colorless = (env['NO_COLOR'] ?? '') !== '';
  return new TerminalScreen(output, colorless ? false : 'cyan', drawAfterMs);
}
