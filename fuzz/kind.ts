/** What a target is, and how it says that something is a bug. */
import { XferError, type ErrorCode } from '../src/errors.js';

/** Reads an input. What it throws but an `XferError` that says what is wrong with the input is a bug. */
export type Target = (input: Buffer) => unknown;

export interface Kind {
  readonly read: Target;
  /** What there is to begin with, where nothing is kept yet. */
  readonly seeds: readonly string[];
}

export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** What is read; that the input is wrong only an error with this code says. */
export function only<T>(code: ErrorCode, read: () => T): T {
  const judge = (thrown: unknown): never => {
    if (thrown instanceof XferError && thrown.code === code) throw thrown;
    throw new Error(`not ${code}`, { cause: thrown });
  };
  try {
    const value = read();
    return value instanceof Promise ? (value.catch(judge) as T) : value;
  } catch (thrown) {
    return judge(thrown);
  }
}
