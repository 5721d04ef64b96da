import { XferError, type ErrorCode } from '../../../src/errors.js';

/** The code of the `XferError` that `action` throws; `undefined` where it throws nothing. Other errors pass through. */
export function codeThrownBy(action: () => unknown): ErrorCode | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof XferError) return error.code;
    throw error;
  }
  return undefined;
}
