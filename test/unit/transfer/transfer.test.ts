import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { XferError, type ErrorCode } from '../../../src/errors.js';
import { deferred } from '../../../src/transfer/deferred.js';
import type { Decision, OfferSummary } from '../../../src/transfer/events.js';
import { SUPPORTED_COMPRESSIONS } from '../../../src/transfer/compression.js';
import type { Compression, ConflictPolicy, Packed } from '../../../src/transfer/ports.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemoryPipe, MemorySource, flatten, type Tree } from '../../support/memory-source.js';
import { ending, sketch, transfer, yes, type Side } from '../../support/memory-transfer.js';

const mixed: Tree = {
  photos: {
    'empty file': new Uint8Array(0),
    'empty folder': {},
    'kleine Datei äöü.txt': Buffer.from('hello'),
    inner: { deep: { large: randomBytes(3_500_000), small: Buffer.alloc(60_000, 'abc') } },
    text: Buffer.alloc(2_000_000, 'the same again '),
  },
  sparse: [randomBytes(10), { hole: 5_000_000 }, randomBytes(70_000), { hole: 100 }],
  'exactly one chunk': randomBytes(1 << 20),
  'exactly a batch': randomBytes(1 << 18),
};

/** Everything of a side that can be compressed, as it left. */
const bodiesOf = ({ channel }: Side): Packed[] =>
  channel.sent.flatMap((item) => ('body' in item ? [item.body] : []));

const both = ({ sender, receiver }: { sender: Side; receiver: Side }): Promise<string[]> =>
  Promise.all([ending(sender), ending(receiver)]);

describe('a transfer', () => {
  it('brings every kind of file and folder over', async () => {
    const sink = new MemorySink();
    const { sender, receiver } = transfer(new MemorySource(mixed), sink);
    const outcomes = await Promise.all([sender.outcome, receiver.outcome]);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(mixed)));
    expect(sink.metadata.get('photos/text')).toMatchObject({ mode: 0o640, mtimeMs: 1_700_000_000_008 });
    expect(sink).toMatchObject({ isFinished: true, isAborted: false, openParts: 0 });
    const files = [...flatten(mixed).values()].filter((value) => value !== 'folder');
    const bytes = files.reduce((sum, content) => sum + content.length, 0);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ files: files.length, bytes, missing: [], missingCount: 0 });
    }
    expect([sender.channel.isEnded, receiver.channel.isEnded]).toEqual([true, true]);
  });

  it('that is complete waits for a sender who hears of it late', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const run = transfer(new MemorySource({ a: Buffer.from('a') }), new MemorySink());
      const { channel } = run.receiver;
      const [reported, again] = [deferred<undefined>(), deferred<undefined>()];
      const send = channel.send.bind(channel);
      channel.send = async (item, onDone) => {
        if ('type' in item && item.type === 'received') {
          reported.resolve(undefined);
          await again.promise;
        }
        return send(item, onDone);
      };
      await reported.promise;
      let isThere = true;
      void run.receiver.outcome.then(() => (isThere = false));
      await vi.advanceTimersByTimeAsync(59_000);
      expect(isThere).toBe(true);
      again.resolve(undefined);
      expect(await both(run)).toEqual(['ok', 'ok']);
      expect(run.sender.channel.sent.at(-1)).toMatchObject({ type: 'sent' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('never has more under way than was granted', async () => {
    const { sender, receiver } = transfer(new MemorySource(mixed), new MemorySink());
    expect(await both({ sender, receiver })).toEqual(['ok', 'ok']);
    expect(receiver.channel.peakCost).toBeLessThanOrEqual(1 << 24);
    expect(sender.channel.peakCost).toBeLessThanOrEqual(1 << 18);
  });

  it('tells both sides what happens, and what was received once it is where a power cut cannot undo it', async () => {
    const sink = new MemorySink();
    const { sender, receiver } = transfer(
      new MemorySource({ a: Buffer.from('1'), b: { c: Buffer.from('23') } }),
      sink,
    );
    const finish = sink.finish.bind(sink);
    let before: string[] = [];
    sink.finish = (isWhole) => {
      before = receiver.events.map(({ type }) => type);
      return finish(isWhole);
    };
    await both({ sender, receiver });
    expect(before).not.toContain('file-received');
    const types = (side: Side): string[] => side.events.map(({ type }) => type);
    expect(types(sender)).toEqual([
      'offer', 'scanning', 'peer-state', 'accepted', 'peer-state', 'progress', 'file-started', 'peer-state', 'progress',
    ]); // prettier-ignore
    expect(types(receiver)).toEqual([
      'offer', 'counting', 'accepted', 'progress', 'file-started', 'progress', 'file-received', 'file-received',
    ]); // prettier-ignore
    const done = { files: 2, bytes: 3, totalFiles: 2, totalBytes: 3, totalKnown: true };
    expect(sender.events.at(-1)).toEqual({ type: 'progress', progress: done });
    expect(receiver.events.slice(-3)).toEqual([
      { type: 'progress', progress: done },
      { type: 'file-received', path: 'a', size: 1 },
      { type: 'file-received', path: 'b', size: 2 },
    ]);
  });

  it('says how much is there when a burst is over and nothing follows', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const abort = new AbortController();
    async function* burst(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('first');
      yield Buffer.from('second');
      await new Promise(() => {});
    }
    const pipe = new MemoryPipe(burst());
    const run = transfer(pipe, new MemorySink(), { now: () => 0 }, { kind: 'pipe', signal: abort.signal });
    const said = (): number[] =>
      run.sender.events.flatMap((event) => (event.type === 'progress' ? [event.progress.bytes] : []));
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    expect(said()).not.toContain(11);
    await vi.advanceTimersByTimeAsync(100);
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    expect(said()).toContain(11);
    vi.useRealTimers();
    abort.abort();
    await both(run);
  });

  it.each<readonly Compression[]>([[], ['stored'], ['stored', 'brotli'], ['stored', 'brotli', 'zstd']])(
    'goes with what the peer can decompress: %s %s %s',
    async (...compressions) => {
      const sink = new MemorySink();
      const source = new MemorySource(mixed);
      source.onListing = async () => {};
      const run = transfer(source, sink, {}, {}, (channel) => {
        channel.compressions = new Set(compressions);
      });
      expect(await both(run)).toEqual(['ok', 'ok']);
      expect(sketch(sink.arrived)).toEqual(sketch(flatten(mixed)));
      const best = SUPPORTED_COMPRESSIONS.has('zstd') && compressions.includes('zstd') ? 'zstd' : 'brotli';
      const used = new Set(bodiesOf(run.sender).map(({ compression }) => compression));
      expect(used).toEqual(new Set(['stored', ...(compressions.includes('brotli') ? [best] : [])]));
    },
  );

  it('compresses nothing where that is asked, the list of files included', async () => {
    const sink = new MemorySink();
    const run = transfer(new MemorySource(mixed), sink, {}, { compress: false });
    expect(await both(run)).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(mixed)));
    expect(bodiesOf(run.sender).every(({ compression }) => compression === 'stored')).toBe(true);
  });

  it.each([1, 1000, 100_000])('puts no more into a record than the line likes: %i', async (pieceBytes) => {
    const tree: Tree = {
      large: randomBytes(pieceBytes === 1 ? 300 : 3 * pieceBytes + 7),
      'fits exactly': Buffer.alloc(pieceBytes, 'fits'),
      small: Object.fromEntries(
        Array.from({ length: 20 }, (_, count) => [count, Buffer.alloc(count * 10, 'a')]),
      ),
      sparse: [randomBytes(500), { hole: 100_000 }, randomBytes(500)],
    };
    const sink = new MemorySink();
    const run = transfer(new MemorySource(tree), sink, {}, {}, (channel) => {
      channel.pieceBytes = () => pieceBytes;
    });
    expect(await both(run)).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(tree)));
    // A batch of one file has its own few bytes besides.
    const records = run.sender.channel.sent.filter((item) => 'body' in item && item.kind !== 'manifest');
    const overhead = 48;
    expect(
      Math.max(...records.map((item) => ('body' in item ? item.body.rawLength : 0))),
    ).toBeLessThanOrEqual(pieceBytes + overhead);
  });

  it('gives memory back when all records of a piece are out', async () => {
    const lent = new Set<Uint8Array>();
    let most = 0;
    const source = new MemorySource({ random: randomBytes(3 << 20), text: Buffer.alloc(3 << 20, 'text') });
    const open = source.open.bind(source);
    source.open = async (entry) => {
      const file = await open(entry);
      return {
        read: async () => {
          const piece = await file.read();
          if (piece instanceof Uint8Array) lent.add(piece);
          most = Math.max(most, lent.size);
          return piece;
        },
        recycle: (piece) => {
          expect(lent.delete(piece)).toBe(true);
        },
        readAt: (into, offset) => file.readAt(into, offset),
        close: () => file.close(),
      };
    };
    const run = transfer(source, new MemorySink(), {}, {}, (channel) => {
      channel.pieceBytes = () => 300_000;
    });
    expect(await both(run)).toEqual(['ok', 'ok']);
    expect(lent.size).toBe(0);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('streams a pipe, whose length nobody knows', async () => {
    const pieces = Array.from({ length: 5 }, () => randomBytes(700_000));
    const sink = new MemorySink();
    const pipe = new MemoryPipe(
      (async function* () {
        yield* pieces;
      })(),
    );
    const { sender, receiver } = transfer(pipe, sink, {}, { kind: 'pipe' });
    expect(await both({ sender, receiver })).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(new Map([['stdin', Buffer.concat(pieces)]])));
  });

  it('streams a pipe of no bytes', async () => {
    const sink = new MemorySink();
    const { sender, receiver } = transfer(
      new MemoryPipe((async function* () {})()),
      sink,
      {},
      { kind: 'pipe' },
    );
    expect(await both({ sender, receiver })).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(new Map([['stdin', new Uint8Array(0)]])));
  });

  it('brings any tree over unchanged', async () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 12 })
      .filter((text) => !/^\.{0,2}$|[/\0]/.test(text));
    const content = fc.oneof(
      { weight: 6, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      { weight: 1, arbitrary: fc.integer({ min: 65_530, max: 65_540 }).map((length) => new Uint8Array(length).fill(7)) },
      { weight: 1, arbitrary: fc.integer({ min: 1_048_570, max: 1_048_580 }).map((length) => randomBytes(length)) },
      { weight: 1, arbitrary: fc.tuple(fc.uint8Array({ minLength: 1 }), fc.nat(200_000)).map(([bytes, hole]) => [bytes, { hole: hole + 1 }, bytes]) },
    ); // prettier-ignore
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.dictionary(name, fc.oneof({ maxDepth: 3 }, content, tie('tree')), { maxKeys: 5, noNullPrototype: true }),
    })); // prettier-ignore
    const trees = tree.filter((one) => Object.keys(one).length > 0);
    await fc.assert(
      fc.asyncProperty(
        trees,
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (one, listingSize, early) => {
          const sink = new MemorySink();
          const source = new MemorySource(one);
          source.listingSize = listingSize;
          const run = transfer(source, sink, { early });
          expect(await both(run)).toEqual(['ok', 'ok']);
          expect(sketch(sink.arrived)).toEqual(sketch(flatten(one)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the question', () => {
  it('comes with the whole offer', async () => {
    const tree = {
      '.profile': Buffer.from('x'),
      docs: { a: Buffer.from('12'), b: Buffer.from('3'), 'bad:name': Buffer.from('') },
    };
    let shown: OfferSummary | undefined;
    const sink = new MemorySink({ existing: ['docs', 'docs/a'], refused: ['bad:name'], capacity: 1000 });
    const { receiver } = transfer(
      new MemorySource(tree, { skipped: [{ path: 'l', reason: 'link-skipped' }] }),
      sink,
      {
        intoHome: () => true,
        decide: async (offer) => {
          shown = offer;
          return yes();
        },
      },
    );
    await receiver.outcome;
    expect(shown).toEqual({
      kind: 'files',
      roots: [{ name: '.profile', type: 'file', size: 1 }, { name: 'docs', type: 'folder', size: undefined }],
      files: 4,
      folders: 1,
      bytes: 4,
      arrivedFiles: 0,
      arrivedBytes: 0,
      partBytes: 0,
      complete: true,
      skippedBySender: 1,
      conflicts: ['docs/a'],
      conflictCount: 1,
      isBusy: false,
      refused: [{ path: 'docs/bad:name', reason: 'name-refused' }],
      refusedCount: 1,
      executables: [],
      executableCount: 0,
      dotNames: ['.profile'],
      freeBytes: 1000,
      isAllNew: false,
      intoHome: true,
    }); // prettier-ignore
  });

  it('answered no ends the transfer with its reason on both sides', async () => {
    const sink = new MemorySink();
    const run = transfer(new MemorySource(mixed), sink, {
      decide: async () => ({ accept: false, reason: 'dry-run' }),
    });
    expect(await both(run)).toEqual(['declined dry-run', 'dry-run']);
    expect(sink.arrived.size).toBe(0);
    expect(run.sender.events.at(-1)).toEqual({ type: 'declined', reason: 'dry-run' });
  });

  it('answered no without a reason', async () => {
    const run = transfer(new MemorySource(mixed), new MemorySink(), {
      decide: async () => ({ accept: false }),
    });
    expect(await both(run)).toEqual(['declined', 'declined']);
  });

  it('answered no early stops a scan that still runs', async () => {
    const source = new MemorySource({ a: {}, b: {} });
    source.listingSize = 1;
    let listings = 0;
    source.onListing = async () => {
      listings++;
      if (listings === 2) await new Promise(() => {});
    };
    const run = transfer(source, new MemorySink(), { early: true, decide: async () => ({ accept: false }) });
    expect(await both(run)).toEqual(['declined', 'declined']);
  });

  it('that throws ends the transfer, and the sender hears why', async () => {
    const sink = new MemorySink();
    const run = transfer(new MemorySource(mixed), sink, {
      decide: async () => {
        throw new XferError('no-terminal');
      },
    });
    expect(await both(run)).toEqual(['peer-failed no-terminal', 'no-terminal']);
    expect(sink.isAborted).toBe(true);
  });

  it('that comes at once lets content follow while the sender still looks at the same folder', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`${n}`, Buffer.from(`${n}`)]));
    const tree: Tree = { many };
    const source = new MemorySource(tree);
    source.listingSize = 1500;
    let listings = 0;
    const sink = new MemorySink();
    source.onListing = async () => {
      if (++listings < 3) return;
      while (![...sink.arrived.values()].some((content) => content !== 'folder')) await setImmediate();
    };
    const run = transfer(source, sink, { early: true });
    expect(await both(run)).toEqual(['ok', 'ok']);
    expect(listings).toBe(3);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(tree)));
  });

  it('may come early, hears of better figures, and content follows the first part', async () => {
    const tree: Tree = { a: { one: Buffer.from('1') }, b: { two: Buffer.from('22') } };
    const source = new MemorySource(tree);
    source.listingSize = 1;
    // Every listing comes a second later than the one before.
    let nowMs = 0;
    const sink = new MemorySink();
    let fileArrivedBeforeTheEnd = false;
    const summaries: OfferSummary[] = [];
    source.onListing = async () => {
      nowMs += 1000;
      for (let turn = 0; turn < 20; turn++) await setImmediate();
      fileArrivedBeforeTheEnd ||= [...sink.arrived.values()].includes('folder');
    };
    const run = transfer(
      source,
      sink,
      {
        early: true,
        now: () => nowMs,
        decide: async (offer, watch) => {
          summaries.push(offer);
          await new Promise<void>((resolve) => {
            watch.onUpdate((update) => {
              summaries.push(update);
              resolve();
            });
          });
          return yes();
        },
      },
      { now: () => nowMs },
    );
    expect(await both(run)).toEqual(['ok', 'ok']);
    expect(summaries[0]).toMatchObject({ files: 0, complete: false });
    expect(summaries[1]).toMatchObject({ folders: 1, complete: false });
    expect(fileArrivedBeforeTheEnd).toBe(true);
    expect(run.sender.events.filter(({ type }) => type === 'scanning').length).toBeGreaterThan(3);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(tree)));
  });

  it.each([
    ['none of its roots exists', {}, true],
    ['a folder of the same name takes it in', { existing: ['d'] }, false],
    ['a file exists', { existing: ['f'] }, false],
    ['a name is refused', { refused: ['f'] }, false],
  ])('knows whether something can be in the way: %s', async (_, faults, isAllNew) => {
    let shown: OfferSummary | undefined;
    const { receiver } = transfer(
      new MemorySource({ d: { inside: Buffer.from('i') }, f: Buffer.from('f') }),
      new MemorySink(faults),
      { decide: async (offer) => ((shown = offer), yes()) },
    );
    await receiver.outcome;
    expect(shown?.isAllNew).toBe(isAllNew);
  });

  it('tells of another transfer into the same place, also where nothing is in the way yet', async () => {
    let shown: OfferSummary | undefined;
    const { receiver } = transfer(
      new MemorySource({ d: { inside: Buffer.from('i') } }),
      new MemorySink({ existing: ['d'], isBusy: true }),
      { decide: async (offer) => ((shown = offer), yes()) },
    );
    await receiver.outcome;
    expect(shown).toMatchObject({ isBusy: true, conflictCount: 0 });
  });

  it('tells whoever thinks that the peer gave up', async () => {
    const abort = new AbortController();
    let watched: AbortSignal | undefined;
    const run = transfer(
      new MemorySource(mixed),
      new MemorySink(),
      {
        decide: async (_offer, { signal }) => {
          watched = signal;
          abort.abort();
          return new Promise(() => {});
        },
      },
      { signal: abort.signal },
    );
    expect(await both(run)).toEqual(['interrupted', 'peer-interrupted']);
    expect(watched?.aborted).toBe(true);
  });
});

describe('what exists already', () => {
  const tree: Tree = { d: { old: Buffer.from('1'), fresh: Buffer.from('2') } };
  it.each<[ConflictPolicy, string[], string[], number]>([
    ['overwrite', ['d', 'd/old', 'd/fresh'], [], 0],
    ['rename', ['d', 'd/old', 'd/fresh'], [], 0],
    ['skip', ['d', 'd/fresh'], [], 1],
    ['refuse', ['d', 'd/fresh'], ['d/old target-exists'], 0],
  ])('with %s', async (conflicts, arrived, missing, unwantedFiles) => {
    const sink = new MemorySink({ existing: ['d', 'd/old'] });
    const { sender, receiver } = transfer(new MemorySource(tree), sink, {
      decide: async () => ({ accept: true, conflicts }),
    });
    const outcome = await receiver.outcome;
    expect([...sink.arrived.keys()].toSorted()).toEqual(arrived.toSorted());
    expect(sink.policy).toBe(conflicts);
    expect(outcome.missing.map(({ path, reason }) => `${path} ${reason}`)).toEqual(missing);
    const figures = { files: outcome.files, missingCount: missing.length, unwantedFiles };
    expect(await sender.outcome).toMatchObject(figures);
  });

  it('is told to the sender, as is what was not chosen', async () => {
    const wants = (path: string): boolean => path !== 'c';
    const many: Tree = { a: Buffer.from('1'), b: Buffer.from('2'), c: Buffer.from('3'), d: Buffer.from('4') };
    const sink = new MemorySink({ existing: ['a'], failures: { b: 'target-exists' } });
    const decide = async (): Promise<Decision> => ({ accept: true, conflicts: 'skip' });
    const { sender } = transfer(new MemorySource(many), sink, { decide, wants });
    expect(await sender.outcome).toMatchObject({ files: 1, missingCount: 1, unwantedFiles: 2 });
  });
});

describe('entries that stay behind', () => {
  it.each<ErrorCode>(['source-vanished', 'source-changed', 'path-unreadable'])(
    'are named on both sides, the rest arrives: %s',
    async (reason) => {
      const tree: Tree = {
        d: {
          a: Buffer.from('a'),
          b: Buffer.from('b'),
          c: Buffer.from('c'),
          large: randomBytes(3 << 20),
          z: Buffer.from('z'),
        },
      };
      const source = new MemorySource(tree, {
        failures: { 'd/b': reason, 'd/large': reason },
      });
      const sink = new MemorySink();
      const { sender, receiver } = transfer(source, sink);
      const missing = [{ path: 'd/b', reason }, { path: 'd/large', reason }]; // prettier-ignore
      for (const { outcome } of [sender, receiver]) {
        expect(await outcome).toMatchObject({ files: 3, bytes: 3, missing, missingCount: 2 });
      }
      expect([...sink.arrived.keys()]).toEqual(['d', 'd/a', 'd/c', 'd/z']);
    },
  );

  it('in the middle of a large file leave no part of it', async () => {
    const source = new MemorySource(
      { large: randomBytes(3 << 20), next: Buffer.from('n') },
      { failures: { large: 'source-changed' }, failAfterBytes: 1 << 20 },
    );
    const sink = new MemorySink();
    const { sender, receiver } = transfer(source, sink);
    expect(await receiver.outcome).toMatchObject({ files: 1, bytes: 1, missingCount: 1 });
    expect(await sender.outcome).toMatchObject({ files: 1, bytes: 1, missingCount: 1 });
    expect([...sink.arrived.keys()]).toEqual(['next']);
    expect(sink.openParts).toBe(0);
  });

  it('at the receiver where a file has the place of a folder, also when what exists is to be skipped', async () => {
    const tree: Tree = { docs: { a: Buffer.from('a') }, kept: Buffer.from('k'), there: Buffer.from('t') };
    const sink = new MemorySink({ blocked: ['docs'], existing: ['there'] });
    const decide = async (): Promise<Decision> => ({ accept: true, conflicts: 'skip' });
    const { receiver } = transfer(new MemorySource(tree), sink, { decide });
    const outcome = await receiver.outcome;
    expect(outcome).toMatchObject({ files: 1, missingCount: 2, skippedCount: 1 });
    expect(outcome.missing.map(({ path }) => path).toSorted()).toEqual(['docs', 'docs/a']);
  });

  it('at the receiver too: names it cannot keep, files that came up meanwhile', async () => {
    const tree: Tree = {
      'bad:folder': { inside: Buffer.from('i') },
      good: { race: Buffer.from('r'), ok: Buffer.from('o') },
      big: randomBytes(2 << 20),
    };
    const sink = new MemorySink({
      refused: ['bad:folder'],
      failures: { 'good/race': 'target-exists', big: 'target-exists' },
    });
    const { sender, receiver } = transfer(new MemorySource(tree), sink);
    const outcome = await receiver.outcome;
    expect(outcome.missing.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: 'bad:folder', reason: 'name-refused' },
      { path: 'bad:folder/inside', reason: 'name-refused' },
      { path: 'big', reason: 'target-exists' },
      { path: 'good/race', reason: 'target-exists' },
    ]);
    expect(await sender.outcome).toMatchObject({ files: 1, missing: [], missingCount: 4 });
    expect([...sink.arrived.keys()]).toEqual(['good', 'good/ok']);
  });

  it('are no misfortune where they are links and devices', async () => {
    const skipped = [
      { path: 'l', reason: 'link-skipped' },
      { path: 's', reason: 'special-skipped' },
      { path: 'u', reason: 'path-unreadable' },
    ] as const;
    const { sender, receiver } = transfer(
      new MemorySource({ a: Buffer.from('a') }, { skipped }),
      new MemorySink(),
    );
    expect(await sender.outcome).toMatchObject({
      missing: [skipped[2]],
      missingCount: 1,
      skippedCount: 2,
    });
    // What the sender could not read is missing at the receiver as well, which knows how many and not which.
    expect(await receiver.outcome).toMatchObject({ missing: [], missingCount: 1, skippedCount: 0 });
    expect(sender.events.filter(({ type }) => type === 'skipped')).toHaveLength(3);
  });

  it('are not those that the receiver did not choose', async () => {
    const sink = new MemorySink();
    const tree: Tree = {
      d: { 'a.jpg': Buffer.from('a'), 'b.txt': Buffer.from('b'), e: { 'c.jpg': randomBytes(1 << 17) } },
    };
    const { sender, receiver } = transfer(new MemorySource(tree), sink, {
      wants: (path) => path.endsWith('.jpg'),
    });
    expect(await sender.outcome).toMatchObject({ files: 2, missingCount: 0 });
    expect(await receiver.outcome).toMatchObject({ files: 2, missingCount: 0 });
    expect([...sink.arrived.keys()].toSorted()).toEqual(['d/a.jpg', 'd/e/c.jpg']);
    // Nobody chose the folder itself: it is named all the same, as the place of what was chosen.
    const received = receiver.events.filter(({ type }) => type === 'file-received');
    expect(received).toEqual([{ type: 'file-received', path: 'd', size: 1 + (1 << 17) }]);
  });
});

describe('a transfer that breaks', () => {
  const large: Tree = { a: randomBytes(1 << 22), b: randomBytes(1 << 22) };

  it.each<ErrorCode>(['disk-full', 'disk-failed', 'permission-denied'])(
    'for want of a disk: %s',
    async (code) => {
      const sink = new MemorySink({ failures: { b: code } });
      const run = transfer(new MemorySource(large), sink);
      expect(await both(run)).toEqual([`peer-failed ${code}`, code]);
      expect(sink).toMatchObject({ isAborted: true, isFinished: false });
      expect([...sink.arrived.keys()]).toEqual(['a']);
    },
  );

  it('row 52: for more roots than an offer holds', async () => {
    const name = (index: number): string => String(index).padEnd(200, 'x');
    const roots = Array.from({ length: 500 }, (_, index) => [name(index), Buffer.from('')] as const);
    const run = transfer(new MemorySource(Object.fromEntries(roots)), new MemorySink());
    expect(await both(run)).toEqual(['limit', 'peer-failed limit']);
  });

  it('in the middle of a file leaves none of it', async () => {
    const sink = new MemorySink({ capacity: 2_000_000 });
    expect(await both(transfer(new MemorySource(large), sink))).toEqual([
      'peer-failed disk-full',
      'disk-full',
    ]);
    expect([...sink.arrived.keys()]).toEqual([]);
  });

  it.each(['sender', 'receiver'] as const)('by an interrupt of the %s', async (who) => {
    const abort = new AbortController();
    const sink = new MemorySink();
    const interrupt = { signal: abort.signal };
    const run = transfer(
      new MemorySource(large),
      sink,
      who === 'receiver' ? interrupt : {},
      who === 'sender' ? interrupt : {},
    );
    run[who].channel.onSend = (item) => {
      if ('type' in item && item.type === (who === 'sender' ? 'manifest-end' : 'answer')) abort.abort();
      return item;
    };
    const [first, second] =
      who === 'sender' ? ['interrupted', 'peer-interrupted'] : ['peer-interrupted', 'interrupted'];
    expect(await both(run)).toEqual([first, second]);
    expect(sink).toMatchObject({ isAborted: true, isFinished: false, openParts: 0 });
  });

  it('before it began', async () => {
    const run = transfer(new MemorySource(large), new MemorySink(), { signal: AbortSignal.abort() });
    expect(await both(run)).toEqual(['peer-interrupted', 'interrupted']);
  });

  it('by an interrupt while a pipe gives nothing', async () => {
    const abort = new AbortController();
    const pipe = new MemoryPipe({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) });
    const run = transfer(pipe, new MemorySink(), {}, { kind: 'pipe', signal: abort.signal });
    await new Promise<void>((resolve) => {
      run.sender.channel.onSend = (item) => {
        if ('type' in item && item.type === 'manifest-end') setTimeout(resolve, 0);
        return item;
      };
    });
    abort.abort();
    expect(await both(run)).toEqual(['interrupted', 'peer-interrupted']);
  });

  it('by a connection that ends, after any of its items', async () => {
    const tree: Tree = { d: { a: Buffer.from('a'), b: randomBytes(1 << 21) }, e: Buffer.from('e') };
    const whole = transfer(new MemorySource(tree), new MemorySink());
    await both(whole);
    for (const who of ['sender', 'receiver'] as const) {
      for (let last = 0; last < whole[who].channel.sent.length; last++) {
        const sink = new MemorySink();
        const run = transfer(new MemorySource(tree), sink);
        const cutAt: string[] = [];
        run[who].channel.onSend = (item) => {
          if (run[who].channel.sent.length !== last) return item;
          cutAt.push('type' in item ? item.type : item.kind);
          run[who].channel.destroy();
          return item;
        };
        const endings = await both(run);
        // How much is said of the progress depends on the time: this run may have been over before.
        if (cutAt.length === 0) continue;
        // The receiver has everything before its own last word; nobody else may take a cut for an end.
        const isLastWord = cutAt.includes('received');
        expect(endings, `${who} after ${last}`).toEqual(['peer-gone', isLastWord ? 'ok' : 'peer-gone']);
        expect(sink.isFinished).toBe(isLastWord);
        expect(sink.openParts).toBe(0);
      }
    }
  });
});
