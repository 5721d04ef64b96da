/** What can happen to one file at the sender while the rest goes on. */
import { XferError, type ErrorCode } from '../errors.js';

const ENTRY_FAILURES: readonly ErrorCode[] = ['source-changed', 'source-vanished', 'path-unreadable'];

/** Why one file does not come. Throws everything that ends the transfer. */
export function entryFailure(error: unknown): ErrorCode {
  if (error instanceof XferError && ENTRY_FAILURES.includes(error.code)) return error.code;
  throw error;
}
