import { inspect } from 'node:util';
import { XferError } from '../errors.js';

/** What a secret value shows of itself in logs, messages and JSON. */
export const HIDDEN = '[secret]';

/**
 * Secret bytes with one owner, who erases them. They never show in a log, a message or JSON: every way to print
 * a `Secret` gives `[secret]`. JavaScript may have copied the bytes before, so erasing is a best effort.
 */
export class Secret {
  #bytes: Uint8Array | undefined;

  /** Takes the bytes over: nobody else keeps or changes them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The bytes themselves, not a copy: for a cryptographic call, never to be kept. Throws `internal` once erased. */
  expose(): Uint8Array {
    if (this.#bytes === undefined) throw new XferError('internal', { subject: 'erased secret' });
    return this.#bytes;
  }

  /** Overwrites the bytes. Again is harmless. */
  erase(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
