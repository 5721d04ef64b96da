import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { beforeEach, describe, expect, test } from 'vitest';
import { findInterrupted, leftoversIn, Register, removeLeftover } from '../../../src/files/interrupted.js';
import { encodeLine, MOST_JOURNAL_BYTES } from '../../../src/files/journal.js';
import { isAlive, ownerTag } from '../../../src/files/owner.js';
import { openSink, type SinkOptions } from '../../../src/files/sink.js';
import { ROOT, type Entry, type FileSink, type Prospect } from '../../../src/transfer/ports.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { withFailing, withoutModes, withShortWrites, withSwap } from './faults.js';

const MIB = 2 ** 20;
const isWindows = process.platform === 'win32';

let folder = '';
let register = '';
beforeEach(async () => {
  folder = realpathSync(await temporaryFolder());
  register = path.join(await temporaryFolder(), 'transfers');
});

const at = (...names: string[]): string => path.join(folder, ...names);
const stagings = (): string[] => readdirSync(folder).filter((name) => name.startsWith('.xfer-'));
const partsIn = (staging: string): string[] => readdirSync(at(staging)).filter((name) => name !== 'journal');

const ENTRIES: readonly Entry[] = [
  { index: 0, parent: ROOT, type: 'folder', name: 'r', size: 0, mtimeMs: 1e12, mode: 0o750 },
  { index: 1, parent: 0, type: 'file', name: 'large', size: 5 * MIB, mtimeMs: 1e12, mode: 0o644 },
  { index: 2, parent: 0, type: 'file', name: 'small', size: 5, mtimeMs: 1e12, mode: 0o644 },
];
const [ROOT_ENTRY, LARGE, SMALL] = ENTRIES as [Entry, Entry, Entry];

interface Arriving {
  readonly sink: FileSink;
  readonly prospects: readonly Prospect['status'][];
}

async function arrive(options: SinkOptions = {}, entries = ENTRIES): Promise<Arriving> {
  const sink = openSink({ roots: [entries[0]!] }, { out: folder, register, ...options });
  const prospects: Prospect['status'][] = [];
  for (const entry of entries) prospects.push((await sink.examine(entry)).status);
  sink.decide('refuse');
  await sink.makeFolder(entries[0]!);
  return { sink, prospects };
}

/** An interrupted transfer: the small file arrived, and two whole leaves of the large one, and a bit. */
async function interrupt(): Promise<void> {
  const { sink } = await arrive();
  await sink.writeWhole(SMALL, Buffer.from('small'));
  const part = await sink.create(LARGE);
  await part.write(Buffer.alloc(2 * MIB + 77, 'x'));
  expect(await sink.abort(true)).toEqual({ bytes: 2 * MIB + 77, any: true });
}

describe('after an interruption', () => {
  test('what arrived has its name, the rest is in one private folder, and the register knows where', async () => {
    await interrupt();
    const [staging = ''] = stagings();
    expect(staging).toMatch(/^\.xfer-[0-9a-f]{16}$/);
    expect(readdirSync(folder).sort()).toEqual([staging, 'r']);
    expect(partsIn(staging)).toHaveLength(1);
    expect(readFileSync(at('r/small'), 'utf8')).toBe('small');
    expect(new Register(register).folders()).toEqual([folder]);
    expect(leftoversIn([folder])).toMatchObject([
      {
        folder,
        roots: ['r'],
        parts: [{ path: 'r/large', bytes: 2 * MIB + 77, size: 5 * MIB }],
        arrivedFiles: 1,
      },
    ]);
  });

  test.skipIf(isWindows)(
    'on a file system without modes nothing is left, and nothing is said to be kept',
    async () => {
      await withoutModes(async () => {
        const { sink } = await arrive();
        await sink.writeWhole(SMALL, Buffer.from('small'));
        const part = await sink.create(LARGE);
        await part.write(Buffer.alloc(2 * MIB + 77, 'x'));
        expect(await sink.abort(true)).toEqual({ bytes: 0, any: false });
        expect(new Register(register).folders()).toEqual([]);

        const { sink: next } = await arrive();
        const unread = await next.create(LARGE);
        await unread.write(Buffer.alloc(2 * MIB + 77, 'x'));
        await unread.keep();
        expect(await next.finish(false)).toEqual({ bytes: 0, any: false });
      });
      expect(readdirSync(folder)).toEqual(['r']);
      expect(readdirSync(at('r'))).toEqual(['small']);
    },
  );

  test('at the very end what is known of what arrived stays known', async () => {
    const entries = [ROOT_ENTRY, SMALL].map((entry, index) => ({ ...entry, index }));
    const { sink } = await arrive({}, entries);
    await sink.writeWhole(entries[1]!, Buffer.from('small'));
    const interruption = new AbortController();
    const finishing = sink.finish(true, interruption.signal);
    interruption.abort();
    await expect(finishing).rejects.toMatchObject({ code: 'interrupted' });
    expect(await sink.abort(true)).toEqual({ bytes: 0, any: true });
    expect((await arrive({}, entries)).prospects).toEqual(['merges', 'arrived']);
  });

  test('an entry of the register that cannot be read hides no other', async () => {
    await interrupt();
    // Such as one of another user.
    mkdirSync(path.join(register, '0'.repeat(16)));
    expect(new Register(register).folders()).toEqual([folder]);
  });

  test('files that could not get their names are not counted as arrived', async () => {
    const entries = [ROOT_ENTRY, SMALL, { ...SMALL, name: 'taken' }].map((entry, index) => ({ ...entry, index })); // prettier-ignore
    const { sink } = await arrive({ together: 64 }, entries);
    const settled: unknown[] = [];
    for (const entry of entries.slice(1)) {
      await sink.writeWhole(entry, Buffer.from('small'), (error) => settled.push(error?.code));
    }
    writeFileSync(at('r/taken'), 'by somebody else');
    expect(await sink.abort(true)).toEqual({ bytes: 0, any: true });
    expect(settled).toEqual([undefined, 'target-exists']);
    expect(leftoversIn([folder])).toMatchObject([{ arrivedFiles: 1 }]);
  });

  test('files that a crash kept from their names are not counted as arrived', async () => {
    await interrupt();
    const [staging = ''] = stagings();
    // The journal knows them before they get them.
    renameSync(at('r/small'), at(staging, '7.part'));
    expect(leftoversIn([folder])).toMatchObject([{ parts: [{ path: 'r/large' }], arrivedFiles: 0 }]);
  });

  test('another transfer knows what arrived, and goes on with the rest', async () => {
    await interrupt();
    const { sink, prospects } = await arrive();
    expect(prospects).toEqual(['merges', 'new', 'arrived']);
    expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
    const held = (await sink.openHeld(LARGE))!;
    expect(held.leaves).toBe(2);
    expect(Buffer.alloc(MIB, 'x').equals(await held.read(1))).toBe(true);
    const part = await held.continueFrom(2);
    await part.write(Buffer.alloc(3 * MIB, 'y'));
    await part.commit();
    expect(await sink.finish(true)).toEqual({ bytes: 0, any: false });
    expect(readdirSync(folder)).toEqual(['r']);
    const expected = Buffer.concat([Buffer.alloc(2 * MIB, 'x'), Buffer.alloc(3 * MIB, 'y')]);
    expect(readFileSync(at('r/large')).equals(expected)).toBe(true);
    expect(new Register(register).folders()).toEqual([]);
    // Whatever the umask: it is not that of a folder under way any more.
    if (!isWindows) expect(statSync(at('r')).mode & 0o050).not.toBe(0);
    expect(statSync(at('r')).mtimeMs).toBe(1e12);
  });

  test('a transfer that is under way is told from one that was interrupted', async () => {
    const ours = (): FileSink => openSink({ roots: [ROOT_ENTRY] }, { out: folder });
    expect(ours().isBusy()).toBe(false);
    const { sink } = await arrive();
    await sink.writeWhole(SMALL, Buffer.from('small'));
    expect(ours().isBusy()).toBe(true);
    expect(sink.isBusy()).toBe(false);
    expect(openSink({ roots: [{ ...ROOT_ENTRY, name: 'q' }] }, { out: folder }).isBusy()).toBe(false);
    expect(openSink({ roots: [ROOT_ENTRY] }, { out: at('new') }).isBusy()).toBe(false);
    await sink.abort(true);
    expect(ours().isBusy()).toBe(false);
  });

  test('who takes a part of it leaves what is known of the rest to others', async () => {
    const entries = [ROOT_ENTRY, SMALL, { ...SMALL, name: 'other' }].map((entry, index) => ({ ...entry, index })); // prettier-ignore
    const [, small, other] = entries as [Entry, Entry, Entry];
    const { sink } = await arrive({}, entries);
    await sink.writeWhole(small, Buffer.from('small'));
    await sink.abort(true);
    const { sink: choosing } = await arrive({}, entries);
    await choosing.writeWhole(other, Buffer.from('small'));
    await choosing.finish(false);
    expect(stagings()).toHaveLength(1);
    const { sink: next, prospects } = await arrive({}, entries);
    expect(prospects).toEqual(['merges', 'arrived', 'arrived']);
    await next.finish(true);
    expect(readdirSync(folder)).toEqual(['r']);
  });

  test('who takes a part of something new leaves nothing behind', async () => {
    const { sink } = await arrive();
    await sink.writeWhole(SMALL, Buffer.from('small'));
    await sink.finish(false);
    expect(readdirSync(folder)).toEqual(['r']);
  });

  test('where all of it had arrived, nothing of it is left in the end', async () => {
    const { sink } = await arrive(
      {},
      [ROOT_ENTRY, SMALL].map((entry, index) => ({ ...entry, index })),
    );
    await sink.writeWhole({ ...SMALL, index: 1 }, Buffer.from('small'));
    expect(await sink.abort(true)).toMatchObject({ any: true });
    const { sink: next, prospects } = await arrive(
      {},
      [ROOT_ENTRY, SMALL].map((entry, index) => ({ ...entry, index })),
    );
    expect(prospects).toEqual(['merges', 'arrived']);
    await next.finish(true);
    expect(readdirSync(folder)).toEqual(['r']);
  });

  test('a file that got another name is known by it', async () => {
    const roots = ['a.txt', 'large'].map((name, index): Entry => ({ ...(index === 0 ? SMALL : LARGE), index, name, parent: ROOT })); // prettier-ignore
    writeFileSync(at('a.txt'), 'mine');
    const begin = async (): Promise<Arriving> => {
      const sink = openSink({ roots }, { out: folder, register });
      const prospects: Prospect['status'][] = [];
      for (const entry of roots) prospects.push((await sink.examine(entry)).status);
      sink.decide('rename');
      return { sink, prospects };
    };
    const { sink } = await begin();
    await sink.writeWhole(roots[0]!, Buffer.from('small'));
    await sink.abort(true);
    expect(readFileSync(at('a (1).txt'), 'utf8')).toBe('small');
    const { sink: next, prospects } = await begin();
    expect(prospects).toEqual(['arrived', 'new']);
    expect(next.pathOf(roots[0]!)).toBe(at('a (1).txt'));
    await next.abort(true);
    // It is not that file any more, and what has the name is no business of the transfer.
    writeFileSync(at('a (1).txt'), 'other');
    expect((await begin()).prospects).toEqual(['exists', 'new']);
  });

  test.each(['file', 'folder'] as const)(
    'a %s whose other name is that of a root now does not get it, and that root has not arrived',
    async (type) => {
      const [own, other] = type === 'file' ? ['a.txt', 'a (1).txt'] : ['a', 'a (1)'];
      const root = (index: number, name: string): Entry => ({ ...SMALL, index, name, parent: ROOT, type });
      const inside = (index: number): Entry[] => (type === 'file' ? [] : [{ ...SMALL, index, parent: 0 }]);
      const begin = async (entries: readonly Entry[]): Promise<[FileSink, Prospect['status'][]]> => {
        const roots = entries.filter(({ parent }) => parent === ROOT);
        const sink = openSink({ roots }, { out: folder, register });
        const prospects: Prospect['status'][] = [];
        for (const entry of entries) prospects.push((await sink.examine(entry)).status);
        sink.decide('rename');
        return [sink, prospects];
      };
      if (type === 'file') writeFileSync(at(own), 'mine');
      else mkdirSync(at(own));
      const before = [root(0, own), ...inside(1)];
      const [sink] = await begin(before);
      await sink.writeWhole(before.at(-1)!, Buffer.from('small'));
      await sink.abort(true);
      expect(readdirSync(folder)).toContain(other);

      const [next, prospects] = await begin([root(0, own), root(1, other), ...inside(2).map((entry) => ({ ...entry, parent: 1 }))]); // prettier-ignore
      expect(prospects).toEqual(type === 'file' ? ['exists', 'exists'] : ['merges', 'merges', 'exists']);
      expect(next.pathOf(root(0, own))).toBe(at(own));
      await next.abort(true);
    },
  );

  test('nothing is left once each of its roots has come, in whatever transfers', async () => {
    const root = (index: number, name: string): Entry => ({ ...SMALL, index, name, parent: ROOT });
    const begin = async (...names: string[]): Promise<FileSink> => {
      const roots = names.map((name, index) => root(index, name));
      const sink = openSink({ roots }, { out: folder, register });
      for (const entry of roots) await sink.examine(entry);
      sink.decide('refuse');
      return sink;
    };
    const sink = await begin('a', 'b', 'c');
    await sink.writeWhole(root(0, 'a'), Buffer.from('small'));
    await sink.abort(true);
    for (const name of ['b', 'a', 'c']) {
      expect(stagings()).toHaveLength(1);
      const next = await begin(name);
      if (name !== 'a') await next.writeWhole(root(0, name), Buffer.from('small'));
      await next.finish(true);
    }
    expect(readdirSync(folder)).toEqual(['a', 'b', 'c']);
  });

  test('row 31: a part that is set aside stays until the file has arrived', async () => {
    await interrupt();
    const { sink } = await arrive();
    await (await sink.openHeld(LARGE))!.setAside();
    const part = await sink.create(LARGE);
    await part.write(Buffer.alloc(5 * MIB, 'z'));
    expect(partsIn(stagings()[0]!)).toHaveLength(2);
    await part.commit();
    await sink.finish(true);
    expect(readdirSync(folder)).toEqual(['r']);
    expect(readFileSync(at('r/large'))[0]).toBe('z'.charCodeAt(0));
  });

  test('row 31: no part stays of a file that comes in one piece now', async () => {
    await interrupt();
    const small = ENTRIES.map((entry) => (entry === LARGE ? { ...LARGE, size: 3 } : entry));
    const { sink } = await arrive({}, small);
    await sink.writeWhole(small[1]!, Buffer.from('new'));
    await sink.finish(true);
    expect(readdirSync(folder)).toEqual(['r']);
    expect(readFileSync(at('r/large'), 'utf8')).toBe('new');
  });

  test('row 31: no part stays of a file of which an older copy is the very one', async () => {
    await interrupt();
    writeFileSync(at('r/large'), Buffer.alloc(5 * MIB, 'old'));
    const { sink } = await arrive();
    for (const copy of await sink.openOlder(LARGE)) {
      await copy.adopt?.();
      await copy.close();
    }
    await sink.finish(true);
    expect(readdirSync(folder)).toEqual(['r']);
  });

  test.each([
    ['by its content', () => writeFileSync(at('r/small'), 'SMALL')],
    ['by another file of its size and time', () => {
      renameSync(at('r/small'), at('r/mine'));
      writeFileSync(at('r/small'), 'other');
      utimesSync(at('r/small'), 1e9, 1e9);
    }],
    ['by its time', () => utimesSync(at('r/small'), 1e9, 5)],
  ])('a file that was changed since, %s, has not arrived', async (_, change) => {
    await interrupt();
    change();
    expect((await arrive()).prospects).toEqual(['merges', 'new', 'exists']);
  }); // prettier-ignore

  test('a file that arrived is looked at again before it counts', async () => {
    await interrupt();
    const { sink } = await arrive();
    expect(sink.lookAgain(SMALL)).toBe('arrived');
    rmSync(at('r/small'));
    expect(sink.lookAgain(SMALL)).toBe('new');
    writeFileSync(at('r/small'), 'other');
    expect(sink.lookAgain(SMALL)).toBe('exists');
    await sink.abort(true);
  });

  test.each(['overwrite', 'update'] as const)(
    'a file that arrived gives its place to one that comes all the same: %s',
    async (policy) => {
      await interrupt();
      const sink = openSink({ roots: [ROOT_ENTRY] }, { out: folder, together: 1 });
      for (const entry of ENTRIES) await sink.examine(entry);
      sink.decide(policy);
      if (policy === 'overwrite') {
        writeFileSync(at('r/small'), 'mine!');
        expect(sink.lookAgain(SMALL)).toBe('exists');
      }
      await sink.writeWhole(SMALL, Buffer.from('SMALL'));
      await sink.finish(true);
      expect(readFileSync(at('r/small'), 'utf8')).toBe('SMALL');
    },
  );

  test('a file that the sender lists with another time or size has not arrived', async () => {
    await interrupt();
    for (const change of [{ mtimeMs: 1e12 + 1 }, { size: 6 }]) {
      const { sink, prospects } = await arrive({}, [ROOT_ENTRY, LARGE, { ...SMALL, ...change }]);
      expect(prospects[2]).toBe('exists');
      await sink.abort(true);
    }
  });

  test('row 33: a journal that says a root has another name is believed of nothing but a folder that it made', async () => {
    await interrupt();
    mkdirSync(at('.git'));
    const [staging = ''] = stagings();
    appendFileSync(at(staging, 'journal'), encodeLine({ root: 'r', as: '.git' }));
    const { sink } = await arrive();
    expect(sink.pathOf(SMALL)).toBe(at('r/small'));
    await sink.abort(true);
  });

  test('row 33: a folder that looks like one cannot be received, at any depth', async () => {
    const name = '.xfer-0123456789abcdef';
    const entries = [
      { ...ROOT_ENTRY, name: 'p' },
      { ...ROOT_ENTRY, index: 1, parent: 0, name },
    ];
    const sink = openSink({ roots: [entries[0]!] }, { out: folder });
    await sink.examine(entries[0]!);
    expect(await sink.examine(entries[1]!)).toEqual({ status: 'refused', reason: 'name-refused' });
  });

  test('it says before anything is decided how much of a file is here in part, and touches nothing for it', async () => {
    await interrupt();
    const [staging = ''] = stagings();
    const sink = openSink({ roots: [ROOT_ENTRY] }, { out: folder, together: 1 });
    const prospects = [];
    for (const entry of ENTRIES) prospects.push(await sink.examine(entry));
    expect(prospects).toEqual([
      { status: 'merges' },
      { status: 'new', partBytes: 2 * MIB + 77 },
      { status: 'arrived' },
    ]);
    expect(stagings()).toEqual([staging]);
    const unlucky = openSink({ roots: [ROOT_ENTRY] }, { out: folder });
    await unlucky.examine(ROOT_ENTRY);
    // A disk that says nothing of the part is no reason to end.
    await withFailing('lstatSync', 'EIO', async () =>
      expect(await unlucky.examine(LARGE)).toEqual({ status: 'new' }),
    );
    rmSync(at(`${staging}/${partsIn(staging)[0]!}`));
    const later = openSink({ roots: [ROOT_ENTRY] }, { out: folder });
    await later.examine(ROOT_ENTRY);
    expect(await later.examine(LARGE)).toEqual({ status: 'new' });
  });

  test('with new names for what exists it goes on in the folder that it made', async () => {
    await interrupt();
    const sink = openSink({ roots: [ROOT_ENTRY] }, { out: folder, together: 1 });
    for (const entry of ENTRIES) await sink.examine(entry);
    sink.decide('rename');
    await sink.makeFolder(ROOT_ENTRY);
    expect(sink.isMadeAnew(SMALL)).toBe(false);
    expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
    await sink.finish(true);
    expect(readdirSync(folder).filter((name) => !name.startsWith('.'))).toEqual(['r']);
  });

  test('with new names for what exists nothing counts as arrived in a folder that was there before', async () => {
    mkdirSync(at('r'));
    await interrupt();
    const sink = openSink({ roots: [ROOT_ENTRY] }, { out: folder, together: 1 });
    for (const entry of ENTRIES) await sink.examine(entry);
    sink.decide('rename');
    expect(sink.isMadeAnew(SMALL)).toBe(true);
    await sink.abort(true);
  });

  test('a no changes nothing', async () => {
    await interrupt();
    chmodSync(at('r'), 0o700);
    utimesSync(at('r'), 5, 5);
    const sink = openSink({ roots: [ROOT_ENTRY] }, { out: folder });
    for (const entry of ENTRIES) await sink.examine({ ...entry, mode: 0o777 });
    await sink.abort(false);
    expect([statSync(at('r')).mode & 0o777, statSync(at('r')).mtimeMs]).toEqual([0o700, 5000]);
    expect(leftoversIn([folder])).toHaveLength(1);
  });

  test('a transfer of some of its roots leaves what is known of the others', async () => {
    const other: Entry = { ...SMALL, index: 3, parent: ROOT, name: 'other' };
    const both = openSink({ roots: [ROOT_ENTRY, other] }, { out: folder, together: 1 });
    const entries = [ROOT_ENTRY, { ...other, index: 1 }, { ...SMALL, index: 2 }];
    for (const entry of entries) await both.examine(entry);
    both.decide('refuse');
    await both.writeWhole(entries[2]!, Buffer.from('small'));
    await both.abort(true);

    const one = openSink({ roots: [other] }, { out: folder, together: 1 });
    await one.examine({ ...other, index: 0 });
    one.decide('refuse');
    await one.writeWhole({ ...other, index: 0 }, Buffer.from('other'));
    expect(await one.finish(true)).toEqual({ bytes: 0, any: false });
    expect((await arrive()).prospects).toEqual(['merges', 'new', 'arrived']);
  });

  test('a transfer of other things leaves it alone', async () => {
    await interrupt();
    const [before] = stagings();
    const other: Entry = { ...SMALL, index: 0, parent: ROOT, name: 'other' };
    const sink = openSink({ roots: [other] }, { out: folder });
    expect(await sink.examine(other)).toEqual({ status: 'new' });
    sink.decide('refuse');
    await sink.writeWhole(other, Buffer.from('other'));
    await sink.finish(true);
    expect(stagings()).toEqual([before]);
  });

  test('a hostile sender of the same names destroys nothing of it', async () => {
    await interrupt();
    const { sink } = await arrive();
    const part = await sink.create(LARGE);
    await part.write(Buffer.alloc(3 * MIB));
    expect(await sink.abort(false)).toEqual({ bytes: 0, any: false });
    expect(leftoversIn([folder])).toMatchObject([{ parts: [{ bytes: 2 * MIB + 77 }] }]);
  });

  test('less than a leaf and nothing that arrived is not worth keeping', async () => {
    const { sink } = await arrive();
    const part = await sink.create(LARGE);
    await part.write(Buffer.alloc(MIB - 1));
    expect(await sink.abort(true)).toEqual({ bytes: 0, any: false });
    expect(readdirSync(folder)).toEqual([]);
    expect(new Register(register).folders()).toEqual([]);
  });

  test('what is removed is what xfer made, and nothing else', async () => {
    await interrupt();
    const [staging = ''] = stagings();
    writeFileSync(at(staging, 'mine.txt'), 'mine');
    const [leftover] = leftoversIn([folder]);
    const location = at(staging);
    expect(removeLeftover(leftover!, new Register(register))).toEqual({ location, reason: 'content' });
    expect(readdirSync(at(staging))).toEqual(['mine.txt']);
    expect(readFileSync(at('r/small'), 'utf8')).toBe('small');
    // And what is left is none of ours.
    expect(new Register(register).folders()).toEqual([]);
    expect(leftoversIn([folder])).toEqual([]);
  });

  // Elsewhere Node has no call that stays in a folder which was opened.
  test.skipIf(process.platform !== 'linux').each([
    ['a link, before it is opened', 'openSync', 2, 'link'],
    ['a link, after it was opened', 'readdirSync', 2, 'link'],
    ['another folder', 'openSync', 2, 'folder'],
  ] as const)('row 33: nothing is removed by way of %s in its place', async (_, call, number, kind) => {
    await interrupt();
    const [staging = ''] = stagings();
    mkdirSync(at('victim'));
    for (const name of ['journal', '0.part']) writeFileSync(at('victim', name), 'mine');
    const [leftover] = leftoversIn([folder]);
    const swap = (): void => {
      renameSync(at(staging), at('away'));
      if (kind === 'link') symlinkSync(at('victim'), at(staging));
      else renameSync(at('victim'), at(staging));
    };
    const removing = withSwap(call, number, swap, async () => removeLeftover(leftover!, undefined));
    await expect(removing).rejects.toMatchObject({ code: 'target-exists', subject: at(staging) });
    expect(readdirSync(at(kind === 'link' ? 'victim' : staging)).sort()).toEqual(['0.part', 'journal']);
  });

  test.each(['the next transfer', 'xfer resume --clean'])(
    'a copy that a crash left in a folder of another disk is removed by %s',
    async (by) => {
      await interrupt();
      const [staging = ''] = stagings();
      const name = (digit: string): string => `.xfer-${digit.repeat(32)}.part`;
      const [ours, gone, complete, notOurs] = ['1', '2', '3', '4'].map(name) as [
        string,
        string,
        string,
        string,
      ];
      for (const copy of [ours, complete, notOurs]) writeFileSync(at('r', copy), 'half', { mode: 0o600 });
      chmodSync(at('r', complete), 0o666);
      const lines = [ours, gone, complete].map((copy) => encodeLine({ copy, folder: 'r' }));
      appendFileSync(at(staging, 'journal'), lines.join(''));
      if (by === 'the next transfer') {
        const { sink } = await arrive();
        expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
        await sink.abort(true);
      } else removeLeftover(leftoversIn([folder])[0]!, undefined);
      expect(readdirSync(at('r')).sort()).toEqual([notOurs, 'small']);
    },
  );

  test('a folder that is reached by a link too is looked into once, as it was named first', async () => {
    await interrupt();
    const link = path.join(await temporaryFolder(), 'link');
    symlinkSync(folder, link, 'junction');
    expect(leftoversIn([link, folder, link]).map((one) => one.folder)).toEqual([link]);
    expect(leftoversIn([folder, at('r'), link]).map((one) => one.folder)).toEqual([folder]);
  });

  test('the register forgets what is gone', async () => {
    await interrupt();
    const [staging = ''] = stagings();
    renameSync(at(staging), at('.elsewhere'));
    expect(new Register(register).folders()).toEqual([]);
    expect(readdirSync(register)).toEqual([]);
  });

  test('the register remembers for a month a folder that is not there: its disk may come back', async () => {
    await interrupt();
    const unplugged = `${folder}-unplugged`;
    const [id = ''] = readdirSync(register);
    const age = (days: number): void => {
      const then = (Date.now() - days * 86_400_000) / 1000;
      utimesSync(path.join(register, id), then, then);
    };
    renameSync(folder, unplugged);
    age(29);
    expect(leftoversIn(new Register(register).folders())).toEqual([]);
    renameSync(unplugged, folder);
    expect(leftoversIn(new Register(register).folders())).toMatchObject([{ folder }]);
    age(31);
    expect(leftoversIn(new Register(register).folders())).toMatchObject([{ folder }]);
    renameSync(folder, unplugged);
    expect(new Register(register).folders()).toEqual([]);
    expect(readdirSync(register)).toEqual([]);
    rmSync(unplugged, { recursive: true });
  });

  test('a staging folder of which the journal was never begun can be removed', async () => {
    const zeros = '\0'.repeat(4096);
    for (const journal of [
      undefined,
      '',
      '{"x',
      '{"xfer":1,"ro',
      '{"xfer":1,"roots":["r',
      zeros,
      `{"xfer":1${zeros}`,
    ]) {
      const staging = '.xfer-0123456789abcdef.4194999.1.00000000.00000000';
      mkdirSync(at(staging), 0o700);
      utimesSync(at(staging), 1, 1);
      if (journal !== undefined) writeFileSync(at(staging, 'journal'), journal, { mode: 0o600 });
      if (journal !== undefined) utimesSync(at(staging, 'journal'), 1, 1);
      const [leftover] = leftoversIn([folder]);
      expect(leftover).toMatchObject({ roots: [], parts: [], arrivedFiles: 0 });
      removeLeftover(leftover!, undefined);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test.each([
    ['a newer version', '{"xfer":2,"roots":["r"],"started":1}\n'],
    ['a newer version, cut', '{"xfer":2,"ro'],
    ['something else', 'dear diary'],
    ['something else, in lines', '\n{"xfer":1,"roots":["r"],"started":1}\n'],
  ])('a staging folder with the journal of %s is told and left as it is', async (_, journal) => {
    await interrupt();
    const [staging = ''] = stagings();
    const before = partsIn(staging);
    writeFileSync(at(staging, 'journal'), journal);
    const [leftover] = leftoversIn([folder]);
    expect(leftover).toMatchObject({ roots: [], parts: [], arrivedFiles: 0 });
    const location = at(staging);
    expect(removeLeftover(leftover!, new Register(register))).toEqual({ location, reason: 'journal' });
    expect(partsIn(staging)).toEqual(before);
    expect(readFileSync(at(staging, 'journal'), 'utf8')).toBe(journal);
    expect(new Register(register).folders()).toEqual([folder]);
    const { sink } = await arrive();
    expect(sink.heldBytes(LARGE)).toBe(0);
    await sink.abort(true);
    expect(stagings()).toEqual([staging]);
  });

  test('a journal that is too long to be read is left as it is', async () => {
    await interrupt();
    const [staging = ''] = stagings();
    truncateSync(at(staging, 'journal'), MOST_JOURNAL_BYTES + 1);
    const location = at(staging);
    expect(removeLeftover(leftoversIn([folder])[0]!, undefined)).toEqual({ location, reason: 'journal' });
    expect(partsIn(staging)).toHaveLength(1);
  });

  test('a register that cannot be written is no failure', async () => {
    writeFileSync(at('file'), '');
    register = at('file', 'below');
    await interrupt();
    expect(stagings()).toHaveLength(1);
  });
});

describe('a staging folder', () => {
  test('row 34: is not taken over while its process runs, and is when it is dead', async () => {
    const { sink } = await arrive();
    const part = await sink.create(LARGE);
    await part.write(Buffer.alloc(2 * MIB));
    const [owned = ''] = stagings();
    expect(owned.endsWith(`.${ownerTag()}`)).toBe(true);
    expect(findInterrupted(folder)).toEqual([]);
    // As a process leaves it that was killed: a number that no process has.
    const dead = owned.replace(`.${process.pid}.`, '.4194999.');
    renameSync(at(owned), at(dead));
    expect(findInterrupted(folder)).toMatchObject([{ name: dead }]);
    const { sink: next } = await arrive();
    expect(next.heldBytes(LARGE)).toBe(2 * MIB);
    await next.abort(true);
  });

  test('row 34: has one new owner, whoever asks at once', async () => {
    await interrupt();
    const [one, other] = [await arrive(), await arrive()];
    const opened = [await one.sink.openHeld(LARGE), await other.sink.openHeld(LARGE)];
    expect(opened.map((held) => held !== undefined)).toEqual([true, false]);
    await one.sink.abort(true);
    await other.sink.abort(true);
    expect(stagings()).toHaveLength(1);
  });

  describe('row 34: that is taken over from a process that slept in another container', () => {
    const elsewhere = '1.1.00000000.00000000';
    const takeOver = (): string => {
      const [owned = ''] = stagings();
      const taken = `${owned.slice(0, '.xfer-'.length + 16)}.${elsewhere}`;
      renameSync(at(owned), at(taken));
      return taken;
    };

    test.each([true, false])('gives the one that wakes no names, and stays as it is: %s', async (keep) => {
      const { sink } = await arrive({ together: 64 });
      const part = await sink.create(LARGE);
      await part.write(Buffer.alloc(5 * MIB, 'x'));
      const other = await sink.create({ ...LARGE, name: 'other' });
      await other.write(Buffer.alloc(10, 'x'));
      await sink.writeWhole(SMALL, Buffer.from('small'));
      const taken = takeOver();
      await expect(part.commit()).rejects.toMatchObject({ code: 'disk-failed', detail: 'taken' });
      await expect(sink.finish(true)).rejects.toMatchObject({ code: 'disk-failed' });
      expect(await sink.abort(keep)).toEqual({ bytes: 0, any: false });
      expect(readdirSync(folder)).toEqual([taken]);
      expect(partsIn(taken)).toHaveLength(2);
      expect(new Register(register).folders()).toEqual([folder]);
    });

    test('is told from one that somebody removed', async () => {
      const { sink } = await arrive({ together: 64 });
      await sink.writeWhole(SMALL, Buffer.from('small'));
      rmSync(at(stagings()[0]!), { recursive: true });
      await expect(sink.finish(true)).rejects.toMatchObject({ code: 'disk-failed', detail: 'removed' });
      expect(await sink.abort(true)).toEqual({ bytes: 0, any: false });
      expect(readdirSync(folder)).toEqual([]);
    });

    test('has parts that the one that wakes cannot write to any more', async () => {
      await interrupt();
      const taken = takeOver();
      utimesSync(at(taken, 'journal'), 1, 1);
      const [name = ''] = partsIn(taken);
      const awake = openSync(at(taken, name), 'r+');
      const { sink } = await arrive();
      expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
      const held = (await sink.openHeld(LARGE))!;
      writeSync(awake, Buffer.alloc(5 * MIB, 'z'));
      closeSync(awake);
      expect(Buffer.alloc(MIB, 'x').equals(await held.read(1))).toBe(true);
      const part = await held.continueFrom(2);
      await part.write(Buffer.alloc(MIB, 'y'));
      await sink.abort(true);
      expect(leftoversIn([folder])).toMatchObject([{ parts: [{ path: 'r/large', bytes: 3 * MIB }] }]);
      const { sink: next } = await arrive();
      await (await next.openHeld(LARGE))!.setAside();
      await next.abort(true);
      const [left = ''] = stagings();
      const expected = Buffer.concat([Buffer.alloc(2 * MIB, 'x'), Buffer.alloc(MIB, 'y')]);
      expect(partsIn(left).map((each) => readFileSync(at(left, each)).equals(expected))).toEqual([true]);
    });

    test('has a part that cannot be copied: the file comes from its beginning', async () => {
      await interrupt();
      const taken = takeOver();
      utimesSync(at(taken, 'journal'), 1, 1);
      const { sink } = await arrive();
      expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
      // As a disk that is full, it takes no line of the journal.
      const opening = withFailing('writeSync', 'ENOSPC', () => sink.openHeld(LARGE));
      expect(await opening).toBe(undefined);
      await sink.abort(true);
      expect(stagings().flatMap(partsIn)).toEqual([]);
    });
  });

  test.skipIf(isWindows)('row 33: that somebody else could write to is not believed', async () => {
    await interrupt();
    chmodSync(at(stagings()[0]!), 0o777);
    expect(findInterrupted(folder)).toEqual([]);
    expect((await arrive()).prospects).toEqual(['merges', 'new', 'exists']);
  });

  test.skipIf(isWindows).each(['symbolic link', 'hard link'])(
    'row 33: a %s in the place of a part is not written to',
    async (kind) => {
      writeFileSync(at('victim'), Buffer.alloc(3 * MIB, 'v'));
      await interrupt();
      const [staging = ''] = stagings();
      const [name = ''] = partsIn(staging);
      renameSync(at(staging, name), at('r/away'));
      if (kind === 'hard link') linkSync(at('victim'), at(staging, name));
      else symlinkSync(at('victim'), at(staging, name));
      const { sink } = await arrive();
      expect(await sink.openHeld(LARGE)).toBe(undefined);
      await sink.abort(true);
      expect(readFileSync(at('victim')).equals(Buffer.alloc(3 * MIB, 'v'))).toBe(true);
    },
  );

  const inPart = (): string => {
    const [staging = ''] = stagings();
    return at(staging, partsIn(staging)[0] ?? '');
  };
  const modeOf = (location: string): number => statSync(location).mode & 0o777;

  // Node lets no thread but the main one set the umask, and `npm run mutants` runs tests in others.
  test.skipIf(isWindows || !isMainThread).each([
    ['0444', 0o444],
    ['0664', 0o664],
  ])(
    'a whole file that did not get its place is a part again, whatever its mode was to be: %s',
    async (_, mode) => {
      const before = process.umask(0o002);
      try {
        const large = { ...LARGE, mode };
        const { sink } = await arrive({}, [ROOT_ENTRY, large]);
        const part = await sink.create(large);
        await part.write(Buffer.alloc(5 * MIB, 'x'));
        const full = withFailing('linkSync', 'ENOSPC', () => part.commit());
        await expect(full).rejects.toMatchObject({ code: 'disk-full' });
        expect(await sink.abort(true)).toEqual({ bytes: 5 * MIB, any: true });
        expect(modeOf(inPart())).toBe(0o600);
        const { sink: next } = await arrive({}, [ROOT_ENTRY, large]);
        expect(next.heldBytes(large)).toBe(5 * MIB);
        await (await (await next.openHeld(large))!.continueFrom(5)).commit();
        await next.finish(true);
        expect(modeOf(at('r/large'))).toBe(mode);
      } finally {
        process.umask(before);
      }
    },
  );

  test.skipIf(isWindows).each([
    ['0444', 0o444],
    ['0664', 0o664],
  ])('a part that a crash kept from its place is one whatever its mode: %s', async (_, mode) => {
    await interrupt();
    chmodSync(inPart(), mode);
    const { sink } = await arrive();
    expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
    expect(modeOf(inPart())).toBe(0o600);
    await sink.abort(true);
  });

  test.skipIf(isWindows)(
    'row 33: a part that somebody else could open and write to is not believed',
    async () => {
      await interrupt();
      chmodSync(at(stagings()[0]!), 0o755);
      chmodSync(inPart(), 0o664);
      const { sink } = await arrive();
      expect(sink.heldBytes(LARGE)).toBe(0);
      await sink.abort(true);
    },
  );

  test.each(['EACCES', 'EPERM'])(
    'row 35: a part that may not be written to (%s) keeps no file from coming',
    async (errno) => {
      await interrupt();
      const { sink } = await arrive();
      expect(sink.heldBytes(LARGE)).toBe(2 * MIB + 77);
      expect(await withFailing('openSync', errno, () => sink.openHeld(LARGE), 1)).toBe(undefined);
      const part = await sink.create(LARGE);
      await part.write(Buffer.alloc(5 * MIB, 'y'));
      await part.commit();
      await sink.finish(true);
      expect(readdirSync(folder)).toEqual(['r']);
    },
  );

  test('row 35: a disk that is full for the journal ends the transfer and leaves nothing', async () => {
    const { sink } = await arrive();
    await withFailing('writeSync', 'ENOSPC', async () => {
      await expect(sink.create(LARGE)).rejects.toMatchObject({ code: 'disk-full', subject: at('r/large') });
    });
    await sink.abort(true);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('row 35: a disk that takes a part of what is written loses no line of the journal', async () => {
    await withShortWrites(7, interrupt);
    expect((await arrive()).prospects).toEqual(['merges', 'new', 'arrived']);
    expect(leftoversIn([folder])[0]?.parts).toHaveLength(1);
  });

  test('row 35: that cannot be read for a moment loses nothing of what is in it', async () => {
    await interrupt();
    const { sink } = await arrive();
    await withFailing('readdirSync', 'EIO', async () => expect(sink.heldBytes(LARGE)).toBe(0), 1);
    await sink.abort(true);
    const { sink: next, prospects } = await arrive();
    expect(prospects).toEqual(['merges', 'new', 'arrived']);
    expect(next.heldBytes(LARGE)).toBe(2 * MIB + 77);
    await next.abort(true);
  });

  test('row 35: what is written behind half a line of the journal is a line of its own', async () => {
    const { sink } = await arrive();
    const part = await sink.create(LARGE);
    await part.write(Buffer.alloc(5 * MIB, 'x'));
    // The disk has no room for the whole line, and a moment later it has.
    const full = withShortWrites(7, () => part.commit(), { at: 3, errno: 'ENOSPC' });
    await expect(full).rejects.toMatchObject({ code: 'disk-full' });
    await sink.writeWhole(SMALL, Buffer.from('small'));
    await sink.abort(true);
    expect((await arrive()).prospects).toEqual(['merges', 'new', 'arrived']);
  });
});

describe('the owner', () => {
  test('is alive while it runs and no longer', () => {
    expect(isAlive(ownerTag(), 0)).toBe(true);
    const { pid } = spawnSync('true');
    expect(isAlive(ownerTag().replace(/^\d+/, String(pid)), Date.now())).toBe(false);
  });

  test.skipIf(process.platform !== 'linux')(
    'is dead when it was killed, though nobody has looked at it yet',
    async () => {
      const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
      const stat = (): string => readFileSync(`/proc/${String(pid).trim()}/stat`, 'utf8');
      await expect.poll(() => stat().includes(') Z ')).toBe(true);
      const start = stat()
        .slice(stat().lastIndexOf(')') + 2)
        .split(' ')[19];
      const [, , machine, boot] = ownerTag().split('.');
      expect(isAlive([String(pid).trim(), start, machine, boot].join('.'), Date.now())).toBe(false);
      parent.kill();
    },
  );

  test('is not another process that got its number, or one after the next boot', () => {
    const [pid, start, machine, boot] = ownerTag().split('.');
    expect(isAlive([pid, `${Number(start) + 1}`, machine, boot].join('.'), Date.now())).toBe(
      process.platform !== 'linux',
    );
    expect(isAlive([pid, start, machine, '00000000'].join('.'), Date.now())).toBe(false);
  });

  test('of another machine is alive while it writes', () => {
    const tag = '1.1.00000000.00000000';
    expect(isAlive(tag, Date.now() - 200_000)).toBe(true);
    expect(isAlive(tag, Date.now() - 400_000)).toBe(false);
  });
});
