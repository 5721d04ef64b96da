/** Takes the content of wanted files: in order, within its size, and into place only when its digest is right. */
import { LEAF_BYTES, TreeDigest } from '../crypto/digest.js';
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import { decodeBatch } from './batch.js';
import { keepingFailure } from './choice.js';
import { contentOf } from './inbox.js';
import { IncomingFile, type Beginning } from './incoming-file.js';
import type { FileSpans } from './messages.js';
import type { Batch, Chunk, Entry, FileSink, Hole } from './ports.js';
import { Comparison } from './resume.js';
import type { Review, ReviewedPart } from './review.js';
import type { Tally } from './tally.js';
import { Matching, type Room, type Share } from './update.js';
import { RunBuilder, filesIn, type Runs, type Wish } from './want.js';
import { malformed } from './wire.js';

/** Why a sender stops in the middle of a file that is another one from now on. */
const STALE: readonly ErrorCode[] = ['source-changed', 'source-vanished'];

/** What is remembered at once of what can be taken from older copies; for what is beyond, everything is needed. */
const MOST_SHARES = 1 << 16;

export interface IntakeEvents {
  started(entry: Entry): void;
  /** The file is verified and has its final name. */
  arrived(entry: Entry, size: number): void;
  /** What is held of the file is right up to there, and the sender may go on behind that many leaves; 0 to begin anew. */
  compared(entry: Entry, leaves: number): Promise<void>;
  /** Of the spans that were said in one go, these are needed. */
  matched(needed: Runs): Promise<void>;
  /** The very file is here. */
  unchanged(entry: Entry): void;
  /** So many bytes of a file can be taken from what is here. */
  shared(entry: Entry, bytes: number): void;
  /** Called now and then while something takes long that nobody else sees. */
  working(): Promise<void>;
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
  readonly #wanted: { part: ReviewedPart; wish: Wish }[] = [];
  /** Leaves of files that the sender was asked about. */
  readonly #held = new Map<number, number>();
  #expected: Entry[] = [];
  #next = 0;
  #open: IncomingFile | undefined;
  #compared: ComparedFile | undefined;
  /** Files of the part at hand whose spans the sender was asked about, in their order. */
  #older: Entry[] = [];
  #matching: Matching | undefined;
  readonly #shares = new Map<number, readonly Share[]>();
  readonly #room: Room = { left: MOST_SHARES };
  /** Files that are here as they are, and do not come. */
  readonly #unchanged = new Set<number>();

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
  expect(part: ReviewedPart, wish: Wish): void {
    if (wish.runs.length > 0) this.#wanted.push({ part, wish });
    else this.#review.forget(part);
    for (const [entry, leaves] of wish.held) this.#held.set(entry, leaves);
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
    await file.take(bytes, leaf);
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
    this.#open =
      continued === undefined
        ? await this.#create(entry)
        : this.#incoming(entry, { ...continued, bytes: leaves * LEAF_BYTES });
    await this.#events.compared(entry, leaves);
  }

  async takeHole({ entry, offset, length }: Hole): Promise<void> {
    const file = await this.#demand(entry, offset, length);
    await file.takeHole(length);
  }

  /** What the sender says of the spans of the next files that may have an older copy here. */
  async takeSpans(files: readonly FileSpans[]): Promise<void> {
    if (this.#open !== undefined || this.#compared !== undefined) throw malformed('spans within a file');
    if (files.every(({ spans }) => spans.length === 0)) throw malformed('no spans');
    const needed = new RunBuilder();
    for (const { entry, spans } of files) {
      if (this.#matching?.entry.index !== entry) await this.#beginMatching(entry);
      for (const span of spans) needed.add(this.#matching?.needs(span) ?? true);
      if (this.#matching?.isDone === true) await this.#endMatching(this.#matching);
    }
    await this.#events.matched(needed.runs);
  }

  async takeBatch(batch: Batch, content = contentOf(batch)): Promise<void> {
    if (this.#open !== undefined || this.#compared !== undefined) throw malformed('a batch within a file');
    const { bytes } = await content;
    const files = decodeBatch(bytes, batch.count);
    if (files.length === 0) throw malformed('an empty batch');
    await this.#abandonMatching();
    let isFirst = true;
    for (const { entry: index, content } of files) {
      // Few have to be waited for, and where files are many a promise for each shows.
      const entry = this.#pass(this.#ahead() ?? (await this.#peek()), index);
      if (content.length !== entry.size) throw malformed('a file of another size');
      if (isFirst) this.#events.started(entry);
      isFirst = false;
      const keeping = this.#keep(entry, content);
      if (keeping !== undefined) await keeping;
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
    this.#forgetShares(index);
    const isNews = file?.isKept ?? true;
    // What could be read of a failing disk took long, and is as good as before.
    await (STALE.includes(reason) ? file?.discard() : file?.keep());
    if (isNews) this.#tally.miss(this.#review.pathOf(entry), reason);
  }

  /** The file that a piece belongs to, where it is the piece to come. */
  async #demand(index: number, offset: number, length: number): Promise<IncomingFile> {
    const file = this.#open ?? (await this.#begin(index));
    const { entry } = file;
    if (entry.index === index) await file.fillTo(offset, () => this.#events.working());
    if (entry.index !== index || file.offset !== offset) throw malformed('a piece out of order');
    if (entry.size !== undefined && offset + length > entry.size)
      throw malformed('more than the size of a file');
    return file;
  }

  async #begin(index: number): Promise<IncomingFile> {
    if (this.#compared !== undefined) throw malformed('content before all leaves');
    const entry = await this.#shift(index);
    this.#events.started(entry);
    const file = await this.#create(entry);
    this.#open = file;
    return file;
  }

  async #create(entry: Entry): Promise<IncomingFile> {
    const beginning = { digest: new TreeDigest(), bytes: 0 };
    try {
      return this.#incoming(entry, { ...beginning, part: await this.#sink.create(entry) });
    } catch (error) {
      this.#tally.miss(this.#review.pathOf(entry), keepingFailure(error));
      return this.#incoming(entry, { ...beginning, part: undefined });
    }
  }

  #incoming(entry: Entry, beginning: Beginning): IncomingFile {
    return new IncomingFile(entry, beginning, {
      shares: this.#shares.get(entry.index) ?? [],
      openCopies: () => this.#sink.openOlder(entry),
      onMissed: (reason) => this.#tally.miss(this.#review.pathOf(entry), reason),
    });
  }

  async #beginComparison(index: number): Promise<ComparedFile> {
    const leaves = this.#held.get(index);
    if (this.#open !== undefined || leaves === undefined) throw malformed('leaves that nobody asked for');
    const entry = await this.#shift(index);
    this.#held.delete(index);
    this.#events.started(entry);
    return { entry, comparison: new Comparison(await this.#sink.openHeld(entry), leaves) };
  }

  async #complete(file: IncomingFile, digest: Uint8Array): Promise<void> {
    const { entry, offset } = file;
    if (entry.size !== undefined && offset !== entry.size) throw malformed('less than the size of a file');
    this.#forgetShares(entry.index);
    if (!(await file.isWhole(digest))) throw this.#corrupt(entry);
    this.#count(offset);
    let failure: unknown;
    try {
      await file.commit();
    } catch (error) {
      failure = error;
    }
    // Not before: while the disk is slow it counts as one that is coming.
    this.#open = undefined;
    if (!file.isKept) return;
    if (failure === undefined) this.#tally.continuedBytes += file.localBytes;
    this.#settle(entry, offset, failure);
  }

  /** Looks at what is here of a file whose spans come now. */
  async #beginMatching(index: number): Promise<void> {
    await this.#abandonMatching();
    const next = await this.#peek();
    // Whoever cannot read a file says nothing of it.
    const place = this.#older.findIndex((each) => each.index === index);
    const [entry] = this.#older.splice(0, place + 1).slice(place);
    if (place === -1 || entry === undefined) throw malformed('spans that nobody asked for');
    if (next === undefined || index < next.index) throw malformed('spans of a file that came');
    const copies = await this.#sink.openOlder(entry);
    this.#matching = await Matching.begin(entry, copies, this.#room, () => this.#events.working());
  }

  async #endMatching(matching: Matching): Promise<void> {
    const { entry } = matching;
    this.#matching = undefined;
    const shares = await matching.finish().catch((error: unknown) => {
      if (toXferError(error).code !== 'target-changed') throw error;
      return 'changed' as const;
    });
    if (shares === 'changed') {
      // Nothing of it comes any more.
      this.#unchanged.add(entry.index);
      this.#tally.miss(this.#review.pathOf(entry), 'target-changed');
    } else if (shares === 'adopted') {
      this.#unchanged.add(entry.index);
      this.#events.unchanged(entry);
    } else if (shares.length > 0) {
      this.#shares.set(entry.index, shares);
      this.#events.shared(
        entry,
        shares.reduce((sum, { length }) => sum + length, 0),
      );
    }
  }

  /** The sender said no more of it, and content came or another file: it will send all of it, or cannot. */
  async #abandonMatching(): Promise<void> {
    await this.#matching?.abandon();
    this.#matching = undefined;
  }

  #forgetShares(index: number): void {
    this.#room.left += this.#shares.get(index)?.length ?? 0;
    this.#shares.delete(index);
  }

  /** Writes a verified small file; `undefined` where the next may come at once. */
  #keep(entry: Entry, content: Uint8Array): Promise<void> | undefined {
    const size = content.length;
    this.#count(size);
    const settle = (error: unknown): void => this.#settle(entry, size, error);
    try {
      return this.#sink.writeWhole(entry, content, settle)?.catch(settle);
    } catch (error) {
      settle(error);
      return undefined;
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
    const entry = this.#pass(await this.#peek(), index);
    await this.#abandonMatching();
    return entry;
  }

  /** Takes the next wanted file, where it is the one with this index. */
  #pass(next: Entry | undefined, index: number): Entry {
    if (next?.index !== index) throw malformed('a file that is not the one to come');
    this.#next++;
    return next;
  }

  /** The next wanted file that is still to come. */
  async #peek(): Promise<Entry | undefined> {
    for (;;) {
      const entry = this.#ahead();
      if (entry !== undefined || !(await this.#expectMore())) return entry;
    }
  }

  /** As `#peek`, of the part at hand. */
  #ahead(): Entry | undefined {
    for (; ; this.#next++) {
      const entry = this.#expected[this.#next];
      if (entry === undefined || !this.#unchanged.delete(entry.index)) return entry;
    }
  }

  /** Goes on to the next part of which something is wanted; false where there is none. */
  async #expectMore(): Promise<boolean> {
    const wanted = this.#wanted.shift();
    if (wanted === undefined) return false;
    const entries = await this.#review.entriesOf(wanted.part);
    this.#review.forget(wanted.part);
    this.#expected = filesIn(entries, wanted.wish.runs);
    this.#older = filesIn(entries, wanted.wish.older);
    this.#next = 0;
    return true;
  }
}
