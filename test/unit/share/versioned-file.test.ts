import * as disk from 'node:fs/promises';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeWhole, VersionedFile } from '../../../src/share/versioned-file.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

// Calls that a test lets fail; otherwise they do what they always do.
vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof disk>();
  const watched = ['copyFile', 'link', 'mkdir', 'open', 'readdir', 'readFile', 'unlink'] as const;
  return { ...original, ...Object.fromEntries(watched.map((name) => [name, vi.fn(original[name])])) };
});

const CALLS = ['link', 'mkdir', 'open', 'readdir', 'unlink'] as const;
const failure = (code: string): Error => Object.assign(new Error(code), { code });

afterEach(() => {
  vi.clearAllMocks();
});

let folder: string;
let file: VersionedFile;

beforeEach(async () => {
  folder = path.join(await temporaryFolder(), 'below', 'list');
  file = new VersionedFile(folder);
});

describe('a versioned file', () => {
  it('is empty before its first version, and makes no folder to say so', async () => {
    expect(await file.read()).toEqual({ number: 0, text: undefined });
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('gives what was written last, and keeps nothing else', async () => {
    expect(await file.replace(0, 'one')).toBe(true);
    expect(await file.replace(1, 'two')).toBe(true);
    expect(await file.read()).toEqual({ number: 2, text: 'two' });
    expect(await readdir(folder)).toEqual(['2.json']);
  });

  it('counts on behind nine, and behind ninety-nine', async () => {
    for (let number = 0; number < 102; number += 1)
      expect(await file.replace(number, `${number}`)).toBe(true);
    expect(await file.read()).toEqual({ number: 102, text: '101' });
    expect(await readdir(folder)).toEqual(['102.json']);
  });

  it('lets nobody else read it', async () => {
    await file.replace(0, 'secret');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(file.pathOf(1))).mode & 0o777).toBe(0o600);
  });

  it('refuses who knew an older version, also where the next name is free again', async () => {
    await file.replace(0, 'one');
    for (const [number, text] of [
      [1, 'two'],
      [2, 'three'],
      [3, 'four'],
    ] as const) {
      expect(await file.replace(number, text)).toBe(true);
    }
    for (const number of [0, 1, 2, 3]) expect(await file.replace(number, 'late')).toBe(false);
    expect(await file.read()).toEqual({ number: 4, text: 'four' });
    expect(await readdir(folder)).toEqual(['4.json']);
  });

  it('of many writers of one version one wins', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `writer ${index}`);
    const won = await Promise.all(texts.map((text) => new VersionedFile(folder).replace(0, text)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await file.read()).text).toBe(texts[won.indexOf(true)]);
    expect(await readdir(folder)).toEqual(['1.json']);
  });

  it('goes on behind a version that a crash left with the one before it', async () => {
    await file.replace(0, 'one');
    await writeFile(path.join(folder, '2.json'), 'two');
    await writeFile(path.join(folder, '.new-abandoned'), 'half');
    await writeFile(path.join(folder, '.new-of-somebody'), 'half');
    await utimes(path.join(folder, '.new-abandoned'), 0, 0);
    expect((await file.read()).text).toBe('two');
    expect(await file.replace(2, 'three')).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(['.new-of-somebody', '3.json']);
  });

  it('does not take other files for versions', async () => {
    await file.replace(0, 'one');
    for (const name of ['9.json.bak', 'x9.json', '9.JSON', 'identity', '-9.json', '9999999999999999.json']) {
      await writeFile(path.join(folder, name), 'other');
    }
    expect((await file.read()).number).toBe(1);
  });
});

describe('a file that is made whole', () => {
  it('is made once', async () => {
    const own = await temporaryFolder();
    const target = path.join(own, 'key');
    const made = await Promise.all(['a', 'b', 'c'].map((text) => makeWhole(own, target, text)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readdir(own)).toEqual(['key']);
  });

  it('leaves nothing where it cannot be made', async () => {
    const own = await temporaryFolder();
    await expect(makeWhole(own, path.join(own, 'missing', 'key'), 'text')).rejects.toThrow('ENOENT');
    expect(await readdir(own)).toEqual([]);
  });
});

describe('a disk that does not do what it should', () => {
  it('whichever call fails, what was there is there, or what took its place', async () => {
    let failed = 0;
    for (const name of CALLS) {
      for (let call = 0; ; call++) {
        const own = new VersionedFile(path.join(folder, `${name}-${call}`));
        await own.replace(0, 'one');
        const mocked = vi.mocked(disk[name]);
        const actual = mocked.getMockImplementation()!;
        let calls = 0;
        mocked.mockImplementation(((...args: never[]) => {
          if (calls++ === call) throw failure('EIO');
          return (actual as (...given: never[]) => unknown)(...args);
        }) as never);
        const outcome = await own.replace(1, 'two').catch((error: unknown) => (error as Error).message);
        mocked.mockImplementation(actual as never);
        const { text } = await own.read();
        expect(['one', 'two'], `${name} ${call}`).toContain(text);
        if (outcome === true) expect(text).toBe('two');
        if (calls <= call) break;
        failed += 1;
        // And whoever comes next can go on from there.
        const { number } = await own.read();
        expect(await own.replace(number, 'three')).toBe(true);
        expect((await own.read()).text).toBe('three');
      }
    }
    expect(failed).toBeGreaterThan(5);
  });

  it.each(['EPERM', 'ENOTSUP', 'ENOSYS'])(
    'without hard links (%s) one of many writers wins all the same',
    async (code) => {
      vi.mocked(disk.link).mockRejectedValue(failure(code));
      const own = await temporaryFolder();
      const target = path.join(own, 'key');
      const texts = ['a', 'b', 'c'];
      const made = await Promise.all(texts.map((text) => makeWhole(own, target, text)));
      vi.mocked(disk.link).mockReset();
      expect(made.filter(Boolean)).toHaveLength(1);
      expect(await readFile(target, 'utf8')).toBe(texts[made.indexOf(true)]);
      expect((await stat(target)).mode & 0o777).toBe(0o600);
    },
  );

  it('a folder that cannot be read is an error, and no empty list', async () => {
    await file.replace(0, 'one');
    vi.mocked(disk.readdir).mockRejectedValueOnce(failure('EIO'));
    await expect(file.read()).rejects.toThrow('EIO');
    vi.mocked(disk.readFile).mockRejectedValueOnce(failure('EACCES'));
    await expect(file.read()).rejects.toThrow('EACCES');
  });

  it('a version that goes while it is read leads to the one in its place', async () => {
    await file.replace(0, 'one');
    vi.mocked(disk.readFile).mockImplementationOnce(async () => {
      await file.replace(1, 'two');
      throw failure('ENOENT');
    });
    expect(await file.read()).toEqual({ number: 2, text: 'two' });
  });

  it('a version that another process removes first is gone all the same', async () => {
    await file.replace(0, 'one');
    const unlink = vi.mocked(disk.unlink).getMockImplementation()!;
    vi.mocked(disk.unlink).mockImplementation(async (place) => {
      await unlink(place);
      throw failure('ENOENT');
    });
    expect(await file.replace(1, 'two')).toBe(true);
    vi.mocked(disk.unlink).mockImplementation(unlink);
    expect(await readdir(folder)).toEqual(['2.json']);
  });

  it('where a link is refused for another reason nothing is made', async () => {
    const own = await temporaryFolder();
    vi.mocked(disk.link).mockRejectedValueOnce(failure('EACCES'));
    await expect(makeWhole(own, path.join(own, 'key'), 'text')).rejects.toThrow('EACCES');
    expect(await readdir(own)).toEqual([]);
  });
});
