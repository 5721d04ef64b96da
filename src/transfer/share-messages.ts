/** What is said about a shared folder. Encoded as docs/protocol.md section 12 says. */
import type { ErrorCode } from '../errors.js';
import type { EntryType } from './messages.js';
import type { ConflictPolicy } from './ports.js';

/** Names of folders below the share and at last of what is meant; none for the share itself. */
export type FarPath = readonly string[];

/** What is asked of a share. */
export type Ask =
  /** What a folder holds. */
  | { readonly action: 'list'; readonly path: FarPath }
  /** What one file or folder is. */
  | { readonly action: 'look'; readonly path: FarPath }
  /** To be sent these files and folders. */
  | { readonly action: 'get'; readonly paths: readonly FarPath[] }
  /** To take files and folders into a folder that is there, or a single one under a new name. */
  | { readonly action: 'put'; readonly path: FarPath; readonly conflicts: ConflictPolicy }
  | { readonly action: 'make-folder'; readonly path: FarPath }
  | { readonly action: 'remove'; readonly path: FarPath; readonly recursive: boolean }
  /** Into a folder that is there, or to a new name. `replace` lets a file take the place of another one. */
  | { readonly action: 'move'; readonly from: FarPath; readonly to: FarPath; readonly replace: boolean }
  /** To end, for all. */
  | { readonly action: 'stop' }
  /** To run something that its owner listed, with these words of the device. */
  | { readonly action: 'run'; readonly name: string; readonly words: readonly string[] }
  /** What it would run for this device. */
  | { readonly action: 'actions' };

export type Action = Ask['action'];

/** A file or a folder of a share. */
export interface ListedItem {
  readonly name: string;
  readonly type: EntryType;
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** Last change, milliseconds since 1970, may be negative. */
  readonly mtimeMs: number;
  /** The nine permission bits. */
  readonly mode: number;
}

/** Something that a share runs for a device. */
export interface ListedAction {
  readonly name: string;
  /** What the device has to say, in this order. */
  readonly parameters: readonly string[];
}

/** Where something that runs writes to. */
export type Stream = 'stdout' | 'stderr';

/** How something that ran came to its end. */
export type Ending =
  /** By itself, with this status from 0 to 255. */
  | { readonly how: 'exit'; readonly status: number }
  /** A signal of this number ended it, from 1 to 127. */
  | { readonly how: 'signal'; readonly signal: number }
  /** It took longer than its owner allows. */
  | { readonly how: 'timeout' }
  /** It said more than its owner allows. */
  | { readonly how: 'output' };

export type ShareMessage =
  /** User of a share: what is asked for. Requests of a session are numbered from 1, and come one after the other. */
  | { readonly type: 'request'; readonly request: number; readonly ask: Ask }
  /** Share, before the reply to `list` and `look`: some of what there is. */
  | { readonly type: 'listing'; readonly request: number; readonly items: readonly ListedItem[] }
  /**
   * Share: it is done, or for `get` and `put` a transfer begins; or why not, and which of the paths in `get` or `move` that is about,
   * counted from 0.
   */
  | {
      readonly type: 'reply';
      readonly request: number;
      readonly problem: ErrorCode | undefined;
      readonly path: number;
    }
  /** Share, after `stop`: prove that you know the owner's password. */
  | {
      readonly type: 'challenge';
      readonly request: number;
      readonly salt: Uint8Array;
      readonly point: Uint8Array;
    }
  /** User of a share, after `challenge`. */
  | {
      readonly type: 'proof';
      readonly request: number;
      readonly point: Uint8Array;
      readonly tag: Uint8Array;
    }
  /** Share, before the reply to `actions`: some of what there is. */
  | { readonly type: 'actions'; readonly request: number; readonly actions: readonly ListedAction[] }
  /** Share, before the reply to `run`: what it wrote. */
  | {
      readonly type: 'output';
      readonly request: number;
      readonly stream: Stream;
      readonly bytes: Uint8Array;
    }
  /** Share, after all `output` and before the reply. */
  | { readonly type: 'ended'; readonly request: number; readonly ending: Ending }
  /** Both ways: this side says no more in the transfer of that request. */
  | { readonly type: 'over'; readonly request: number };

/** Most paths in one request. */
export const MAX_FAR_PATHS = 1000;
/** Most names in one path. */
export const MAX_FAR_DEPTH = 64;
/** Most words of a device for what is run. */
export const MAX_WORDS = 16;
/** Most characters of one of them. */
export const MAX_WORD_LENGTH = 256;
/** Most bytes of the name of what is run, and of a parameter. */
export const MAX_ACTION_NAME_BYTES = 32;
/** Most of what is run in one message. */
export const MAX_LISTED_ACTIONS = 64;
/** Most bytes of one piece of output. */
export const MAX_OUTPUT_BYTES = 1 << 15;
/** Most items in one listing. */
export const MAX_LISTED = 1000;
