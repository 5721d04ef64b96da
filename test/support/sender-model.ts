/**
 * What docs/protocol.md lets a receiver say, what a sender has to make of it, and what that sender may say itself: written without a look
 * at `src/transfer/sender.ts` and what is below it, to be compared with that.
 */
import { LEAF_BYTES, TreeDigest, equalBytes, leafDigest } from '../../src/crypto/digest.js';
import { decodeBatch } from '../../src/transfer/batch.js';
import type { ControlMessage, OfferKind } from '../../src/transfer/messages.js';
import { ROOT, type Entry } from '../../src/transfer/ports.js';
import { Splitter } from '../../src/transfer/splitter.js';
import { transfer } from './hostile-world.js';
import type { Item } from './memory-channel.js';
import { noise } from './trees.js';
import { lengthOf, sliceOf, type Content, type Listed } from './watched-source.js';

const MIB = 1 << 20;

/**
 * `accepted`, `done` with the receiver's last word, how the session ends, or `early`: what a sender that lacks credit has on its way, and
 * for which it may take the answer.
 */
export type Verdict = string;

/** What a sender offers, in the listings in which it finds it. */
export type Offered = readonly (readonly Listed[])[];

type Message<T extends string> = Extract<Item, { type: T }>;
export type Want = Message<'want'>;
type Run = readonly [skip: number, take: number];

interface Told {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/** A wanted file that did not come yet. */
interface Due {
  readonly index: number;
  readonly part: number;
  readonly content: Content;
  /** Leaves that the receiver holds. */
  readonly leaves: number;
  readonly isOlder: boolean;
  toldLeaves: number;
  kept: number | undefined;
  /** Of the spans: where they end, how many have an answer, and what of them is needed. */
  toldTo: number;
  toldSpans: number;
  answeredSpans: number;
  needed: Told[];
}

/** A file that is coming. */
interface Coming {
  readonly due: Due;
  /** What is still to come of it, in order. */
  readonly ranges: { from: number; readonly to: number }[];
}

export class SenderModel {
  readonly kind: OfferKind;
  state: 'offered' | 'accepted' | 'declined' | 'done' | 'failed' = 'offered';
  /** The parts of the manifest that came. */
  readonly parts: (readonly Listed[])[] = [];
  isComplete = false;
  hasAccepted = false;
  nextWant = 0;
  readonly due: Due[] = [];
  /** Messages of spans without an answer, and what each lists. */
  readonly unanswered: Told[][] = [];
  /** What the sender said at its end. */
  sent: { readonly files: number; readonly bytes: number } | undefined;
  readonly wanted = new Set<number>();
  files = 0;
  bytes = 0;
  failed = 0;
  unchanged = { files: 0, bytes: 0 };
  received: Message<'received'> | undefined;
  /** The sender may lack credit. */
  isStarved = false;
  readonly #all: readonly Listed[];
  #coming: Coming | undefined;

  constructor(kind: OfferKind, lists: Offered) {
    this.kind = kind;
    this.#all = lists.flat();
  }

  /** The file whose leaves were all said, and which waits for an answer. */
  get asked(): Due | undefined {
    const [due] = this.due;
    const isAsked = due !== undefined && due.kept === undefined && due.toldLeaves === due.leaves;
    return isAsked && due.leaves > 0 ? due : undefined;
  }

  /** Whether it is the sender's turn, where nothing keeps it. */
  get isOwed(): boolean {
    if (!this.isComplete) return true;
    if (this.state !== 'accepted' || this.unanswered.length > 0 || this.asked !== undefined) return false;
    return this.due.length > 0 || (this.nextWant === this.parts.length && this.sent === undefined);
  }

  /** How it ends when nothing more comes. */
  get ending(): Verdict {
    if (this.state === 'done') return 'ok';
    return this.state === 'declined' ? this.#reason : 'peer-gone';
  }

  #reason = 'declined';

  take(item: Item): Verdict {
    const verdict = this.#verdict(item);
    if (verdict === 'done') this.state = 'done';
    else if (verdict.startsWith('declined')) {
      this.state = 'declined';
      this.#reason = verdict;
    } else if (verdict !== 'accepted' && verdict !== 'early') this.state = 'failed';
    return verdict;
  }

  #verdict(item: Item): Verdict {
    if (this.state === 'declined' || this.state === 'done') return 'accepted';
    if ('type' in item && item.type === 'error') {
      if (item.code === 'code-used') return item.code;
      return item.code === 'interrupted' ? 'peer-interrupted' : `peer-failed ${item.code}`;
    }
    if (!('type' in item) || !('transfer' in item) || item.transfer !== transfer) return 'protocol';
    switch (item.type) {
      case 'progress':
        return 'accepted';
      case 'answer':
        if (this.state === 'accepted') return 'protocol';
        if (!item.accepted) return item.reason === undefined ? 'declined' : `declined ${item.reason}`;
        this.state = 'accepted';
        this.hasAccepted = true;
        return 'accepted';
      case 'want':
        return this.state === 'accepted' ? this.#takeWant(item) : 'protocol';
      case 'keep':
        return this.#takeKeep(item);
      case 'need':
        return this.#takeNeed(item.runs);
      case 'received':
        return this.#takeReceived(item);
      default:
        return 'protocol';
    }
  }

  #takeWant({ part, runs, held, older }: Want): Verdict {
    if (part !== this.nextWant) return 'protocol';
    const listed = this.parts[part];
    if (listed === undefined) return this.isStarved && !this.isComplete ? 'early' : 'protocol';
    const files = takenOf(listed, runs)?.filter(isFile);
    const copies = takenOf(listed, older)?.filter(isFile);
    if (files === undefined || copies === undefined) return 'protocol';
    let last = -1;
    for (const [index, leaves] of held) {
      const place = files.findIndex(({ entry }) => entry.index === index);
      if (place <= last || leaves < 1 || leaves * LEAF_BYTES > (files[place]?.entry.size ?? 0))
        return 'protocol';
      last = place;
    }
    const parts = new Map(held);
    for (const copy of copies) {
      const { index, size = 0 } = copy.entry;
      if (!files.includes(copy) || parts.has(index) || size === 0) return 'protocol';
    }
    this.nextWant++;
    for (const file of files) {
      const { index } = file.entry;
      this.wanted.add(index);
      this.due.push({
        index,
        part,
        content: file.content!,
        leaves: parts.get(index) ?? 0,
        isOlder: copies.includes(file),
        toldLeaves: 0,
        kept: undefined,
        toldTo: 0,
        toldSpans: 0,
        answeredSpans: 0,
        needed: [],
      });
    }
    return 'accepted';
  }

  #takeKeep({ entry, leaves }: Message<'keep'>): Verdict {
    const [due] = this.due;
    if (due?.index !== entry || due.kept !== undefined || leaves > due.leaves || due.leaves === 0)
      return 'protocol';
    if (due.toldLeaves < due.leaves) return this.isStarved ? 'early' : 'protocol';
    due.kept = leaves;
    return 'accepted';
  }

  #takeNeed(runs: readonly Run[]): Verdict {
    const told = this.unanswered.shift();
    const mayCome =
      this.isStarved &&
      this.due.some(({ isOlder, toldTo, content }) => isOlder && toldTo < lengthOf(content));
    if (told === undefined) return mayCome ? 'early' : 'protocol';
    const needed = takenOf(told, runs);
    if (needed === undefined) return 'protocol';
    for (const span of told) {
      const due = this.due.find(({ index }) => index === span.index)!;
      due.answeredSpans++;
      if (needed.includes(span)) due.needed.push(span);
      if (due.toldTo < lengthOf(due.content) || due.answeredSpans < due.toldSpans || due.needed.length > 0)
        continue;
      this.due.splice(this.due.indexOf(due), 1);
      this.unchanged.files++;
      this.unchanged.bytes += due.toldTo;
    }
    return 'accepted';
  }

  #takeReceived(item: Message<'received'>): Verdict {
    if (this.sent === undefined) return this.isStarved && this.state === 'accepted' ? 'early' : 'protocol';
    const { files, bytes, missing } = item;
    if (files > this.sent.files || bytes > this.sent.bytes || files + missing < this.sent.files)
      return 'protocol';
    this.received = item;
    return 'done';
  }

  /** Takes in what the sender says. Throws where it may not. */
  hear(item: Item): void {
    if ('type' in item) this.#hearMessage(item);
    else if (item.kind === 'manifest') {
      const listed = this.parts.flat().length;
      demand(!this.isComplete && item.part === this.parts.length, 'a part out of place');
      this.parts.push(this.#all.slice(listed, listed + item.count));
    } else if (item.kind === 'chunk') {
      this.#hearPiece(item.entry, item.offset, item.body.bytes, item.digest);
    } else if (item.kind === 'hole') {
      this.#hearPiece(item.entry, item.offset, item.length, undefined);
    } else {
      for (const { entry, content } of decodeBatch(item.body.bytes, item.count)) {
        const listed = this.#all[entry]?.content;
        this.#hearPiece(entry, 0, content, listed && digestOfContent(listed));
      }
    }
  }

  #hearMessage(item: ControlMessage): void {
    switch (item.type) {
      case 'offer':
      case 'counting':
      case 'error':
        return;
      case 'manifest-end':
        demand(!this.isComplete && this.parts.flat().length === this.#all.length, 'the end of the manifest');
        this.isComplete = true;
        return;
      case 'leaves':
        this.#hearLeaves(item);
        return;
      case 'spans':
        this.#hearSpans(item);
        return;
      case 'entry-failed': {
        const due = this.due.shift();
        demand(due?.index === item.entry && due.content.failsAt !== undefined, 'a file that failed');
        this.#coming = undefined;
        this.failed++;
        return;
      }
      case 'sent':
        demand(this.isOwed && this.isComplete && this.due.length === 0, 'the end before it');
        demand(item.files === this.files && item.bytes === this.bytes, 'figures');
        this.sent = item;
        return;
      default:
        demand(false, item.type);
    }
  }

  #hearLeaves({ entry, digests }: Message<'leaves'>): void {
    const [due] = this.due;
    demand(this.#coming === undefined && due?.index === entry && due.kept === undefined, 'leaves');
    for (const digest of digests) {
      const start = due!.toldLeaves++ * LEAF_BYTES;
      demand(due!.toldLeaves <= due!.leaves, 'a leaf that nobody has');
      demand(
        equalBytes(digest, leafDigest(sliceOf(due!.content, start, start + LEAF_BYTES))),
        'the digest of a leaf',
      );
    }
  }

  #hearSpans({ files }: Message<'spans'>): void {
    const told: Told[] = [];
    demand(this.#coming === undefined && files.length > 0, 'spans');
    for (const { entry, spans } of files) {
      const due = this.due.find(({ index }) => index === entry);
      demand(due?.isOlder === true && due.part === this.due[0]?.part, 'spans of another file');
      demand(spans.length > 0, 'no spans');
      for (const { length, digest } of spans) {
        const [span] = spansOf(due!.content).slice(due!.toldSpans++);
        demand(span?.length === length && equalBytes(span.digest, digest), 'a span that is not there');
        told.push({ index: entry, from: due!.toldTo, to: due!.toldTo + length });
        due!.toldTo += length;
      }
    }
    this.unanswered.push(told);
  }

  /** A number of bytes stands for so many zeros. */
  #hearPiece(
    index: number,
    offset: number,
    piece: Uint8Array | number,
    digest: Uint8Array | undefined,
  ): void {
    const coming = (this.#coming ??= this.#begin());
    const { due, ranges } = coming;
    const length = typeof piece === 'number' ? piece : piece.length;
    const end = offset + length;
    demand(due.index === index, 'another file');
    if (length > 0) {
      const [range] = ranges;
      demand(range?.from === offset && end <= range.to, 'a piece out of place');
      range!.from = end;
      if (end === range!.to) ranges.shift();
      const bytes = typeof piece === 'number' ? new Uint8Array(length) : piece;
      demand(equalBytes(bytes, sliceOf(due.content, offset, end)), 'other bytes than there are');
    }
    if (digest === undefined) return;
    demand(ranges.length === 0 && end === lengthOf(due.content), 'an end before the end');
    demand(equalBytes(digest, digestOfContent(due.content)), 'the digest of a file');
    this.#coming = undefined;
    this.due.shift();
    this.files++;
    this.bytes += end;
  }

  #begin(): Coming {
    const [due] = this.due;
    demand(due !== undefined, 'content that nobody wants');
    const { content, kept, leaves, needed, toldTo, toldSpans, answeredSpans } = due!;
    demand(leaves === 0 || kept !== undefined, 'content before an answer');
    demand(toldSpans === answeredSpans, 'content before it is known what is needed');
    const size = lengthOf(content);
    const isPatch = toldSpans > 0 && toldTo === size && needed.length < toldSpans;
    const from = (kept ?? 0) * LEAF_BYTES;
    const ranges: { from: number; to: number }[] = isPatch ? [] : from < size ? [{ from, to: size }] : [];
    for (const { from: start, to } of isPatch ? needed : []) {
      const last = ranges.at(-1);
      if (last?.to === start) last.to = to;
      else ranges.push({ from: start, to });
    }
    return { due: due!, ranges };
  }
}

/** What the runs take, or `undefined` where they reach beyond the last. */
function takenOf<T>(items: readonly T[], runs: readonly Run[]): T[] | undefined {
  const taken: T[] = [];
  let next = 0;
  for (const [skip, take] of runs) {
    if (take === 0 || skip > items.length - next || take > items.length - next - skip) return undefined;
    taken.push(...items.slice(next + skip, next + skip + take));
    next += skip + take;
  }
  return taken;
}

const isFile = ({ content }: Listed): boolean => content !== undefined;

function demand(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`the sender may not say this: ${what}`);
}

const digests = new Map<Content, Uint8Array>();
function digestOfContent(content: Content): Uint8Array {
  const known =
    digests.get(content) ?? new TreeDigest().skipZeros(content.zeros).update(content.rest).digest();
  digests.set(content, known);
  return known;
}

interface Span {
  readonly length: number;
  readonly digest: Uint8Array;
}
const spans = new Map<Content, Span[]>();
function spansOf(content: Content): Span[] {
  const known = spans.get(content);
  if (known !== undefined) return known;
  const list: Span[] = [];
  const splitter = new Splitter(lengthOf(content), (length, digest) => list.push({ length, digest }));
  splitter.updateZeros(content.zeros);
  splitter.update(content.rest);
  splitter.end();
  spans.set(content, list);
  return list;
}

function listedIn(
  lists: readonly (readonly (readonly [above: number, path: string, content: Content | undefined])[])[],
  size: (content: Content) => number | undefined,
): Offered {
  let index = 0;
  return lists.map((list) =>
    list.map(([parent, path, content]): Listed => {
      const name = path.split('/').at(-1)!;
      const type = content === undefined ? 'folder' : 'file';
      const entry: Entry = {
        index: index++,
        parent,
        type,
        name,
        size: content === undefined ? 0 : size(content),
        mtimeMs: 0,
        mode: 0o644,
      };
      return { entry, path, content };
    }),
  );
}

const of = (rest: Uint8Array, zeros = 0): Content => ({ zeros, rest });

export const OFFERS: Readonly<Record<OfferKind, Offered>> = {
  files: listedIn(
    [
      [
        // All of it are leaves.
        [ROOT, 'big', of(noise(MIB, 'big'), MIB)],
        [ROOT, 'cut', of(noise(600_000, 'cut'))],
        [ROOT, 'd', undefined],
        [ROOT, 'e', of(noise(1_000, 'e'))],
        [ROOT, 'h', of(Buffer.from('unchanged!'))],
        [ROOT, 'lost', { ...of(noise(300, 'lost')), failsAt: 0 }],
        [ROOT, 'torn', { ...of(noise(MIB + 200_000, 'torn')), failsAt: MIB }],
      ],
      [
        [2, 'd/a', of(Buffer.from('small'))],
        [2, 'd/b', of(Buffer.alloc(0))],
        // More leaves than one message takes.
        [2, 'd/far', of(Buffer.from('far'), 65 * MIB)],
        [2, 'd/s', undefined],
      ],
      [[10, 'd/s/u', of(Buffer.from('under'))]],
    ],
    lengthOf,
  ),
  text: listedIn([[[ROOT, 'text', of(Buffer.from('the door opens at nine'))]]], lengthOf),
  pipe: listedIn([[[ROOT, 'stdin', of(noise(3_000, 'pipe'))]]], () => undefined),
};
