/** What is piped into the program. */
import { addAbortSignal, type Readable } from 'node:stream';
import { XferError } from '../index.js';

/**
 * The pieces of `input`, up to its end. Throws `interrupted`, about `subject`, where `signal` is aborted before, though nothing comes
 * any more.
 */
export async function* piecesOf(
  input: Readable,
  signal: AbortSignal,
  subject?: string,
): AsyncGenerator<Buffer | string> {
  try {
    for await (const piece of addAbortSignal(signal, input)) yield piece as Buffer | string;
  } catch (error) {
    throw signal.aborted ? new XferError('interrupted', subject === undefined ? {} : { subject }) : error;
  }
}
