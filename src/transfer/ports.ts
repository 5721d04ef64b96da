/**
 * What a transfer needs of the world: a channel to the peer, files to read, a place to write.
 * `peer/` and `files/` implement these, tests do so over memory.
 */
import type { Delivery } from './delivery.js';
import type { ErrorCode, XferError } from '../errors.js';
import type { ControlMessage, EntryType } from './messages.js';

export type { EntryType } from './messages.js';

/** How the bytes travel: a TCP connection, a hole-punched DHT connection, or one through a relay. */
export type Path = 'direct' | 'dht' | 'relay';

export type Compression = 'stored' | 'brotli' | 'zstd';

/** Bytes as they travel inside a record: compressed on their own, or stored where that does not make them fewer. */
export interface Packed {
  readonly compression: Compression;
  /** Bytes before compression. */
  readonly rawLength: number;
  readonly bytes: Uint8Array;
}

/** A record that is not a control message, before it is sealed or after it was opened. */
export type DataRecord = ManifestPart | Chunk | Batch | Hole;

/** Some folders' entries, encoded by `manifest.ts`. At most 64 KiB. */
export interface ManifestPart {
  readonly kind: 'manifest';
  readonly transfer: number;
  /** Counts from 0. */
  readonly part: number;
  /** How many entries the part lists. */
  readonly count: number;
  readonly body: Packed;
}

/** Bytes of one file, in order: `offset` is where the last chunk or hole ended. At most 1 MiB. */
export interface Chunk {
  readonly kind: 'chunk';
  readonly transfer: number;
  readonly entry: number;
  readonly offset: number;
  readonly body: Packed;
  /** With the file's last chunk: its tree digest (32 bytes). An empty file has one empty chunk. */
  readonly digest?: Uint8Array;
}

/** Whole small files together, encoded by `batch.ts`. At most 1 MiB. */
export interface Batch {
  readonly kind: 'batch';
  readonly transfer: number;
  readonly count: number;
  readonly body: Packed;
}

/** A run of zero bytes that the source does not store. */
export interface Hole {
  readonly kind: 'hole';
  readonly transfer: number;
  readonly entry: number;
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** What arrives on a channel, and what it costs of the credit that its receiver gave. */
export interface Received {
  readonly item: ControlMessage | DataRecord;
  /** Credit (bytes) to give back with `Channel.release` when the item is dealt with. */
  readonly cost: number;
}

/**
 * A connection cut into messages, whose other end is the authenticated peer. Order is kept; every
 * message is sealed, and refused when one bit of it was changed.
 */
export interface Channel {
  readonly path: Path;
  /** What the peer can decompress, `stored` included. */
  readonly compressions: ReadonlySet<Compression>;
  /**
   * Sends one control message or record. Resolves when the next one may be given: it waits for the peer's
   * credit and for the connection. Calls may overlap: items leave in the order of the calls. Rejects with an
   * `XferError` once the channel is dead.
   *
   * The item's memory belongs to the channel until it calls `onDone`, once: that may be after the promise resolved,
   * as what is under way may have to be sent again. A channel that is over never calls it.
   */
  send(item: ControlMessage | DataRecord, onDone?: () => void): Promise<void>;
  /**
   * How many raw bytes are worth putting into one record now, at most `CHUNK_BYTES`; so many if not given. A slow line
   * takes less, so that what it does, and what is heard of it, comes evenly.
   */
  readonly pieceBytes?: () => number;
  /**
   * The next item of the peer. `undefined` after the peer's authenticated end; a connection that ends without
   * one rejects with `peer-gone`. One call at a time.
   */
  receive(): Promise<Received | undefined>;
  /** Says that items worth `cost` bytes are written or dropped, so that the peer may send more. */
  release(cost: number): void;
  /** How much the peer may have under way, in bytes: small until someone said yes. Never shrinks. */
  widen(windowBytes: number): void;
  /**
   * This side ends, and says why if it still can. From now on nobody looks for a peer whose connection is lost, and content that
   * was not sent yet is refused with `interrupted`, what waits in `send` too: a last word would come behind it.
   */
  readonly giveUp?: () => void;
  /** Whether the connection is lost and looked for; not given where that cannot be. */
  readonly isAway?: () => boolean;
  /** How what was sent arrives; not given where nobody knows. */
  readonly delivery?: () => Delivery | undefined;
  /** Ends our direction, authenticated, after everything sent before. */
  end(): Promise<void>;
  /** Drops the connection at once; a pending `send` or `receive` rejects with `error`, or `peer-gone`. */
  destroy(error?: Error): void;
}

/** One file or folder of a manifest. */
export interface Entry {
  /** Position in the manifest, from 0. */
  readonly index: number;
  /** Index of the folder it lies in; `ROOT` for what was named on the command line. */
  readonly parent: number;
  readonly type: EntryType;
  /** One segment of a path, never a path. */
  readonly name: string;
  /** Bytes; `undefined` for a pipe, whose length nobody knows; 0 for a folder. */
  readonly size: number | undefined;
  /** Last change, milliseconds since 1970, may be negative. */
  readonly mtimeMs: number;
  /** The nine permission bits. */
  readonly mode: number;
}

export const ROOT = -1;

/** What a source left out, and why. */
export interface Skipped {
  /** Path as the person would name it. Foreign text. */
  readonly path: string;
  readonly reason: ErrorCode;
}

/** One folder's entries, or the roots. Parents come before their children. */
export interface Listing {
  readonly entries: readonly Entry[];
  readonly skipped: readonly Skipped[];
}

/** What a person offers: files on the disk, a text, a pipe. */
export interface FileSource {
  /** What the offer names, known before anything is scanned. */
  readonly roots: readonly Pick<Entry, 'name' | 'type' | 'size'>[];
  /** Walks the roots. Numbers entries from 0 in the order it yields them. */
  scan(): AsyncIterable<Listing>;
  /**
   * Reads a file of at most `limit` bytes whole, in one go, or gives `undefined` when it is larger now. One call at
   * a time; what it gives is the caller's until the next. Throws `source-vanished`, `source-changed` or `path-unreadable`.
   */
  readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined>;
  /** Opens a file for reading from its start, or one of known size from there on. Throws as `readWhole`. */
  open(entry: Entry, offset?: number): Promise<SourceFile>;
  /** The entry's path as its owner would name it, for messages. */
  pathOf(entry: Entry): string;
}

export interface SourceFile {
  /**
   * The next piece: up to `CHUNK_BYTES` of data, or the length of a hole, or `undefined` at the end. More than `worthBytes` are
   * no use now, so that a source that can gives about as much.
   * The data belongs to the caller; where it is in shared memory, another thread may hash it meanwhile. Throws `source-changed` when the file is not what was scanned any more, at
   * the latest with the last bytes that were scanned.
   */
  read(worthBytes?: number): Promise<Uint8Array | { readonly hole: number } | undefined>;
  /** Takes data back that `read` gave and that nobody needs any more, to fill its memory again. */
  recycle?(data: Uint8Array): void;
  /** Fills `into` with what is at `offset`, whatever `read` gave. For files of known size. Throws as `read`. */
  readAt(into: Uint8Array, offset: number): Promise<void>;
  close(): Promise<void>;
}

/** Digests leaves of large files in another thread, where this machine has a processor for it. */
export interface LeafHasher {
  /** Leaves before that place in a file are not worth the call, in bytes; 16 MiB if not given. */
  readonly fromBytes?: number;
  /**
   * The `leafDigest` of one leaf. Memory that is not shared is taken over, and comes back as another view of the same
   * bytes; shared memory may be read meanwhile. Answers come in the order of the calls. Rejects where the thread died.
   */
  hash(leaf: Uint8Array): Promise<HashedLeaf>;
}

export interface HashedLeaf {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What would happen to an entry at the receiver. `partBytes`: an interrupted transfer left so much of it, in an unfinished file. */
export type Prospect =
  | { readonly status: 'new'; readonly partBytes?: number }
  /** A folder that is there already and takes the new entries in. */
  | { readonly status: 'merges' }
  /** A file that is there already, or something of another type. */
  | { readonly status: 'exists'; readonly partBytes?: number }
  /** A file that an interrupted transfer verified and put there, unchanged since. */
  | { readonly status: 'arrived' }
  /** The entry cannot be kept on this system. */
  | { readonly status: 'refused'; readonly reason: ErrorCode };

/** With `update` files are replaced as with `overwrite`, but what of them is here already does not travel. */
export type ConflictPolicy = 'overwrite' | 'update' | 'rename' | 'skip' | 'refuse';

/**
 * Where a receiver puts what arrives. Every path from the wire passes the one path check. A folder that a wanted entry
 * lies in is made when the entry is, where nobody asked for it before. `target-exists`, `target-protected` and
 * `name-refused` of an entry leave that entry out; every other error ends the transfer.
 */
export interface FileSink {
  /**
   * Takes note of an entry and says what would happen to it; changes nothing on the disk. Entries come in the
   * order of the manifest. Throws `protocol` for a name that no honest sender makes.
   */
  examine(entry: Entry): Promise<Prospect>;
  /** Space that a person may still fill, in bytes; `undefined` where the system does not say. */
  freeBytes(): Promise<number | undefined>;
  /** Whether another transfer of one of these roots is under way here, which may have put there what exists. */
  isBusy(): boolean;
  /** What to do with files that exist; called once, after consent, before the first write. */
  decide(policy: ConflictPolicy): void;
  /** Whether an entry goes elsewhere than where it was examined, so that nothing of it can be there. For use after `decide`. */
  isMadeAnew(entry: Entry): boolean;
  /** What there is now of a file that had arrived when it was examined. For use after `decide`. */
  lookAgain(entry: Entry): 'new' | 'exists' | 'arrived';
  /** Makes a folder that was examined; does nothing where it exists. */
  makeFolder(entry: Entry): Promise<void>;
  /**
   * Writes a verified whole file, which gets its final name now or, with others that share the wait for the disk, later: at the
   * latest in `finish`. `onSettled` is called once when it has it, or with the error where it cannot get it; what that throws
   * comes out of the call that it happened in, and so does the error where there is no `onSettled`. Where this throws for this file itself,
   * at once or later, it is not called. Gives `undefined` where it is done at once.
   */
  writeWhole(
    entry: Entry,
    content: Uint8Array,
    onSettled?: (error?: XferError) => void,
  ): Promise<void> | undefined;
  /** Starts a part file, private and without a final name. */
  create(entry: Entry): Promise<PartFile>;
  /** How many bytes from the start of a file an interrupted transfer left here; 0 for none. For use after `decide`. */
  heldBytes(entry: Entry): number;
  /** Opens what `heldBytes` told of; `undefined` where it is gone meanwhile. */
  openHeld(entry: Entry): Promise<HeldPart | undefined>;
  /** Opens what is here of a file from before: the file that has its place, which comes first, and a part of an interrupted transfer. */
  openOlder(entry: Entry): Promise<OlderCopy[]>;
  /**
   * Last touches: what is still to be settled, times and modes of folders, the wait for the disk. Gives what was kept of files that did
   * not come whole.
   *
   * @param isWhole Everything that was offered was wanted. Otherwise what an earlier transfer left stays for one that wants the rest.
   * @param signal Where it is aborted meanwhile this throws `interrupted`, and what is known of what arrived is left to `abort`.
   */
  finish(isWhole: boolean, signal?: AbortSignal): Promise<Kept>;
  /**
   * Settles what waits, and removes folders that it made and that are empty. With `keep`, part files stay for a later transfer where
   * they hold enough to be worth it; otherwise all that this transfer began are removed. Never anything else. Gives what was kept.
   */
  abort(keep: boolean): Promise<Kept>;
  /** The entry's final path on this machine, for messages; with `rename` only right after it arrived. */
  pathOf(entry: Entry): string;
}

export interface PartFile {
  /** Appends. The bytes may be reused by the caller once the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Appends zero bytes without storing them where the file system can. */
  skip(length: number): Promise<void>;
  /** Gives the file its mode, its time and its final name, in this order. The content was verified. */
  commit(): Promise<void>;
  /** Removes the part file. */
  discard(): Promise<void>;
  /** Leaves the part file for a later transfer, as `abort` does. */
  keep(): Promise<void>;
}

/** A part file of an interrupted transfer. It is closed by `continueFrom` or `setAside`. */
export interface HeldPart {
  /** Whole leaves (`LEAF_BYTES`) that it holds. */
  readonly leaves: number;
  /** One of them. The memory is used again by the next call. */
  read(leaf: number): Promise<Uint8Array>;
  /** Goes on behind that many leaves; what is behind is dropped. */
  continueFrom(leaf: number): Promise<PartFile>;
  /** Leaves it as it is: it is removed when the file that it was for has arrived. */
  setAside(): Promise<void>;
}

/** A file on this machine that may have much in common with the one that is offered. */
export interface OlderCopy {
  /** Bytes. */
  readonly size: number;
  /** Up to so many bytes at `offset`; fewer at the end of what it is now. */
  read(into: Uint8Array, offset: number): Promise<Uint8Array>;
  /**
   * Of the file that has the entry's place: it is what was offered, so it gets its mode and its time. Throws `target-changed` where it
   * is not what was read any more.
   */
  readonly adopt?: () => Promise<void>;
  close(): Promise<void>;
}

/** What an interrupted transfer left for a later one. */
export interface Kept {
  /** Of part files, in bytes. */
  readonly bytes: number;
  /** Whether anything is known that spares a later transfer work. */
  readonly any: boolean;
}

export const NOTHING_KEPT: Kept = { bytes: 0, any: false };

/** Largest raw content of one record, in bytes. */
export const CHUNK_BYTES = 1 << 20;
/** Largest manifest part, in bytes before compression. */
export const MANIFEST_PART_BYTES = 1 << 16;
/** Most entries in one transfer. */
export const MAX_ENTRIES = 2_000_000;
/** Most bytes of manifest in one transfer, before compression. */
export const MAX_MANIFEST_BYTES = 2 ** 30;
