/** What a sender says before the answer, made by hand. */
import { ManifestEncoder, type ManifestEnd, type RawPart } from '../../../src/transfer/manifest.js';
import type { OfferKind, OfferedRoot } from '../../../src/transfer/messages.js';
import { ROOT, type Entry, type ManifestPart } from '../../../src/transfer/ports.js';
import { stored, transfer } from '../../support/hostile-world.js';
import type { Item } from '../../support/memory-channel.js';

export { stored, transfer };

export const file = (name: string, content: Uint8Array | number, place: Partial<Entry> = {}): Entry => ({
  index: 0,
  parent: ROOT,
  type: 'file',
  name,
  size: typeof content === 'number' ? content : content.length,
  mtimeMs: 0,
  mode: 0o644,
  ...place,
});
export const folder = (name: string, place: Partial<Entry> = {}): Entry => ({
  ...file(name, 0, place),
  type: 'folder',
});
export const number = (entries: readonly Entry[]): Entry[] =>
  entries.map((entry, index) => ({ ...entry, index }));

export const partOf = ({ count, bytes }: RawPart, part = 0): ManifestPart => ({ kind: 'manifest', transfer, part, count, body: stored(bytes) }); // prettier-ignore
export const rootsOf = (entries: readonly Entry[]): OfferedRoot[] =>
  entries
    .filter(({ parent }) => parent === ROOT)
    .map(({ name, type, size }) => ({ name, type, size: type === 'folder' ? undefined : size }));

/** What an honest sender says before the answer. */
export function opening(
  entries: readonly Entry[],
  kind: OfferKind = 'files',
): [Item, ManifestPart, ManifestEnd] {
  const encoder = new ManifestEncoder();
  encoder.add({ entries: number(entries), skipped: [] });
  const [part] = encoder.takeAll();
  const { entries: count, files, bytes } = encoder.totals;
  return [
    { type: 'offer', transfer, kind, roots: rootsOf(entries) },
    partOf(part!),
    {
      type: 'manifest-end',
      transfer,
      entries: count,
      files,
      bytes,
      skipped: 0,
      missing: 0,
      digest: encoder.digest(),
    },
  ];
}

/** An offer of one file. */
export function offerOf(name: string, size: number): Item[] {
  return opening([file(name, size)]);
}
