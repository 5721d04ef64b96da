/** How a command says what happens: to a person (narrator.ts) or to a script (json-reporter.ts). */
import {
  XferError,
  type ReceiveOutcome,
  type Skipped,
  type TransferOutcome,
  type XferEvent,
} from '../index.js';
import type { Output } from './context.js';

/** How a transfer ended. */
export interface Result {
  readonly outcome: TransferOutcome | ReceiveOutcome;
  /** What did not arrive or was left out on purpose, as far as known here. */
  readonly leftOut: readonly Skipped[];
  readonly leftOutCount: number;
  readonly exitCode: number;
}

export interface Reporter {
  event(event: XferEvent): void;
  /** A line that only a person needs. */
  say(line: string): void;
  /** Columns for such a line. */
  readonly width: number;
  /** Has the screen to itself while a question is asked. */
  aside<T>(ask: () => Promise<T>): Promise<T>;
  /** Throws as `writeWhole` where what only this can say is lost. */
  done(result: Result): Promise<void>;
  /** With `--dry-run`: what would be sent, one call per entry; no size for a folder. */
  listed(path: string, size: number | undefined): void;
  /** What was left out, or would be: the first of it, and how much it is. */
  leftOut(skipped: readonly Skipped[], count: number): void;
  failed(error: XferError): void;
  /** Leaves the screen as it should be. */
  close(): void;
}

/** Writes what would be lost otherwise. Throws `disk-full`, or `output-closed` where nobody reads it. */
export async function writeWhole(output: Output, content: string | Uint8Array): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
    output.write(content, resolve);
  });
  if (error === null || error === undefined) return;
  const isFull = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  throw new XferError(isFull ? 'disk-full' : 'output-closed', { cause: error });
}
