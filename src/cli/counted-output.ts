/** The standard output as the place for the bytes of a transfer. */
import { Writable } from 'node:stream';
import { toXferError, XferError, type ErrorCode } from '../index.js';
import type { Output } from './context.js';
import { explain } from './explain.js';
import { FarText } from './far-output.js';

/** Errors that say by themselves how much is good, after which nothing is, or that a person caused. */
const KEPT: ReadonlySet<ErrorCode> = new Set(['output-closed', 'integrity', 'protocol', 'interrupted']);

/** Passes bytes on, to a terminal as harmless text, and counts them: each of them was authenticated as the sender's before it came here, and the digest of the whole comes at its end. */
export class CountedOutput extends Writable {
  readonly #output: Output;
  readonly #text: FarText | undefined;
  #bytes = 0;

  constructor(output: Output) {
    super();
    this.#output = output;
    this.#text = FarText.on(output);
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#output.write(this.#text?.take(piece) ?? piece, (error) => {
      if (error === null || error === undefined) this.#bytes += piece.length;
      done(error);
    });
  }

  /** Nothing more comes, and the output stays open. */
  endText(): void {
    const rest = this.#text?.end() ?? '';
    if (rest !== '') this.#output.write(rest);
  }

  /** Why a transfer failed whose first bytes went out already: it is incomplete, whatever cut it short. */
  explain(thrown: unknown): XferError {
    const error = toXferError(thrown);
    if (this.#bytes === 0 || KEPT.has(error.code)) return error;
    const { sentence } = explain({ code: error.code, subject: error.subject, detail: undefined });
    return new XferError('incomplete', { subject: sentence, detail: this.#bytes, cause: error });
  }
}
