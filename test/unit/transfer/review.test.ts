import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { ManifestEncoder } from '../../../src/transfer/manifest.js';
import { ROOT, type Entry, type ManifestPart } from '../../../src/transfer/ports.js';
import { MAX_KEPT_BYTES, Review } from '../../../src/transfer/review.js';
import { MemorySink } from '../../support/memory-sink.js';
import { stored, transfer } from './offers.js';

const entry = (index: number, type: Entry['type'], name: string): Entry => ({
  index,
  parent: index === 0 ? ROOT : 0,
  type,
  name,
  size: 0,
  mtimeMs: 0,
  mode: 0o755,
});

/** Parts of a list of a folder in which there is no end of entries. */
function* endless(type: Entry['type']): Generator<ManifestPart> {
  const encoder = new ManifestEncoder();
  const tail = randomBytes(120).toString('hex');
  let part = 0;
  for (let index = 0; ; index++) {
    const name = index === 0 ? 'all' : `${String(index).padStart(7, '0')}${tail}`;
    encoder.add({ entries: [entry(index, index === 0 ? 'folder' : type, name)], skipped: [] });
    for (const { count, bytes } of encoder.takeFull())
      yield { kind: 'manifest', transfer, part: part++, count, body: stored(bytes) };
  }
}

function review(): Review {
  const offer = { type: 'offer', transfer, kind: 'files', roots: [{ name: 'all', type: 'folder', size: undefined }] } as const; // prettier-ignore
  return new Review(offer, new MemorySink(), { intoHome: () => false });
}

test.each(['file', 'folder'] as const)('row 52: keeps no list of %ss without an end', async (type) => {
  const reviewed = review();
  let bytes = 0;
  const taking = async (): Promise<void> => {
    for (const part of endless(type)) {
      await reviewed.examine(part);
      bytes += part.body.bytes.length;
    }
  };
  await expect(taking()).rejects.toMatchObject({ code: 'limit' });
  expect(bytes).toBeLessThanOrEqual(MAX_KEPT_BYTES);
  expect(bytes).toBeGreaterThan(MAX_KEPT_BYTES / 3);
});

test('a part that was forgotten is not counted', async () => {
  const reviewed = review();
  let bytes = 0;
  for (const part of endless('file')) {
    reviewed.forget(await reviewed.examine(part));
    bytes += part.body.bytes.length;
    if (bytes > MAX_KEPT_BYTES + 2 ** 20) break;
  }
  expect(reviewed.complete).toBe(false);
});
