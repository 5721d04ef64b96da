/** The receiver's side of a transfer: docs/protocol.md section 8. */
import { LEAF_BYTES } from '../crypto/digest.js';
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import { Choice } from './choice.js';
import { PARTING_MS, REPORTING_MS, atLast, conduct } from './conduct.js';
import type { Progress, TransferEvent, TransferOutcome } from './events.js';
import { TRANSFER, type Content, type Inbox, type TransferMessage } from './inbox.js';
import { Intake } from './intake.js';
import { takeOffer, type Offer } from './offer.js';
import {
  ROOT,
  type Channel,
  type ConflictPolicy,
  type DataRecord,
  type Entry,
  type FileSink,
  type Kept,
  type LeafHasher,
} from './ports.js';
import { ProgressReport } from './progress.js';
import { Question, type Decide } from './question.js';
import { Review, type ReviewOptions, type ReviewedPart } from './review.js';
import { Tally } from './tally.js';
import { malformed } from './wire.js';

export { peerError } from './inbox.js';

export interface ReceiverOptions extends ReviewOptions {
  /** Answers the offer. What it throws ends the transfer; the peer is told its code. */
  readonly decide: Decide;
  /** Asks as soon as the offer is there, with figures that still grow, instead of when they are complete. */
  readonly early: boolean;
  readonly onEvent: (event: TransferEvent) => void;
  /** Ends the transfer; the peer is told. */
  readonly signal: AbortSignal;
  /** For leaves of large files; without it they are hashed in this thread. */
  readonly hasher?: LeafHasher | undefined;
  /** Milliseconds; the monotonic clock if not given. */
  readonly now?: () => number;
}

/** Where an offer goes, which may depend on what it is. */
export type SinkChoice = FileSink | ((offer: Offer) => FileSink | Promise<FileSink>);

/** What there is from the yes on. */
interface Taking {
  readonly choice: Choice;
  readonly intake: Intake;
}

/** A limit is one of this machine, and the sender may be honest: it is told. */
const BREACHES: readonly ErrorCode[] = ['protocol'];
/** After these nothing of what came is worth keeping. */
const GIVES_NOTHING: readonly ErrorCode[] = ['protocol', 'limit', 'declined'];
/** How much the sender may have under way after the yes. */
const WINDOW_BYTES = 1 << 24;
const UPDATE_EVERY_MS = 250;

/**
 * Waits for an offer, asks `decide`, and takes what it says yes to. Resolves when everything that came is verified and
 * in place; what did not come is in `missing`.
 *
 * @throws XferError the reason of a no or `declined`, `interrupted`, `peer-failed` with the peer's code in `detail`,
 *   `peer-interrupted`, `peer-gone`, `incomplete` when the peer ended too early, `protocol`, `limit`, `integrity`, and
 *   what the sink or `decide` throws. No file that was not verified then has a final name.
 */
export async function receiveFiles(
  channel: Channel,
  sink: SinkChoice,
  options: ReceiverOptions,
): Promise<TransferOutcome> {
  const watch = new AbortController();
  let receiving: Receiving | undefined;
  try {
    const take = async (inbox: Inbox): Promise<TransferOutcome | XferError> => {
      const offer = await takeOffer(channel, inbox);
      const target = typeof sink === 'function' ? await sink(offer) : sink;
      receiving = new Receiving(channel, inbox, target, new Review(offer, target, options), options);
      return receiving.run(watch.signal);
    };
    const result = await conduct(channel, options.signal, BREACHES, take, options.hasher);
    // A no is an orderly end on the line, and an error for whoever waits for files.
    if (result instanceof XferError) throw result;
    return result;
  } catch (error) {
    const { code } = toXferError(error);
    await receiving?.giveUp(code);
    // Everything is in place: whoever waits for the sender no longer has it all the same.
    if (code === 'interrupted' && receiving?.outcome !== undefined) return receiving.outcome;
    throw error;
  } finally {
    watch.abort();
  }
}

class Receiving {
  readonly sink: FileSink;
  /** Once everything is in place, and nobody interrupted it before. */
  outcome: TransferOutcome | undefined;
  readonly #channel: Channel;
  readonly #inbox: Inbox;
  readonly #options: ReceiverOptions;
  readonly #now: () => number;
  readonly #review: Review;
  readonly #tally: Tally;
  readonly #report: ProgressReport;
  #question: Question | undefined;
  #isAsked = false;
  /** Parts that wait for the yes. */
  #reviewed: ReviewedPart[] = [];
  #taking: Taking | undefined;
  /** Roots that are files and have their places; where they are kept is known for sure in the end. */
  readonly #placedRoots: { readonly path: string; readonly size: number }[] = [];
  /** Bytes that arrived in each root. */
  readonly #rootBytes = new Map<number, number>();
  #updatedMs = 0;
  /** Wanted files that are here as they are. */
  readonly #unchanged = { files: 0, bytes: 0 };

  constructor(channel: Channel, inbox: Inbox, sink: FileSink, review: Review, options: ReceiverOptions) {
    this.sink = sink;
    this.#channel = channel;
    this.#inbox = inbox;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#review = review;
    this.#tally = new Tally(options.onEvent, this.#now);
    this.#report = new ProgressReport(channel, options.onEvent, this.#now, () => this.#progress());
  }

  /** Cleans up, and keeps what a later transfer can go on with. */
  async giveUp(code: ErrorCode): Promise<void> {
    this.#sayKept(await this.sink.abort(!GIVES_NOTHING.includes(code)));
  }

  #sayKept(kept: Kept): void {
    if (kept.any) this.#options.onEvent({ type: 'kept', bytes: kept.bytes });
  }

  /** The outcome, or why the offer was declined. */
  async run(watch: AbortSignal): Promise<TransferOutcome | XferError> {
    try {
      return await this.#run(watch);
    } finally {
      this.#report.stop();
    }
  }

  async #run(watch: AbortSignal): Promise<TransferOutcome | XferError> {
    const { kind, roots } = this.#review.offer;
    this.#options.onEvent({ type: 'offer', kind, roots });
    await this.#review.measure();
    for (;;) {
      if (!this.#isAsked && (this.#options.early || this.#review.complete)) await this.#ask(watch);
      const decision = await this.#question?.answerOr(() => this.#inbox.peek());
      if (decision !== undefined) {
        this.#question = undefined;
        if (!decision.accept) return this.#decline(decision.reason);
        await this.#accept(decision.conflicts);
        continue;
      }
      const received = await this.#inbox.take();
      if (received === undefined) throw new XferError('incomplete');
      const { item, cost, content } = received;
      this.#report.isAtWork = this.#taking !== undefined;
      const isLast = 'type' in item ? await this.#takeMessage(item) : await this.#takeRecord(item, content);
      this.#channel.release(cost);
      if (isLast) return this.#finish();
      this.#report.isAtWork = false;
    }
  }

  async #ask(watch: AbortSignal): Promise<void> {
    this.#isAsked = true;
    this.#question = new Question(this.#options.decide, this.#review.summary(), watch);
    await this.#report.say('asking');
  }

  async #decline(reason: ErrorCode | undefined): Promise<XferError> {
    this.#options.onEvent({ type: 'declined', reason });
    await this.#channel.send({ type: 'answer', transfer: TRANSFER, accepted: false, reason });
    await atLast(this.#part(), PARTING_MS);
    return new XferError(reason ?? 'declined');
  }

  async #accept(policy: ConflictPolicy): Promise<void> {
    this.sink.decide(policy);
    this.#tally.start();
    this.#taking = {
      choice: new Choice(this.#review, this.sink, policy, this.#tally),
      intake: new Intake(this.#review, this.sink, this.#tally, {
        started: (entry) => {
          const path = this.#review.pathOf(entry);
          this.#options.onEvent({ type: 'file-started', path, size: entry.size });
        },
        arrived: (entry, size) => this.#arrived(entry, size),
        compared: (entry, leaves) => this.#sayCompared(entry, leaves),
        matched: (runs) => this.#channel.send({ type: 'need', transfer: TRANSFER, runs }),
        unchanged: (entry) => this.#leaveUnchanged(entry),
        shared: (entry, bytes) =>
          this.#options.onEvent({ type: 'file-updated', path: this.#review.pathOf(entry), bytes }),
        working: () => this.#report.sayReceiving(),
      }),
    };
    this.#channel.widen(WINDOW_BYTES);
    await this.#channel.send({ type: 'answer', transfer: TRANSFER, accepted: true, reason: undefined });
    this.#options.onEvent({ type: 'accepted' });
    await this.#report.say('receiving');
    this.#report.keepSaying();
    this.#report.isAtWork = true;
    for (const part of this.#reviewed.splice(0)) await this.#want(part);
    this.#report.isAtWork = false;
  }

  async #want(part: ReviewedPart): Promise<void> {
    const { choice, intake } = this.#taken();
    const wish = await choice.make(part);
    intake.expect(part, wish);
    await this.#channel.send({ type: 'want', transfer: TRANSFER, part: part.part, ...wish });
  }

  async #sayCompared(entry: Entry, leaves: number): Promise<void> {
    const path = this.#review.pathOf(entry);
    const bytes = leaves * LEAF_BYTES;
    await this.#channel.send({ type: 'keep', transfer: TRANSFER, entry: entry.index, leaves });
    this.#options.onEvent(
      leaves > 0 ? { type: 'file-continued', path, bytes } : { type: 'file-restarted', path },
    );
  }

  #leaveUnchanged(entry: Entry): void {
    const size = entry.size ?? 0;
    this.#unchanged.files++;
    this.#unchanged.bytes += size;
    this.#tally.alreadyFiles++;
    this.#tally.alreadyBytes += size;
    if (entry.parent === ROOT) this.#taken().choice.arrivedRoots.push(entry);
  }

  /** True for the sender's last word. */
  async #takeMessage(message: TransferMessage): Promise<boolean> {
    switch (message.type) {
      case 'counting':
        if (this.#review.complete) throw malformed('counting after the end of the manifest');
        this.#sayCounting(message.entries, message.bytes, false);
        return false;
      case 'manifest-end':
        this.#review.finish(message);
        await this.#review.measure();
        this.#sayCounting(message.entries, message.bytes, true);
        return false;
      case 'leaves':
        await this.#taken().intake.takeLeaves(message.entry, message.digests);
        await this.#report.sayReceiving();
        return false;
      case 'spans':
        await this.#taken().intake.takeSpans(message.files);
        await this.#report.sayReceiving();
        return false;
      case 'entry-failed':
        await this.#taken().intake.takeFailure(message.entry, message.reason);
        return false;
      case 'sent':
        await this.#takeSent(message.files, message.bytes);
        return true;
      default:
        throw malformed(`${message.type} from the sender`);
    }
  }

  async #takeRecord(record: DataRecord, content: Promise<Content> | undefined): Promise<false> {
    switch (record.kind) {
      case 'manifest': {
        const part = await this.#review.examine(record);
        if (this.#taking === undefined) this.#reviewed.push(part);
        else await this.#want(part);
        this.#update();
        return false;
      }
      case 'chunk':
        await this.#taken().intake.takeChunk(record, content);
        break;
      case 'hole':
        await this.#taken().intake.takeHole(record);
        break;
      case 'batch':
        await this.#taken().intake.takeBatch(record, content);
        break;
    }
    await this.#report.sayReceiving();
    return false;
  }

  /** Throws `protocol` before the yes: nothing comes unasked. */
  #taken(): Taking {
    if (this.#taking === undefined) throw malformed('content before the answer');
    return this.#taking;
  }

  async #takeSent(files: number, bytes: number): Promise<void> {
    const { intake } = this.#taken();
    if (!this.#review.complete || !(await intake.isDone())) throw malformed('sent before all came');
    if (files !== intake.files || bytes !== intake.bytes)
      throw malformed('sent other figures than what came');
  }

  /** Gives everything its place and says so. */
  async #finish(): Promise<TransferOutcome> {
    await this.#report.say('verifying');
    const kept = await this.sink.finish(this.#review.isWhole, this.#options.signal);
    this.#report.stop();
    const { rootFolders, arrivedRoots } = this.#taken().choice;
    for (const root of this.#placedRoots) this.#options.onEvent({ type: 'file-received', ...root });
    for (const folder of rootFolders.values()) {
      this.#sayReceived(folder, this.#rootBytes.get(folder.index) ?? 0);
    }
    for (const file of arrivedRoots) this.#sayReceived(file, file.size ?? 0);
    this.#sayKept(kept);
    const { files, bytes, missingCount: missing } = this.#tally;
    this.#tally.missingCount += this.#review.missingAtSender;
    const outcome = this.#tally.outcome();
    // Who was interrupted before has said so, and the sender believes it.
    if (!this.#options.signal.aborted) this.outcome = outcome;
    // Everything is in place: a line that breaks now takes the news from the sender, not the files from us.
    const received = { type: 'received', transfer: TRANSFER, files, bytes, missing } as const;
    await atLast(
      this.#channel.send(received).then(() => this.#part()),
      REPORTING_MS,
    );
    return outcome;
  }

  /** Ends our direction after the sender ended its own. */
  async #part(): Promise<void> {
    await this.#inbox.drain();
    await this.#channel.end();
  }

  #arrived(entry: Entry, size: number): void {
    if (entry.parent === ROOT) {
      this.#placedRoots.push({ path: this.sink.pathOf(entry), size });
      return;
    }
    const root = this.#review.rootOf(entry);
    // A folder that nobody chose is made all the same for what was chosen in it.
    this.#taken().choice.rootFolders.set(root.index, root);
    this.#rootBytes.set(root.index, (this.#rootBytes.get(root.index) ?? 0) + size);
  }

  #sayReceived(root: Entry, size: number): void {
    this.#options.onEvent({ type: 'file-received', path: this.sink.pathOf(root), size });
  }

  #sayCounting(entries: number, bytes: number, done: boolean): void {
    this.#options.onEvent({ type: 'counting', entries, bytes, done });
    this.#update();
  }

  /** Tells whoever thinks about the offer what is new, at most every 250 ms but for the last time. */
  #update(): void {
    if (this.#question === undefined) return;
    const now = this.#now();
    if (!this.#review.complete && now - this.#updatedMs < UPDATE_EVERY_MS) return;
    this.#updatedMs = now;
    this.#question.update(this.#review.summary());
  }

  /** How far this side is. */
  #progress(): Progress {
    const files = this.#tally.files + this.#unchanged.files;
    const bytes = this.#tally.bytes + this.#unchanged.bytes + (this.#taking?.intake.pendingBytes ?? 0);
    const { files: totalFiles, bytes: totalBytes } = this.#taking?.choice ?? { files: 0, bytes: 0 };
    const totalKnown = this.#review.complete && this.#reviewed.length === 0;
    return { files, bytes, totalFiles, totalBytes, totalKnown };
  }
}
