/** What a receiver may say next, right or wrong. */
import { LEAF_BYTES } from '../../src/crypto/digest.js';
import type { Draw } from './draw.js';
import { STRAY, stored, transfer } from './hostile-world.js';
import type { Item } from './memory-channel.js';
import type { SenderModel, Want } from './sender-model.js';
import type { Listed } from './watched-source.js';
import { noise } from './trees.js';

type Run = readonly [skip: number, take: number];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const LARGEST = Number.MAX_SAFE_INTEGER;
const OTHER = noise(32, 'other');
const FROM_SENDER: readonly Item[] = [
  { type: 'offer', transfer, kind: 'files', roots: [] },
  { type: 'counting', transfer, entries: 1, bytes: 1 },
  { type: 'manifest-end', transfer, entries: 1, files: 1, bytes: 1, skipped: 0, missing: 0, digest: OTHER },
  { type: 'entry-failed', transfer, entry: 0, reason: 'source-changed' },
  { type: 'sent', transfer, files: 0, bytes: 0 },
  { type: 'leaves', transfer, entry: 0, digests: [OTHER] },
  { type: 'spans', transfer, files: [{ entry: 0, spans: [{ length: 1, digest: OTHER }] }] },
  { kind: 'manifest', transfer, part: 0, count: 1, body: stored(OTHER) },
  { kind: 'chunk', transfer, entry: 0, offset: 0, body: stored(OTHER), digest: OTHER },
  { kind: 'hole', transfer, entry: 0, offset: 0, length: 1 },
  { kind: 'batch', transfer, count: 1, body: stored(OTHER) },
];

/** Something that the protocol allows now. */
export function honest(model: SenderModel, draw: Draw, isWilling: boolean): Item {
  const choices: (() => Item)[] = [];
  if (model.state === 'offered') {
    if (draw.once(3)) return { type: 'progress', transfer, state: 'asking', files: 0, bytes: 0 };
    const reason = draw.one([undefined, 'target-exists', 'interrupted'] as const);
    return { type: 'answer', transfer, accepted: isWilling, reason: isWilling ? undefined : reason };
  }
  const { asked, sent, unanswered } = model;
  const [told] = unanswered;
  if (model.nextWant < model.parts.length) choices.push(() => wantOf(model, draw));
  if (asked !== undefined) {
    const leaves = draw.one([asked.leaves, draw.below(asked.leaves + 1)]);
    choices.push(() => ({ type: 'keep', transfer, entry: asked.index, leaves }));
  }
  if (told !== undefined) choices.push(() => ({ type: 'need', transfer, runs: someOf(told.length, draw) }));
  if (sent !== undefined) {
    const missing = draw.once(3) ? draw.below(sent.files + 1) : 0;
    const bytes = draw.one([sent.bytes, draw.below(sent.bytes + 1)]);
    choices.push(() => ({
      type: 'received',
      transfer,
      files: sent.files - missing,
      bytes,
      missing: missing + draw.below(2),
    }));
  }
  if (choices.length === 0 || draw.once(8)) {
    const state = draw.one(['receiving', 'verifying'] as const);
    return { type: 'progress', transfer, state, files: draw.below(9), bytes: draw.below(9_999) };
  }
  return draw.one(choices)();
}

/** Anything: out of its place, once more, or with one thing in it that is not so. */
export function hostile(model: SenderModel, draw: Draw, before: readonly Item[]): Item {
  if (before.length > 0 && draw.once(4)) return draw.one(before);
  if (draw.once(8)) {
    const item = honest(model, draw, true);
    return 'transfer' in item ? { ...item, transfer: 2 } : item;
  }
  const { asked, due, sent, unanswered } = model;
  const held = asked ?? due.find(({ leaves }) => leaves > 0);
  const index = draw.one([held?.index ?? 0, draw.below(12), 2 ** 20 - 1]);
  const figures = sent ?? model;
  return draw.one<() => Item>([
    () => draw.one(STRAY),
    () => draw.one(FROM_SENDER),
    () => ({ type: 'error', code: draw.one(['interrupted', 'disk-full', 'code-used', 'internal']) }),
    () => ({ type: 'answer', transfer, accepted: draw.once(2), reason: undefined }),
    () => ({
      type: 'progress',
      transfer,
      state: draw.one(['asking', 'receiving', 'verifying']),
      files: draw.one([0, LARGEST]),
      bytes: draw.one([0, LARGEST]),
    }),
    () => wantOf(model, draw),
    () => spoilt(model, wantOf(model, draw), draw),
    () => spoilt(model, wantOf(model, draw), draw),
    () => ({
      type: 'keep',
      transfer,
      entry: index,
      leaves: draw.one([0, 1, held?.toldLeaves ?? 1, (held?.leaves ?? 0) + 1, LARGEST]),
    }),
    () => ({ type: 'need', transfer, runs: runsFor(unanswered[0]?.length ?? 1, draw) }),
    () => ({ type: 'need', transfer, runs: someOf(unanswered[0]?.length ?? 1, draw) }),
    () => ({
      type: 'received',
      transfer,
      files: Math.max(0, figures.files + draw.one([-1, 0, 0, 1])),
      bytes: Math.max(0, figures.bytes + draw.one([-1, 0, 0, 1])),
      missing: draw.one([0, 0, 1, LARGEST]),
    }),
  ])();
}

/** What is wanted of the next part: legal, where there is one. */
function wantOf({ parts, nextWant }: SenderModel, draw: Draw): Mutable<Want> {
  const listed = parts[nextWant] ?? [];
  const wish = draw.one(['all', 'all', 'some', 'none']);
  const taken = listed.filter(() => wish === 'all' || (wish === 'some' && draw.once(2)));
  const held: [number, number][] = [];
  const older: Listed[] = [];
  const holds = draw.once(2);
  const has = draw.once(2);
  for (const file of taken) {
    const { index, type, size = 0 } = file.entry;
    const most = Math.floor(size / LEAF_BYTES);
    if (holds && most > 0 && draw.once(2)) held.push([index, draw.one([most, 1 + draw.below(most)])]);
    // An older copy of what is very large takes long.
    else if (has && size > 0 && draw.once(size > 2 ** 25 ? 12 : 2)) older.push(file);
    // Folders need no content, and make no difference.
    else if (has && type === 'folder' && draw.once(4)) older.push(file);
  }
  const runsOf = (list: readonly Listed[]): Run[] => runs(listed.map((file) => list.includes(file)));
  return { type: 'want', transfer, part: nextWant, runs: runsOf(taken), held, older: runsOf(older) };
}

/** With one thing in it that may not be so. */
function spoilt({ parts, nextWant }: SenderModel, want: Mutable<Want>, draw: Draw): Want {
  const listed = parts[nextWant] ?? [];
  const { index = 0, size = 0 } = draw.one([...listed, undefined])?.entry ?? {};
  switch (draw.below(7)) {
    case 0:
      return { ...want, part: draw.one([0, nextWant + 1, Math.max(0, nextWant - 1), LARGEST]) };
    case 1:
      return { ...want, runs: runsFor(listed.length, draw) };
    case 2:
      return { ...want, older: runsFor(listed.length, draw) };
    case 3:
      return { ...want, held: [...want.held, [index, 1]] };
    case 4:
      return { ...want, held: want.held.map(([entry]) => [entry, draw.one([0, 1, 66, LARGEST])]) };
    case 5:
      return { ...want, held: [...want.held, ...want.held].reverse() };
    default:
      return { ...want, held: [[index, draw.one([0, Math.floor(size / LEAF_BYTES) + draw.below(2)])]] };
  }
}

/** Right or wrong. */
function runsFor(length: number, draw: Draw): Run[] {
  return draw.one<() => Run[]>([
    () => someOf(length, draw),
    () => [[0, length + 1]],
    () => [
      [length, 0],
      [0, 1],
    ],
    () => [
      [LARGEST, LARGEST],
      [LARGEST, LARGEST],
    ],
    () => [[0, LARGEST]],
    () => [...Array.from({ length: 500 }, (): Run => [0, 0]), [0, length]],
  ])();
}

function someOf(length: number, draw: Draw): Run[] {
  const wish = draw.one(['all', 'some', 'none']);
  return runs(Array.from({ length }, () => wish === 'all' || (wish === 'some' && draw.once(2))));
}

function runs(isTaken: readonly boolean[]): Run[] {
  const list: [number, number][] = [];
  let skip = 0;
  for (const each of isTaken) {
    const last = list.at(-1);
    if (!each) skip++;
    else if (skip === 0 && last !== undefined) last[1]++;
    else {
      list.push([skip, 1]);
      skip = 0;
    }
  }
  return list;
}
