import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { LEAF_BYTES } from '../../../src/crypto/digest.js';
import { CHUNK_BYTES, type Entry, type FileSource, type SourceFile } from '../../../src/transfer/ports.js';
import { SharedSource } from '../../../src/transfer/shared-source.js';
import { SharedWork } from '../../../src/transfer/shared-work.js';
import { MemorySink } from '../../support/memory-sink.js';
import { flatten, MemorySource, type Tree } from '../../support/memory-source.js';
import { ending, sketch, transfer } from '../../support/memory-transfer.js';

const noise = (length: number, seed: string): Uint8Array =>
  createHash('shake256', { outputLength: length }).update(seed).digest();

const TREE: Tree = {
  album: {
    'a.bin': noise(5 * CHUNK_BYTES + 17, 'a'),
    'b.txt': Buffer.from('the same line again\n'.repeat(100_000)),
    empty: new Uint8Array(0),
    sparse: [noise(1000, 'before'), { hole: 3 * CHUNK_BYTES }, noise(1000, 'behind')],
    small: Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`${index}.txt`, noise(index * 7, String(index))]),
    ),
  },
};

/** Counts what is read of a source, and keeps its memory for use again as the disk does. */
class CountedSource implements FileSource {
  readBytes = 0;
  scans = 0;
  openFiles = 0;
  /** Memory that was given back is spoiled. */
  recycled = 0;
  readonly #source: MemorySource;

  constructor(tree: Tree) {
    this.#source = new MemorySource(tree);
  }

  get roots(): FileSource['roots'] {
    return this.#source.roots;
  }

  scan(): ReturnType<FileSource['scan']> {
    this.scans++;
    return this.#source.scan();
  }

  async readWhole(entry: Entry, limit: number): Promise<Uint8Array | undefined> {
    const content = await this.#source.readWhole(entry, limit);
    this.readBytes += content?.length ?? 0;
    return content;
  }

  async open(entry: Entry, offset = 0): Promise<SourceFile> {
    const file = await this.#source.open(entry, offset);
    this.openFiles++;
    return {
      ...file,
      read: async () => {
        const piece = await file.read();
        if (!(piece instanceof Uint8Array)) return piece;
        this.readBytes += piece.length;
        const shared = new Uint8Array(new SharedArrayBuffer(piece.length));
        shared.set(piece);
        return shared;
      },
      recycle: (data) => {
        this.recycled++;
        data.fill(0xaa);
      },
      close: async () => {
        this.openFiles--;
      },
    };
  }

  pathOf(entry: Entry): string {
    return this.#source.pathOf(entry);
  }
}

/** Sends the tree to so many at once; gives what was read, and fails unless all have it. */
async function sendToAll(tree: Tree, receivers: number, keptBytes?: number): Promise<CountedSource> {
  const source = new CountedSource(tree);
  const work = new SharedWork();
  const shared = new SharedSource(source, work, keptBytes);
  const sides = Array.from({ length: receivers }, () => {
    const sink = new MemorySink();
    return { sink, ...transfer(shared.view(), sink, {}, { shared: work }) };
  });
  for (const { sender, receiver, sink } of sides) {
    expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(tree)));
  }
  expect(source.openFiles).toBe(0);
  return source;
}

const bytesIn = (tree: Tree): number =>
  [...flatten(tree).values()].reduce((sum, content) => sum + (content === 'folder' ? 0 : content.length), 0);

describe('one source for several', () => {
  it('is walked and read once where all go in step', async () => {
    const source = await sendToAll(TREE, 4);
    expect(source.scans).toBe(1);
    expect(source.readBytes).toBe(bytesIn(TREE) - 3 * CHUNK_BYTES);
  });

  it('keeps no more than it may, and whoever comes later reads again', async () => {
    const source = await sendToAll(TREE, 3, 2 * CHUNK_BYTES);
    expect(source.recycled).toBeGreaterThan(0);
  });

  it('serves all where nothing is kept at all', async () => {
    await sendToAll(TREE, 3, 0);
  });

  test('whoever comes when others are far ahead gets the same', async () => {
    const source = new CountedSource(TREE);
    const work = new SharedWork();
    const shared = new SharedSource(source, work, 2 * CHUNK_BYTES);
    for (let round = 0; round < 2; round++) {
      const sink = new MemorySink();
      const { sender, receiver } = transfer(shared.view(), sink, {}, { shared: work });
      expect([await ending(sender), await ending(receiver)]).toEqual(['ok', 'ok']);
      expect(sketch(sink.arrived)).toEqual(sketch(flatten(TREE)));
    }
    expect(source.scans).toBe(1);
  });

  test('what cannot be read is missing for each, and read anew for each that comes', async () => {
    const failing = new MemorySource(TREE, {
      failures: { 'album/a.bin': 'source-changed' },
      failAfterBytes: 2 * CHUNK_BYTES,
    });
    const shared = new SharedSource(failing, new SharedWork());
    for (const _ of [1, 2]) {
      const { sender, receiver } = transfer(shared.view(), new MemorySink());
      expect((await sender.outcome).missing).toEqual([{ path: 'album/a.bin', reason: 'source-changed' }]);
      await receiver.outcome;
    }
  });

  test('a walk that fails fails for all', async () => {
    const source = new MemorySource(TREE);
    let listings = 0;
    source.onListing = async () => {
      if (++listings === 2) throw new Error('disk');
    };
    const shared = new SharedSource(source, new SharedWork());
    for (const _ of [1, 2]) {
      await expect(
        (async () => {
          for await (const listing of shared.view().scan()) expect(listing.skipped).toEqual([]);
        })(),
      ).rejects.toMatchObject({ code: 'internal' });
    }
  });

  test('readers in any order get what is there, and memory that is in use is not used for anything else', async () => {
    const content = noise(8 * CHUNK_BYTES + 5, 'any order');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 60 }), fc.nat(4), async (turns, keptChunks) => {
        const source = new CountedSource({ file: content });
        const shared = new SharedSource(source, new SharedWork(), keptChunks * CHUNK_BYTES);
        const view = shared.view();
        const [entry] = source.roots as [Entry];
        const readers = await Promise.all(
          [0, 1, 2, 3].map(async () => ({
            file: await view.open(entry),
            offset: 0,
            held: [] as Uint8Array[],
          })),
        );
        const step = async (reader: (typeof readers)[number]): Promise<void> => {
          const piece = await reader.file.read();
          if (!(piece instanceof Uint8Array)) return;
          const expected = content.subarray(reader.offset, reader.offset + piece.length);
          reader.offset += piece.length;
          reader.held.push(piece);
          await Promise.resolve();
          expect(Buffer.compare(piece, expected)).toBe(0);
          if (reader.held.length > 1) reader.file.recycle?.(reader.held.shift()!);
        };
        const last = new Map<number, Promise<void>>();
        for (const turn of turns) {
          last.set(
            turn,
            (last.get(turn) ?? Promise.resolve()).then(() => step(readers[turn]!)),
          );
        }
        await Promise.all(last.values());
        await Promise.all(readers.map(({ file }) => file.close()));
        expect(source.openFiles).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});

describe('work for several', () => {
  const leaf = noise(LEAF_BYTES, 'leaf');

  it('digests a leaf once, and again where the thread of another one died', async () => {
    const work = new SharedWork();
    work.watch(leaf);
    const dying = { hash: () => Promise.reject(new Error('gone')) };
    await expect(work.hasher(dying).hash(leaf)).rejects.toThrow('gone');
    const { digest } = await work.hasher(undefined).hash(leaf);
    work.forget(leaf);
    work.watch(leaf);
    expect((await work.hasher(undefined).hash(leaf)).digest).toEqual(digest);
    const unused = { hash: () => Promise.reject(new Error('not asked')) };
    expect((await work.hasher(unused).hash(leaf)).digest).toEqual(digest);
  });

  it('packs once what is watched, and says what that took', async () => {
    let now = 0;
    const work = new SharedWork(() => (now += 5));
    const text = Buffer.from('the same line again\n'.repeat(1_000));
    const bytes = new Uint8Array(text);
    work.watch(bytes);
    const first = await work.pack(bytes, 'brotli', 'fast');
    expect(first.tookMs).toBe(5);
    expect(await work.pack(bytes.subarray(0), 'brotli', 'fast')).toBe(first);
    expect(await work.pack(bytes, 'brotli', 'strong')).not.toBe(first);
    work.forget(bytes);
    expect(await work.pack(bytes, 'brotli', 'fast')).not.toBe(first);
  });
});
