import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { stretchPassword } from '../../../src/crypto/owner.js';
import { ownerPassword, parsePassword, setOwnerPassword } from '../../../src/share/owner-password.js';
import { TryLimit } from '../../../src/share/try-limit.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

describe('the password of an owner', () => {
  let file: string;
  beforeEach(async () => (file = path.join(await temporaryFolder(), 'settings', 'owner-password')));

  it('is none until it is set', async () => {
    expect(await ownerPassword(file)).toBeUndefined();
  });

  it('is kept stretched, under another salt each time, readable by its owner only', async () => {
    await setOwnerPassword(file, parsePassword('correct horse'));
    const one = await ownerPassword(file);
    await setOwnerPassword(file, parsePassword('correct horse'));
    const other = await ownerPassword(file);
    expect(Buffer.compare(one!.salt, other!.salt)).not.toBe(0);
    const expected = stretchPassword(parsePassword('correct horse'), other!.salt);
    expect(Buffer.compare(other!.stretched.expose(), expected.expose())).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'latin1')).not.toContain('correct');
    expect(await readdir(path.dirname(file))).toEqual(['owner-password']);
  });

  it('row 72: is not none where its file cannot be read', async () => {
    await mkdir(file, { recursive: true });
    await expect(ownerPassword(file)).rejects.toMatchObject({ code: 'disk-failed', subject: file });
  });

  it.each([
    '',
    'x',
    `x${'0'.repeat(32)} ${'0'.repeat(64)}\n`,
    `${'0'.repeat(32)} ${'0'.repeat(63)}\n`,
    `${'0'.repeat(32)} ${'0'.repeat(64)}\nmore`,
  ])('row 72: is not made up where its file holds %j', async (text) => {
    await setOwnerPassword(file, parsePassword('correct horse'));
    await writeFile(file, text);
    await expect(ownerPassword(file)).rejects.toMatchObject({ code: 'config-invalid', subject: file });
  });

  it('is the same however its letters are composed', () => {
    const [one, other] = ['pa\u00dfw\u00f6rter', 'pa\u00dfwo\u0308rter'].map((text) =>
      parsePassword(text).expose(),
    );
    expect(Buffer.compare(one!, other!)).toBe(0);
  });

  it.each(['12345678', 'x'.repeat(1024)])('may be %j', (text) => {
    expect(Buffer.from(parsePassword(text).expose()).toString()).toBe(text);
  });

  it.each(['', '1234567', 'x'.repeat(1025)])('is not %j', (text) => {
    expect(() => parsePassword(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('row 70: tries at a password', () => {
  it('are five a minute for each device', () => {
    let nowMs = 0;
    const limit = new TryLimit(() => nowMs);
    for (let tries = 0; tries < 5; tries++) {
      expect(limit.isSpent('laptop')).toBe(false);
      expect(limit.take('laptop')).toBe(true);
      nowMs += 1_000;
    }
    expect(limit.isSpent('laptop')).toBe(true);
    expect(limit.take('laptop')).toBe(false);
    expect(limit.isSpent('phone')).toBe(false);
    expect(limit.take('phone')).toBe(true);
    nowMs = 59_999;
    expect(limit.take('laptop')).toBe(false);
    nowMs = 60_000;
    expect(limit.isSpent('laptop')).toBe(false);
    expect(limit.take('laptop')).toBe(true);
    expect(limit.take('laptop')).toBe(false);
  });

  it('are counted by the clock of the machine where no other one is given', () => {
    const limit = new TryLimit();
    const tries = Array.from({ length: 6 }, () => limit.take('laptop'));
    expect(tries).toEqual([true, true, true, true, true, false]);
  });

  it('are forgotten for who was right', () => {
    const limit = new TryLimit(() => 0);
    for (let tries = 0; tries < 5; tries++) limit.take('laptop');
    limit.forget('laptop');
    expect(limit.take('laptop')).toBe(true);
  });
});
