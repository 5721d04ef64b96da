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
  | { readonly action: 'stop' };

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
  /** Both ways: this side says no more in the transfer of that request. */
  | { readonly type: 'over'; readonly request: number };

/** Most paths in one request. */
export const MAX_FAR_PATHS = 1000;
/** Most names in one path. */
export const MAX_FAR_DEPTH = 64;
/** Most items in one listing. */
export const MAX_LISTED = 1000;
