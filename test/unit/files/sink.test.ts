import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NamePlatform } from '../../../src/files/paths.js';
import { parseJournal } from '../../../src/files/journal.js';
import {
  assertTarget,
  entersHome,
  isHomeFolder,
  openSink,
  type SinkOptions,
} from '../../../src/files/sink.js';
import {
  ROOT,
  type ConflictPolicy,
  type Entry,
  type FileSink,
  type Prospect,
} from '../../../src/transfer/ports.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { codeOf } from './collect.js';
import { withFailing, withFailingClose, withFoldedNames } from './faults.js';

const isWindows = process.platform === 'win32';
const isLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;

let folder = '';
beforeEach(async () => {
  folder = realpathSync(await temporaryFolder());
});

function at(...names: string[]): string {
  return path.join(folder, ...names);
}

/** Entries of a manifest from paths, folders with a slash at the end, parents before their children. */
function manifest(paths: readonly string[], details: Partial<Entry> = {}): Entry[] {
  const folders = new Map<string, number>();
  return paths.map((given, index) => {
    const isFolder = given.endsWith('/');
    const whole = given.replace(/\/$/, '');
    const slash = whole.lastIndexOf('/');
    const parent = slash === -1 ? ROOT : folders.get(whole.slice(0, slash))!;
    if (isFolder) folders.set(whole, index);
    const type = isFolder ? 'folder' : 'file';
    const mode = isFolder ? 0o755 : 0o644;
    return { index, parent, type, name: whole.slice(slash + 1), size: 5, mtimeMs: 1e12, mode, ...details };
  });
}

interface Arriving {
  readonly sink: FileSink;
  readonly entries: readonly Entry[];
  readonly prospects: readonly Prospect['status'][];
}

/** Opens a sink for a manifest and has it examined. */
async function arrive(entries: readonly Entry[], options: SinkOptions = {}): Promise<Arriving> {
  const sink = openSink(
    { roots: entries.filter(({ parent }) => parent === ROOT) },
    // One after the other, so that each call says what came of it.
    { out: folder, together: 1, ...options },
  );
  const prospects: Prospect['status'][] = [];
  for (const entry of entries) prospects.push((await sink.examine(entry)).status);
  return { sink, entries, prospects };
}

/** Writes every entry as a receiver does; each file's content is `content`. Gives what went wrong, by name. */
async function write(
  { sink, entries, prospects }: Arriving,
  policy: ConflictPolicy = 'refuse',
  content = 'fresh',
): Promise<Record<string, string>> {
  sink.decide(policy);
  const failed: Record<string, string> = {};
  for (const entry of entries) {
    if (prospects[entry.index] === 'refused') continue;
    const code = await codeOf(() =>
      entry.type === 'folder' ? sink.makeFolder(entry) : sink.writeWhole(entry, Buffer.from(content)),
    );
    if (code !== 'no error') failed[entry.name] = code;
  }
  await sink.finish(true);
  return failed;
}

/** What has a final name, sorted. */
function visible(below = folder): string[] {
  return tree(below).filter((name) => !name.startsWith('.xfer-'));
}

/** The staging folders. */
function stagings(below = folder): string[] {
  return readdirSync(below).filter((name) => name.startsWith('.xfer-'));
}

/** Everything below a folder, sorted. */
function tree(below = folder): string[] {
  return readdirSync(below, { recursive: true }).map(String).sort();
}

function read(...names: string[]): string {
  return readFileSync(at(...names), 'utf8');
}

describe('arrival', () => {
  test('puts files and folders in place, with modes and times', async () => {
    const umask = 0o022;
    const before = process.umask(umask);
    try {
      const entries = [...manifest(['r/', 'r/a', 'r/run', 'r/sub/', 'r/sub/b', 'r/empty/'])].map((entry) => ({
        ...entry,
        mode: entry.name === 'run' ? 0o777 : entry.mode,
        mtimeMs: 1.6e12 + entry.index,
      }));
      expect(await write(await arrive(entries))).toEqual({});
    } finally {
      process.umask(before);
    }
    expect(tree()).toEqual(['r', 'r/a', 'r/empty', 'r/run', 'r/sub', 'r/sub/b']);
    expect(read('r/sub/b')).toBe('fresh');
    for (const [index, name] of ['r', 'r/a', 'r/run', 'r/sub', 'r/sub/b', 'r/empty'].entries()) {
      expect(Math.floor(statSync(at(name)).mtimeMs), name).toBe(1.6e12 + index);
    }
    if (!isWindows) {
      expect(statSync(at('r/run')).mode & 0o7777).toBe(0o755);
      expect(statSync(at('r/sub')).mode & 0o7777).toBe(0o755);
    }
  });

  test('makes folders for what is written although nobody asked for them', async () => {
    const arriving = await arrive(manifest(['r/', 'r/a/', 'r/a/b/', 'r/a/b/c']));
    await arriving.sink.writeWhole(arriving.entries[3]!, Buffer.from('fresh'));
    await arriving.sink.finish(true);
    expect(read('r/a/b/c')).toBe('fresh');
    expect(statSync(at('r/a')).mtimeMs).toBe(1e12);
  });

  test('takes large files in pieces, with holes', async () => {
    const { sink, entries } = await arrive(manifest(['sparse']));
    const part = await sink.create(entries[0]!);
    await part.write(Buffer.from('begin'));
    await part.skip(10_000_000);
    await part.write(Buffer.from('middle'));
    await part.skip(3_000_000);
    expect(visible()).toEqual([]);
    await part.commit();
    await sink.finish(true);
    const expected = Buffer.alloc(13_000_011);
    expected.write('begin');
    expected.write('middle', 10_000_005);
    expect(readFileSync(at('sparse')).equals(expected)).toBe(true);
    if (isLinux) expect(statSync(at('sparse')).blocks * 512).toBeLessThan(1_000_000);
  });

  test('row 21: holes let the event loop turn, and one that no disk keeps is an error at once', async () => {
    const { sink, entries } = await arrive(manifest(['sparse']));
    const part = await sink.create(entries[0]!);
    let isTurned = false;
    setImmediate(() => (isTurned = true));
    for (let hole = 0; hole < 3; hole++) await part.skip(2 ** 30);
    expect(isTurned).toBe(true);
    // 8 PiB: more than ext4, Btrfs and tmpfs hold in a file, if not more than each file system does.
    const failure = await codeOf(() => part.skip(2 ** 53 - 2 ** 31));
    expect(['disk-failed', 'no error']).toContain(failure);
    await part.discard();
    await sink.abort(true);
    expect(tree()).toEqual([]);
  });

  test('keeps more folders than may be open at once', async () => {
    const names = Array.from({ length: 300 }, (_, number) => [`r/${number}/`]).flat();
    const files = Array.from({ length: 300 }, (_, number) => `r/${number}/file`);
    const openFiles = (): number => (isLinux ? readdirSync('/proc/self/fd').length : 0);
    const before = openFiles();
    expect(await write(await arrive(manifest(['r/', ...names, ...files])))).toEqual({});
    expect(tree()).toHaveLength(601);
    expect(statSync(at('r/7')).mtimeMs).toBe(1e12);
    expect(openFiles()).toBe(before);
  });

  test('a deep tree arrives', async () => {
    const entries = manifest([
      ...Array.from({ length: 63 }, (_, depth) => 'd/'.repeat(depth + 1)),
      `${'d/'.repeat(63)}f`,
    ]);
    expect(await write(await arrive(entries))).toEqual({});
    expect(read(...entries.map(({ name }) => name))).toBe('fresh');
  });
});

describe('names from the wire', () => {
  test.each([36, 37, 38])('row %i: a hostile name ends the session and leaves nothing', async (row) => {
    const vectors = JSON.parse(
      readFileSync(new URL('../../vectors/names.json', import.meta.url), 'utf8'),
    ) as { row: number; name: string; linux: string }[];
    for (const { name, linux } of vectors.filter((vector) => vector.row === row)) {
      const root: Entry = { ...manifest(['r'])[0]!, name };
      const below: Entry[] = [manifest(['r/'])[0]!, { ...root, index: 1, parent: 0 }];
      const expected = linux === 'protocol' ? 'protocol' : 'no error';
      expect(await codeOf(() => arrive([root], { platform: 'linux' })), JSON.stringify(name)).toBe(expected);
      expect(await codeOf(() => arrive(below, { platform: 'linux' })), JSON.stringify(name)).toBe(expected);
    }
    expect(tree()).toEqual([]);
  });

  test('row 38: no path has more than 64 segments or 4,096 bytes', async () => {
    const folders = (count: number, name: string): string[] =>
      Array.from(
        { length: count },
        (_, depth) =>
          `${Array(depth + 1)
            .fill(name)
            .join('/')}/`,
      );
    expect(await codeOf(() => arrive(manifest(folders(64, 'd'))))).toBe('no error');
    expect(await codeOf(() => arrive(manifest(folders(65, 'd'))))).toBe('protocol');
    expect(await codeOf(() => arrive(manifest(folders(16, 'n'.repeat(255)))))).toBe('no error');
    expect(await codeOf(() => arrive(manifest(folders(17, 'n'.repeat(255)))))).toBe('protocol');
  });

  test('row 41: nothing lies below a file, nor below what was not listed', async () => {
    const [root, file] = manifest(['r/', 'r/f']);
    const child: Entry = { ...file!, index: 2, parent: 1, name: 'child' };
    expect(await codeOf(() => arrive([root!, file!, child]))).toBe('protocol');
    expect(await codeOf(() => arrive([root!, { ...child, index: 1, parent: 7 }]))).toBe('protocol');
  });

  test('row 45: roots are those of the offer', async () => {
    const [root] = manifest(['r/']);
    const sink = openSink({ roots: [root!] }, { out: folder });
    expect(await codeOf(() => sink.examine({ ...root!, name: 'other' }))).toBe('protocol');
    expect(await codeOf(() => sink.examine({ ...root!, type: 'file' }))).toBe('protocol');
    await sink.examine(root!);
    expect(await codeOf(() => sink.examine({ ...root!, index: 1 }))).toBe('protocol');
  });

  const others: NamePlatform[] = ['darwin', 'win32'];
  test.each(others)('rows 39, 40, 42: %s refuses what it cannot keep, entry by entry', async (platform) => {
    const paths = [
      'r/',
      'r/a\\b',
      'r/nul',
      'r/a:b',
      'r/README',
      'r/readme',
      'r/con/',
      'r/con/inner',
      'r/fine',
    ];
    const { prospects } = await arrive(manifest(paths), { platform });
    expect(prospects).toEqual([
      'new',
      'refused',
      'refused',
      'refused',
      'new',
      'refused',
      'refused',
      'refused',
      'new',
    ]);
  });

  test.skipIf(!isLinux)('rows 39, 40, 42: Linux keeps what it can', async () => {
    const paths = [
      'r/',
      'r/a\\..\\b',
      'r/nul',
      'r/a:b',
      'r/README',
      'r/readme',
      'r/caf\u00e9',
      'r/cafe\u0301',
    ];
    expect(await write(await arrive(manifest(paths)))).toEqual({});
    expect(tree()).toHaveLength(8);
  });

  test.skipIf(!isLinux)(
    'row 42: where Linux finds one file under two names the second is refused',
    async () => {
      mkdirSync(at('r'));
      writeFileSync(at('r/README'), 'old');
      const entries = manifest(['r/', 'r/readme', 'r/README', 'r/other']);
      await withFoldedNames(folder, async () => {
        const arriving = await arrive(entries);
        expect(arriving.prospects).toEqual(['merges', 'exists', 'refused', 'new']);
      });
      expect((await arrive(entries)).prospects).toEqual(['merges', 'new', 'exists', 'new']);
    },
  );

  test.skipIf(!isLinux)(
    'row 42: also where the file system takes more names for one than anybody else does',
    async () => {
      mkdirSync(at('r/sub'), { recursive: true });
      mkdirSync(at('r/other'));
      writeFileSync(at('r/a'), 'old');
      writeFileSync(at('r/b'), 'old');
      linkSync(at('r/b'), at('r/c'));
      const paths = ['r/', 'r/a', 'r/a.', 'r/b', 'r/c', 'r/sub./', 'r/sub/', 'r/sub/inner', 'r/other/'];
      const { prospects } = await withFoldedNames(
        folder,
        () => arrive(manifest(paths)),
        // As FAT does.
        (name) => name.replace(/(?<=[^.])\.+$/, ''),
      );
      const found = ['exists', 'refused', 'exists', 'exists', 'merges', 'refused', 'refused', 'merges'];
      expect(prospects).toEqual(['merges', ...found]);
    },
  );

  test('row 36: whatever is accepted arrives below the target, and nothing else changes', async () => {
    const name = fc.oneof(
      fc.string({
        unit: fc.constantFrom('.', '/', '\\', 'a', ' ', '~', 'é', '-'),
        minLength: 1,
        maxLength: 5,
      }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }),
    );
    mkdirSync(at('outside'));
    await fc.assert(
      fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 4 }), async (names) => {
        const target = at('target');
        mkdirSync(target);
        const entries = names.map((given, index): Entry => {
          const type = index === names.length - 1 ? 'file' : 'folder';
          return { index, parent: index - 1, type, name: given, size: 5, mtimeMs: 0, mode: 0o644 };
        });
        const failure = await codeOf(async () => write(await arrive(entries, { out: target })));
        if (failure === 'no error') expect(tree(target)).toHaveLength(names.length);
        else expect([failure, tree(target)]).toEqual(['protocol', []]);
        expect(tree().filter((shown) => !shown.startsWith('target'))).toEqual(['outside']);
        rmSync(target, { recursive: true });
      }),
      { numRuns: 60 },
    );
  });
});

describe('what exists', () => {
  beforeEach(() => {
    mkdirSync(at('r/sub'), { recursive: true });
    for (const name of ['file.txt', 'r/a', 'r/sub/b']) writeFileSync(at(name), 'old');
    utimesSync(at('r'), 1, 1);
  });
  const paths = ['file.txt', 'new', 'r/', 'r/a', 'r/n', 'r/sub/', 'r/sub/b', 'r/fresh/', 'r/fresh/c'];

  test('row 43: is told before anything is written', async () => {
    const { prospects, sink } = await arrive(manifest(paths));
    expect(prospects).toEqual(['exists', 'new', 'merges', 'exists', 'new', 'merges', 'exists', 'new', 'new']);
    await sink.abort(false);
    expect(statSync(at('r')).mtimeMs).toBe(1000);
    expect(tree()).toHaveLength(5);
  });

  test.each(['refuse', 'skip'] as const)(
    'row 43: with %s nothing is replaced, even if it is written',
    async (policy) => {
      expect(await write(await arrive(manifest(paths)), policy)).toEqual({
        'file.txt': 'target-exists',
        a: 'target-exists',
        b: 'target-exists',
      });
      expect([read('file.txt'), read('r/a'), read('r/sub/b'), read('r/n'), read('r/fresh/c')]).toEqual([
        'old',
        'old',
        'old',
        'fresh',
        'fresh',
      ]);
      expect(tree().filter((name) => name.includes('.xfer-'))).toEqual([]);
    },
  );

  test('an error names the path', async () => {
    const { sink, entries } = await arrive(manifest(['file.txt', 'r/', 'r/a']));
    sink.decide('skip');
    const content = Buffer.from('fresh');
    const expected = { code: 'target-exists', subject: at('r/a') };
    await expect((async () => sink.writeWhole(entries[2]!, content))()).rejects.toMatchObject(expected);
    await expect((await sink.create(entries[2]!)).commit()).rejects.toMatchObject(expected);
    await sink.abort(false);
  });

  test('overwrite replaces files in one step', async () => {
    const inode = statSync(at('r/a')).ino;
    expect(await write(await arrive(manifest(paths)), 'overwrite')).toEqual({});
    expect([read('file.txt'), read('r/a'), read('r/sub/b')]).toEqual(['fresh', 'fresh', 'fresh']);
    expect(statSync(at('r/a')).ino).not.toBe(inode);
  });

  test.each([
    ['written to', () => writeFileSync(at('r/a'), 'new')],
    ['made longer', () => writeFileSync(at('r/a'), 'older')],
    ['replaced', () => {
      writeFileSync(at('r/b'), 'new');
      renameSync(at('r/b'), at('r/a'));
    }],
    ['removed', () => rmSync(at('r/a'))],
  ])('a file that is %s after it was read is not taken for the one that was offered', async (_, change) => {
    utimesSync(at('r/a'), 5, 5);
    const { sink, entries } = await arrive(manifest(['r/', 'r/a']));
    sink.decide('update');
    const [copy] = await sink.openOlder(entries[1]!);
    expect((await copy!.read(Buffer.alloc(9), 0)).toString()).toBe('old');
    change();
    expect(await codeOf(() => copy!.adopt!())).toBe('target-changed');
    await copy!.close();
    await sink.abort(false);
  }); // prettier-ignore

  test.each([1, 2])(
    'the very file, of %i names, gets its mode and time where it has no other name',
    async (names) => {
      chmodSync(at('r/a'), 0o600);
      utimesSync(at('r/a'), 5, 5);
      // That name may lie outside of the target.
      if (names > 1) linkSync(at('r/a'), at('mine'));
      const { sink, entries } = await arrive(manifest(['r/', 'r/a'], { mode: 0o400 }));
      sink.decide('update');
      for (const copy of await sink.openOlder(entries[1]!)) {
        await copy.adopt!();
        await copy.close();
      }
      await sink.finish(true);
      const { mtimeMs, mode } = statSync(at('r/a'));
      expect(mtimeMs).toBe(names > 1 ? 5000 : 1e12);
      if (!isWindows) expect(mode & 0o777).toBe(names > 1 ? 0o600 : 0o400);
    },
  );

  test('row 43: overwrite replaces only what the person was told of', async () => {
    const arriving = await arrive(manifest(paths));
    writeFileSync(at('new'), 'came later');
    expect(await write(arriving, 'overwrite')).toEqual({ new: 'target-exists' });
    expect(read('new')).toBe('came later');
  });

  test('rename puts roots beside, whole', async () => {
    writeFileSync(at('file (1).txt'), 'old');
    const arriving = await arrive(manifest(paths));
    expect(await write(arriving, 'rename')).toEqual({});
    expect([read('file.txt'), read('file (1).txt'), read('file (2).txt')]).toEqual(['old', 'old', 'fresh']);
    expect([read('r/a'), read('r (1)/a'), read('r (1)/sub/b'), read('r (1)/fresh/c')]).toEqual([
      'old',
      'fresh',
      'fresh',
      'fresh',
    ]);
    expect(existsSync(at('r/n'))).toBe(false);
    expect(arriving.sink.pathOf(arriving.entries[0]!)).toBe(at('file (2).txt'));
    expect(arriving.sink.pathOf(arriving.entries[6]!)).toBe(at('r (1)/sub/b'));
  });

  test('rename takes no name that another root has', async () => {
    expect(await write(await arrive(manifest(['r/', 'r (1)/', 'r/a', 'r (1)/own'])), 'rename')).toEqual({});
    expect(
      tree()
        .filter((name) => name.startsWith('r ('))
        .sort(),
    ).toEqual(['r (1)', `r (1)${path.sep}own`, 'r (2)', `r (2)${path.sep}a`]);
  });

  test('rename holds for what is examined after the choice', async () => {
    const entries = manifest(['r/', 'r/a', 'r/sub/', 'r/sub/b']);
    const { sink } = await arrive(entries.slice(0, 1));
    sink.decide('rename');
    await sink.makeFolder(entries[0]!);
    for (const entry of entries.slice(1)) expect(await sink.examine(entry)).toEqual({ status: 'new' });
    await sink.writeWhole(entries[3]!, Buffer.from('fresh'));
    expect([read('r/sub/b'), read('r (1)/sub/b')]).toEqual(['old', 'fresh']);
  });

  test('a folder never makes way for a file, nor a file for a folder', async () => {
    mkdirSync(at('taken'));
    writeFileSync(at('taken/keep'), 'old');
    const arriving = await arrive(manifest(['taken', 'file.txt/', 'file.txt/inner']));
    expect(arriving.prospects).toEqual(['exists', 'exists', 'exists']);
    expect(await write(arriving, 'overwrite')).toEqual({
      taken: 'target-exists',
      'file.txt': 'target-exists',
      inner: 'target-exists',
    });
    expect([read('file.txt'), read('taken/keep')]).toEqual(['old', 'old']);
    expect(await write(await arrive(manifest(['taken', 'file.txt/', 'file.txt/inner'])), 'rename')).toEqual(
      {},
    );
    expect([read('taken (1)'), read('file.txt (1)/inner')]).toEqual(['fresh', 'fresh']);
  });

  test.skipIf(isWindows)('overwrite replaces a link itself, not what it points to', async () => {
    symlinkSync('r/a', at('link'));
    expect(await write(await arrive(manifest(['link'])), 'overwrite')).toEqual({});
    expect(lstatSync(at('link')).isFile()).toBe(true);
    expect(read('r/a')).toBe('old');
  });

  test('a hundred thousand entries below a new root are examined without asking the disk', async () => {
    const files = Array.from({ length: 100_000 }, (_, number) => `tree/${number}`);
    const entries = manifest(['tree/', ...files]);
    const began = performance.now();
    const { prospects } = await arrive(entries);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(new Set(prospects)).toEqual(new Set(['new']));
  });
});

describe('--out', () => {
  const file = manifest(['a.txt']);
  const tree2 = manifest(['r/', 'r/a']);

  test('that is a folder takes the roots in', async () => {
    mkdirSync(at('dir'));
    await write(await arrive(file, { out: at('dir') }));
    await write(await arrive(tree2, { out: `${at('dir')}/` }));
    expect(tree()).toEqual(['dir', 'dir/a.txt', 'dir/r', 'dir/r/a']);
  });

  test('that is not there is the new name of a single file', async () => {
    const arriving = await arrive(file, { out: at('b.txt') });
    expect(arriving.sink.pathOf(file[0]!)).toBe(at('b.txt'));
    await write(arriving);
    expect(tree()).toEqual(['b.txt']);
    const again = await arrive(file, { out: at('b.txt') });
    expect(again.prospects).toEqual(['exists']);
    await write(again, 'rename');
    expect(tree()).toEqual(['b (1).txt', 'b.txt']);
  });

  test('that is not there is made for folders, several roots, or with a slash', async () => {
    expect((await arrive(tree2, { out: at('one') })).prospects).toEqual(['new', 'new']);
    expect(tree()).toEqual([]);
    await write(await arrive(tree2, { out: at('one') }));
    await write(await arrive(manifest(['a', 'b']), { out: at('two') }));
    await write(await arrive(file, { out: `${at('three')}/` }));
    expect(tree()).toEqual(['one', 'one/r', 'one/r/a', 'three', 'three/a.txt', 'two', 'two/a', 'two/b']);
  });

  test('that cannot be the target is said before anything is asked', () => {
    writeFileSync(at('file'), 'old');
    const open = (out: string, entries: readonly Entry[]) =>
      codeOf(() => openSink({ roots: entries }, { out }));
    return Promise.all([
      expect(open(at('no/where'), file)).resolves.toBe('path-missing'),
      expect(open(at('no/where'), tree2.slice(0, 1))).resolves.toBe('path-missing'),
      expect(open(at('file'), tree2.slice(0, 1))).resolves.toBe('target-exists'),
      expect(open(at('file/below'), file)).resolves.toBe('path-missing'),
      expect(open(at('file/'), file)).resolves.toBe('target-exists'),
    ]);
  });

  test('is looked at before there is an offer', async () => {
    mkdirSync(at('dir'));
    writeFileSync(at('file'), 'old');
    for (const out of ['dir', 'file', 'new', 'new/']) expect(() => assertTarget(at(out))).not.toThrow();
    for (const out of ['no/where', 'file/below']) {
      expect(await codeOf(() => assertTarget(at(out)))).toBe('path-missing');
    }
    expect(await codeOf(() => assertTarget(''))).toBe('path-missing');
    expect(tree()).toEqual(['dir', 'file']);
  });

  test.skipIf(isWindows)('may be a link to a folder', async () => {
    mkdirSync(at('dir'));
    symlinkSync('dir', at('link'));
    await write(await arrive(tree2, { out: at('link') }));
    expect(tree(at('dir'))).toEqual(['r', 'r/a']);
  });

  test.skipIf(isWindows || isRoot)('where nobody may write is said before anything is asked', async () => {
    mkdirSync(at('closed'), { mode: 0o500 });
    expect(await codeOf(() => arrive(file, { out: at('closed') }))).toBe('permission-denied');
  });

  test('tells how much room there is', async () => {
    expect(await openSink({ roots: file }, { out: folder }).freeBytes()).toBeGreaterThan(0);
    expect(await openSink({ roots: file }, { out: at('new') }).freeBytes()).toBeGreaterThan(0);
  });

  test('row 44: the home folder is known under every name', () => {
    const home = homedir();
    expect(isHomeFolder(home)).toBe(true);
    expect(isHomeFolder(`${home}/`)).toBe(true);
    expect(isHomeFolder(`${home}/../${path.basename(home)}/.`)).toBe(true);
    expect(isHomeFolder(folder)).toBe(false);
    if (isWindows) return;
    symlinkSync(home, at('link'));
    expect(isHomeFolder(at('link'))).toBe(true);
    const before = process.env['HOME'];
    process.env['HOME'] = folder;
    try {
      expect(isHomeFolder(folder)).toBe(true);
      // A folder of its name that arrives beside it would be merged into it.
      const beside = [{ name: path.basename(folder), type: 'folder', size: undefined }] as const;
      expect(entersHome(folder, file)).toBe(true);
      expect(entersHome(path.dirname(folder), beside)).toBe(true);
      expect(entersHome(path.dirname(folder), file)).toBe(false);
    } finally {
      process.env['HOME'] = before;
    }
  });
});

describe.skipIf(isWindows)('links in the target', () => {
  beforeEach(() => {
    mkdirSync(at('outside'));
    mkdirSync(at('target/r'), { recursive: true });
  });

  test('row 49: a planted link in place of a folder is refused, under every policy but rename', async () => {
    symlinkSync('../../outside', at('target/r/sub'));
    const entries = manifest(['r/', 'r/sub/', 'r/sub/evil', 'r/sub/deep/', 'r/sub/deep/evil']);
    for (const policy of ['refuse', 'skip', 'overwrite'] as const) {
      const arriving = await arrive(entries, { out: at('target') });
      expect(arriving.prospects).toEqual(['merges', 'exists', 'exists', 'exists', 'exists']);
      expect(await write(arriving, policy)).toEqual({
        sub: 'target-exists',
        evil: 'target-exists',
        deep: 'target-exists',
      });
    }
    expect(await write(await arrive(entries, { out: at('target') }), 'rename')).toEqual({});
    expect(tree(at('outside'))).toEqual([]);
    expect(readlinkSync(at('target/r/sub'))).toBe('../../outside');
  });

  test('row 49: a link planted after the question is refused', async () => {
    const arriving = await arrive(manifest(['r/', 'r/sub/', 'r/sub/evil']), { out: at('target') });
    symlinkSync('../../outside', at('target/r/sub'));
    expect(await write(arriving, 'overwrite')).toEqual({ sub: 'target-exists', evil: 'target-exists' });
    expect(tree(at('outside'))).toEqual([]);
  });

  test('row 49: a folder that was there and became a link after the question is not entered', async () => {
    mkdirSync(at('target/r/sub'));
    const entries = manifest(['r/', 'r/sub/', 'r/sub/evil', 'r/sub/more']);
    const { sink, prospects } = await arrive(entries, { out: at('target') });
    expect(prospects).toEqual(['merges', 'merges', 'new', 'new']);
    rmSync(at('target/r/sub'), { recursive: true });
    symlinkSync('../../outside', at('target/r/sub'));
    sink.decide('overwrite');
    expect(await codeOf(() => sink.writeWhole(entries[2]!, Buffer.from('evil')))).not.toBe('no error');
    expect(await codeOf(() => sink.create(entries[3]!))).not.toBe('no error');
    await sink.abort(false);
    expect(tree(at('outside'))).toEqual([]);
  });

  test('row 49: a link planted under the final name is not written through', async () => {
    writeFileSync(at('outside/victim'), 'old');
    const arriving = await arrive(manifest(['r/', 'r/a']), { out: at('target') });
    symlinkSync('../../outside/victim', at('target/r/a'));
    expect(await write(arriving, 'overwrite')).toEqual({ a: 'target-exists' });
    expect(read('outside/victim')).toBe('old');
  });

  test.skipIf(!isLinux)(
    'row 50: a folder swapped for a link and back all the time leads nothing outside',
    async () => {
      mkdirSync(at('target/r/sub'));
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker(new URL('./swap-folder.js', import.meta.url), {
        workerData: { folder: at('target/r/sub'), away: at('target/r/away'), outside: at('outside'), stop },
      });
      const swaps = once(worker, 'message');
      await once(worker, 'online');
      let written = 0;
      let round = 0;
      for (const began = performance.now(); performance.now() - began < 1500; round++) {
        const entries = manifest([
          'r/',
          'r/sub/',
          'r/sub/deep/',
          `r/sub/deep/${round}`,
          `r/sub/${round}`,
          `r/sub/p${round}`,
        ]);
        const arriving = await arrive(entries, { out: at('target') });
        arriving.sink.decide('overwrite');
        for (const entry of entries.slice(1, 5)) {
          const work = async (): Promise<void> =>
            entry.type === 'folder'
              ? arriving.sink.makeFolder(entry)
              : arriving.sink.writeWhole(entry, Buffer.from('x'));
          if ((await codeOf(work)) === 'no error') written++;
        }
        await codeOf(async () => {
          const part = await arriving.sink.create(entries[5]!);
          await part.write(Buffer.from('x'));
          await part.commit();
        });
        await codeOf(() => arriving.sink.finish(true));
        await arriving.sink.abort(false);
      }
      Atomics.store(stop, 0, 1);
      expect((await swaps)[0]).toBeGreaterThan(100);
      expect(written).toBeGreaterThan(10);
      expect(tree(at('outside'))).toEqual([]);
    },
  );
});

describe('part files', () => {
  test.each([false, true])('nothing is begun any more once it was ended, sync %s', async (sync) => {
    const entries = manifest(['r/', 's/', 'r/a', 'r/b', 'r/c']);
    const sink = openSink({ roots: entries.slice(0, 2) }, { out: folder, sync });
    for (const entry of entries) await sink.examine(entry);
    sink.decide('refuse');
    await sink.makeFolder(entries[0]!);
    await sink.writeWhole(entries[2]!, Buffer.from('a'));
    const ending = sink.abort(true);
    expect(await codeOf(() => sink.writeWhole(entries[3]!, Buffer.from('b')))).toBe('interrupted');
    expect(await ending).toEqual({ bytes: 0, any: true });
    const before = tree();
    // Whoever writes small files to a slow disk hears late that it is over.
    for (const begin of [
      () => sink.writeWhole(entries[3]!, Buffer.from('b')),
      () => sink.create(entries[4]!),
      () => sink.openHeld(entries[4]!),
      () => sink.openOlder(entries[4]!),
      () => sink.makeFolder(entries[1]!),
      () => sink.finish(true),
    ])
      expect(await codeOf(begin)).toBe('interrupted');
    expect(tree()).toEqual(before);
    expect(before.filter((name) => /^\.xfer-\w+$/.test(name))).toHaveLength(1);
  });

  test.skipIf(isWindows)(
    'row 51: are private, in a private folder with a random name beside their final place, whatever the umask',
    async () => {
      const before = process.umask(0);
      try {
        const { sink, entries } = await arrive(manifest(['r/', 'r/a', 'r/b'], { mode: 0o777 }));
        const parts = [await sink.create(entries[1]!), await sink.create(entries[2]!)];
        const [staging = ''] = stagings();
        expect(staging).toMatch(/^\.xfer-[0-9a-f]{16}\./);
        expect(statSync(at(staging)).mode & 0o7777).toBe(0o700);
        const names = readdirSync(at(staging)).sort();
        expect(names).toEqual(['0.part', '1.part', 'journal']);
        for (const name of names) expect(statSync(at(staging, name)).mode & 0o7777).toBe(0o600);
        expect(statSync(at('r')).mode & 0o7777).toBe(0o700);
        expect(readdirSync(at('r'))).toEqual([]);
        await Promise.all(parts.map((part) => part.commit()));
        await sink.finish(true);
        expect(readdirSync(at('r')).sort()).toEqual(['a', 'b']);
      } finally {
        process.umask(before);
      }
    },
  );

  test('row 34: a part name that somebody guessed is not used', async () => {
    const { sink, entries } = await arrive(manifest(['a', 'b', 'c']));
    const part = await sink.create(entries[0]!);
    const [staging = ''] = stagings();
    writeFileSync(at(staging, '1.part'), 'planted');
    await sink.writeWhole(entries[1]!, Buffer.from('fresh'));
    expect([read('b'), read(staging, '1.part')]).toEqual(['fresh', 'planted']);
    await part.discard();
  });

  test('row 34: two receivers of one file have a part file each, and the second replaces nothing', async () => {
    const [one, other] = [await arrive(manifest(['a'])), await arrive(manifest(['a']))];
    const parts = [await one.sink.create(one.entries[0]!), await other.sink.create(other.entries[0]!)];
    expect(stagings()).toHaveLength(2);
    await parts[0]!.write(Buffer.from('first'));
    await parts[1]!.write(Buffer.from('other'));
    await parts[0]!.commit();
    expect(await codeOf(() => parts[1]!.commit())).toBe('target-exists');
    await one.sink.finish(true);
    await other.sink.finish(true);
    expect(tree()).toEqual(['a']);
    expect(read('a')).toBe('first');
  });

  test('row 53: abort removes the part files that are open, and nothing else', async () => {
    mkdirSync(at('r'));
    writeFileSync(at('r/.xfer-0123456789abcdef.part'), 'of another transfer');
    writeFileSync(at('r/old'), 'old');
    const { sink, entries } = await arrive(manifest(['r/', 'r/done', 'r/open', 'r/busy', 'r/given-up']));
    await sink.writeWhole(entries[1]!, Buffer.from('done'));
    const open = await sink.create(entries[2]!);
    await open.write(Buffer.from('open'));
    const busy = await sink.create(entries[3]!);
    const writing = busy.write(Buffer.alloc(4_000_000));
    const givenUp = await sink.create(entries[4]!);
    await givenUp.discard();
    await sink.abort(false);
    await writing;
    expect(readdirSync(at('r')).sort()).toEqual(['.xfer-0123456789abcdef.part', 'done', 'old']);
  });

  test('row 53: abort takes back the folders that it made and nothing came into, and no other', async () => {
    const names = ['r/', 'r/kept/', 'r/kept/file', 'r/sub/', 'r/sub/deep/'];
    for (const isKept of [true, false]) {
      const { sink, entries } = await arrive(manifest(names), { out: at('new') });
      for (const entry of entries) if (entry.type === 'folder') await sink.makeFolder(entry);
      const file = entries.find(({ type }) => type === 'file')!;
      if (isKept) await sink.writeWhole(file, Buffer.from('verified'));
      await sink.abort(false);
      expect(tree()).toEqual(isKept ? ['new', 'new/r', 'new/r/kept', 'new/r/kept/file'] : []);
      rmSync(at('new'), { recursive: true, force: true });
    }
    mkdirSync(at('r/sub'), { recursive: true });
    const { sink, entries } = await arrive(manifest(names));
    for (const entry of entries) if (entry.type === 'folder') await sink.makeFolder(entry);
    await sink.abort(false);
    expect(tree()).toEqual(['r', 'r/sub']);
  });

  test('after a failure no file has a final name and no part file is left', async () => {
    const arriving = await arrive(manifest(['a']));
    writeFileSync(at('a'), 'came first');
    expect(await write(arriving)).toEqual({ a: 'target-exists' });
    const part = await arriving.sink.create(arriving.entries[0]!);
    await part.write(Buffer.from('fresh'));
    expect(await codeOf(() => part.commit())).toBe('target-exists');
    await part.discard();
    await arriving.sink.abort(false);
    expect(tree()).toEqual(['a']);
    expect([tree(), read('a')]).toEqual([['a'], 'came first']);
  });
});

describe('metadata', () => {
  test.skipIf(isWindows)(
    'row 54: no mode gives more than the nine bits, and the owner can read',
    async () => {
      const before = process.umask(0o022);
      try {
        const hostile = manifest(['setuid', 'nothing', 'all']).map((entry, index) => ({
          ...entry,
          mode: [0o7777, 0, 0o777][index] ?? 0,
        }));
        await write(await arrive(hostile));
        await write(await arrive(manifest(['plain'], { mode: 0o777 }), { noExec: true }));
        const folders = manifest(['open/', 'closed/'], { mode: 0o7777 });
        await write(await arrive([folders[0]!, { ...folders[1]!, mode: 0 }]));
      } finally {
        process.umask(before);
      }
      const modeOf = (name: string): number => lstatSync(at(name)).mode & 0o7777;
      expect(['setuid', 'nothing', 'all', 'plain', 'open', 'closed'].map(modeOf)).toEqual([
        0o755, 0o400, 0o755, 0o644, 0o755, 0o700,
      ]);
    },
  );

  test('a file that goes to another disk has the mode and the time that its entry says', async () => {
    const times = [-1, -86_400_001, 1_614_560_523_163, 1_614_560_523_999];
    const entries = manifest(['r/', ...times.map((_, index) => `r/${index}`)]).map((entry) => ({
      ...entry,
      mode: 0o700,
      mtimeMs: times[entry.index - 1] ?? 0,
    }));
    const { sink } = await arrive(entries);
    sink.decide('refuse');
    for (const entry of entries.slice(1)) {
      // The link into the folder; the copy that is there then gets its name.
      await withFailing('linkSync', 'EXDEV', async () => sink.writeWhole(entry, Buffer.from('fresh')), 1);
    }
    await sink.finish(true);
    for (const [index, mtimeMs] of times.entries()) {
      expect(Math.floor(statSync(at(`r/${index}`)).mtimeMs), `${mtimeMs}`).toBe(mtimeMs);
      if (!isWindows) expect(statSync(at(`r/${index}`)).mode & 0o7777).toBe(0o700);
    }
  });

  test('a copy on a disk that keeps neither modes nor times is a copy', async () => {
    for (const call of ['fchmodSync', 'futimesSync'] as const) {
      const { sink, entries } = await arrive(manifest([call]));
      sink.decide('refuse');
      await withFailing(call, 'EPERM', () =>
        withFailing('linkSync', 'EXDEV', async () => sink.writeWhole(entries[0]!, Buffer.from('fresh')), 1),
      );
      await sink.finish(true);
      expect(read(call)).toBe('fresh');
    }
  });

  test('row 54: times before 1970 and beyond all calendars do no harm', async () => {
    const times = [-1, -86_400_000, 0, 1, 2 ** 53 - 1, -(2 ** 53 - 1)];
    const entries = manifest(times.map((_, index) => `${index}`)).map((entry, index) => ({
      ...entry,
      mtimeMs: times[index] ?? 0,
    }));
    expect(await write(await arrive(entries))).toEqual({});
    for (const index of [0, 1, 2, 3]) expect(Math.round(statSync(at(`${index}`)).mtimeMs)).toBe(times[index]);
  });
});

describe('failing disks', () => {
  test.each([
    ['writeSync', 'ENOSPC', 'disk-full'],
    ['writeSync', 'EDQUOT', 'disk-full'],
    ['writeSync', 'EIO', 'disk-failed'],
    ['openSync', 'EROFS', 'permission-denied'],
    ['openSync', 'EMFILE', 'disk-failed'],
    ['openSync', 'ENAMETOOLONG', 'name-refused'],
    ['futimesSync', 'EIO', 'disk-failed'],
    ['linkSync', 'ENOSPC', 'disk-full'],
    ['linkSync', 'EACCES', 'permission-denied'],
  ] as const)('row 35: %s that fails with %s is %s and leaves nothing', async (call, errno, code) => {
    const { sink, entries } = await arrive(manifest(['a', 'b']));
    sink.decide('refuse');
    await sink.writeWhole(entries[0]!, Buffer.from('fresh'));
    const write = async (): Promise<void> => sink.writeWhole(entries[1]!, Buffer.from('fresh'));
    const failed = withFailing(call, errno, write);
    await expect(failed).rejects.toMatchObject({ code, subject: at('b') });
    await sink.abort(false);
    expect(tree()).toEqual(['a']);
  });

  test.each([
    ['fchmodSync', 'EIO', 'disk-failed'],
    ['futimesSync', 'EROFS', 'permission-denied'],
  ] as const)('row 35: %s that fails with %s is %s for a file in pieces too', async (call, errno, code) => {
    const { sink, entries } = await arrive(manifest(['a']));
    const part = await sink.create(entries[0]!);
    const failed = withFailing(call, errno, () => part.commit());
    await expect(failed).rejects.toMatchObject({ code, subject: at('a') });
    await sink.abort(true);
    expect(tree()).toEqual([]);
  });

  describe.runIf(isLinux)('row 35: a close that fails', () => {
    const named = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('.xfer-'));

    test('is told of a small file, and leaves nothing of it', async () => {
      const { sink, entries } = await arrive(manifest(['a', 'b']));
      sink.decide('refuse');
      await sink.writeWhole(entries[0]!, Buffer.from('fresh'));
      const write = async (): Promise<void> => sink.writeWhole(entries[1]!, Buffer.from('fresh'));
      const failed = withFailingClose('EDQUOT', write);
      await expect(failed).rejects.toMatchObject({ code: 'disk-full', subject: at('b') });
      await sink.abort(true);
      expect(named()).toEqual(['a']);
    });

    test.each([false, true])(
      'is told of a large file, which is nothing to go on with: sync %s',
      async (sync) => {
        const { sink, entries } = await arrive(manifest(['a', 'b']), { sync });
        sink.decide('refuse');
        await sink.writeWhole(entries[0]!, Buffer.from('fresh'));
        const part = await sink.create(entries[1]!);
        await part.write(Buffer.alloc(2 ** 21));
        const failed = withFailingClose('EDQUOT', () => part.commit());
        await expect(failed).rejects.toMatchObject({ code: 'disk-full', subject: at('b') });
        // The other one has arrived, which is all that is remembered.
        expect(await sink.abort(true)).toEqual({ bytes: 0, any: true });
        expect(named()).toEqual(['a']);
      },
    );

    test('does not keep the others from their names as the transfer breaks', async () => {
      const { sink, entries } = await arrive(manifest(['a', 'b']), { sync: true, together: 16 });
      sink.decide('refuse');
      await sink.writeWhole(entries[0]!, Buffer.from('fresh'));
      const part = await sink.create(entries[1]!);
      await part.write(Buffer.alloc(2 ** 21));
      expect(named()).toEqual([]);
      expect(await withFailingClose('EIO', () => sink.abort(true))).toEqual({ bytes: 0, any: true });
      expect(named()).toEqual(['a']);
    });
  });

  test.each(['EPERM', 'ENOTSUP'])(
    'row 43: without hard links (%s) nothing is replaced either',
    async (errno) => {
      writeFileSync(at('there'), 'old');
      const entries = manifest(['there', 'new']);
      await withFailing('linkSync', errno, async () => {
        expect(await write(await arrive(entries), 'refuse')).toEqual({ there: 'target-exists' });
        expect([read('there'), read('new')]).toEqual(['old', 'fresh']);
        expect(await write(await arrive(entries), 'rename')).toEqual({});
      });
      expect(tree()).toEqual(['new', 'new (1)', 'there', 'there (1)']);
    },
  );

  test.each(['fchmodSync', 'futimesSync'] as const)(
    'row 54: a file system that keeps no modes or times (%s) keeps the file',
    async (call) => {
      const arriving = await arrive(manifest(['r/', 'r/a']));
      expect(await withFailing(call, 'EPERM', () => write(arriving))).toEqual({});
      expect(read('r/a')).toBe('fresh');
    },
  );

  const small = isLinux && isRoot && canMount();
  test.skipIf(!small)('row 35: a full disk is said, nothing of the file stays, other files do', async () => {
    mkdirSync(at('small'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'xfer-test', at('small')]);
    try {
      const { sink, entries } = await arrive(manifest(['fits', 'whole', 'pieces']), { out: at('small') });
      await sink.writeWhole(entries[0]!, Buffer.alloc(100_000));
      const whole = async (): Promise<void> => sink.writeWhole(entries[1]!, Buffer.alloc(2_000_000));
      await expect(whole()).rejects.toMatchObject({ code: 'disk-full', subject: at('small/whole') });
      expect(visible(at('small'))).toEqual(['fits']);
      const part = await sink.create(entries[2]!);
      await part.write(Buffer.alloc(500_000));
      expect(await codeOf(() => part.write(Buffer.alloc(1_000_000)))).toBe('disk-full');
      await sink.abort(false);
      expect(readdirSync(at('small'))).toEqual(['fits']);
    } finally {
      execFileSync('umount', [at('small')]);
    }
  });

  test.skipIf(!small)(
    'a folder that is another disk gets its files whole, and the journal knows the copies',
    async () => {
      mkdirSync(at('r/other/sub'), { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'xfer-test', at('r/other')]);
      try {
        const { sink, entries } = await arrive(manifest(['r/', 'r/other/', 'r/other/a', 'r/other/b']));
        await sink.writeWhole(entries[2]!, Buffer.from('fresh'));
        const part = await sink.create(entries[3]!);
        await part.write(Buffer.from('large'));
        await part.commit();
        const [staging = ''] = stagings();
        const { copies, arrived } = parseJournal(read(staging, 'journal'))!;
        // Not those that they are copies of.
        expect(arrived.size).toBe(2);
        expect(copies.map(({ folder: of }) => of)).toEqual(['r/other', 'r/other']);
        await sink.finish(true);
        expect(readdirSync(at('r/other')).sort()).toEqual(['a', 'b']);
        expect([read('r/other/a'), read('r/other/b')]).toEqual(['fresh', 'large']);
        expect(stagings()).toEqual([]);
      } finally {
        execFileSync('umount', ['--lazy', at('r/other')]);
      }
    },
  );

  test.skipIf(isWindows || isRoot)(
    'row 35: a folder that lost its write bit is a permission denied',
    async () => {
      mkdirSync(at('r'));
      const arriving = await arrive(manifest(['r/', 'r/a']));
      chmodSync(at('r'), 0o500);
      expect(await write(arriving)).toEqual({ a: 'permission-denied' });
      chmodSync(at('r'), 0o700);
    },
  );
});

/** Mounting needs more than being root in some containers. */
function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
