import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { openSource } from '../../../src/files/source.js';
import type { Entry, FileSource } from '../../../src/transfer/ports.js';
import { atMost } from '../../support/soak.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { codeOf, readAll, readPieces, scan } from './collect.js';
import { withFailing, withNewInodes } from './faults.js';

const MIB = 2 ** 20;
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

/** Writes files below the test's folder; a name that ends in a slash is a folder. */
function make(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(name.endsWith('/') ? at(name) : path.dirname(at(name)), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(at(name), content);
  }
}

async function entryAt(source: FileSource, wanted: string): Promise<Entry> {
  const entry = (await scan(source)).byPath.get(wanted);
  if (entry === undefined) throw new Error(`no entry ${wanted}`);
  return entry;
}

describe('roots', () => {
  test.each(['photos', 'photos/', './photos', 'photos/.', 'photos/trip/..'])(
    '%s is called photos',
    async (given) => {
      make({ 'photos/trip/a': '' });
      const source = await openSource({ paths: [`${folder}/${given}`] });
      expect(source.roots).toEqual([{ name: 'photos', type: 'folder', size: undefined }]);
    },
  );

  test('a file is offered with its size', async () => {
    make({ 'a.txt': 'hello' });
    const source = await openSource({ paths: [at('a.txt')] });
    expect(source.roots).toEqual([{ name: 'a.txt', type: 'file', size: 5 }]);
  });

  test('what is missing, named twice or left out entirely is said at once', async () => {
    make({ 'a/x': '', 'b/x': '', 'b/y': '' });
    await expect(openSource({ paths: [at('nothing')] })).rejects.toMatchObject({
      code: 'path-missing',
      subject: at('nothing'),
    });
    await expect(openSource({ paths: [at('a/x/below')] })).rejects.toMatchObject({ code: 'path-missing' });
    await expect(openSource({ paths: [at('a/x'), at('b/x')] })).rejects.toMatchObject({
      code: 'same-name',
      subject: 'x',
    });
    expect(await codeOf(() => openSource({ paths: [] }))).toBe('nothing-to-send');
    expect(await codeOf(() => openSource({ paths: [at('a/x')], exclude: ['x'] }))).toBe('nothing-to-send');
    expect(await codeOf(() => openSource({ paths: [at('a')], exclude: [''] }))).toBe('usage');
    expect((await openSource({ paths: [at('a/x'), at('b/y')] })).roots).toHaveLength(2);
  });

  test.skipIf(isWindows)(
    'row 47: a link that is named means what it points to; a dangling one is missing',
    async () => {
      make({ 'real.txt': 'hello', 'dir/x': 'x' });
      symlinkSync('real.txt', at('link'));
      symlinkSync('dir', at('dirlink'));
      symlinkSync('nowhere', at('dangling'));
      const source = await openSource({ paths: [at('link'), at('dirlink')] });
      expect(source.roots.map(({ name }) => name)).toEqual(['link', 'dirlink']);
      const { byPath } = await scan(source);
      expect([...byPath.keys()]).toEqual(['link', 'dirlink', 'dirlink/x']);
      expect(await source.readWhole(byPath.get('link')!, 100)).toEqual(Buffer.from('hello'));
      expect(await source.readWhole(byPath.get('dirlink/x')!, 100)).toEqual(Buffer.from('x'));
      expect(await codeOf(() => openSource({ paths: [at('dangling')] }))).toBe('path-missing');
    },
  );

  test.skipIf(isWindows)('row 47: devices and FIFOs are refused, not opened', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    expect(await codeOf(() => openSource({ paths: [at('fifo')] }))).toBe('special-skipped');
    expect(await codeOf(() => openSource({ paths: ['/dev/null'] }))).toBe('special-skipped');
  });

  test.skipIf(isWindows)('row 55: a name with control characters is refused', async () => {
    make({ 'a\nb': '' });
    expect(await codeOf(() => openSource({ paths: [at('a\nb')] }))).toBe('name-refused');
    expect(await codeOf(() => openSource({ paths: [at('a\nb/')] }))).not.toBe('no error');
  });
});

describe('scan', () => {
  test('lists folders before what they hold, sorted, with sizes, times and modes', async () => {
    make({ 'r/b/2': 'two', 'r/b/1': 'one', 'r/a/': '', 'r/c.txt': '' });
    utimesSync(at('r/c.txt'), -86_400.5, -86_400.5);
    utimesSync(at('r/b/1'), 1_234_567_890.123, 1_234_567_890.123);
    chmodSync(at('r/b/1'), 0o750);
    const source = await openSource({ paths: [at('r')] });
    const { byPath, entries, skipped } = await scan(source);
    expect([...byPath.keys()]).toEqual(['r', 'r/a', 'r/b', 'r/c.txt', 'r/b/1', 'r/b/2']);
    expect(entries.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(skipped).toEqual([]);
    expect(byPath.get('r/b/1')).toMatchObject({ type: 'file', size: 3, parent: 2 });
    if (!isWindows) expect(byPath.get('r/b/1')?.mode).toBe(0o750);
    for (const { mtimeMs } of entries) expect(Number.isInteger(mtimeMs)).toBe(true);
    expect(source.pathOf(byPath.get('r/b/1')!)).toBe(at('r/b/1'));
  });

  test(
    'lists a folder of more names than are sorted at once in their order',
    async () => {
      mkdirSync(at('r'));
      const names = Array.from({ length: 2 ** 15 + 2000 }, (_, number) => `${(number * 7919) % 40_009}`);
      for (const name of names) closeSync(openSync(at('r', name), 'w'));
      const { entries } = await scan(await openSource({ paths: [at('r')] }));
      expect(entries.slice(1).map(({ name }) => name)).toEqual([...new Set(names)].sort());
      // A slow disk takes seconds to make so many files.
    },
    atMost(60_000),
  );

  test('leaves out what globs name, by path, by base name, folders whole', async () => {
    make({
      'r/a.log': '',
      'r/keep/b.log': '',
      'r/keep/c': '',
      'r/node_modules/x/y': '',
      'r/keep/cache/z': '',
      'r/cache': '',
    });
    const exclude = ['*.log', 'node_modules/', 'keep/cache'];
    const { byPath } = await scan(await openSource({ paths: [at('r')], exclude }));
    expect([...byPath.keys()]).toEqual(['r', 'r/cache', 'r/keep', 'r/keep/c']);
  });

  test('follows nested .gitignore files only when asked', async () => {
    make({
      'r/.gitignore': '*.log\nbuild/\n/top\n',
      'r/x.log': '',
      'r/build/out': '',
      'r/top': '',
      'r/sub/top': '',
      'r/sub/.gitignore': '!x.log\n!build/\nlocal\n',
      'r/sub/x.log': '',
      'r/sub/y.log': '',
      'r/sub/build/out': '',
      'r/sub/build/z.log': '',
      'r/sub/local': '',
      'r/local': '',
    });
    const { byPath } = await scan(await openSource({ paths: [at('r')], gitignore: true }));
    expect([...byPath.keys()].sort()).toEqual([
      'r',
      'r/.gitignore',
      'r/local',
      'r/sub',
      'r/sub/.gitignore',
      'r/sub/build',
      'r/sub/build/out',
      'r/sub/top',
      'r/sub/x.log',
    ]);
    expect((await scan(await openSource({ paths: [at('r')] }))).entries).toHaveLength(16);
  });

  test('lists a folder of thousands in pieces, all of one folder together', async () => {
    const names = Array.from({ length: 2500 }, (_, number) => `r/${10_000 + number}`);
    make({ ...Object.fromEntries(names.map((name) => [name, ''])), 'r/10500-folder/x': '', 'r/z/y': '' });
    const parents: number[] = [];
    let most = 0;
    for await (const { entries } of (await openSource({ paths: [at('r')] })).scan()) {
      most = Math.max(most, entries.length);
      for (const { parent } of entries) if (parents.at(-1) !== parent) parents.push(parent);
    }
    expect(most).toBeLessThanOrEqual(1000);
    // The roots, then each folder once.
    expect(parents).toEqual([-1, 0, 502, 2502]);
  });

  test.skipIf(!isLinux)('holds few folders open at once, and none when closed', async () => {
    for (let number = 0; number < 300; number++) make({ [`r/${number}/x`]: '' });
    const openFiles = (): number => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    const source = await openSource({ paths: [at('r')] });
    expect((await scan(source)).entries).toHaveLength(601);
    expect((await scan(source)).entries).toHaveLength(601);
    expect(openFiles() - before).toBeGreaterThan(0);
    expect(openFiles() - before).toBeLessThanOrEqual(128);
    source.close();
    expect(openFiles()).toBe(before);
  });

  test.skipIf(!isLinux)(
    'row 38: names that are not UTF-8 or hold control characters are left out',
    async () => {
      make({ 'r/good\ufffd': 'x', 'r/bad\u0085': '', 'r/line\nfeed': '' });
      writeFileSync(Buffer.concat([Buffer.from(`${at('r')}/bad`), Buffer.from([0xff, 0xfe])]), '');
      const { byPath, skipped } = await scan(await openSource({ paths: [at('r')] }));
      expect([...byPath.keys()]).toEqual(['r', 'r/good\ufffd']);
      expect(skipped.map(({ reason }) => reason)).toEqual(['name-refused', 'name-refused', 'name-refused']);
      expect(skipped[0]?.path).toBe(at('r/bad\ufffd\ufffd'));
    },
  );

  test.skipIf(!isLinux)(
    'rows 39, 40, 42: --portable leaves out what another system cannot keep',
    async () => {
      make({
        'r/a:b': '',
        'r/a\\b': '',
        'r/con.txt': '',
        'r/README': '',
        'r/readme': '',
        'r/what?': '',
        'r/ok': '',
      });
      const { byPath, skipped } = await scan(await openSource({ paths: [at('r')], portable: true }));
      expect([...byPath.keys()]).toEqual(['r', 'r/README', 'r/ok']);
      expect(skipped).toHaveLength(5);
      expect((await scan(await openSource({ paths: [at('r')] }))).entries).toHaveLength(8);
    },
  );

  test.skipIf(isWindows)('a path of more than 64 segments is left out', async () => {
    make({ [`r/${'d/'.repeat(63)}file`]: '', [`r/${'d/'.repeat(62)}file`]: '' });
    const { byPath, skipped } = await scan(await openSource({ paths: [at('r')] }));
    expect(byPath.has(`r/${'d/'.repeat(62)}file`)).toBe(true);
    expect(skipped).toEqual([{ path: at(`r/${'d/'.repeat(63)}file`), reason: 'name-refused' }]);
  });

  test.skipIf(isWindows || isRoot)('what may not be read is left out', async () => {
    make({ 'r/secret': '', 'r/closed/x': '', 'r/open': '' });
    chmodSync(at('r/secret'), 0);
    chmodSync(at('r/closed'), 0);
    const { byPath, skipped } = await scan(await openSource({ paths: [at('r')] }));
    chmodSync(at('r/closed'), 0o700);
    expect([...byPath.keys()]).toEqual(['r', 'r/open']);
    expect(skipped.map(({ reason }) => reason)).toEqual(['path-unreadable', 'path-unreadable']);
  });
});

test('what an interrupted transfer left in a folder is none of its content', async () => {
  make({
    'r/a': 'a',
    'r/.xfer-0123456789abcdef/0.part': 'half',
    'r/.xfer-x': 'mine',
    'r/sub/.XFER-0123456789ABCDEF.1/journal': '',
    // No folder, so none of ours.
    'r/sub/.xfer-0123456789abcdef': 'file',
  });
  const { byPath, skipped } = await scan(await openSource({ paths: [at('r')] }));
  expect([...byPath.keys()].sort()).toEqual(['r', 'r/.xfer-x', 'r/a', 'r/sub']);
  expect(skipped).toEqual([
    { path: at('r/.xfer-0123456789abcdef'), reason: 'unfinished-skipped' },
    { path: at('r/sub/.XFER-0123456789ABCDEF.1'), reason: 'unfinished-skipped' },
    { path: at('r/sub/.xfer-0123456789abcdef'), reason: 'name-refused' },
  ]);
});

describe.skipIf(isWindows)('row 47: a tree of everything that is no plain file', () => {
  beforeEach(async () => {
    make({
      'outside/secret': 'secret',
      'r/plain': 'plain',
      'r/sub/inner': 'inner',
      'root-evil/x': 'x',
      'r/other/': '',
    });
    symlinkSync('/etc/passwd', at('r/1-absolute'));
    symlinkSync('..', at('r/2-above'));
    symlinkSync('../outside/secret', at('r/3-outside'));
    symlinkSync('4-itself', at('r/4-itself'));
    symlinkSync('.', at('r/sub/5-loop'));
    symlinkSync('nowhere', at('r/6-dangling'));
    symlinkSync('plain', at('r/7-inside'));
    symlinkSync('../sub', at('r/other/8-folder'));
    symlinkSync('../..', at('r/sub/9-root-above'));
    symlinkSync('fifo', at('r/link-to-fifo'));
    execFileSync('mkfifo', [at('r/fifo')]);
    if (isRoot) execFileSync('mknod', [at('r/device'), 'c', '1', '3']);
    const socket = createServer().listen(at('r/socket'));
    await once(socket, 'listening');
    // Closing removes the socket's file: keep it under another name.
    renameSync(at('r/socket'), at('r/kept-socket'));
    socket.close();
  });

  const special = isRoot ? ['device', 'fifo', 'kept-socket'] : ['fifo', 'kept-socket'];

  test('links and special files are left out and named', async () => {
    const { byPath, skipped } = await scan(await openSource({ paths: [at('r')] }));
    expect([...byPath.keys()]).toEqual(['r', 'r/other', 'r/plain', 'r/sub', 'r/sub/inner']);
    const named = (reason: string): string[] =>
      skipped
        .filter((one) => one.reason === reason)
        .map(({ path: shown }) => path.relative(at('r'), shown))
        .sort();
    expect(named('special-skipped')).toEqual(special);
    expect(named('link-skipped')).toEqual([
      '1-absolute',
      '2-above',
      '3-outside',
      '4-itself',
      '6-dangling',
      '7-inside',
      'link-to-fifo',
      'other/8-folder',
      'sub/5-loop',
      'sub/9-root-above',
    ]);
    expect(skipped).toHaveLength(10 + special.length);
  });

  test('--follow takes what stays inside the root, and ends', async () => {
    const source = await openSource({ paths: [at('r')], follow: true });
    const { byPath, skipped } = await scan(source);
    expect([...byPath.keys()].sort()).toEqual([
      'r',
      'r/7-inside',
      'r/other',
      'r/other/8-folder',
      'r/other/8-folder/inner',
      'r/plain',
      'r/sub',
      'r/sub/inner',
    ]);
    expect(skipped.filter(({ reason }) => reason === 'special-skipped')).toHaveLength(special.length + 1);
    const read = async (name: string): Promise<string> =>
      String(await source.readWhole(byPath.get(name)!, 100));
    expect(await read('r/7-inside')).toBe('plain');
    expect(await read('r/other/8-folder/inner')).toBe('inner');
  });
});

describe('reading', () => {
  test('gives small files whole and large ones in pieces', async () => {
    const large = Buffer.alloc(2 * 1024 * 1024 + 17, 'content that is repeated');
    make({ 'r/small': 'small', 'r/empty': '' });
    writeFileSync(at('r/large'), large);
    const source = await openSource({ paths: [at('r')] });
    const { byPath } = await scan(source);
    expect(await source.readWhole(byPath.get('r/small')!, 5)).toEqual(Buffer.from('small'));
    expect(await source.readWhole(byPath.get('r/small')!, 4)).toBeUndefined();
    expect(await source.readWhole(byPath.get('r/empty')!, 0)).toEqual(Buffer.alloc(0));
    expect((await readAll(await source.open(byPath.get('r/large')!))).equals(large)).toBe(true);
    expect(await readAll(await source.open(byPath.get('r/empty')!))).toEqual(Buffer.alloc(0));
  });

  test.each([
    ['longer', (file: string) => appendFileSync(file, 'x')],
    ['shorter', (file: string) => truncateSync(file, 2)],
    [
      'other content',
      (file: string) => {
        writeFileSync(file, 'olleh');
        utimesSync(file, 1, 1);
      },
    ],
    [
      'another file',
      (file: string) => {
        writeFileSync(`${file}.new`, 'hello');
        utimesSync(`${file}.new`, 1_000_000, 1_000_000);
        renameSync(`${file}.new`, file);
      },
    ],
    [
      'a folder',
      (file: string) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ])('row 32: %s since the scan is a changed source', async (_what, change) => {
    make({ 'r/a': 'hello' });
    utimesSync(at('r/a'), 1_000_000, 1_000_000);
    const source = await openSource({ paths: [at('r')] });
    const entry = await entryAt(source, 'r/a');
    change(at('r/a'));
    expect(await codeOf(() => source.readWhole(entry, 1000))).toMatch(/^source-changed$/);
    expect(await codeOf(() => source.open(entry))).toBe('source-changed');
  });

  test('comes in pieces as large as is worth it, none of them across the end of a leaf', async () => {
    const content = Buffer.alloc(3 * MIB + 1, 'content');
    writeFileSync(at('a'), content);
    const source = await openSource({ paths: [at('a')] });
    const file = await source.open(await entryAt(source, 'a'));
    const lengths: number[] = [];
    const all: Buffer[] = [];
    for (const worth of [1, 200_000, 200_000, MIB, MIB, MIB, MIB, MIB]) {
      const piece = (await file.read(worth)) as Uint8Array | undefined;
      if (piece === undefined) break;
      lengths.push(piece.length);
      all.push(Buffer.from(piece));
      file.recycle?.(piece);
    }
    await file.close();
    // What is read ahead is as large as what was asked for last.
    expect(lengths).toEqual([65_536, 65_536, 131_072, 131_072, MIB - 3 * 131_072, MIB, MIB, 1]);
    expect(Buffer.concat(all).equals(content)).toBe(true);
  });

  test('row 32: a large file that changes while it is read is a changed source', async () => {
    for (const change of [
      () => truncateSync(at('a'), 3_000_000),
      () => appendFileSync(at('a'), 'x'),
      () => utimesSync(at('a'), 1, 1),
    ]) {
      writeFileSync(at('a'), Buffer.alloc(8 * 1024 * 1024, 1));
      const source = await openSource({ paths: [at('a')] });
      const file = await source.open(await entryAt(source, 'a'));
      await file.read();
      change();
      expect(
        await codeOf(async () => {
          while ((await file.read()) !== undefined);
        }),
      ).toBe('source-changed');
      await file.close();
    }
  });

  test('a file is closed once: its number may be that of another file soon', async () => {
    writeFileSync(at('a'), Buffer.alloc(3 * MIB, 1));
    const source = await openSource({ paths: [at('a')] });
    const file = await source.open(await entryAt(source, 'a'));
    await file.read();
    await file.close();
    const other = openSync(at('a'), 'r');
    await file.close();
    closeSync(other);
    expect(await codeOf(() => file.readAt(Buffer.alloc(1), 0))).toBe('internal');
  });

  test('a file is offered as it is then, not as it was when it was named', async () => {
    make({ log: 'one line' });
    const source = await openSource({ paths: [at('log')] });
    writeFileSync(at('log'), 'one line and more');
    expect(source.roots).toEqual([{ name: 'log', type: 'file', size: 17 }]);
    expect(String(await source.readWhole(await entryAt(source, 'log'), 100))).toBe('one line and more');
  });

  test('a file that became something else before it was offered is not read', async () => {
    make({ a: 'hello', b: 'hello' });
    const source = await openSource({ paths: [at('a'), at('b')] });
    rmSync(at('a'));
    rmSync(at('b'));
    mkdirSync(at('b'));
    expect(source.roots.map(({ type, size }) => [type, size])).toEqual([
      ['file', 5],
      ['file', 5],
    ]);
    const { byPath } = await scan(source);
    expect(await codeOf(() => source.open(byPath.get('a')!))).toBe('source-vanished');
    expect(await codeOf(() => source.open(byPath.get('b')!))).toBe('source-changed');
  });

  test.each(['EACCES', 'EIO', 'ENOTDIR'])(
    'a root that the system refuses to look at with %s is offered as it was, and reading it says why',
    async (errno) => {
      make({ 'r/a': 'hello', b: 'hello' });
      const source = await openSource({ paths: [at('r'), at('b')] });
      const roots = await withFailing('lstatSync', errno, async () => source.roots);
      expect(roots.map(({ name, size }) => [name, size])).toEqual([
        ['r', undefined],
        ['b', 5],
      ]);
      rmSync(at('b'));
      expect(await codeOf(async () => source.open(await entryAt(source, 'b')))).toBe('source-vanished');
    },
  );

  test.skipIf(!isLinux).each([
    ['FAT', 0x4d44, 'no error'],
    ['exFAT', 0x2011bab0, 'no error'],
    ['one that keeps inodes', 0xef53, 'source-changed'],
  ])(
    'row 32: another inode in a file system (%s) makes another file only where inodes are kept',
    async (_, type, code) => {
      make({ 'r/sub/a': 'hello', 'r/sub/b': 'hello' });
      const source = await openSource({ paths: [at('r')] });
      const { byPath } = await scan(source);
      source.close();
      await withNewInodes(type, async () => {
        expect(await codeOf(() => source.readWhole(byPath.get('r/sub/a')!, 100))).toBe(code);
        expect(await codeOf(async () => (await source.open(byPath.get('r/sub/a')!)).close())).toBe(code);
        writeFileSync(at('r/sub/b'), 'other, longer');
        expect(await codeOf(() => source.readWhole(byPath.get('r/sub/b')!, 100))).toBe('source-changed');
      });
    },
  );

  test('a file or folder that is gone has vanished', async () => {
    make({ 'r/a': 'hello', 'r/sub/b': 'hello', c: '' });
    const source = await openSource({ paths: [at('r'), at('c')] });
    const { byPath } = await scan(source);
    rmSync(at('r'), { recursive: true });
    rmSync(at('c'));
    for (const name of ['r/a', 'r/sub/b', 'c']) {
      expect(await codeOf(() => source.readWhole(byPath.get(name)!, 1000))).toBe('source-vanished');
      expect(await codeOf(() => source.open(byPath.get(name)!))).toBe('source-vanished');
    }
  });

  test.skipIf(isWindows)(
    'row 48: a file swapped for a link or a FIFO after the scan is not read',
    async () => {
      make({ secret: 'hello', 'r/a': 'hello', 'r/b': 'hello' });
      const source = await openSource({ paths: [at('r')] });
      const { byPath } = await scan(source);
      rmSync(at('r/a'));
      symlinkSync('../secret', at('r/a'));
      rmSync(at('r/b'));
      execFileSync('mkfifo', [at('r/b')]);
      for (const name of ['r/a', 'r/b']) {
        expect(await codeOf(() => source.readWhole(byPath.get(name)!, 1000))).toBe('source-changed');
        expect(await codeOf(() => source.open(byPath.get(name)!))).toBe('source-changed');
      }
    },
  );

  test.skipIf(isWindows).each([
    ['while it is held open', 0],
    ['when it was closed', 200],
  ])('row 48: a folder swapped for a link %s is not followed', async (_when, others) => {
    make({ 'outside/b': 'secret', 'r/sub/b': 'public' });
    for (let number = 0; number < others; number++) make({ [`r/z${number}/`]: '' });
    const source = await openSource({ paths: [at('r')] });
    const entry = await entryAt(source, 'r/sub/b');
    renameSync(at('r/sub'), at('r/moved'));
    symlinkSync('../outside', at('r/sub'));
    const outcome = await source.readWhole(entry, 1000).then(String, (error: unknown) => String(error));
    expect(outcome).toMatch(others === 0 && isLinux ? /^public$/ : /source-changed/);
  });

  test.skipIf(isWindows)('row 48: a folder swapped for a link during the scan is not followed', async () => {
    make({ 'outside/b': 'secret', 'r/sub/b': 'public' });
    const source = await openSource({ paths: [at('r')] });
    const listings = source.scan()[Symbol.asyncIterator]();
    await listings.next();
    await listings.next();
    renameSync(at('r/sub'), at('r/moved'));
    symlinkSync('../outside', at('r/sub'));
    expect((await listings.next()).value).toEqual({
      entries: [],
      skipped: [{ path: at('r/sub'), reason: 'source-changed' }],
    });
  });
});

describe.skipIf(!isLinux)('sparse files', () => {
  test.each([
    ['only a hole', 4 * 1024 * 1024, []],
    ['a hole at the start', 3 * 1024 * 1024, [2 * 1024 * 1024]],
    ['a hole at the end', 3 * 1024 * 1024 + 5, [0]],
    ['holes in between', 5 * 1024 * 1024 + 123, [0, 1024 * 1024 - 4096, 3 * 1024 * 1024 + 70_000]],
  ])('%s travels as holes', async (_what, size, islands) => {
    writeFileSync(at('sparse'), '');
    truncateSync(at('sparse'), size);
    const fd = openSync(at('sparse'), 'r+');
    for (const place of islands) writeSync(fd, Buffer.alloc(8192, 7), 0, 8192, place);
    closeSync(fd);
    const source = await openSource({ paths: [at('sparse')] });
    const pieces = await readPieces(await source.open(await entryAt(source, 'sparse')));
    const holes = pieces.map((piece) => (piece instanceof Uint8Array ? 0 : piece.hole));
    const stored = size - holes.reduce((sum, hole) => sum + hole, 0);
    expect(stored).toBeLessThanOrEqual(islands.length * (8192 + 4096));
    const whole = Buffer.concat(
      pieces.map((piece) => (piece instanceof Uint8Array ? piece : Buffer.alloc(piece.hole))),
    );
    expect(whole.equals(readFileSync(at('sparse')))).toBe(true);
  });

  test('zeros that are stored are data', async () => {
    writeFileSync(at('zeros'), Buffer.alloc(300_000));
    const source = await openSource({ paths: [at('zeros')] });
    const pieces = await readPieces(await source.open(await entryAt(source, 'zeros')));
    expect(pieces.every((piece) => piece instanceof Uint8Array)).toBe(true);
  });

  test('a long hole travels in several, so that nobody waits in silence for its end', async () => {
    writeFileSync(at('sparse'), '');
    truncateSync(at('sparse'), 600 * 1024 * 1024);
    const source = await openSource({ paths: [at('sparse')] });
    const pieces = await readPieces(await source.open(await entryAt(source, 'sparse')));
    expect(pieces).toEqual([2 ** 28, 2 ** 28, 600 * 1024 * 1024 - 2 ** 29].map((hole) => ({ hole })));
  });
});
