/** What two sides of a session say to each other besides content. Encoded as docs/protocol.md section 7 says. */
import type { ErrorCode } from '../errors.js';
import type { ChatMessage } from './chat-messages.js';
import type { ShareMessage } from './share-messages.js';

export type ControlMessage =
  /** Joiner to host, the first sealed record: this host it is. The code is used up when the host opens it. */
  | { readonly type: 'chosen' }
  /** Both ways, after `chosen`: what this side is about to do. */
  | {
      readonly type: 'session';
      readonly role: Role;
      readonly verify: boolean;
      /** Most bytes per second that this side wants to travel either way; `undefined` for no such wish. */
      readonly limit: number | undefined;
    }
  /** Both ways where one side asked for it: the person compared the words and they are equal. */
  | { readonly type: 'verified' }
  /** Both ways, once, where the pairing came through the DHT: where lanes may reach this side. */
  | { readonly type: 'hints'; readonly hints: readonly Hint[] }
  /** Either side, where lanes are up to the other one: how many it would like to have. */
  | { readonly type: 'lanes'; readonly count: number }
  /** Both ways, after `chosen` of a pairing of devices: who this side is. */
  | {
      readonly type: 'device';
      readonly verify: boolean;
      /** X25519. */
      readonly publicKey: Uint8Array;
      /** What this machine calls itself. */
      readonly name: string;
    }
  /** Both ways, after the other side's `device`: proof that this side has the key that it told. */
  | { readonly type: 'device-proof'; readonly proof: Uint8Array }
  /** Both ways, after the proofs: the person wants the other device to be remembered. */
  | { readonly type: 'remembered' }
  /** Sender: what it offers. Comes before anything is scanned. */
  | {
      readonly type: 'offer';
      readonly transfer: number;
      readonly kind: OfferKind;
      readonly roots: readonly OfferedRoot[];
    }
  /** Sender, while it scans: how much it found so far. */
  | { readonly type: 'counting'; readonly transfer: number; readonly entries: number; readonly bytes: number }
  /** Sender, after the last manifest part. */
  | {
      readonly type: 'manifest-end';
      readonly transfer: number;
      readonly entries: number;
      readonly files: number;
      readonly bytes: number;
      /** How many entries the sender leaves out (links, devices, unreadable ones). */
      readonly skipped: number;
      /** How many of them it should have sent and cannot: the receiver does not get all of it either. */
      readonly missing: number;
      /** BLAKE3-256 over all parts before compression, in order. */
      readonly digest: Uint8Array;
    }
  /** Receiver: yes or no, once. `reason` only with a no. */
  | {
      readonly type: 'answer';
      readonly transfer: number;
      readonly accepted: boolean;
      readonly reason: ErrorCode | undefined;
    }
  /**
   * Receiver, after a yes, for each manifest part in order: which of its `count` entries it takes, as runs of
   * wanted entries given by [entries to leave out before the run, length of the run].
   */
  | {
      readonly type: 'want';
      readonly transfer: number;
      readonly part: number;
      readonly runs: readonly (readonly [skip: number, take: number])[];
      /** Of which files it holds how many leaves from the start, in their order: `leaves` shall say whether they are right. */
      readonly held: readonly (readonly [entry: number, leaves: number])[];
      /** Of which of those files it may have an older copy, as runs like the others: `spans` shall say what they are now. */
      readonly older: readonly (readonly [skip: number, take: number])[];
    }
  /** Sender, before a file of which the receiver holds a part: the digests of those leaves as they are now, in order. */
  | {
      readonly type: 'leaves';
      readonly transfer: number;
      readonly entry: number;
      readonly digests: readonly Uint8Array[];
    }
  /** Receiver, after the last of them: how many leaves it keeps. The sender goes on behind them. */
  | {
      readonly type: 'keep';
      readonly transfer: number;
      readonly entry: number;
      readonly leaves: number;
    }
  /** Sender, before the content of files of which the receiver may hold an older copy: what these files are, cut by their content. */
  | {
      readonly type: 'spans';
      readonly transfer: number;
      /** The next spans of each entry, from the first on. */
      readonly files: readonly FileSpans[];
    }
  /** Receiver, for each `spans` in turn: which of its spans it needs, as runs like those of `want`. */
  | {
      readonly type: 'need';
      readonly transfer: number;
      readonly runs: readonly (readonly [skip: number, take: number])[];
    }
  /** Sender: this entry will not come, or not to its end. */
  | {
      readonly type: 'entry-failed';
      readonly transfer: number;
      readonly entry: number;
      readonly reason: ErrorCode;
    }
  /** Sender, after the last record of a transfer: what was sent whole. */
  | { readonly type: 'sent'; readonly transfer: number; readonly files: number; readonly bytes: number }
  /** Receiver, the last word: what is verified and in place, and how many entries are not. */
  | {
      readonly type: 'received';
      readonly transfer: number;
      readonly files: number;
      readonly bytes: number;
      readonly missing: number;
    }
  /** Receiver, a few times a second: what is verified and written so far. */
  | {
      readonly type: 'progress';
      readonly transfer: number;
      readonly state: ReceiverState;
      readonly files: number;
      readonly bytes: number;
    }
  | ShareMessage
  | ChatMessage
  /** Either side gives up, with the code only. */
  | { readonly type: 'error'; readonly code: ErrorCode };

/** What a side of a session is about to do: `share` offers a folder, `use` asks for what is in one, `chat` talks. */
export type Role = 'send' | 'receive' | 'share' | 'use' | 'chat';

/** Spans of one file, one behind the other. */
export interface FileSpans {
  readonly entry: number;
  readonly spans: readonly Span[];
}

/** A part of a file that is cut by its content. */
export interface Span {
  /** Bytes. */
  readonly length: number;
  readonly digest: Uint8Array;
}

/** An address of a peer, said by that peer. */
export interface Hint {
  /** A literal IP address. */
  readonly host: string;
  readonly port: number;
}

export type EntryType = 'file' | 'folder';

export type OfferKind = 'files' | 'text' | 'pipe';

export interface OfferedRoot {
  readonly name: string;
  readonly type: EntryType;
  /** Bytes; `undefined` for a folder or a pipe. */
  readonly size: number | undefined;
}

export type ReceiverState = 'asking' | 'receiving' | 'verifying';

/** Most bytes of one encoded control message. */
export const MAX_CONTROL_BYTES = 1 << 16;
/** Most roots of one offer. */
export const MAX_ROOTS = 1000;
/** Most hints of one side. */
export const MAX_HINTS = 8;
/** Most bytes of what a machine calls itself. */
export const MAX_MACHINE_NAME_BYTES = 64;
/** Most lanes of a session at once. */
export const MAX_LANES = 8;
/** Most digests in one message. */
export const MAX_LEAVES = 64;
/** Most spans in one message, of all its files. */
export const MAX_SPANS = 1500;
/** Most bytes of an offered text. */
export const MAX_TEXT_BYTES = 1 << 20;
