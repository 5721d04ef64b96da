/** What the receiver takes of an offer after its yes. */
import { LEAF_BYTES } from '../crypto/digest.js';
import { XferError, type ErrorCode } from '../errors.js';
import { ROOT, type ConflictPolicy, type Entry, type FileSink } from './ports.js';
import type { Review, ReviewedPart } from './review.js';
import type { Tally } from './tally.js';
import { RunBuilder, type Wish } from './want.js';

/** What can happen to one entry at the receiver while the rest goes on. */
const ENTRY_FAILURES: readonly ErrorCode[] = ['target-exists', 'target-protected', 'name-refused'];

/** More of one part are sent anew: the message has room for so many. */
const MOST_HELD = 1_000;
/** What is listed costs credit, and the message must cost less than the sender leaves open. */
const MOST_LISTED = 3_500;

/** Why one entry cannot be kept. Throws everything that ends the transfer. */
export function keepingFailure(error: unknown): ErrorCode {
  if (error instanceof XferError && ENTRY_FAILURES.includes(error.code)) return error.code;
  throw error;
}

/** With these a file comes whatever has its name. */
const KEEPS_ALL: readonly ConflictPolicy[] = ['overwrite', 'update', 'rename'];

export class Choice {
  /** Files that are to come, in all parts so far, and their known bytes. */
  files = 0;
  bytes = 0;
  /** Folders among the roots that are made, by their index. */
  readonly rootFolders = new Map<number, Entry>();
  /** Files among the roots that had arrived before. */
  readonly arrivedRoots: Entry[] = [];
  readonly #review: Review;
  readonly #sink: FileSink;
  readonly #policy: ConflictPolicy;
  readonly #tally: Tally;
  /** Folders that are not made, so that nothing in them can come. */
  readonly #absent = new Map<number, ErrorCode>();

  constructor(review: Review, sink: FileSink, policy: ConflictPolicy, tally: Tally) {
    this.#review = review;
    this.#sink = sink;
    this.#policy = policy;
    this.#tally = tally;
  }

  /** Makes the folders of a part and says what else of it is wanted. */
  async make(part: ReviewedPart): Promise<Wish> {
    const builder = new RunBuilder();
    const held: [entry: number, leaves: number][] = [];
    const older = new RunBuilder();
    for (const entry of await this.#review.entriesOf(part)) {
      const isTaken = this.#review.wants(entry) && this.#isKept(entry) && (await this.#prepare(entry));
      builder.add(isTaken);
      const hasRoom = builder.runs.length + older.runs.length + held.length < MOST_LISTED;
      const mayHaveOlder = isTaken && hasRoom && this.#mayHaveOlder(entry);
      older.add(mayHaveOlder);
      const leaves = isTaken && !mayHaveOlder && held.length < MOST_HELD ? this.#heldLeaves(entry) : 0;
      if (leaves > 0) held.push([entry.index, leaves]);
    }
    return { runs: builder.runs, held, older: older.runs };
  }

  /** Whether there may be another file in its place that has much in common with it. */
  #mayHaveOlder(entry: Entry): boolean {
    if (this.#policy !== 'update' || entry.type !== 'file' || (entry.size ?? 0) === 0) return false;
    const { status } = this.#review.prospectOf(entry);
    return status === 'exists' || status === 'arrived';
  }

  /** Leaves of a file that are here and may be right. */
  #heldLeaves(entry: Entry): number {
    if (entry.type !== 'file' || entry.size === undefined || entry.size < LEAF_BYTES) return 0;
    return Math.floor(Math.min(this.#sink.heldBytes(entry), entry.size) / LEAF_BYTES);
  }

  /** Tells of an entry that is wanted and not kept. */
  #isKept(entry: Entry): boolean {
    const prospect = this.#review.prospectOf(entry);
    const absent = this.#absent.get(entry.parent);
    if (absent !== undefined) return this.#lack(entry, absent);
    if (prospect.status === 'refused') return this.#lack(entry, prospect.reason);
    const status = prospect.status === 'arrived' ? this.#lookAgain(entry) : prospect.status;
    if (status === 'arrived') {
      this.#tally.alreadyFiles++;
      this.#tally.alreadyBytes += entry.size ?? 0;
      if (entry.parent === ROOT) this.arrivedRoots.push(entry);
      return false;
    }
    if (status !== 'exists' || KEEPS_ALL.includes(this.#policy)) return true;
    // A folder, and what lies in it, does not exist because something else has its place.
    if (this.#policy === 'refuse' || entry.type === 'folder') return this.#lack(entry, 'target-exists');
    // To leave out what exists is what the person asked for.
    this.#tally.leaveOut(this.#review.pathOf(entry), 'target-exists');
    return false;
  }

  /** What there is of a file that had arrived before: since it was examined somebody may have thought about the offer for long. */
  #lookAgain(entry: Entry): 'new' | 'exists' | 'arrived' {
    if (this.#sink.isMadeAnew(entry)) return 'new';
    const status = this.#sink.lookAgain(entry);
    // Equal sizes and times prove nothing: it is compared as what exists.
    return status === 'arrived' && this.#mayHaveOlder(entry) ? 'exists' : status;
  }

  async #prepare(entry: Entry): Promise<boolean> {
    if (entry.type === 'file') {
      this.files++;
      this.bytes += entry.size ?? 0;
      return true;
    }
    try {
      await this.#sink.makeFolder(entry);
      if (entry.parent === ROOT) this.rootFolders.set(entry.index, entry);
      return true;
    } catch (error) {
      return this.#lack(entry, keepingFailure(error));
    }
  }

  #lack(entry: Entry, reason: ErrorCode): false {
    if (entry.type === 'folder') this.#absent.set(entry.index, reason);
    this.#tally.miss(this.#review.pathOf(entry), reason);
    return false;
  }
}
