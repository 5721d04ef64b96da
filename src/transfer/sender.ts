/** The sender's side of a transfer: docs/protocol.md section 8. */
import { XferError, toXferError, type ErrorCode } from '../errors.js';
import { chooseCompression, pack, unpack } from './compression.js';
import { PARTING_MS, atLast, conduct } from './conduct.js';
import type { Progress, TransferEvent, TransferOutcome } from './events.js';
import { TRANSFER, type Inbox, type TransferItem } from './inbox.js';
import { ManifestEncoder, decodeEntries, type RawPart } from './manifest.js';
import type { ControlMessage, OfferKind } from './messages.js';
import { Outbox } from './outbox.js';
import { Outflow, type WantedFiles } from './outflow.js';
import type { Channel, Compression, FileSource, LeafHasher, Packed, Skipped } from './ports.js';
import { keepsBackMs } from './scan-pace.js';
import type { SharedWork } from './shared-work.js';
import { Tally } from './tally.js';
import { demandHeld, demandOlder, filesIn, type Wish } from './want.js';
import { malformed } from './wire.js';

export interface SenderOptions {
  readonly kind: OfferKind;
  readonly onEvent: (event: TransferEvent) => void;
  /** Ends the transfer; the peer is told. */
  readonly signal: AbortSignal;
  /** False stores everything; otherwise what shrinks is compressed as hard as pays on this line. */
  readonly compress?: boolean;
  /** For leaves of large files; without it they are hashed in this thread. */
  readonly hasher?: LeafHasher | undefined;
  /** Where others get what the source holds, at the same time. */
  readonly shared?: SharedWork | undefined;
  /** Milliseconds; the monotonic clock if not given. */
  readonly now?: () => number;
}

/** A limit is one that the source passes. */
const BREACHES: readonly ErrorCode[] = ['protocol'];
/** How often the sender says how far its scan is, while it lasts. */
const COUNT_EVERY_MS = 250;
/** Left out as a rule that the person knows, not by misfortune. */
const NEVER_SENT: readonly ErrorCode[] = ['link-skipped', 'special-skipped', 'unfinished-skipped'];

type Message<T extends ControlMessage['type']> = Extract<ControlMessage, { type: T }>;

/** A part that was sent, kept small until the receiver says what it wants of it. */
interface SentPart {
  readonly first: number;
  readonly count: number;
  readonly body: Packed;
}

/** What of a part is wanted. */
interface Wanted {
  readonly part: SentPart;
  readonly wish: Wish;
}

/**
 * Offers what `source` holds, and sends what the receiver wants of it. Resolves when the receiver has it all in place.
 *
 * @throws XferError `declined` with the reason in `detail`, `interrupted`, `peer-failed` with the peer's code in
 *   `detail`, `peer-interrupted`, `peer-gone`, `protocol`, and whatever the source throws for the whole of it.
 */
export async function sendFiles(
  channel: Channel,
  source: FileSource,
  options: SenderOptions,
): Promise<TransferOutcome> {
  let sending: Sending | undefined;
  try {
    return await conduct(channel, options.signal, BREACHES, (inbox) => {
      sending = new Sending(channel, inbox, source, options);
      return sending.run();
    });
  } catch (error) {
    if (toXferError(error).code === 'interrupted' && sending?.outcome !== undefined) return sending.outcome;
    throw error;
  } finally {
    // The channel is dead by now where this failed. Only a pipe that gives nothing is read until it is closed.
    if (sending !== undefined && options.kind !== 'pipe') await atLast(sending.settled());
  }
}

class Sending {
  /** Once the receiver said that it has everything. */
  outcome: TransferOutcome | undefined;
  readonly #channel: Channel;
  readonly #inbox: Inbox;
  readonly #source: FileSource;
  readonly #options: SenderOptions;
  readonly #now: () => number;
  readonly #compression: Compression;
  readonly #outbox: Outbox;
  readonly #outflow: Outflow;
  readonly #tally: Tally;
  /** What was sent and not yet answered by a `want`. */
  readonly #parts: SentPart[] = [];
  readonly #wanted: Wanted[] = [];
  #wake = (): void => {};
  #work: Promise<void>[] = [];
  #state: 'scanning' | 'scanned' | 'sent' | 'failed' = 'scanning';
  #accepted = false;
  #nextWant = 0;
  #nextPart = 0;
  #totalBytes = 0;
  #totalFiles = 0;
  /** In the whole manifest. */
  #listedFiles = 0;
  /** Missing entries that are in no manifest. */
  #unlisted = 0;

  constructor(channel: Channel, inbox: Inbox, source: FileSource, options: SenderOptions) {
    this.#channel = channel;
    this.#inbox = inbox;
    this.#source = source;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#compression = options.compress === false ? 'stored' : chooseCompression(channel.compressions);
    this.#outbox = new Outbox(channel, this.#now);
    this.#tally = new Tally(options.onEvent, this.#now);
    const { hasher, shared } = options;
    const outflow = { compression: this.#compression, now: this.#now, hasher, shared };
    this.#outflow = new Outflow(source, this.#outbox, outflow, {
      started: (entry) =>
        options.onEvent({ type: 'file-started', path: source.pathOf(entry), size: entry.size }),
      failed: (entry, reason) => this.#tally.miss(source.pathOf(entry), reason),
      kept: (entry, bytes) => {
        const path = source.pathOf(entry);
        options.onEvent(
          bytes > 0 ? { type: 'file-continued', path, bytes } : { type: 'file-restarted', path },
        );
      },
      unchanged: ({ size = 0 }) => {
        this.#tally.alreadyFiles++;
        this.#tally.alreadyBytes += size;
      },
      patched: (entry, bytes) => options.onEvent({ type: 'file-updated', path: source.pathOf(entry), bytes }),
    });
  }

  async run(): Promise<TransferOutcome> {
    try {
      const { kind, onEvent } = this.#options;
      const roots = this.#source.roots.map(({ name, type, size }) =>
        type === 'folder' ? { name, type, size: undefined } : { name, type, size },
      );
      onEvent({ type: 'offer', kind, roots });
      await this.#outbox.put({ type: 'offer', transfer: TRANSFER, kind, roots });
      this.#work = [this.#listen(), this.#scan(), this.#sendWanted()];
      await Promise.race([Promise.all(this.#work), this.#outbox.failure]);
      this.outcome = this.#tally.outcome();
      // The receiver's last word is said: an end that gets lost on the way changes nothing.
      await atLast(
        this.#channel.end().then(() => this.#inbox.drain()),
        PARTING_MS,
      );
      return this.outcome;
    } catch (error) {
      this.#state = 'failed';
      this.#outflow.stop(toXferError(error));
      this.#wake();
      throw error;
    }
  }

  /** Resolves when nothing of it is at work. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#work);
  }

  async #scan(): Promise<void> {
    const encoder = new ManifestEncoder();
    const { totals } = encoder;
    let skipped = 0;
    const startMs = this.#now();
    let [saidMs, shownMs] = [startMs, startMs];
    for await (const listing of this.#source.scan()) {
      if (this.#state === 'failed') return;
      encoder.add(listing);
      skipped += listing.skipped.length;
      for (const one of listing.skipped) this.#noteSkipped(one);
      await this.#sendParts(encoder.takeFull());
      const nowMs = this.#now();
      if (nowMs - saidMs < COUNT_EVERY_MS) continue;
      saidMs = nowMs;
      if (nowMs - shownMs >= keepsBackMs(nowMs - startMs)) {
        shownMs = nowMs;
        await this.#sendParts(encoder.takeAll());
      }
      this.#sayScanning(totals.files, totals.bytes, false);
      const { entries, bytes } = totals;
      await this.#outbox.put({ type: 'counting', transfer: TRANSFER, entries, bytes });
    }
    await this.#sendParts(encoder.takeAll());
    const { entries, files, bytes } = totals;
    this.#listedFiles = files;
    const digest = encoder.digest();
    await this.#outbox.put({
      type: 'manifest-end',
      transfer: TRANSFER,
      entries,
      files,
      bytes,
      skipped,
      missing: this.#unlisted,
      digest,
    });
    this.#sayScanning(files, bytes, true);
    if (this.#state === 'scanning') this.#state = 'scanned';
    this.#wake();
  }

  async #sendParts(parts: readonly RawPart[]): Promise<void> {
    for (const { first, count, bytes } of parts) {
      const body = await pack(bytes, this.#compression);
      this.#parts.push({ first, count, body });
      const part = this.#nextPart++;
      await this.#outbox.put({ kind: 'manifest', transfer: TRANSFER, part, count, body });
    }
  }

  /** Sends content as it is wanted, then that this was all. */
  async #sendWanted(): Promise<void> {
    for (;;) {
      if (this.#state === 'failed') return;
      const wanted = this.#wanted.shift();
      if (wanted !== undefined) {
        await this.#outflow.send(await wantedFiles(wanted));
      } else if (this.#state === 'scanned' && this.#nextWant === this.#nextPart) {
        break;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    const { files, bytes } = this.#outflow;
    this.#state = 'sent';
    await this.#outbox.put({ type: 'sent', transfer: TRANSFER, files, bytes });
    await this.#outbox.flush();
  }

  /** Takes what the receiver says, up to its last word. */
  async #listen(): Promise<void> {
    for (;;) {
      const received = await this.#inbox.take();
      if (received === undefined) throw new XferError('peer-gone');
      const isLast = await this.#take(received.item);
      this.#channel.release(received.cost);
      if (isLast) return;
    }
  }

  /** True for the last word. */
  async #take(item: TransferItem): Promise<boolean> {
    if (!('type' in item)) throw malformed(`a ${item.kind} record from the receiver`);
    switch (item.type) {
      case 'answer':
        this.#takeAnswer(item);
        return false;
      case 'want':
        await this.#takeWant(item);
        return false;
      case 'keep':
        this.#outflow.takeKept(item.entry, item.leaves);
        return false;
      case 'need':
        this.#outflow.takeNeed(item.runs);
        return false;
      case 'progress':
        this.#options.onEvent({ type: 'peer-state', state: item.state });
        if (item.state !== 'asking') this.#sayProgress(item.files, item.bytes);
        return false;
      case 'received':
        this.#takeReceived(item);
        return true;
      default:
        throw malformed(`${item.type} from the receiver`);
    }
  }

  #takeAnswer({ accepted, reason }: Message<'answer'>): void {
    if (this.#accepted) throw malformed('a second answer');
    if (!accepted) {
      this.#options.onEvent({ type: 'declined', reason });
      throw new XferError('declined', reason === undefined ? {} : { detail: reason });
    }
    this.#accepted = true;
    this.#tally.start();
    this.#options.onEvent({ type: 'accepted' });
  }

  async #takeWant({ part, ...wish }: Message<'want'>): Promise<void> {
    const sent = this.#parts.shift();
    if (!this.#accepted || part !== this.#nextWant || sent === undefined)
      throw malformed('want out of place');
    const wanted = { part: sent, wish };
    const { files, held, older } = await wantedFiles(wanted);
    demandHeld(files, held);
    demandOlder(files, held, older);
    for (const entry of files) {
      this.#totalFiles++;
      this.#totalBytes += entry.size ?? 0;
    }
    this.#nextWant++;
    this.#wanted.push(wanted);
    this.#wake();
  }

  #takeReceived({ files, bytes, missing }: Message<'received'>): void {
    const sent = this.#outflow;
    if (this.#state !== 'sent') throw malformed('received before all was sent');
    if (files > sent.files || files + missing < sent.files || bytes > sent.bytes) {
      throw malformed('received other figures than what was sent');
    }
    this.#tally.files = files;
    this.#tally.bytes = bytes;
    this.#tally.continuedBytes = Math.min(bytes, sent.continuedBytes);
    // What the receiver misses of files that it did not ask for is told as missing.
    const failed = this.#totalFiles - files - this.#tally.alreadyFiles;
    const refused = Math.max(0, missing - failed);
    this.#tally.unwantedFiles = Math.max(0, this.#listedFiles - this.#totalFiles - refused);
    // What failed here is missing there too; what was never listed is known here alone.
    this.#tally.missingCount = Math.max(this.#tally.missingCount, missing + this.#unlisted);
  }

  #noteSkipped({ path, reason }: Skipped): void {
    if (NEVER_SENT.includes(reason)) this.#tally.leaveOut(path, reason);
    else {
      this.#unlisted++;
      this.#tally.miss(path, reason);
    }
  }

  #sayScanning(files: number, bytes: number, done: boolean): void {
    this.#options.onEvent({ type: 'scanning', files, bytes, done });
  }

  #sayProgress(files: number, bytes: number): void {
    const progress: Progress = {
      files,
      bytes,
      totalFiles: this.#totalFiles,
      totalBytes: this.#totalBytes,
      totalKnown: this.#state !== 'scanning' && this.#nextWant === this.#nextPart,
    };
    this.#options.onEvent({ type: 'progress', progress });
  }
}

async function wantedFiles({ part, wish: { runs, held, older } }: Wanted): Promise<WantedFiles> {
  const entries = decodeEntries(await unpack(part.body), part.first);
  return { files: filesIn(entries, runs), held, older: filesIn(entries, older) };
}
