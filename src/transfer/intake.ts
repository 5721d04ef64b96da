/** Takes the content of wanted files: in order, within its size, and into place only when its digest is right. */
import { LEAF_BYTES, TreeDigest, equalBytes } from '../crypto/digest.js';
import { XferError, type ErrorCode } from '../errors.js';
import { decodeBatch } from './batch.js';
import { keepingFailure } from './choice.js';
import { contentOf } from './inbox.js';
import type { Batch, Chunk, Entry, FileSink, Hole, PartFile } from './ports.js';
import { Comparison } from './resume.js';
import type { Review, ReviewedPart } from './review.js';
import type { Tally } from './tally.js';
import { filesIn, type Wish } from './want.js';
import { malformed } from './wire.js';

/** Why a sender stops in the middle of a file that is another one from now on. */
const STALE: readonly ErrorCode[] = ['source-changed', 'source-vanished'];

/** Zero bytes taken in one go: their digest costs milliseconds, and an abort must come in between. */
const HOLE_STEP_BYTES = 2 ** 40;

export interface IntakeEvents {
  started(entry: Entry): void;
  /** The file is verified and has its final name. */
  arrived(entry: Entry, size: number): void;
  /** What is held of the file is right up to there, and the sender may go on behind that many leaves; 0 to begin anew. */
  compared(entry: Entry, leaves: number): Promise<void>;
}

/** The file that is coming. */
interface OpenFile {
  readonly entry: Entry;
  /** `undefined` where it cannot be kept: what comes of it is checked and dropped. */
  part: PartFile | undefined;
  readonly digest: TreeDigest;
  offset: number;
  /** What was here before. */
  readonly continuedBytes: number;
}

/** The file of which the sender says what its leaves are. */
interface ComparedFile {
  readonly entry: Entry;
  readonly comparison: Comparison;
}

export class Intake {
  /** What came whole, kept or not. */
  files = 0;
  bytes = 0;
  readonly #review: Review;
  readonly #sink: FileSink;
  readonly #tally: Tally;
  readonly #events: IntakeEvents;
  readonly #wanted: { part: ReviewedPart; runs: Wish['runs'] }[] = [];
  /** Leaves of files that the sender was asked about. */
  readonly #held = new Map<number, number>();
  #expected: Entry[] = [];
  #next = 0;
  #open: OpenFile | undefined;
  #compared: ComparedFile | undefined;

  constructor(review: Review, sink: FileSink, tally: Tally, events: IntakeEvents) {
    this.#review = review;
    this.#sink = sink;
    this.#tally = tally;
    this.#events = events;
  }

  /** Bytes of the file that is coming. */
  get pendingBytes(): number {
    return this.#open?.offset ?? 0;
  }

  /** What is wanted of the next part. */
  expect(part: ReviewedPart, { runs, held }: Wish): void {
    if (runs.length > 0) this.#wanted.push({ part, runs });
    for (const [entry, leaves] of held) this.#held.set(entry, leaves);
  }

  /** Whether everything that is wanted came or failed. */
  async isDone(): Promise<boolean> {
    return this.#open === undefined && this.#compared === undefined && (await this.#peek()) === undefined;
  }

  /**
   * The next piece of a file, with what it unpacks to. Like all of these, throws `protocol` where the piece is not the one
   * to come, `integrity` where a file is not what its digest says, and what the sink throws.
   */
  async takeChunk(chunk: Chunk, content = contentOf(chunk)): Promise<void> {
    const { entry, offset, body, digest } = chunk;
    const file = await this.#demand(entry, offset, body.rawLength);
    const { bytes, digest: leaf } = await content;
    if (leaf === undefined) file.digest.update(bytes);
    else file.digest.addLeaf(leaf);
    file.offset += bytes.length;
    await this.#keeping(file, (part) => part.write(bytes));
    if (digest !== undefined) await this.#complete(file, digest);
  }

  /** What the sender says of the leaves of the next file. */
  async takeLeaves(index: number, digests: readonly Uint8Array[]): Promise<void> {
    const compared = (this.#compared ??= await this.#beginComparison(index));
    const { entry, comparison } = compared;
    if (entry.index !== index) throw malformed('leaves of another file');
    await comparison.take(digests);
    if (!comparison.isDone) return;
    const continued = await comparison.finish();
    this.#compared = undefined;
    const leaves = continued?.leaves ?? 0;
    const continuedBytes = leaves * LEAF_BYTES;
    this.#open =
      continued === undefined
        ? await this.#create(entry)
        : { entry, ...continued, offset: continuedBytes, continuedBytes };
    await this.#events.compared(entry, leaves);
  }

  async takeHole({ entry, offset, length }: Hole): Promise<void> {
    const file = await this.#demand(entry, offset, length);
    for (let left = length; left > 0; left -= HOLE_STEP_BYTES) {
      const step = Math.min(left, HOLE_STEP_BYTES);
      file.digest.skipZeros(step);
      file.offset += step;
      await this.#keeping(file, (part) => part.skip(step));
    }
  }

  async takeBatch(batch: Batch, content = contentOf(batch)): Promise<void> {
    if (this.#open !== undefined || this.#compared !== undefined) throw malformed('a batch within a file');
    const { bytes } = await content;
    const files = decodeBatch(bytes, batch.count);
    if (files.length === 0) throw malformed('an empty batch');
    for (const [place, { entry: index, content }] of files.entries()) {
      const entry = await this.#shift(index);
      if (content.length !== entry.size) throw malformed('a file of another size');
      if (place === 0) this.#events.started(entry);
      await this.#keep(entry, content);
    }
  }

  /** The sender cannot send an entry, or the rest of it. */
  async takeFailure(index: number, reason: ErrorCode): Promise<void> {
    const file = this.#open;
    const begun = file?.entry ?? this.#compared?.entry;
    if (begun !== undefined && begun.index !== index) throw malformed('a failure of another file');
    const entry = begun ?? (await this.#shift(index));
    await this.#compared?.comparison.abandon();
    this.#compared = undefined;
    this.#open = undefined;
    // What could be read of a failing disk took long, and is as good as before.
    if (STALE.includes(reason)) await file?.part?.discard();
    else await file?.part?.keep();
    if (file === undefined || file.part !== undefined) this.#tally.miss(this.#review.pathOf(entry), reason);
  }

  /** The file that a piece belongs to, where it is the piece to come. */
  async #demand(index: number, offset: number, length: number): Promise<OpenFile> {
    const file = this.#open ?? (await this.#begin(index));
    const { entry } = file;
    if (entry.index !== index || file.offset !== offset) throw malformed('a piece out of order');
    if (entry.size !== undefined && offset + length > entry.size)
      throw malformed('more than the size of a file');
    return file;
  }

  async #begin(index: number): Promise<OpenFile> {
    if (this.#compared !== undefined) throw malformed('content before all leaves');
    const entry = await this.#shift(index);
    this.#events.started(entry);
    const file = await this.#create(entry);
    this.#open = file;
    return file;
  }

  async #create(entry: Entry): Promise<OpenFile> {
    const digest = new TreeDigest();
    const file: OpenFile = { entry, part: undefined, digest, offset: 0, continuedBytes: 0 };
    try {
      file.part = await this.#sink.create(entry);
    } catch (error) {
      this.#tally.miss(this.#review.pathOf(entry), keepingFailure(error));
    }
    return file;
  }

  async #beginComparison(index: number): Promise<ComparedFile> {
    const leaves = this.#held.get(index);
    if (this.#open !== undefined || leaves === undefined) throw malformed('leaves that nobody asked for');
    const entry = await this.#shift(index);
    this.#held.delete(index);
    this.#events.started(entry);
    return { entry, comparison: new Comparison(await this.#sink.openHeld(entry), leaves) };
  }

  async #complete(file: OpenFile, digest: Uint8Array): Promise<void> {
    const { entry, part, offset, continuedBytes } = file;
    if (entry.size !== undefined && offset !== entry.size) throw malformed('less than the size of a file');
    this.#open = undefined;
    if (!equalBytes(file.digest.digest(), digest)) {
      await part?.discard();
      throw this.#corrupt(entry);
    }
    this.#count(offset);
    if (part === undefined) return;
    try {
      await part.commit();
    } catch (error) {
      this.#settle(entry, offset, error);
      return;
    }
    this.#tally.continuedBytes += continuedBytes;
    this.#settle(entry, offset);
  }

  /** Writes a part of a file; where it cannot be kept, the rest of it is dropped. */
  async #keeping(file: OpenFile, work: (part: PartFile) => Promise<void>): Promise<void> {
    const { part, entry } = file;
    if (part === undefined) return;
    try {
      await work(part);
    } catch (error) {
      const reason = keepingFailure(error);
      file.part = undefined;
      await part.discard();
      this.#tally.miss(this.#review.pathOf(entry), reason);
    }
  }

  /** Writes a verified small file. */
  async #keep(entry: Entry, content: Uint8Array): Promise<void> {
    const size = content.length;
    this.#count(size);
    try {
      await this.#sink.writeWhole(entry, content, (error) => this.#settle(entry, size, error));
    } catch (error) {
      this.#settle(entry, size, error);
    }
  }

  /** A verified file has its place, or cannot have it. Throws what ends the transfer. */
  #settle(entry: Entry, size: number, error?: unknown): void {
    if (error !== undefined) {
      this.#tally.miss(this.#review.pathOf(entry), keepingFailure(error));
      return;
    }
    this.#tally.files++;
    this.#tally.bytes += size;
    this.#events.arrived(entry, size);
  }

  #count(size: number): void {
    this.files++;
    this.bytes += size;
  }

  #corrupt(entry: Entry): XferError {
    return new XferError('integrity', { subject: this.#review.pathOf(entry) });
  }

  /** Takes the next wanted file, which must be the one with this index. */
  async #shift(index: number): Promise<Entry> {
    const entry = this.#expected[this.#next] ?? (await this.#peek());
    if (entry?.index !== index) throw malformed('a file that is not the one to come');
    this.#next++;
    return entry;
  }

  async #peek(): Promise<Entry | undefined> {
    while (this.#next === this.#expected.length) {
      const wanted = this.#wanted.shift();
      if (wanted === undefined) return undefined;
      this.#expected = filesIn(await this.#review.entriesOf(wanted.part), wanted.runs);
      this.#next = 0;
    }
    return this.#expected[this.#next];
  }
}
