/** What `--debug` adds: every event with its time, and where an error came from. Never a code or a part of one. */
import { inspect } from 'node:util';
import type { XferError, XferEvent } from '../index.js';
import type { Output } from './context.js';
import { show, showJson } from './show.js';

const HIDDEN = '[secret]';
/** Errors whose values a person typed as a code. */
const ABOUT_CODES: ReadonlySet<XferError['code']> = new Set(['bad-code', 'unknown-word']);
const LINE_WIDTH = 2_000;

export class DebugLog {
  readonly #stderr: Output;
  readonly #startMs: number;
  readonly #now: () => number;
  #code: string | undefined;

  constructor(stderr: Output, now: () => number) {
    this.#stderr = stderr;
    this.#now = now;
    this.#startMs = now();
  }

  /** A code that somebody typed, so that it is hidden wherever a line would hold it. */
  hide(code: string): void {
    this.#code = code;
  }

  event(event: XferEvent): void {
    if (event.type === 'code') this.hide(event.code);
    const { type, ...fields } = event.type === 'code' ? { ...event, code: HIDDEN } : event;
    this.#write(`${type} ${showJson(fields)}`);
  }

  error(error: XferError): void {
    if (ABOUT_CODES.has(error.code)) {
      this.#write(`error ${error.code}`);
      return;
    }
    let cause: unknown = error;
    while (cause instanceof Error) {
      for (const line of (cause.stack ?? cause.message).split('\n')) this.#write(line);
      cause = cause.cause;
    }
    if (cause !== undefined) this.#write(inspect(cause));
  }

  #write(text: string): void {
    const seconds = ((this.#now() - this.#startMs) / 1000).toFixed(3);
    this.#stderr.write(`xfer: debug: ${seconds} ${show(this.#hidden(text), LINE_WIDTH)}\n`);
  }

  /**
   * A second net: events carry no code, but a foreign error might quote one. Single words stay: to cut `apple` out
   * of other text would tell which word it was.
   */
  #hidden(text: string): string {
    if (this.#code === undefined) return text;
    const words = this.#code.slice(this.#code.indexOf('-') + 1);
    return text.replaceAll(this.#code, HIDDEN).replaceAll(words, HIDDEN);
  }
}
