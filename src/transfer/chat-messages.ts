/** What a member of a room and the room say to each other: docs/protocol.md section 13. */
import type { EntryType } from './messages.js';

/** A member of a room, by the number that the room gave. */
export interface Member {
  readonly member: number;
  /** No two of a room are alike. */
  readonly name: string;
}

/** A file or folder that a member offers to all. */
export interface OfferedFile {
  readonly member: number;
  /** Counts the offers of that member, from 1. */
  readonly file: number;
  readonly name: string;
  readonly entry: EntryType;
  /** Bytes; `undefined` for a folder. */
  readonly size: number | undefined;
}

export type ChatMessage =
  /** Member, first: how it wants to be called. */
  | { readonly type: 'enter'; readonly name: string }
  /** Room: the number of this member, and who is there, this member included. */
  | { readonly type: 'welcome'; readonly member: number; readonly members: readonly Member[] }
  /** Room: somebody else came. */
  | { readonly type: 'joined'; readonly member: number; readonly name: string }
  /** Room: somebody else went. */
  | { readonly type: 'left'; readonly member: number }
  /** Member, and from there the room to all others: a line of text. */
  | { readonly type: 'line'; readonly member: number; readonly text: string }
  /** Member, and from there the room to all others: there is a file to be had. */
  | ({ readonly type: 'file' } & OfferedFile)
  /** Member: it would like to have that file. */
  | { readonly type: 'take'; readonly member: number; readonly file: number }
  /** Room: the transfer of that file begins, under a number that counts those of this member. */
  | {
      readonly type: 'begin';
      readonly request: number;
      readonly member: number;
      readonly file: number;
      readonly sends: boolean;
    }
  /** Member that receives: the other side may begin. */
  | { readonly type: 'ready'; readonly request: number }
  /** Room: that file is not to be had any more. */
  | { readonly type: 'gone'; readonly member: number; readonly file: number };

/** Most bytes of a line. */
export const MAX_LINE_BYTES = 1 << 14;
/** Most members of a room. */
export const MAX_MEMBERS = 32;
/** Most bytes of a member's name. */
export const MAX_MEMBER_NAME_BYTES = 128;
