/** What a program of another machine writes, on its way to the output of this one. */
import type { Output } from './context.js';
import { writeWhole } from './reporter.js';
import { showText } from './show.js';

/** Passes bytes on as they are to a file or a pipe, and as harmless text to a terminal. */
export class FarOutput {
  readonly #output: Output;
  readonly #decoder = new TextDecoder();
  /** Half of an end of a line, as some systems have it. */
  #kept = '';

  constructor(output: Output) {
    this.#output = output;
  }

  /** Resolves when there is room for more. Throws `output-closed` where nobody reads it, and `disk-full`. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#output.isTTY === true) await this.#writeText(this.#decoder.decode(bytes, { stream: true }));
    else await writeWhole(this.#output, bytes);
  }

  /** Nothing more comes. */
  async end(): Promise<void> {
    if (this.#output.isTTY !== true) return;
    const rest = this.#kept + this.#decoder.decode();
    this.#kept = '';
    if (rest !== '') await writeWhole(this.#output, showText(rest));
  }

  async #writeText(text: string): Promise<void> {
    const all = this.#kept + text;
    this.#kept = all.endsWith('\r') ? '\r' : '';
    const whole = all.slice(0, all.length - this.#kept.length);
    if (whole !== '') await writeWhole(this.#output, showText(whole));
  }
}
