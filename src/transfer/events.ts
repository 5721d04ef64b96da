/** What a transfer tells whoever watches it. Names, paths and texts in events are foreign: show them with care. */
import type { ErrorCode } from '../errors.js';
import type { OfferedRoot, OfferKind, ReceiverState } from './messages.js';
import type { ConflictPolicy, Skipped } from './ports.js';

/** Figures of a transfer. Bytes and files are those that the receiver has verified and written. */
export interface Progress {
  readonly bytes: number;
  readonly files: number;
  /** What is to come in all, as far as known; `totalKnown` once the scan and the choice are complete. */
  readonly totalBytes: number;
  readonly totalFiles: number;
  readonly totalKnown: boolean;
}

export type TransferEvent =
  /** Sender: what it found so far. */
  | { readonly type: 'scanning'; readonly files: number; readonly bytes: number; readonly done: boolean }
  /** Both: the offer was sent or came in. */
  | { readonly type: 'offer'; readonly kind: OfferKind; readonly roots: readonly OfferedRoot[] }
  /** Receiver: how far the sender's count is, while the person thinks. */
  | { readonly type: 'counting'; readonly entries: number; readonly bytes: number; readonly done: boolean }
  /** Sender: what the other side is doing. */
  | { readonly type: 'peer-state'; readonly state: ReceiverState }
  | { readonly type: 'accepted' }
  | { readonly type: 'declined'; readonly reason: ErrorCode | undefined }
  /** A file is begun; one event per record for many small ones. */
  | { readonly type: 'file-started'; readonly path: string; readonly size: number | undefined }
  /** Both: so many bytes from the start of a file are at the receiver already, from an interrupted transfer, and do not travel again. */
  | { readonly type: 'file-continued'; readonly path: string; readonly bytes: number }
  /** Both: an interrupted transfer left a part of a file, but the file is another one now and begins anew. */
  | { readonly type: 'file-restarted'; readonly path: string }
  /** Both: an older copy of a file is at the receiver, and so many bytes of the new one are taken from it. */
  | { readonly type: 'file-updated'; readonly path: string; readonly bytes: number }
  /** Receiver, before it fails: what arrived is kept, so many bytes of it in unfinished files, and a later transfer into the same place goes on with it. */
  | { readonly type: 'kept'; readonly bytes: number }
  /** Receiver: a root of the offer is complete under this path. */
  | { readonly type: 'file-received'; readonly path: string; readonly size: number }
  | { readonly type: 'progress'; readonly progress: Progress }
  /** Something was left out, and why; the transfer goes on. */
  | { readonly type: 'skipped'; readonly skipped: Skipped };

/** What is known of an offer when the person is asked. */
export interface OfferSummary {
  readonly kind: OfferKind;
  readonly roots: readonly OfferedRoot[];
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  /** Files that an interrupted transfer brought here before; not among `files`. */
  readonly arrivedFiles: number;
  readonly arrivedBytes: number;
  /** Of `bytes`, what an interrupted transfer left here in unfinished files. */
  readonly partBytes: number;
  /** False while the sender still counts: the figures above are what it found so far. */
  readonly complete: boolean;
  /** Left out by the sender (links, devices, unreadable files). */
  readonly skippedBySender: number;
  /** Files that exist here already; at most the first 100 of `conflictCount`. */
  readonly conflicts: readonly string[];
  readonly conflictCount: number;
  /** Files exist, and another transfer of the same is under way here. */
  readonly isBusy: boolean;
  /** Entries that cannot be kept here; at most the first 100 of `refusedCount`. */
  readonly refused: readonly Skipped[];
  readonly refusedCount: number;
  /** Files that would be executable, at most the first 100 of `executableCount`. */
  readonly executables: readonly string[];
  readonly executableCount: number;
  /** Names at the top level that begin with a dot: they need a yes of their own. */
  readonly dotNames: readonly string[];
  readonly freeBytes: number | undefined;
  /** All roots are known and none of their names exists here: no file can conflict, whatever else comes. */
  readonly isAllNew: boolean;
  /** The target is the home folder itself: it needs a yes of its own. */
  readonly intoHome: boolean;
}

export interface OfferWatch {
  /** Calls back with better figures until the decision is there. */
  onUpdate(callback: (offer: OfferSummary) => void): void;
  /** Aborted when the peer is gone or gives up. */
  readonly signal: AbortSignal;
}

export type Decision =
  | { readonly accept: false; readonly reason?: ErrorCode }
  | { readonly accept: true; readonly conflicts: ConflictPolicy };

export interface TransferOutcome {
  readonly files: number;
  readonly bytes: number;
  /** Of `bytes`, those that were here before and did not travel: the beginnings of interrupted files, and what older copies gave. */
  readonly continuedBytes: number;
  /**
   * Files, and their bytes, that were here as they are, not among `files` and `bytes`: those that an interrupted transfer had brought
   * before, of which the receiver alone knows, and with `update` those that did not change.
   */
  readonly alreadyFiles: number;
  readonly alreadyBytes: number;
  /** Sender: listed files that the receiver did not ask for. It has them, keeps what it has in their places, or chose others. */
  readonly unwantedFiles: number;
  /** Wall time from the yes to the last word, in milliseconds. */
  readonly elapsedMs: number;
  /** Entries that did not arrive, by either side's doing; at most the first 1,000 of `missingCount`. */
  readonly missing: readonly Skipped[];
  readonly missingCount: number;
  /** Entries that nobody expects to arrive: links and devices, and what the person keeps. None of them is missing. */
  readonly skippedCount: number;
}
