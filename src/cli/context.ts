/** What a command gets of the world around it, so that a test can be that world. */
import type { Readable, Writable } from 'node:stream';
import type * as library from '../index.js';

/** The part of the library that moves things. */
export type Library = Pick<
  typeof library,
  | 'send'
  | 'distribute'
  | 'chat'
  | 'receive'
  | 'pair'
  | 'waitForDevices'
  | 'openDevices'
  | 'listContent'
  | 'leftovers'
  | 'removeLeftover'
  | 'runNode'
  | 'nodeAddress'
  | 'examine'
  | 'openShared'
  | 'openActions'
  | 'openRooms'
  | 'useShare'
  | 'setOwnerPassword'
>;

export type Input = Readable & {
  readonly isTTY?: boolean;
  /** Of a terminal: keys come one by one and are not shown. */
  readonly setRawMode?: (on: boolean) => unknown;
};

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface Context {
  readonly library: Library;
  readonly stdin: Input;
  /** For what a script wants: a code, paths, bytes, events. */
  readonly stdout: Output;
  /** For people. */
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  /** `XFER_CODE`, which is not in `env` any more. */
  readonly code: string | undefined;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Does what Ctrl-C does; for a prompt, where the key arrives as a letter. */
  readonly interrupt: () => void;
  /** Has Ctrl-C do this in place of anything else, until what is given back is called. */
  readonly takeInterrupts: (handle: () => void) => () => void;
}

/** Flags of every command that moves something. */
export interface OutputFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
  /** The bytes of a file go to the standard output. */
  readonly stdout?: boolean;
}

/** True where somebody can be asked: both ends of the conversation are a terminal and no script reads along. */
export function canAsk({ stdin, stderr }: Pick<Context, 'stdin' | 'stderr'>, flags: OutputFlags): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && flags.json !== true;
}
