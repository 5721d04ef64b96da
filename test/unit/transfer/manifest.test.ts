import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import {
  ManifestDecoder,
  ManifestEncoder,
  decodeEntries,
  type RawPart,
} from '../../../src/transfer/manifest.js';
import { MANIFEST_PART_BYTES, MAX_ENTRIES, ROOT, type Entry } from '../../../src/transfer/ports.js';
import { RunBuilder, filesIn } from '../../../src/transfer/want.js';

const file = (index: number, parent: number, name = `file ${index}`): Entry => ({
  index,
  parent,
  type: 'file',
  name,
  size: index,
  mtimeMs: 1_700_000_000_000 + index,
  mode: 0o644,
});
const folder = (index: number, parent: number, name = `folder ${index}`): Entry => ({
  ...file(index, parent, name),
  type: 'folder',
  size: 0,
});

/** Numbers as names in their order. */
const rising = (index: number): string => String(index).padStart(7, '0');

/** Entries in the order of a manifest: `below(n)` in a row for each folder. */
function* oneFolder(count: number): Iterable<Entry> {
  yield folder(0, ROOT);
  for (let index = 1; index <= count; index++) yield file(index, 0, rising(index));
}

function encode(entries: Iterable<Entry>): { parts: RawPart[]; encoder: ManifestEncoder } {
  const encoder = new ManifestEncoder();
  const parts: RawPart[] = [];
  for (const entry of entries) {
    encoder.add({ entries: [entry], skipped: [] });
    parts.push(...encoder.takeFull());
  }
  parts.push(...encoder.takeAll());
  return { parts, encoder };
}

const roots = (
  entries: readonly Entry[],
): { name: string; type: 'file' | 'folder'; size: number | undefined }[] =>
  entries
    .filter(({ parent }) => parent === ROOT)
    .map(({ name, type, size }) => ({ name, type, size: type === 'folder' ? undefined : size }));

/** A tree in manifest order, from which place each entry has and whether it is a folder. */
const trees = fc
  .array(fc.tuple(fc.boolean(), fc.nat(), fc.string({ maxLength: 60 })), { minLength: 1, maxLength: 300 })
  .map((shapes) => {
    const entries: Entry[] = [];
    let parent = ROOT;
    for (const [index, [isFolder, jump, name]] of shapes.entries()) {
      const later = entries.filter((entry) => entry.type === 'folder' && entry.index > parent);
      if (jump % 3 === 0 && later.length > 0) parent = later[jump % later.length]!.index;
      entries.push((isFolder ? folder : file)(index, parent, `${rising(index)} ${name}`));
    }
    return entries;
  });

describe('a manifest', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(trees, (entries) => {
        const { parts, encoder } = encode(entries);
        const decoder = new ManifestDecoder('files', roots(entries));
        const decoded = parts.flatMap(({ bytes, count }) => decoder.decode(bytes, count));
        expect(decoded).toEqual(entries);
        expect(parts.flatMap(({ bytes, first }) => decodeEntries(bytes, first))).toEqual(entries);
        const { files, bytes } = encoder.totals;
        const end = {
          type: 'manifest-end',
          transfer: 1,
          entries: entries.length,
          files,
          bytes,
          skipped: 0,
          missing: 0,
        } as const;
        decoder.end({ ...end, digest: encoder.digest() });
      }),
    );
  });

  it('row 52: is a value or an XferError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, count) => {
        try {
          new ManifestDecoder('files', []).decode(bytes, count);
        } catch (error) {
          expect(error).toBeInstanceOf(XferError);
          expect((error as XferError).code).toMatch(/^(protocol|limit)$/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('row 47: has no entry but files and folders: a link is malformed', () => {
    const entries = [file(0, ROOT)];
    const [part] = encode(entries).parts;
    // Behind the parent and the count of the group.
    const link = Buffer.from(part!.bytes);
    const type = 2;
    expect(link[type]).toBe(0);
    const decoded = (other: number): Entry[] => {
      link[type] = other;
      return new ManifestDecoder('files', roots(entries)).decode(link, 1);
    };
    expect(decoded(0)).toEqual(entries);
    for (let other = 2; other < 256; other++)
      expect(() => decoded(other)).toThrow(expect.objectContaining({ code: 'protocol' }));
  });

  it('comes in parts that a receiver takes before its yes', () => {
    const { parts } = encode(oneFolder(20_000));
    expect(parts.length).toBeGreaterThan(10);
    for (const { bytes, count } of parts) {
      expect(bytes.length).toBeLessThanOrEqual(MANIFEST_PART_BYTES);
      expect(bytes.length + 64 * count).toBeLessThan(1 << 18);
    }
    const long = 'n'.repeat(255);
    const wide = Array.from({ length: 600 }, (_, index) =>
      file(index, ROOT, `${index}${long}`.slice(0, 255)),
    );
    for (const { bytes } of encode(wide).parts) expect(bytes.length).toBeLessThanOrEqual(MANIFEST_PART_BYTES);
  });

  it('row 27: of 100,000 entries in one folder takes no time that grows with their square', () => {
    const { parts } = encode(oneFolder(100_000));
    const decoder = new ManifestDecoder('files', [{ name: 'folder 0', type: 'folder', size: undefined }]);
    const started = performance.now();
    for (const { bytes, count } of parts) decoder.decode(bytes, count);
    expect(decoder.totals.entries).toBe(100_001);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('row 52: has at most 2,000,000 entries, on both sides', () => {
    const encoder = new ManifestEncoder();
    encoder.totals.entries = MAX_ENTRIES;
    const entries = [file(MAX_ENTRIES, ROOT)];
    expect(() => encoder.add({ entries, skipped: [] })).toThrow(expect.objectContaining({ code: 'limit' }));
    const decoder = new ManifestDecoder('files', roots([file(0, ROOT)]));
    decoder.totals.entries = MAX_ENTRIES;
    const [part] = encode([file(0, ROOT)]).parts;
    expect(() => decoder.decode(part!.bytes, 1)).toThrow(XferError);
  });

  it('row 52: has at most 1 GiB', () => {
    const decoder = new ManifestDecoder('files', []);
    const bytes = new Uint8Array(1 << 20);
    for (let mebibytes = 0; mebibytes < 1024; mebibytes++) decoder.totals.countPart(bytes);
    expect(() => decoder.totals.countPart(bytes)).toThrow(expect.objectContaining({ code: 'limit' }));
  });
});

describe('what is wanted', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (wanted) => {
        const entries = wanted.map((_, index) => file(index, ROOT));
        const builder = new RunBuilder();
        for (const isWanted of wanted) builder.add(isWanted);
        expect(filesIn(entries, builder.runs)).toEqual(entries.filter((_, index) => wanted[index]));
        expect(builder.runs.slice(1).every(([skip, take]) => skip > 0 && take > 0)).toBe(true);
      }),
    );
  });

  it('leaves folders out', () => {
    expect(filesIn([folder(0, ROOT), file(1, ROOT)], [[0, 2]])).toEqual([file(1, ROOT)]);
  });
});
