import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeWhole, VersionedFile } from '../../../src/share/versioned-file.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

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
