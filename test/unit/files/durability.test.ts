import childProcess, { type SpawnOptions } from 'node:child_process';
import { EventEmitter } from 'node:events';
import fs, { readdirSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { XferError } from '../../../src/errors.js';
import { openSink, type SinkOptions } from '../../../src/files/sink.js';
import { ROOT, type Entry, type FileSink } from '../../../src/transfer/ports.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { withFailing, withMount } from './faults.js';

/** What was asked of the system, in order: `sync NAME`, `link NAME`, `sync -f`. */
let calls: string[];
/** The folders by which a file system was asked. */
let asked: string[];
/** What a call answers instead. */
let failing: Record<string, string>;
/** `sync -f` fails once. */
let isLostOnce: boolean;
/** Then it is killed. */
let killsNext: boolean;
let folder: string;
const { fsync, linkSync } = fs;
const { spawn } = childProcess;

beforeEach(async () => {
  folder = await temporaryFolder();
  calls = [];
  asked = [];
  failing = {};
  isLostOnce = false;
  killsNext = false;
  const fail = (call: string): NodeJS.ErrnoException | undefined => {
    const code = failing[call];
    return code === undefined ? undefined : Object.assign(new Error(code), { code });
  };
  const at = (fd: number): string => path.basename(fs.readlinkSync(`/proc/self/fd/${fd}`));
  Object.assign(fs, {
    fsync: (fd: number, done: (error: Error | null) => void) => {
      const name = at(fd);
      const error = fail('fsync');
      if (error !== undefined) {
        done(error);
        return;
      }
      fsync(fd, (result) => {
        calls.push(`sync ${name}`);
        done(result);
      });
    },
    linkSync: (from: string, to: string) => {
      linkSync(from, to);
      calls.push(`link ${path.basename(to)} ${path.basename(from)}`);
    },
  });
  Object.assign(childProcess, {
    spawn: (file: string, args: string[], options: SpawnOptions) => {
      const error = fail('sync -f');
      if (isLostOnce) delete failing['sync -f'];
      if (killsNext) failing['sync -f'] = 'SIGTERM';
      calls.push(`${file} ${args[0]}`);
      asked.push(path.relative(folder, fs.readlinkSync(args[1]!)));
      if (error === undefined) return spawn(file, args, options);
      const refused = new EventEmitter();
      setImmediate(() => {
        if (error.code === 'ENOENT') refused.emit('error', error);
        else refused.emit('close', error.code === 'SIGTERM' ? null : 1);
      });
      return refused;
    },
  });
  syncBuiltinESMExports();
});

afterEach(() => {
  Object.assign(fs, { fsync, linkSync });
  Object.assign(childProcess, { spawn });
  syncBuiltinESMExports();
});

interface Arriving {
  readonly sink: FileSink;
  readonly files: readonly Entry[];
  /** Names that were settled, with the error where there was one. */
  readonly settled: string[];
  readonly write: (entry: Entry, content?: Uint8Array) => Promise<void>;
}

/** A folder `r` with files in it. */
async function arriving(names: readonly string[], options: SinkOptions = { sync: true }): Promise<Arriving> {
  const shared = { size: 5, mtimeMs: 1e12, mode: 0o644 };
  const root: Entry = { ...shared, index: 0, parent: ROOT, type: 'folder', name: 'r' };
  const files = names.map((name, at): Entry => ({ ...shared, index: at + 1, parent: 0, type: 'file', name }));
  const sink = openSink({ roots: [root] }, { out: folder, ...options });
  for (const entry of [root, ...files]) await sink.examine(entry);
  sink.decide('refuse');
  await sink.makeFolder(root);
  const settled: string[] = [];
  const write = async (entry: Entry, content: Uint8Array = Buffer.from('fresh')): Promise<void> =>
    sink.writeWhole(entry, content, (error?: XferError) => {
      settled.push(error === undefined ? entry.name : `${entry.name} ${error.code}`);
    });
  return { sink, files, settled, write };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, number) => `f${number}`);
const names = (): string[] => readdirSync(path.join(folder, 'r')).filter((name) => !name.startsWith('.'));
/** Part files in the staging folder. */
const parts = (): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.part'));
const positions = (pattern: RegExp): number[] => [...calls.keys()].filter((at) => pattern.test(calls[at]!));

describe.skipIf(process.platform !== 'linux')('before a file is said to have arrived', () => {
  test('a few files are on the disk before they have names, and the names before the end', async () => {
    const { sink, files, settled, write } = await arriving(['a', 'b']);
    for (const file of files) await write(file);
    expect(names()).toEqual([]);
    expect(settled).toEqual([]);
    await sink.finish(true);
    expect(names().sort()).toEqual(['a', 'b']);
    expect(settled).toEqual(['a', 'b']);
    const [links, contents] = [positions(/^link /), positions(/^sync \d+\.part$/)];
    expect([links.length, contents.length]).toEqual([2, 2]);
    expect(Math.max(...contents)).toBeLessThan(Math.min(...links));
    const last = Math.max(...links);
    expect(Math.min(...positions(/^sync r$/))).toBeGreaterThan(last);
    expect(Math.min(...positions(new RegExp(`^sync ${path.basename(folder)}$`)))).toBeGreaterThan(last);
  });

  test('of many the file system is asked once', async () => {
    const { sink, files, settled, write } = await arriving(numbered(100));
    for (const file of files) await write(file);
    await sink.finish(true);
    expect(settled).toEqual(numbered(100));
    expect(names()).toHaveLength(100);
    const [asked] = positions(/^sync -f$/);
    expect(asked).toBeLessThan(Math.min(...positions(/^link /)));
    expect(positions(/part$/).length).toBe(100);
    expect(positions(/^sync \d+\.part$/)).toEqual([]);
  });

  test.each([
    [20, ['r', 'r/mnt']],
    [3, ['r']],
  ])('of %i folders that were made in another file system none is forgotten', async (count, filesystems) => {
    fs.mkdirSync(path.join(folder, 'r/mnt'), { recursive: true });
    await withMount(path.join(folder, 'r/mnt'), async () => {
      const folders = ['r', 'mnt', ...numbered(count), ...numbered(20).map((name) => `here ${name}`)].map(
        (name, index): Entry => {
          const parent = index === 0 ? ROOT : index === 1 || name.startsWith('here') ? 0 : 1;
          return { index, parent, type: 'folder', name, size: 0, mtimeMs: 1e12, mode: 0o755 };
        },
      );
      const sink = openSink({ roots: folders.slice(0, 1) }, { out: folder, sync: true });
      for (const entry of folders) await sink.examine(entry);
      sink.decide('refuse');
      for (const entry of folders) await sink.makeFolder(entry);
      await sink.finish(true);
      expect(asked.map((name) => (name.startsWith('r/mnt') ? 'r/mnt' : 'r')).sort()).toEqual(filesystems);
      const inMount =
        filesystems.length > 1 ? [] : ['sync mnt', ...numbered(count).map((name) => `sync ${name}`)];
      expect(calls.filter((call) => /^sync (mnt|f\d+)$/.test(call)).sort()).toEqual(inMount.sort());
    });
  });

  test('row 35: a write that the file system lost leaves none with a name', async () => {
    failing['sync -f'] = 'EIO';
    isLostOnce = true;
    const { sink, files, settled, write } = await arriving(numbered(40));
    for (const file of files) await write(file);
    await expect(sink.finish(true)).rejects.toMatchObject({ code: 'disk-failed' });
    expect(settled).toEqual([]);
    expect(names()).toEqual([]);
    // It is told once: asked again, the system says that all is well.
    await sink.abort(false);
    expect(settled).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('the connection is served while many get their names', async () => {
    const { sink, files, settled, write } = await arriving(numbered(400));
    for (const file of files) await write(file);
    // A clock that goes on by a millisecond when it is looked at: 10 are the most that go by before others have their turn.
    let now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now++);
    const seen: number[] = [];
    const look = (): void => {
      seen.push(settled.length);
      if (settled.length < files.length) setImmediate(look);
    };
    look();
    try {
      await sink.finish(true);
    } finally {
      clock.mockRestore();
    }
    expect(settled).toEqual(numbered(400));
    const steps = seen.map((count, at) => count - (seen[at - 1] ?? 0));
    expect(Math.max(...steps)).toBeLessThan(20);
  });

  test('32 MiB wait at most', async () => {
    const { files, settled, write } = await arriving(numbered(200));
    const content = Buffer.alloc(2 ** 18);
    for (const file of files.slice(0, 127)) await write(file, content);
    expect(settled).toEqual([]);
    await write(files[127]!, content);
    expect(settled).toEqual(numbered(128));
  });

  test('row 35: a disk that does not keep them leaves none with a name, and nothing after the end', async () => {
    failing['fsync'] = 'EIO';
    const { sink, files, settled, write } = await arriving(numbered(5));
    for (const file of files) await write(file);
    await expect(sink.finish(true)).rejects.toMatchObject({ code: 'disk-failed' });
    expect(names()).toEqual([]);
    expect(settled).toEqual([]);
    await sink.abort(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(['write', 'skip'] as const)(
    'a second is the longest, also while a large file comes (%s)',
    async (call) => {
      const { sink, files, settled, write } = await arriving(['a', 'b', 'large']);
      const began = performance.now();
      const now = vi.spyOn(performance, 'now').mockReturnValue(began);
      const part = await sink.create(files[2]!);
      const goOn = (): Promise<void> => (call === 'write' ? part.write(Buffer.alloc(9)) : part.skip(9));
      try {
        await write(files[0]!);
        await write(files[1]!);
        now.mockReturnValue(began + 999);
        await goOn();
        expect(names()).toEqual([]);
        now.mockReturnValue(began + 1001);
        await goOn();
        expect(names().sort()).toEqual(['a', 'b']);
        expect(settled).toEqual(['a', 'b']);
        calls = [];
        now.mockReturnValue(began + 9000);
        await goOn();
        expect(calls).toEqual([]);
      } finally {
        now.mockRestore();
      }
      await part.commit();
      await sink.finish(true);
      expect(names().sort()).toEqual(['a', 'b', 'large']);
    },
  );

  test('row 35: a disk that did not keep what waited says so while a large file comes', async () => {
    const { sink, files, settled, write } = await arriving(['a', 'large']);
    const began = performance.now();
    const now = vi.spyOn(performance, 'now').mockReturnValue(began);
    try {
      await write(files[0]!);
      const part = await sink.create(files[1]!);
      now.mockReturnValue(began + 1001);
      failing['fsync'] = 'EIO';
      await expect(part.write(Buffer.alloc(9))).rejects.toMatchObject({
        code: 'disk-failed',
        subject: path.join(folder, 'r/a'),
      });
    } finally {
      now.mockRestore();
    }
    await sink.abort(false);
    expect(settled).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a name that somebody took meanwhile is told of that file alone', async () => {
    const { sink, files, settled, write } = await arriving(['a', 'b', 'c']);
    for (const file of files) await write(file);
    fs.writeFileSync(path.join(folder, 'r/b'), 'mine');
    await sink.finish(true);
    expect(settled).toEqual(['a', 'b target-exists', 'c']);
    expect(fs.readFileSync(path.join(folder, 'r/b'), 'utf8')).toBe('mine');
    expect(readdirSync(path.join(folder, 'r')).sort()).toEqual(['a', 'b', 'c']);
  });

  test('what is verified stays when the transfer breaks', async () => {
    const { sink, files, settled, write } = await arriving(numbered(30));
    for (const file of files) await write(file);
    expect(parts()).toHaveLength(30);
    expect(names()).toEqual([]);
    await sink.abort(false);
    expect(settled).toEqual(numbered(30));
    expect(readdirSync(path.join(folder, 'r')).sort()).toEqual(numbered(30).sort());
  });

  test('a large file is on the disk before it has its name', async () => {
    const { sink, files } = await arriving(['large']);
    const part = await sink.create(files[0]!);
    await part.write(Buffer.alloc(100));
    await part.commit();
    expect(positions(/^sync \d+\.part$/)).toEqual([0]);
    expect(positions(/^link large/)).toEqual([1]);
    await sink.finish(true);
    expect(positions(/^sync r$/)).not.toEqual([]);
  });

  test('row 35: a large file that the disk does not keep has no name', async () => {
    const { sink, files } = await arriving(['large']);
    const part = await sink.create(files[0]!);
    await part.write(Buffer.alloc(100));
    failing['fsync'] = 'EIO';
    await expect(part.commit()).rejects.toMatchObject({ code: 'disk-failed' });
    await sink.abort(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('row 35: what the disk did not keep of a large file is nothing to go on with', async () => {
    // The system tells a lost write once: a later transfer would ask in vain, and rely on what is in memory only.
    for (const isEndedMeanwhile of [false, true]) {
      const { sink, files } = await arriving(['large']);
      const part = await sink.create(files[0]!);
      await part.write(Buffer.alloc(2 ** 21, 'x'));
      failing['fsync'] = 'EIO';
      const committing = part.commit();
      const ending = isEndedMeanwhile ? sink.abort(true) : undefined;
      await expect(committing).rejects.toMatchObject({ code: 'disk-failed' });
      expect(await (ending ?? sink.abort(true))).toEqual({ bytes: 0, any: false });
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('row 35: a large file that is on the disk and cannot have its name can be gone on with', async () => {
    const { sink, files } = await arriving(['large']);
    const part = await sink.create(files[0]!);
    await part.write(Buffer.alloc(2 ** 21, 'x'));
    const failed = withFailing('linkSync', 'EIO', () => part.commit());
    await expect(failed).rejects.toMatchObject({ code: 'disk-failed' });
    expect(await sink.abort(true)).toEqual({ bytes: 2 ** 21, any: true });
    expect(parts()).toHaveLength(1);
  });

  test('without sync the disk is not asked', async () => {
    const { sink, files, settled, write } = await arriving(['a', 'b'], {});
    for (const file of files) await write(file);
    await sink.finish(true);
    expect(settled).toEqual(['a', 'b']);
    expect(names().sort()).toEqual(['a', 'b']);
    expect(positions(/^sync/)).toEqual([]);
  });

  test('where the command is killed the files are asked one by one, and the next ones together', async () => {
    failing['sync -f'] = 'SIGTERM';
    isLostOnce = true;
    const { sink, files, settled, write } = await arriving(numbered(80), { sync: true, together: 40 });
    for (const file of files) await write(file);
    await sink.finish(true);
    expect(settled).toEqual(numbered(80));
    expect(positions(/^sync \d+\.part$/)).toHaveLength(40);
    expect(positions(/^sync -f$/)).toHaveLength(2);
  });

  test('where the command fails and is then killed, the files are asked, and no loss is made up', async () => {
    failing['sync -f'] = 'EIO';
    killsNext = true;
    const { sink, files, settled, write } = await arriving(numbered(40));
    for (const file of files) await write(file);
    await sink.finish(true);
    expect(settled).toEqual(numbered(40));
    expect(positions(/^sync \d+\.part$/)).toHaveLength(40);
  });

  // Last, since it is not asked again then.
  test('where the file system cannot be asked the files are, one by one', async () => {
    failing['sync -f'] = 'ENOENT';
    const { sink, files, settled, write } = await arriving(numbered(40));
    for (const file of files) await write(file);
    await sink.finish(true);
    expect(settled).toEqual(numbered(40));
    expect(positions(/^sync \d+\.part$/)).toHaveLength(40);
    expect(Math.max(...positions(/^sync \d+\.part$/))).toBeLessThan(Math.min(...positions(/^link /)));
  });
});
