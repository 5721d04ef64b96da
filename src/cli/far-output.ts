/** What another machine writes, on its way to the output of this one. */
import type { Output } from './context.js';
import { writeWhole } from './reporter.js';
import { showText } from './show.js';

/** Bytes as harmless text, whatever pieces they come in. */
export class FarText {
  readonly #decoder = new TextDecoder();
  /** Half of an end of a line, as some systems have it. */
  #kept = '';

  /** For a terminal; a file or a pipe gets the bytes as they are. */
  static on({ isTTY }: Output): FarText | undefined {
    return isTTY === true ? new FarText() : undefined;
  }

  /** What can be shown so far. */
  take(bytes: Uint8Array): string {
    const all = this.#kept + this.#decoder.decode(bytes, { stream: true });
    this.#kept = all.endsWith('\r') ? '\r' : '';
    return showText(all.slice(0, all.length - this.#kept.length));
  }

  /** The rest, where nothing more comes. */
  end(): string {
    const rest = this.#kept + this.#decoder.decode();
    this.#kept = '';
    return showText(rest);
  }
}

/** Passes bytes on as they are to a file or a pipe, and as harmless text to a terminal. */
export class FarOutput {
  readonly #output: Output;
  readonly #text: FarText | undefined;

  constructor(output: Output) {
    this.#output = output;
    this.#text = FarText.on(output);
  }

  /** Resolves when there is room for more. Throws `output-closed` where nobody reads it, and `disk-full`. */
  async write(bytes: Uint8Array): Promise<void> {
    const shown = this.#text?.take(bytes) ?? bytes;
    if (shown.length > 0) await writeWhole(this.#output, shown);
  }

  /** Nothing more comes. */
  async end(): Promise<void> {
    const rest = this.#text?.end() ?? '';
    if (rest !== '') await writeWhole(this.#output, rest);
  }
}
