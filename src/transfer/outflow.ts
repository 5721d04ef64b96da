/** Turns wanted files into records, each byte read once. */
import type { ErrorCode, XferError } from '../errors.js';
import { BatchWriter, MAX_BATCHED_BYTES } from './batch.js';
import { Packer } from './compression.js';
import { Controller } from './controller.js';
import { entryFailure } from './entry-failure.js';
import { FileOutflow } from './file-outflow.js';
import { TRANSFER } from './inbox.js';
import type { Outbox } from './outbox.js';
import { packInto } from './parcel.js';
import type { Compression, DataRecord, Entry, FileSource, LeafHasher, Packed } from './ports.js';
import type { SharedWork } from './shared-work.js';
import { Survey, type Need } from './survey.js';
import type { Wish } from './want.js';

export interface OutflowOptions {
  readonly compression: Compression;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly hasher?: LeafHasher | undefined;
  /** Where others get the same content. */
  readonly shared?: SharedWork | undefined;
}

/** What is wanted of one part of the manifest. */
export interface WantedFiles {
  readonly files: readonly Entry[];
  readonly held: Wish['held'];
  /** Those of which the receiver may have an older copy. */
  readonly older: readonly Entry[];
}

export interface OutflowEvents {
  started(entry: Entry): void;
  failed(entry: Entry, reason: ErrorCode): void;
  /** The receiver keeps so many bytes of what it holds; 0 where the file begins anew. */
  kept(entry: Entry, bytes: number): void;
  /** The receiver has the very file. */
  unchanged(entry: Entry): void;
  /** So many bytes of a file do not travel, since the receiver has them. */
  patched(entry: Entry, bytes: number): void;
}

export class Outflow {
  /** What went whole. */
  files = 0;
  bytes = 0;
  /** Of them, what the receiver had. */
  continuedBytes = 0;
  /** What it keeps of the file that goes now. */
  #keptBytes = 0;
  readonly #source: FileSource;
  readonly #outbox: Outbox;
  readonly #events: OutflowEvents;
  readonly #batchPacker: Packer;
  readonly #shared: SharedWork | undefined;
  #batch: BatchWriter;
  /** Those whose batches have left: their memory is worth keeping. */
  readonly #spareBatches: BatchWriter[] = [];
  readonly #survey: Survey;
  readonly #file: FileOutflow;

  constructor(
    source: FileSource,
    outbox: Outbox,
    { compression, now, hasher: own, shared }: OutflowOptions,
    events: OutflowEvents,
  ) {
    this.#source = source;
    this.#outbox = outbox;
    this.#events = events;
    this.#batch = new BatchWriter(outbox.pieceBytes);
    const controller = new Controller(now);
    const hasher = shared?.hasher(own) ?? own;
    this.#shared = shared;
    this.#batchPacker = new Packer(compression, controller, 'batches', shared?.pack);
    this.#survey = new Survey(source, outbox, now, hasher);
    this.#file = new FileOutflow(source, outbox, {
      compression,
      controller,
      hasher,
      pack: shared?.pack,
      onKept: (entry, bytes) => {
        this.#keptBytes = bytes;
        events.kept(entry, bytes);
      },
    });
  }

  /** Sends the content of files, in their order. Resolves when the last is in the outbox. */
  async send({ files, held, older }: WantedFiles): Promise<void> {
    const heldLeaves = new Map(held);
    for await (const group of this.#survey.groups(files, older)) {
      for (const entry of group.files) {
        const need = group.needOf(entry);
        if (need === 'nothing') this.#events.unchanged(entry);
        else await this.#sendOne(entry, heldLeaves.get(entry.index) ?? 0, need);
      }
      await this.#sendBatch();
    }
  }

  /** Takes what the receiver keeps of a file. Throws `protocol` where it was not told of all that it holds, or keeps more. */
  takeKept(entry: number, leaves: number): void {
    this.#file.takeKept(entry, leaves);
  }

  /** Takes which spans the receiver needs. Throws `protocol` where it was told of none, or of fewer. */
  takeNeed(runs: Wish['runs']): void {
    this.#survey.takeNeed(runs);
  }

  /** Waits for no answer any more. */
  stop(error: XferError): void {
    this.#file.stop(error);
    this.#survey.stop(error);
  }

  async #sendOne(entry: Entry, leaves: number, need: Need): Promise<void> {
    const { pieceBytes } = this.#outbox;
    const smallBytes = Math.min(MAX_BATCHED_BYTES, pieceBytes);
    const isSmall = entry.size !== undefined && entry.size <= smallBytes;
    if (leaves > 0 || need !== undefined || !isSmall) {
      await this.#sendBatch();
      await this.#sendLarge(entry, leaves, need);
      return;
    }
    const content = await this.#readSmall(entry, smallBytes);
    if (typeof content === 'string') {
      await this.#sendBatch();
      await this.#fail(entry, content);
      return;
    }
    if (this.#batch.length + content.length > pieceBytes) await this.#sendBatch();
    if (this.#batch.count === 0) this.#events.started(entry);
    this.#batch.add(entry.index, content);
    this.#count(content.length);
    if (this.#batch.full) await this.#sendBatch();
  }

  /** A file's content, or why there is none. */
  async #readSmall(entry: Entry, limit: number): Promise<Uint8Array | ErrorCode> {
    try {
      const content = await this.#source.readWhole(entry, limit);
      return content !== undefined && content.length === entry.size ? content : 'source-changed';
    } catch (error) {
      return entryFailure(error);
    }
  }

  /** Sends what the batch holds, and begins the next. */
  async #sendBatch(): Promise<void> {
    const batch = this.#batch;
    const { count } = batch;
    if (count === 0) return;
    this.#batch = this.#spareBatches.pop() ?? new BatchWriter(this.#outbox.pieceBytes);
    const record = async (body: Packed): Promise<DataRecord> => ({
      kind: 'batch',
      transfer: TRANSFER,
      count,
      body,
    });
    const free = (): void => {
      batch.clear();
      this.#spareBatches.push(batch);
    };
    if (this.#shared === undefined) {
      await this.#outbox.put(packInto(this.#batchPacker, batch.finish(), record, free));
      return;
    }
    const bytes = this.#shared.batch(batch);
    free();
    await this.#outbox.put(packInto(this.#batchPacker, bytes, record));
  }

  async #sendLarge(entry: Entry, leaves: number, need: Need): Promise<void> {
    this.#events.started(entry);
    this.#keptBytes = 0;
    try {
      if (need === undefined || need === 'nothing') this.#count(await this.#file.send(entry, leaves));
      else {
        const size = entry.size ?? 0;
        this.#keptBytes = need.spans.reduce((left, { length }) => left - length, size);
        this.#events.patched(entry, this.#keptBytes);
        await this.#file.sendPatch(entry, need);
        this.#count(size);
      }
      // Not of a file that failed.
      this.continuedBytes += this.#keptBytes;
    } catch (error) {
      await this.#fail(entry, entryFailure(error));
    }
  }

  async #fail(entry: Entry, reason: ErrorCode): Promise<void> {
    this.#events.failed(entry, reason);
    await this.#outbox.put({ type: 'entry-failed', transfer: TRANSFER, entry: entry.index, reason });
  }

  #count(size: number): void {
    this.files++;
    this.bytes += size;
  }
}
