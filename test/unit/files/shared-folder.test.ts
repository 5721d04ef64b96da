import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  lstatSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { inboxOf } from '../../../src/files/device-inbox.js';
import { SharedFolder, type SharedEntry, type SharedPath } from '../../../src/files/shared-folder.js';
import { openSink } from '../../../src/files/sink.js';
import { ROOT } from '../../../src/transfer/ports.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { codeOf, readAll, scan } from './collect.js';

const STAGING = '.xfer-0123456789abcdef';
const isLinux = process.platform === 'linux';

let folder = '';
let shared: SharedFolder;
beforeEach(async () => {
  folder = realpathSync(await temporaryFolder());
  mkdirSync(at('share'));
  make({ 'outside/secret': 'secret' });
  shared = SharedFolder.open(at('share'));
});

function at(...names: string[]): string {
  return path.join(folder, ...names);
}

function make(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(name.endsWith('/') ? at(name) : path.dirname(at(name)), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(at(name), content);
  }
}

async function list(where: SharedPath): Promise<SharedEntry[]> {
  const entries: SharedEntry[] = [];
  for await (const piece of shared.list(where)) entries.push(...piece);
  return entries;
}

async function names(where: SharedPath): Promise<string[]> {
  return (await list(where)).map(({ name }) => name);
}

/** All that is below a folder, links as what they say. */
function everythingIn(location: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(location, { recursive: true, encoding: 'utf8' }).sort()) {
    const stat = lstatSync(path.join(location, name));
    if (stat.isSymbolicLink()) found[name] = `-> ${readlinkSync(path.join(location, name))}`;
    else found[name] = stat.isFile() ? readFileSync(path.join(location, name), 'utf8') : '/';
  }
  return found;
}

/** Every method, with a path in each of its places. */
const USES: Record<string, (where: SharedPath) => unknown> = {
  list: (where) => list(where),
  look: (where) => shared.look(where),
  'make a folder': (where) => {
    shared.makeFolder(where);
  },
  remove: (where) => shared.remove(where, true),
  'move away': (where) => {
    shared.move(where, ['taken'], true);
  },
  'move to': (where) => {
    shared.move(['own'], where, true);
  },
  source: (where) => {
    shared.source([where]).close();
  },
  locate: (where) => shared.locate(where),
};
const uses = Object.entries(USES).map(([what, use]) => ({ what, use }));

describe('open', () => {
  test('takes a link once, and says what is missing or no folder', async () => {
    make({ file: '', 'share/a': '', 'other/b': '' });
    symlinkSync(at('share'), at('link'));
    shared = SharedFolder.open(at('link'));
    renameSync(at('link'), at('old'));
    symlinkSync(at('other'), at('link'));
    expect(await names([])).toEqual(['a']);
    expect(await codeOf(() => SharedFolder.open(at('nothing')))).toBe('path-missing');
    expect(await codeOf(() => SharedFolder.open(at('file/below')))).toBe('path-missing');
    expect(await codeOf(() => SharedFolder.open(at('file')))).toBe('not-a-folder');
  });

  test('nothing can be done once it is closed', async () => {
    shared.close();
    expect(await codeOf(() => shared.look([]))).toBe('internal');
    expect(await codeOf(() => list([]))).toBe('internal');
  });
});

describe.each(uses)('$what', ({ use }) => {
  test.each([
    [['..']],
    [['a', '..', '..', 'outside', 'secret']],
    [['.']],
    [['']],
    [['a', '']],
    [['/etc/passwd']],
    [['a/../../outside']],
    [['a\0b']],
    [['x'.repeat(256)]],
    [Array.from({ length: 65 }, () => 'a')],
    [Array.from({ length: 20 }, () => 'x'.repeat(250))],
  ])('rows 36, 37, 38: ends the session over a hostile path %#', async (where) => {
    make({ 'share/own': '', 'share/a/x': '' });
    const before = everythingIn(folder);
    expect(await codeOf(() => use(where))).toBe('protocol');
    expect(everythingIn(folder)).toEqual(before);
  });

  test.each(['absolute', 'relative', 'dangling', 'inside'])(
    'row 49: goes through no %s link',
    async (link) => {
      make({ 'share/own': '', 'share/real/secret': '' });
      const to = { absolute: at('outside'), relative: '../outside', dangling: 'gone', inside: 'real' }[link];
      symlinkSync(to ?? '', at('share/link'));
      const before = everythingIn(folder);
      expect(await codeOf(() => use(['link', 'secret']))).toBe('path-missing');
      expect(await codeOf(() => use(['link']))).toMatch(/^(?:path-missing|target-exists)$/);
      expect(everythingIn(folder)).toEqual(before);
    },
  );

  test('neither sees nor touches a staging folder', async () => {
    make({ 'share/own': '', [`share/${STAGING}/part`]: 'half' });
    const before = everythingIn(folder);
    expect(await codeOf(() => use([STAGING]))).toMatch(/^(?:path-missing|name-refused)$/);
    expect(await codeOf(() => use([STAGING, 'part']))).toBe('path-missing');
    expect(everythingIn(folder)).toEqual(before);
  });
});

describe('list', () => {
  test('gives files and folders by name, nothing else, and says what is no folder', async () => {
    make({
      'share/b.txt': 'hello',
      'share/B/': '',
      'share/a/x': '',
      [`share/${STAGING}/`]: '',
      'share/bad\u0001': '',
    });
    symlinkSync('b.txt', at('share/link'));
    const entries = await list([]);
    expect(entries.map(({ name, type, size }) => [name, type, size])).toEqual([
      ['B', 'folder', 0],
      ['a', 'folder', 0],
      ['b.txt', 'file', 5],
    ]);
    expect(entries[2]).toEqual(
      expect.objectContaining({ mtimeMs: Math.floor(statSync(at('share/b.txt')).mtimeMs) }),
    );
    expect(await names(['a'])).toEqual(['x']);
    await expect(list(['b.txt'])).rejects.toMatchObject({ code: 'not-a-folder', subject: 'b.txt' });
    await expect(list(['a', 'no'])).rejects.toMatchObject({ code: 'path-missing', subject: 'a/no' });
    expect(await codeOf(() => list(['b.txt', 'x']))).toBe('path-missing');
  });

  test('comes in pieces, and leaves out what vanishes meanwhile', async () => {
    for (let index = 0; index < 1500; index++) writeFileSync(at('share', `f${index}`), '');
    const sizes: number[] = [];
    for await (const piece of shared.list([])) {
      sizes.push(piece.length);
      await shared.remove(['f999'], false).catch(() => undefined);
    }
    expect(sizes).toEqual([1000, 499]);
  });
});

describe('look', () => {
  test('tells of a file, a folder and the shared folder itself', async () => {
    make({ 'share/a/x': 'abc' });
    expect(shared.look(['a', 'x'])).toMatchObject({ name: 'x', type: 'file', size: 3 });
    expect(shared.look(['a'])).toMatchObject({ name: 'a', type: 'folder', size: 0 });
    expect(shared.look([])).toMatchObject({ name: '', type: 'folder' });
    expect(await codeOf(() => shared.look(['a', 'x', 'y']))).toBe('path-missing');
  });
});

describe('makeFolder', () => {
  test('makes one folder and nothing above or instead', async () => {
    make({ 'share/file': 'x' });
    shared.makeFolder(['new']);
    shared.makeFolder(['new', 'below']);
    expect(statSync(at('share/new/below')).isDirectory()).toBe(true);
    for (const taken of [['new'], ['file'], []]) {
      expect(
        await codeOf(() => {
          shared.makeFolder(taken);
        }),
      ).toBe('target-exists');
    }
    expect(
      await codeOf(() => {
        shared.makeFolder(['no', 'below']);
      }),
    ).toBe('path-missing');
    expect(
      await codeOf(() => {
        shared.makeFolder(['file', 'below']);
      }),
    ).toBe('not-a-folder');
    expect(readFileSync(at('share/file'), 'utf8')).toBe('x');
  });
});

describe('remove', () => {
  test('takes a file, a folder only when told to, and never the shared folder', async () => {
    make({ 'share/a/x': '', 'share/a/deep/er/y': '', 'share/b': '' });
    symlinkSync(at('outside'), at('share/a/deep/link'));
    expect(await codeOf(() => shared.remove(['a'], false))).toBe('is-a-folder');
    expect(await codeOf(() => shared.remove([], true))).toBe('not-allowed');
    await shared.remove(['b'], false);
    await shared.remove(['a'], true);
    expect(await names([])).toEqual([]);
    expect(readFileSync(at('outside/secret'), 'utf8')).toBe('secret');
    expect(await codeOf(() => shared.remove(['a'], true))).toBe('path-missing');
  });

  test('leaves a folder in which a transfer is at work', async () => {
    make({ [`share/a/${STAGING}/part`]: 'half', 'share/a/x': '' });
    await expect(shared.remove(['a'], true)).rejects.toMatchObject({ code: 'not-allowed', subject: 'a' });
    expect(existsSync(at('share/a/x'))).toBe(true);
  });

  test.runIf(isLinux)('takes names that are no text', async () => {
    make({ 'share/a/': '' });
    const name = Buffer.concat([Buffer.from(at('share/a/')), Buffer.from([0xff])]);
    mkdirSync(name);
    writeFileSync(Buffer.concat([name, Buffer.from('/x')]), '');
    await shared.remove(['a'], true);
    expect(existsSync(at('share/a'))).toBe(false);
  });
});

describe('move', () => {
  test('gives a new name, or goes into a folder under its own', () => {
    make({ 'share/x': '1', 'share/d/': '', 'share/e/y': '2' });
    shared.move(['x'], ['z'], false);
    shared.move(['z'], ['d'], false);
    shared.move(['e'], ['d'], false);
    shared.move(['d', 'e'], ['f'], false);
    shared.move(['f', 'y'], [], false);
    expect(everythingIn(at('share'))).toEqual({ d: '/', 'd/z': '1', f: '/', y: '2' });
  });

  test('row 43: takes the place of a file only when told to, of a folder never', async () => {
    make({ 'share/x': '1', 'share/y': '2', 'share/d/x/in': '3', 'share/x2/': '', 'share/d/x2/': '' });
    const move = (from: SharedPath, to: SharedPath, replace: boolean): Promise<string> =>
      codeOf(() => {
        shared.move(from, to, replace);
      });
    const before = everythingIn(folder);
    expect(await move(['x'], ['y'], false)).toBe('target-exists');
    expect(await move(['x'], ['x'], false)).toBe('target-exists');
    expect(await move(['x'], ['d'], true)).toBe('target-exists');
    expect(await move(['x2'], ['d'], true)).toBe('target-exists');
    expect(await move(['d'], ['x'], true)).toBe('target-exists');
    expect(await move(['d'], ['d'], true)).toBe('usage');
    expect(await move(['d'], ['d', 'x', 'new'], true)).toBe('usage');
    expect(await move([], ['new'], true)).toBe('not-allowed');
    expect(await move(['x'], ['no', 'new'], true)).toBe('path-missing');
    expect(await move(['x'], ['y', 'new'], true)).toBe('not-a-folder');
    expect(everythingIn(folder)).toEqual(before);
    shared.move(['x'], ['y'], true);
    expect(readFileSync(at('share/y'), 'utf8')).toBe('1');
    expect(existsSync(at('share/x'))).toBe(false);
  });

  test('does not pass one file under two names off as moved', async () => {
    make({ 'share/x': '1' });
    linkSync(at('share/x'), at('share/y'));
    expect(
      await codeOf(() => {
        shared.move(['x'], ['y'], true);
      }),
    ).toBe('target-exists');
    expect(await names([])).toEqual(['x', 'y']);
  });
});

describe('source', () => {
  test('offers what is there, without links and staging folders', async () => {
    make({ 'share/a/x': 'one', [`share/a/${STAGING}/part`]: 'half', 'share/b': 'two' });
    symlinkSync(at('outside'), at('share/a/link'));
    const source = shared.source([['a'], ['b']]);
    expect(source.roots.map(({ name }) => name)).toEqual(['a', 'b']);
    const { byPath, skipped } = await scan(source);
    expect([...byPath.keys()]).toEqual(['a', 'b', 'a/x']);
    expect(skipped).toEqual([{ path: path.join('a', 'link'), reason: 'link-skipped' }]);
    const entry = byPath.get('a/x');
    if (entry === undefined) throw new Error('no entry');
    expect(String(await readAll(await source.open(entry)))).toBe('one');
    source.close();
  });

  test('the shared folder goes under its own name', async () => {
    make({ 'share/x': '1' });
    const source = shared.source([[]]);
    expect([...(await scan(source)).byPath.keys()]).toEqual(['share', 'share/x']);
    source.close();
  });

  test('says what is missing or would arrive as one', async () => {
    make({ 'share/a/x': '', 'share/b/x': '' });
    expect(await codeOf(() => shared.source([['a', 'no']]))).toBe('path-missing');
    expect(
      await codeOf(() =>
        shared.source([
          ['a', 'x'],
          ['b', 'x'],
        ]),
      ),
    ).toBe('same-name');
    expect(await codeOf(() => shared.source([]))).toBe('nothing-to-send');
  });

  test('lends all of its sources the same memory for pieces', async () => {
    make({ 'share/a': 'a', 'share/b': 'b' });
    const read = async (name: string): Promise<Uint8Array> => {
      const source = shared.source([[name]]);
      const file = await source.open((await scan(source)).byPath.get(name)!);
      const piece = (await file.read()) as Uint8Array;
      expect(String(piece)).toBe(name);
      file.recycle?.(piece);
      await file.close();
      source.close();
      return piece;
    };
    expect((await read('b')).buffer).toBe((await read('a')).buffer);
  });

  test('row 48: reads nothing through a link that took the place of a root, or of a folder above', async () => {
    make({ 'share/a/secret': 'ours', 'share/f': 'ours' });
    const source = shared.source([['a', 'secret'], ['f']]);
    renameSync(at('share/a'), at('share/away'));
    symlinkSync(at('outside'), at('share/a'));
    renameSync(at('share/f'), at('share/g'));
    symlinkSync(at('outside/secret'), at('share/f'));
    const [first, second] = (await scan(source)).entries;
    if (first === undefined || second === undefined) throw new Error('no entries');
    if (isLinux) expect(String(await readAll(await source.open(first)))).toBe('ours');
    await expect(source.open(second)).rejects.toMatchObject({ code: 'source-changed' });
    source.close();
  });
});

describe('locate', () => {
  test('gives a place that a sink takes', async () => {
    make({ 'share/d/': '', 'share/f': '' });
    expect(shared.locate([])).toBe(at('share'));
    expect(shared.locate(['d', 'new'])).toBe(at('share/d/new'));
    const sink = openSink({ roots: [{ name: 'x', type: 'file', size: 0 }] }, { out: shared.locate(['d']) });
    await sink.abort(false);
    expect(await codeOf(() => shared.locate(['f', 'new']))).toBe('not-a-folder');
    expect(await codeOf(() => shared.locate(['no', 'new']))).toBe('path-missing');
  });

  test('of two that come under one name, one arrives whole and the other is told', async () => {
    const entry = {
      index: 0,
      parent: ROOT,
      type: 'file',
      name: 'x',
      size: 1,
      mtimeMs: 0,
      mode: 0o644,
    } as const;
    const sinks = ['1', '2'].map((content) => ({
      content,
      sink: openSink({ roots: [{ name: 'x', type: 'file', size: 1 }] }, { out: shared.locate(['x']) }),
    }));
    for (const { sink } of sinks) {
      expect((await sink.examine(entry)).status).toBe('new');
      sink.decide('skip');
    }
    const told: (string | undefined)[] = [];
    for (const { sink, content } of sinks) {
      await sink.writeWhole(entry, Buffer.from(content), (error) => told.push(error?.code));
    }
    for (const { sink } of sinks) await sink.finish(true);
    expect(told).toEqual([undefined, 'target-exists']);
    expect(everythingIn(at('share'))).toEqual({ x: '1' });
  });

  test('gives none where another folder took the place of the shared one', async () => {
    renameSync(at('share'), at('moved'));
    make({ 'share/': '' });
    expect(await codeOf(() => shared.locate(['new']))).toBe('path-missing');
  });
});

describe('inboxOf', () => {
  test('each device has one of its own, whatever it is called', () => {
    const devices = ['pi', 'pi2', 'con', 'con.', 'nul.txt', 'a.', 'a'];
    const inboxes = devices.map((device) => inboxOf(shared, device));
    expect(new Set(inboxes.map(([name]) => name)).size).toBe(devices.length);
    for (const inbox of inboxes) expect(shared.look(inbox)).toMatchObject({ type: 'folder', mode: 0o700 });
    expect(inboxOf(shared, 'PI')).toEqual(inboxes[0]);
  });

  test('takes neither a file nor a link for one', async () => {
    make({ 'share/file': '' });
    symlinkSync(at('outside'), at('share/pi'));
    expect(await codeOf(() => inboxOf(shared, 'file'))).toBe('target-exists');
    expect(await codeOf(() => inboxOf(shared, 'pi'))).toBe('target-exists');
  });
});

test('no path reads, changes or removes anything outside', async () => {
  const segment = fc.constantFrom(
    'a',
    'b',
    'link',
    'up',
    'secret',
    'outside',
    '..',
    '.',
    '',
    'a/../..',
    '/',
    STAGING,
  );
  const where = fc.array(fc.oneof({ weight: 9, arbitrary: segment }, fc.string({ maxLength: 4 })), {
    maxLength: 4,
  });
  make({ 'share/own': 'own' });
  make({ 'outside/canary': 'canary', [`outside/${STAGING}/`]: '' });
  const outside = everythingIn(at('outside'));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...uses), where, async ({ use }, path) => {
      make({ 'share/own': 'own', 'share/a/b/x': '' });
      if (!existsSync(at('share/link'))) symlinkSync(at('outside'), at('share/link'));
      if (!existsSync(at('share/a/b/up'))) symlinkSync('../../..', at('share/a/b/up'));
      const result = await codeOf(async () => {
        expect(JSON.stringify((await use(path)) ?? null)).not.toContain('canary');
      }).catch((error: unknown) => error);
      expect(result).toBeTypeOf('string');
      expect(result).not.toBe('internal');
      expect(everythingIn(at('outside'))).toEqual(outside);
      expect(readdirSync(folder).sort()).toEqual(['outside', 'share']);
    }),
    { numRuns: 300 },
  );
});

test.runIf(isLinux)('row 50: a folder swapped for a link all the time leads nowhere', async () => {
  make({ 'share/a/x': '' });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./swap-folder.js', import.meta.url), {
    workerData: { folder: at('share/a'), away: at('share/away'), outside: at('outside'), stop },
  });
  const swapped = new Promise<number>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  const outcomes = new Set<string>();
  // Until both have happened: it was a folder, and it was a link.
  for (let round = 0; round < 500 || (outcomes.size < 2 && round < 50_000); round++) {
    outcomes.add(
      await codeOf(() => {
        shared.makeFolder(['a', `d${round}`]);
      }),
    );
    await codeOf(() => {
      shared.move(['a', 'secret'], ['stolen'], true);
    });
    await codeOf(() => shared.remove(['a', 'secret'], true));
    await codeOf(async () => {
      expect(await names(['a'])).not.toContain('secret');
    });
  }
  Atomics.store(stop, 0, 1);
  expect(await swapped).toBeGreaterThan(0);
  expect(outcomes).toContain('no error');
  expect(outcomes).toContain('path-missing');
  expect(everythingIn(at('outside'))).toEqual({ secret: 'secret' });
});
