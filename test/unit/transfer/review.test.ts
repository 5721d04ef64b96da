import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { OfferedRoot } from '../../../src/transfer/messages.js';
import type { Offer } from '../../../src/transfer/offer.js';
import { ManifestEncoder } from '../../../src/transfer/manifest.js';
import { ROOT, type Entry, type ManifestPart } from '../../../src/transfer/ports.js';
import { MAX_KEPT_BYTES, Review } from '../../../src/transfer/review.js';
import { MemorySink } from '../../support/memory-sink.js';
import { file, folder, number, opening, partOf, stored, transfer } from './offers.js';

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
function* endless(
  type: Entry['type'],
  tail = randomBytes(120).toString('hex'),
  take: 'takeFull' | 'takeAll' = 'takeFull',
): Generator<ManifestPart> {
  const encoder = new ManifestEncoder();
  let part = 0;
  for (let index = 0; ; index++) {
    const name = index === 0 ? 'all' : `${String(index).padStart(7, '0')}${tail}`;
    encoder.add({ entries: [entry(index, index === 0 ? 'folder' : type, name)], skipped: [] });
    for (const { count, bytes } of encoder[take]())
      yield { kind: 'manifest', transfer, part: part++, count, body: stored(bytes) };
  }
}

/** A folder with these files, each entry in a part of its own. */
function oneByOne(...names: readonly string[]): { parts: ManifestPart[]; digest: Uint8Array } {
  const encoder = new ManifestEncoder();
  const parts = number([folder('all'), ...names.map((name) => file(name, 1, { parent: 0 }))]).map((one) => {
    encoder.add({ entries: [one], skipped: [] });
    return partOf(encoder.takeAll()[0]!, one.index);
  });
  return { parts, digest: encoder.digest() };
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

test('row 52: keeps no list whose parts are short without an end', async () => {
  const reviewed = review();
  let parts = 0;
  const taking = async (): Promise<void> => {
    for (const part of endless('file', '', 'takeAll')) {
      await reviewed.examine(part);
      parts++;
    }
  };
  await expect(taking()).rejects.toMatchObject({ code: 'limit' });
  // Two million files are in 2,000 parts, and in some hundred more where their disk is slow.
  expect(parts).toBeGreaterThan(20_000);
  expect(parts * 2048).toBeLessThanOrEqual(MAX_KEPT_BYTES);
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

test('nor is a short one', async () => {
  const reviewed = review();
  for (const part of endless('file', '', 'takeAll')) {
    reviewed.forget(await reviewed.examine(part));
    if (part.part * 2048 > MAX_KEPT_BYTES) break;
  }
  expect(reviewed.complete).toBe(false);
});

test('row 52: folders are counted though their parts were forgotten', async () => {
  const reviewed = review();
  let bytes = 0;
  const taking = async (): Promise<void> => {
    for (const part of endless('folder')) {
      reviewed.forget(await reviewed.examine(part));
      bytes += part.body.bytes.length;
      if (bytes > MAX_KEPT_BYTES) return;
    }
  };
  await expect(taking()).rejects.toMatchObject({ code: 'limit' });
  expect(bytes).toBeGreaterThan(MAX_KEPT_BYTES / 2);
});

const ENTRIES = number([
  folder('docs'),
  file('.profile', 13),
  file('tail.', 17),
  file('a.txt', 3, { parent: 0 }),
  file('b.txt', 11, { parent: 0, mode: 0o755 }),
  file('con', 7, { parent: 0 }),
  folder('sub', { parent: 0 }),
  file('run.sh', 5, { parent: 6, mode: 0o654 }),
  file('skip.txt', 1000, { parent: 6, mode: 0o755 }),
]);
const [DOCS, PROFILE, TAIL, A, B, CON, SUB, RUN, SKIP] = ENTRIES as [
  Entry,
  Entry,
  Entry,
  Entry,
  Entry,
  Entry,
  Entry,
  Entry,
  Entry,
];

/** All of these, examined, where some are there already and one is not wanted. */
async function examined(
  entries: readonly Entry[] = ENTRIES,
  existing: readonly string[] = ['docs', 'docs/a.txt', '.profile'],
): Promise<{ reviewed: Review; asked: [string, boolean][]; parts: Entry[] }> {
  const [said, part] = opening(entries);
  const asked: [string, boolean][] = [];
  const sink = new MemorySink({
    existing,
    before: ['docs/b.txt'],
    refused: ['con'],
    capacity: 4096,
    isBusy: true,
    // The one is longer than what is offered, the other not wanted.
    held: {
      'tail.': Buffer.alloc(4),
      'docs/sub/run.sh': Buffer.alloc(9),
      'docs/sub/skip.txt': Buffer.alloc(100),
    },
  });
  const reviewed = new Review(said as Offer & { type: 'offer' }, sink, {
    wants: (path, isFolder) => {
      asked.push([path, isFolder]);
      return !path.endsWith('skip.txt');
    },
    intoHome: () => true,
  });
  const parts = await reviewed.entriesOf(await reviewed.examine(part));
  await reviewed.measure();
  return { reviewed, asked, parts };
}

describe('a review of an offer', () => {
  test('says what would come, and what of it needs a person', async () => {
    const { reviewed } = await examined();
    const roots: OfferedRoot[] = [
      { name: 'docs', type: 'folder', size: undefined },
      { name: '.profile', type: 'file', size: 13 },
      { name: 'tail.', type: 'file', size: 17 },
    ];
    expect(reviewed.summary()).toEqual({
      kind: 'files',
      roots,
      files: 5,
      folders: 2,
      bytes: 3 + 7 + 5 + 13 + 17,
      arrivedFiles: 1,
      arrivedBytes: 11,
      partBytes: 4 + 5,
      complete: false,
      skippedBySender: 0,
      conflicts: ['.profile', 'docs/a.txt'],
      conflictCount: 2,
      isBusy: true,
      refused: [{ path: 'docs/con', reason: 'name-refused' }],
      refusedCount: 1,
      executables: ['docs/sub/run.sh'],
      executableCount: 1,
      dotNames: ['.profile'],
      freeBytes: 4096,
      isAllNew: false,
      intoHome: true,
    });
  });

  test('remembers of each entry what was found, and whether it is wanted', async () => {
    const { reviewed, asked, parts } = await examined();
    expect(parts).toEqual(ENTRIES);
    expect(asked).toEqual([
      ['docs', true],
      ['.profile', false],
      ['tail.', false],
      ['docs/a.txt', false],
      ['docs/b.txt', false],
      ['docs/con', false],
      ['docs/sub', true],
      ['docs/sub/run.sh', false],
      ['docs/sub/skip.txt', false],
    ]);
    expect(ENTRIES.map((one) => reviewed.prospectOf(one))).toEqual([
      { status: 'merges' },
      { status: 'exists' },
      { status: 'new' },
      { status: 'exists' },
      { status: 'arrived' },
      { status: 'refused', reason: 'name-refused' },
      { status: 'new' },
      { status: 'new' },
      { status: 'new' },
    ]);
    expect(ENTRIES.filter((one) => !reviewed.wants(one))).toEqual([SKIP]);
    expect(reviewed.isWhole).toBe(false);
    expect([DOCS, SUB, RUN, CON].map((one) => reviewed.rootOf(one))).toEqual([DOCS, DOCS, DOCS, DOCS]);
    expect([PROFILE, TAIL].map((one) => reviewed.rootOf(one))).toEqual([PROFILE, TAIL]);
    expect([A, B].map((one) => reviewed.pathOf(one))).toEqual(['docs/a.txt', 'docs/b.txt']);
  });

  test('knows when nothing that would come is here yet', async () => {
    const isAllNew = async (...existing: readonly string[]): Promise<boolean> =>
      (await examined(ENTRIES, existing)).reviewed.summary().isAllNew;
    expect(await isAllNew()).toBe(true);
    // Below a root that is new nothing is.
    expect(await isAllNew('tail.')).toBe(false);
    expect(await isAllNew('docs')).toBe(false);
  });

  test('names so many of a kind and counts all', async () => {
    const many = number(Array.from({ length: 150 }, (_, at) => file(`f${100 + at}`, 1, { mode: 0o755 })));
    const { reviewed } = await examined(
      many,
      many.map(({ name }) => name),
    );
    const { conflicts, conflictCount, executables, executableCount } = reviewed.summary();
    expect([conflicts.length, conflictCount, executables.length, executableCount]).toEqual([
      100, 150, 100, 150,
    ]);
    expect(conflicts.at(-1)).toBe('f199');
  });

  test('is complete with the end of the list, which says what the sender left out', async () => {
    const { reviewed } = await examined();
    const [, part, end] = opening(ENTRIES);
    expect(() => reviewed.finish({ ...end, skipped: 2, missing: 3 })).toThrow(
      expect.objectContaining({ code: 'protocol' }),
    );
    expect(reviewed.missingAtSender).toBe(0);
    reviewed.finish({ ...end, skipped: 3, missing: 2 });
    expect(reviewed.missingAtSender).toBe(2);
    expect(reviewed.summary()).toMatchObject({ complete: true, skippedBySender: 3 });
    expect(() => reviewed.finish(end)).toThrow(expect.objectContaining({ code: 'protocol' }));
    await expect(reviewed.examine({ ...part, part: 1 })).rejects.toMatchObject({ code: 'protocol' });
  });

  test('takes parts in their order, and none after the end', async () => {
    const { parts } = oneByOne('a', 'b', 'c');
    const { digest } = oneByOne('a', 'b');
    const [first, second, third, late] = parts;
    const reviewed = review();
    const outOfPlace = async (part: ManifestPart | undefined, number: number): Promise<void> => {
      await expect(reviewed.examine({ ...part!, part: number })).rejects.toMatchObject({ code: 'protocol' });
    };
    await outOfPlace(first, 1);
    await reviewed.examine(first!);
    await outOfPlace(second, 0);
    await outOfPlace(second, 2);
    await reviewed.examine(second!);
    await reviewed.examine(third!);
    expect(reviewed.summary()).toMatchObject({ files: 2, folders: 1, bytes: 2 });
    // As many may be missing as were left out.
    const left = { skipped: 2, missing: 2 };
    reviewed.finish({ type: 'manifest-end', transfer, entries: 3, files: 2, bytes: 2, digest, ...left });
    expect(reviewed.missingAtSender).toBe(2);
    await outOfPlace(late, 3);
  });

  test('wants everything where nobody chose', async () => {
    const reviewed = review();
    const parts = endless('file');
    await reviewed.examine(parts.next().value as ManifestPart);
    expect(reviewed.wants(entry(0, 'folder', 'all'))).toBe(true);
    expect(reviewed.wants(entry(1, 'file', 'any'))).toBe(true);
    expect(reviewed.summary().files).toBeGreaterThan(0);
    expect(reviewed.isWhole).toBe(true);
  });

  test.each(['name-refused', 'special-skipped', 'internal'] as const)(
    'knows why an entry was refused: %s',
    async (reason) => {
      const sink = new MemorySink();
      sink.examine = async () => ({ status: 'refused', reason });
      const [said, part] = opening([file('a', 1)]);
      const reviewed = new Review(said as Offer & { type: 'offer' }, sink, { intoHome: () => false });
      const [refused] = await reviewed.entriesOf(await reviewed.examine(part));
      expect(reviewed.prospectOf(refused!)).toEqual({ status: 'refused', reason });
      expect(reviewed.summary()).toMatchObject({ refused: [{ path: 'a', reason }], refusedCount: 1 });
    },
  );
});
