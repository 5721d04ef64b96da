import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { BatchWriter, MAX_BATCHED_BYTES, decodeBatch } from '../../../src/transfer/batch.js';
import { CHUNK_BYTES } from '../../../src/transfer/ports.js';

describe('a batch', () => {
  it('comes back as it was', () => {
    const files = fc.uniqueArray(fc.tuple(fc.nat(2_000_000), fc.uint8Array()), {
      selector: ([entry]) => entry,
    });
    fc.assert(
      fc.property(files, (unordered) => {
        const batch = unordered.toSorted(([a], [b]) => a - b);
        const writer = new BatchWriter();
        for (const [entry, content] of batch) writer.add(entry, content);
        const decoded = decodeBatch(writer.finish(), writer.count);
        expect(decoded.map(({ entry, content }) => [entry, [...content]])).toEqual(
          batch.map(([entry, content]) => [entry, [...content]]),
        );
      }),
    );
  });

  it('is full before it is larger than a record', () => {
    const writer = new BatchWriter();
    while (!writer.full) writer.add(writer.count, Buffer.alloc(MAX_BATCHED_BYTES));
    expect(writer.finish().length).toBeLessThan(CHUNK_BYTES);
  });

  it('goes with half a MiB or 1,024 files in it, and is used again', () => {
    const writer = new BatchWriter();
    for (const [content, files] of [
      [Buffer.alloc(MAX_BATCHED_BYTES), 2],
      [Buffer.alloc(1), 1024],
    ] as const) {
      for (let entry = 0; entry < files; entry++) {
        expect(writer.full).toBe(false);
        writer.add(entry, content);
      }
      expect(writer.full).toBe(true);
      expect(writer.count).toBe(files);
      expect(writer.length).toBeGreaterThan(files * content.length);
      expect(decodeBatch(writer.finish(), files)).toHaveLength(files);
      writer.clear();
      expect([writer.count, writer.length]).toEqual([0, 0]);
    }
  });

  it.each([
    ['the same one twice', [3, 3]],
    ['a smaller one after a larger', [3, 500, 4]],
  ])('does not hold %s', (_, entries) => {
    const writer = new BatchWriter();
    for (const entry of entries) writer.add(entry, Buffer.from(`content of ${entry}`));
    expect(() => decodeBatch(writer.finish(), entries.length)).toThrow(
      expect.objectContaining({ code: 'protocol' }),
    );
  });

  it('row 22: of which any bit is another is refused', () => {
    const writer = new BatchWriter();
    for (const entry of [3, 4, 500]) writer.add(entry, Buffer.from(`content of ${entry}`));
    const bytes = writer.finish();
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeBatch(changed, 3)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(integrity|protocol|limit)$/) as string }),
      );
    }
  });

  it('row 24: holds no more than 8,192 files', () => {
    const writer = new BatchWriter();
    for (let entry = 0; entry < 8192; entry++) writer.add(entry, Buffer.alloc(0));
    expect(decodeBatch(writer.finish(), 8192)).toHaveLength(8192);
    writer.clear();
    for (let entry = 0; entry < 8193; entry++) writer.add(entry, Buffer.alloc(0));
    expect(() => decodeBatch(writer.finish(), 8193)).toThrow(expect.objectContaining({ code: 'limit' }));
  });

  it('row 24: holds no file above 256 KiB', () => {
    const writer = new BatchWriter();
    writer.add(0, Buffer.alloc(MAX_BATCHED_BYTES + 1));
    expect(() => decodeBatch(writer.finish(), 1)).toThrow(expect.objectContaining({ code: 'limit' }));
  });

  it('is a value or an XferError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(2_000_000), (bytes, count) => {
        try {
          decodeBatch(bytes, count);
        } catch (error) {
          expect(error).toBeInstanceOf(XferError);
          expect((error as XferError).code).toMatch(/^(protocol|limit|integrity)$/);
        }
      }),
    );
  });
});
