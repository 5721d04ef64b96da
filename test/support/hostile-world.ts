/** What a hostile sender offers, and what is at its victim: small, with something of everything. */
import { LEAF_BYTES, leafDigest } from '../../src/crypto/digest.js';
import { BatchWriter } from '../../src/transfer/batch.js';
import { ManifestEncoder, type ManifestEnd } from '../../src/transfer/manifest.js';
import type { ControlMessage, OfferKind, Span } from '../../src/transfer/messages.js';
import { ROOT, type Batch, type Entry, type ManifestPart, type Packed } from '../../src/transfer/ports.js';
import { Splitter } from '../../src/transfer/splitter.js';
import type { Item } from './memory-channel.js';
import { noise } from './trees.js';

export const transfer = 1;

export const stored = (bytes: Uint8Array): Packed => ({
  compression: 'stored',
  rawLength: bytes.length,
  bytes,
});

/** Of files, by their place in the manifest; folders have none. */
export interface World {
  readonly entries: readonly Entry[];
  readonly paths: readonly string[];
  readonly contents: ReadonlyMap<number, Uint8Array>;
  readonly offer: Extract<ControlMessage, { type: 'offer' }>;
  readonly parts: readonly ManifestPart[];
  readonly end: ManifestEnd;
  /** The part that each entry is in. */
  partOf(index: number): number;
}

const big = Buffer.concat([Buffer.alloc(2 * LEAF_BYTES), Buffer.from('the rest')]);
const cut = noise(600_000, 'cut');

/** Of which the victim has parts and older copies. */
export const HELD = { path: 'f', index: 2 } as const;
export const UNCHOSEN = 'x';
export const EXISTING = ['d/u'];
/** The same but for some bytes in the middle, and the very same. */
export const OLDER: Readonly<Record<string, Uint8Array>> = {
  g: Buffer.concat([cut.subarray(0, 300_000), noise(200, 'other'), cut.subarray(300_200)]),
  h: Buffer.from('unchanged!'),
};

type Listed = readonly [parent: string, name: string, content: Uint8Array | 'folder'];

const FILES: readonly (readonly Listed[])[] = [
  [
    ['', 'd', 'folder'],
    ['', 'e', noise(1_000, 'e')],
    ['', 'f', big],
    ['', 'g', cut],
    ['', 'h', OLDER['h']!],
    ['', 'i', Buffer.alloc(0)],
    ['', UNCHOSEN, noise(10, 'x')],
  ],
  [
    ['d', 'a', Buffer.from('small')],
    ['d', 'b', Buffer.alloc(0)],
    ['d', 's', 'folder'],
    ['d', 'u', Buffer.from('there is one')],
  ],
];

/** Leaves of the big file. */
export const LEAVES = [0, 1].map((leaf) =>
  leafDigest(big.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES)),
);
export const heldOf = (isRight: boolean): Uint8Array => {
  const held = Buffer.from(big.subarray(0, 2 * LEAF_BYTES + 5));
  if (!isRight) held[LEAF_BYTES + 1] = 1;
  return held;
};

/** What a file consists of. */
export function spansOf(content: Uint8Array): Span[] {
  const spans: Span[] = [];
  const splitter = new Splitter(content.length, (length, digest) => spans.push({ length, digest }));
  splitter.update(content);
  splitter.end();
  return spans;
}

export function batchOf(files: readonly (readonly [entry: number, content: Uint8Array])[]): Batch {
  const writer = new BatchWriter();
  for (const [entry, content] of files) writer.add(entry, content);
  return { kind: 'batch', transfer, count: files.length, body: stored(Buffer.from(writer.finish())) };
}

function makeWorld(kind: OfferKind, lists: readonly (readonly Listed[])[]): World {
  const encoder = new ManifestEncoder();
  const entries: Entry[] = [];
  const paths: string[] = [];
  const contents = new Map<number, Uint8Array>();
  const partOf: number[] = [];
  const parts: ManifestPart[] = [];
  for (const [part, files] of lists.entries()) {
    const listing = files.map(([above, name, content], place): Entry => {
      const index = entries.length + place;
      partOf[index] = part;
      paths[index] = above === '' ? name : `${above}/${name}`;
      if (content !== 'folder') contents.set(index, content);
      return {
        index,
        parent: above === '' ? ROOT : paths.indexOf(above),
        type: content === 'folder' ? 'folder' : 'file',
        name,
        size: content === 'folder' ? 0 : kind === 'pipe' ? undefined : content.length,
        mtimeMs: 0,
        mode: 0o644,
      };
    });
    entries.push(...listing);
    encoder.add({ entries: listing, skipped: [] });
    for (const { count, bytes } of encoder.takeAll())
      parts.push({ kind: 'manifest', transfer, part, count, body: stored(bytes) });
  }
  const roots = entries
    .filter(({ parent }) => parent === ROOT)
    .map(({ name, type, size }) => ({ name, type, size: type === 'folder' ? undefined : size }));
  const { entries: count, files, bytes } = encoder.totals;
  const digest = encoder.digest();
  return {
    entries,
    paths,
    contents,
    offer: { type: 'offer', transfer, kind, roots },
    parts,
    end: { type: 'manifest-end', transfer, entries: count, files, bytes, skipped: 0, missing: 0, digest },
    partOf: (index) => partOf[index] ?? -1,
  };
}

export const WORLDS: Readonly<Record<OfferKind, World>> = {
  files: makeWorld('files', FILES),
  text: makeWorld('text', [[['', 'text', Buffer.from('the door opens at nine')]]]),
  pipe: makeWorld('pipe', [[['', 'stdin', noise(3_000, 'pipe')]]]),
};

/** What is nobody's to say in a transfer, or only the other side's. */
export const STRAY: readonly Item[] = [
  { type: 'chosen' },
  { type: 'verified' },
  { type: 'session', role: 'send', verify: false, limit: undefined },
  { type: 'hints', hints: [] },
  { type: 'lanes', count: 3 },
];

export const FROM_RECEIVER: readonly Item[] = [
  { type: 'answer', transfer, accepted: true, reason: undefined },
  { type: 'answer', transfer, accepted: false, reason: undefined },
  { type: 'want', transfer, part: 0, runs: [[0, 1]], held: [], older: [] },
  { type: 'keep', transfer, entry: HELD.index, leaves: 1 },
  { type: 'need', transfer, runs: [[0, 1]] },
  { type: 'progress', transfer, state: 'receiving', files: 1, bytes: 1 },
  { type: 'received', transfer, files: 1, bytes: 1, missing: 0 },
];
