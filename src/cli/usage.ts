/** Errors in what a person asked for. */
import { XferError } from '../index.js';

/** A usage error in its own words: what is wrong, and what to do instead. */
export function usageError(sentence: string, advice: string): XferError {
  return new XferError('usage', { subject: sentence, detail: advice });
}
