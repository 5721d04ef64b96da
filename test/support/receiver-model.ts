/**
 * What docs/protocol.md lets a sender say, and what a receiver has to make of it: written without a look at `src/transfer/receiver.ts`
 * and what is below it, to be compared with that.
 */
import { digestOf, equalBytes, leafDigest, LEAF_BYTES } from '../../src/crypto/digest.js';
import type { Span } from '../../src/transfer/messages.js';
import type { ConflictPolicy } from '../../src/transfer/ports.js';
import { spanLengths } from '../../src/transfer/splitter.js';
import { EXISTING, HELD, OLDER, UNCHOSEN, spansOf, transfer, type World } from './hostile-world.js';
import type { Item } from './memory-channel.js';

/** An item, with what the model is to know of it without decoding it. */
export interface Said {
  readonly item: Item;
  /** Of a batch. */
  readonly files?: readonly (readonly [entry: number, content: Uint8Array])[];
  /** What is wrong inside of it. */
  readonly flaw?: 'protocol' | 'integrity';
}

/** `accepted`, `done` with the sender's last word, or how the session ends. */
export type Verdict = string;

interface OpenFile {
  readonly index: number;
  offset: number;
  readonly pieces: Uint8Array[];
  /** Bytes of it come from the receiver's own copy. */
  isMixed: boolean;
}

interface Matched {
  readonly index: number;
  offset: number;
  readonly spans: { readonly start: number; readonly span: Span; isNeeded: boolean }[];
}

/** Bytes that come from the receiver's copy. */
interface Gap {
  readonly start: number;
  end: number;
  readonly pieces: Uint8Array[];
}

export interface Case {
  readonly world: World;
  readonly policy: ConflictPolicy;
  /** Whether the person is asked before the manifest is complete. */
  readonly early: boolean;
  readonly held: Uint8Array;
}

export class ReceiverModel {
  readonly world: World;
  readonly policy: ConflictPolicy;
  state: 'waiting' | 'offered' | 'accepted' | 'declined' | 'done' | 'failed' = 'waiting';
  parts = 0;
  isComplete = false;
  open: OpenFile | undefined;
  /** The file whose leaves are being said. */
  compared: { readonly index: number; leaves: number; right: number } | undefined;
  matching: Matched | undefined;
  /** Files that are wanted and still to come, in their order. */
  expected: number[] = [];
  files = 0;
  bytes = 0;
  /** Of the wanted files. */
  arrived = new Map<string, Uint8Array>();
  missing = 0;
  unchanged = 0;
  /** Messages of spans, each of which has an answer. */
  spansTaken = 0;
  /** How many leaves the receiver keeps: what its next `keep` says. */
  kept: number | undefined;
  readonly #early: boolean;
  readonly #held: Uint8Array;
  #lastMatched = -1;
  /** Spans that the receiver makes from its copy, by file. */
  readonly #gaps = new Map<number, Gap[]>();
  #heldAsked = false;

  constructor({ world, policy, early, held }: Case) {
    this.world = world;
    this.policy = policy;
    this.#early = early;
    this.#held = held;
  }

  get isAsked(): boolean {
    return this.state === 'offered' && (this.#early || this.isComplete);
  }

  /** The person's answer. */
  answer(isYes: boolean): void {
    this.state = isYes ? 'accepted' : 'declined';
    if (isYes) for (let part = 0; part < this.parts; part++) this.#want(part);
  }

  /** How it ends when nothing more comes. */
  ending(isOrderly: boolean): Verdict {
    if (this.state === 'done') return 'ok';
    if (this.state === 'declined') return 'declined';
    return isOrderly ? 'incomplete' : 'peer-gone';
  }

  /** What the spans are that the receiver may be told of now. */
  get older(): number[] {
    const [next] = this.expected;
    if (this.policy !== 'update' || next === undefined) return [];
    const part = this.world.partOf(next);
    return this.expected.filter(
      (index) => this.world.partOf(index) === part && index > this.#lastMatched && this.mayBeOlder(index),
    );
  }

  /** Whether the leaves of a file may be said. */
  isHeld(index: number): boolean {
    return this.world.offer.kind === 'files' && index === HELD.index && !this.#heldAsked;
  }

  /** Where a piece of the open file may begin: next to what is there, or behind what comes from the copy. */
  get places(): number[] {
    const { index = -1, offset = 0 } = this.open ?? {};
    const gap = this.#gaps.get(index)?.find(({ start }) => start === offset);
    return gap === undefined ? [offset] : [offset, gap.end];
  }

  take({ item, files = [], flaw }: Said): Verdict {
    const verdict = this.#verdict(item, files, flaw);
    if (verdict === 'done') this.state = 'done';
    else if (verdict !== 'accepted') this.state = 'failed';
    return verdict;
  }

  /** What the receiver answered to the last `spans`. */
  takeNeed(runs: readonly (readonly [number, number])[]): void {
    const asked = this.#unanswered;
    this.#unanswered = [];
    let next = 0;
    for (const [skip, take] of runs) {
      next += skip + take;
      for (const spans of asked.slice(next - take, next)) spans.isNeeded = true;
    }
    for (const matched of this.#matched.splice(0)) this.#conclude(matched);
  }

  #unanswered: Matched['spans'] = [];
  readonly #matched: Matched[] = [];

  #verdict(item: Item, files: NonNullable<Said['files']>, flaw: Said['flaw']): Verdict {
    if (this.state === 'declined' || this.state === 'done') return 'accepted';
    if ('type' in item && item.type === 'error')
      return item.code === 'interrupted' ? 'peer-interrupted' : `peer-failed ${item.code}`;
    if (!('transfer' in item) || item.transfer !== transfer) return 'protocol';
    if (this.state === 'waiting') {
      if (item !== this.world.offer) return 'protocol';
      this.state = 'offered';
      return 'accepted';
    }
    if ('kind' in item && item.kind === 'manifest') return this.#takePart(item, flaw);
    if ('type' in item && item.type === 'counting') return this.isComplete ? 'protocol' : 'accepted';
    if ('type' in item && item.type === 'manifest-end') return this.#takeEnd(item);
    return this.state === 'accepted' ? this.#takeContent(item, files, flaw) : 'protocol';
  }

  #takePart(item: Extract<Item, { kind: 'manifest' }>, flaw: Said['flaw']): Verdict {
    if (this.isComplete || flaw !== undefined || item.part !== this.parts) return 'protocol';
    this.parts++;
    if (this.state === 'accepted') this.#want(item.part);
    return 'accepted';
  }

  #takeEnd({ skipped, missing, digest, ...figures }: Extract<Item, { type: 'manifest-end' }>): Verdict {
    const { end, parts } = this.world;
    if (this.isComplete || missing > skipped) return 'protocol';
    if (this.parts < parts.length || !equalBytes(digest, end.digest)) return 'integrity';
    if (figures.entries !== end.entries || figures.files !== end.files || figures.bytes !== end.bytes)
      return 'protocol';
    this.isComplete = true;
    return 'accepted';
  }

  #takeContent(item: Item, files: NonNullable<Said['files']>, flaw: Said['flaw']): Verdict {
    if ('kind' in item) {
      switch (item.kind) {
        case 'chunk':
          return this.#takePiece(item.entry, item.offset, item.body.bytes, item.digest);
        case 'hole':
          return this.#takePiece(item.entry, item.offset, item.length, undefined);
        case 'batch':
          return this.#takeBatch(files, flaw);
        default:
          return 'protocol';
      }
    }
    switch (item.type) {
      case 'leaves':
        return this.#takeLeaves(item.entry, item.digests);
      case 'spans':
        return this.#takeSpans(item.files);
      case 'entry-failed':
        return this.#takeFailure(item.entry);
      case 'sent': {
        const isAll = this.isComplete && this.open === undefined && this.compared === undefined;
        const isTrue = item.files === this.files && item.bytes === this.bytes;
        return isAll && this.expected.length === 0 && isTrue ? 'done' : 'protocol';
      }
      default:
        return 'protocol';
    }
  }

  /** A number of bytes stands for so many zeros. */
  #takePiece(
    index: number,
    offset: number,
    piece: Uint8Array | number,
    digest: Uint8Array | undefined,
  ): Verdict {
    if (this.open === undefined) {
      if (this.compared !== undefined || !this.#begin(index)) return 'protocol';
      this.open = { index, offset: 0, pieces: [], isMixed: false };
    }
    const { open } = this;
    if (open.index !== index) return 'protocol';
    this.#fill(open, offset);
    const size = this.world.entries[index]?.size ?? Infinity;
    const length = typeof piece === 'number' ? piece : piece.length;
    if (open.offset !== offset || offset + length > size) return 'protocol';
    const bytes = typeof piece === 'number' ? new Uint8Array(length) : piece;
    open.pieces.push(bytes);
    open.offset += bytes.length;
    if (digest === undefined) return 'accepted';
    if (size !== Infinity && open.offset !== size) return 'protocol';
    const isRight = equalBytes(digestOf(Buffer.concat(open.pieces)), digest);
    if (!isRight && !open.isMixed) return 'integrity';
    this.open = undefined;
    this.files++;
    this.bytes += open.offset;
    if (isRight) this.arrived.set(this.world.paths[index] ?? '', Buffer.concat(open.pieces));
    else this.missing++;
    return 'accepted';
  }

  #takeBatch(files: NonNullable<Said['files']>, flaw: Said['flaw']): Verdict {
    if (this.open !== undefined || this.compared !== undefined) return 'protocol';
    if (flaw !== undefined) return flaw;
    for (const [index, content] of files) {
      if (!this.#begin(index) || content.length !== this.world.entries[index]?.size) return 'protocol';
      this.files++;
      this.bytes += content.length;
      this.arrived.set(this.world.paths[index] ?? '', content);
    }
    return 'accepted';
  }

  #takeLeaves(index: number, digests: readonly Uint8Array[]): Verdict {
    if (this.compared === undefined) {
      if (this.open !== undefined || !this.isHeld(index) || !this.#begin(index)) return 'protocol';
      this.compared = { index, leaves: 0, right: 0 };
      this.#heldAsked = true;
    }
    const { compared } = this;
    const held = Math.floor(this.#held.length / LEAF_BYTES);
    if (compared.index !== index || digests.length === 0 || compared.leaves + digests.length > held)
      return 'protocol';
    for (const digest of digests) {
      const leaf = compared.leaves++;
      const mine = leafDigest(this.#held.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES));
      if (compared.right === leaf && equalBytes(mine, digest)) compared.right++;
    }
    if (compared.leaves < held) return 'accepted';
    this.compared = undefined;
    this.kept = compared.right;
    const kept = this.#held.subarray(0, compared.right * LEAF_BYTES);
    this.open = { index, offset: kept.length, pieces: [kept], isMixed: false };
    return 'accepted';
  }

  #takeSpans(files: readonly { readonly entry: number; readonly spans: readonly Span[] }[]): Verdict {
    if (this.open !== undefined || this.compared !== undefined) return 'protocol';
    if (files.every(({ spans }) => spans.length === 0)) return 'protocol';
    for (const { entry, spans } of files) {
      if (this.matching?.index !== entry) {
        if (!this.older.includes(entry)) return 'protocol';
        this.#lastMatched = entry;
        this.matching = { index: entry, offset: 0, spans: [] };
      }
      const size = this.world.entries[entry]?.size ?? 0;
      const { least, most } = spanLengths(size);
      for (const span of spans) {
        const { matching } = this;
        const end = matching.offset + span.length;
        if (span.length === 0 || span.length > most || end > size) return 'protocol';
        if (span.length < least && end < size) return 'protocol';
        const said = { start: matching.offset, span, isNeeded: false };
        matching.spans.push(said);
        this.#unanswered.push(said);
        matching.offset = end;
      }
      if (this.matching.offset < size) continue;
      this.#matched.push(this.matching);
      this.matching = undefined;
    }
    this.spansTaken++;
    return 'accepted';
  }

  #takeFailure(index: number): Verdict {
    const begun = this.open?.index ?? this.compared?.index;
    if (begun !== undefined && begun !== index) return 'protocol';
    if (begun === undefined && !this.#begin(index)) return 'protocol';
    this.open = undefined;
    this.compared = undefined;
    this.missing++;
    return 'accepted';
  }

  /** A file begins: it must be the next, and of the spans that were said of another no more may come. */
  #begin(index: number): boolean {
    this.matching = undefined;
    if (this.expected[0] !== index) return false;
    this.expected.shift();
    return true;
  }

  #fill(open: OpenFile, to: number): void {
    const gap = this.#gaps.get(open.index)?.[0];
    if (gap?.start !== open.offset || gap.start >= to) return;
    this.#gaps.get(open.index)?.shift();
    open.pieces.push(...gap.pieces);
    open.offset = gap.end;
    open.isMixed = true;
  }

  #conclude({ index, spans }: Matched): void {
    if (spans.every(({ isNeeded }) => !isNeeded)) {
      this.expected = this.expected.filter((each) => each !== index);
      this.unchanged++;
      return;
    }
    const gaps: Gap[] = [];
    for (const { start, span, isNeeded } of spans) {
      if (isNeeded) continue;
      const bytes = this.#copied(index, span);
      const last = gaps.at(-1);
      if (last?.end === start) {
        last.end += span.length;
        last.pieces.push(bytes);
      } else {
        gaps.push({ start, end: start + span.length, pieces: [bytes] });
      }
    }
    this.#gaps.set(index, gaps);
  }

  /** What the receiver has of a span. */
  #copied(index: number, { digest }: Span): Uint8Array {
    const copy = OLDER[this.world.paths[index] ?? ''] ?? new Uint8Array(0);
    let start = 0;
    for (const span of spansOf(copy)) {
      if (equalBytes(span.digest, digest)) return copy.subarray(start, start + span.length);
      start += span.length;
    }
    throw new Error('the receiver does not need what it does not have');
  }

  #want(part: number): void {
    const { entries, paths } = this.world;
    for (const { index, type } of entries) {
      const path = paths[index] ?? '';
      if (this.world.partOf(index) !== part || type !== 'file' || path === UNCHOSEN) continue;
      const isThere = path in OLDER || EXISTING.includes(path);
      if (!isThere || this.policy === 'update' || this.policy === 'overwrite') this.expected.push(index);
      else if (this.policy === 'refuse') this.missing++;
    }
  }

  /** Whether the receiver has an older copy of a file, or at least may think so. */
  mayBeOlder(index: number): boolean {
    const path = this.world.paths[index] ?? '';
    return (path in OLDER || EXISTING.includes(path)) && (this.world.entries[index]?.size ?? 0) > 0;
  }
}
