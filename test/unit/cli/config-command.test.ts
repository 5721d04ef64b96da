import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runConfigGet, runConfigPath, runConfigSet } from '../../../src/cli/config.js';
import { runSend } from '../../../src/cli/send.js';
import type { MeetingOptions } from '../../../src/index.js';
import { makeWorld, type World } from './world.js';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'xfer-home-'));
});

afterEach(() => rm(home, { recursive: true }));

function world(): World {
  return makeWorld({ env: { XFER_HOME: home } });
}

test('what is set can be read', async () => {
  await runConfigSet('bootstrap', ['127.0.0.1:1', '127.0.0.1:2'], world().context);
  await runConfigSet('words', ['4'], world().context);
  const one = world();
  expect(await runConfigGet('bootstrap', one.context)).toBe(0);
  expect(one.stdout.text).toBe('127.0.0.1:1\n127.0.0.1:2\n');
  const all = world();
  expect(await runConfigGet(undefined, all.context)).toBe(0);
  expect(all.stdout.text).toBe('bootstrap = 127.0.0.1:1, 127.0.0.1:2\nwords = 4\n');
});

test('actions are read with all others, kept by a change, and not changed by hand', async () => {
  const file = join(home, 'config.toml');
  const action = '[actions.two]\nprogram = "/bin/two"\ndevices = ["a"]\n';
  await writeFile(file, action);
  await runConfigSet('words', ['4'], world().context);
  const all = world();
  expect(await runConfigGet(undefined, all.context)).toBe(0);
  expect(all.stdout.text).toBe('words = 4\nactions.two = /bin/two\n');
  await runConfigSet('words', [], world().context);
  expect((await readFile(file, 'utf8')).replaceAll(/[ \n]/g, '')).toContain('devices=["a"]');
  for (const key of ['actions', 'actions.two']) {
    await expect(runConfigSet(key, ['x'], world().context)).rejects.toMatchObject({ code: 'usage' });
    await expect(runConfigGet(key, world().context)).rejects.toMatchObject({ code: 'usage' });
  }
});

test('what a table holds can be read, one by one and together', async () => {
  await runConfigSet('words', ['4'], world().context);
  await runConfigSet('serve.write', ['true'], world().context);
  await runConfigSet('serve.allow.laptop', ['read', 'write'], world().context);
  const reading = async (key: string): Promise<[number, string]> => {
    const { context, stdout } = world();
    return [await runConfigGet(key, context), stdout.text];
  };
  expect(await reading('serve')).toEqual([0, 'serve.write = true\nserve.allow.laptop = read, write\n']);
  expect(await reading('serve.allow.laptop')).toEqual([0, 'read\nwrite\n']);
  expect(await reading('serve.allow.tv')).toEqual([1, '']);
  await expect(reading('serve.colour')).rejects.toMatchObject({ code: 'usage' });
});

test('what is not set is nothing and status 1', async () => {
  const { context, stdout } = world();
  expect(await runConfigGet('words', context)).toBe(1);
  expect(stdout.text).toBe('');
});

test('the path is printed', () => {
  const { context, stdout } = world();
  expect(runConfigPath(context)).toBe(0);
  expect(stdout.text).toBe(`${join(home, 'config.toml')}\n`);
});

test('there is no other setting', async () => {
  await expect(runConfigGet('colour', world().context)).rejects.toMatchObject({ code: 'usage' });
  await expect(runConfigSet('__proto__', ['x'], world().context)).rejects.toMatchObject({ code: 'usage' });
});

test('a setting reaches the library', async () => {
  await runConfigSet('words', ['4'], world().context);
  let options: MeetingOptions | undefined;
  const { context } = makeWorld({
    env: { XFER_HOME: home },
    library: {
      send: (_content, asked) => {
        options = asked;
        return Promise.resolve({
          files: 0,
          bytes: 0,
          continuedBytes: 0,
          alreadyFiles: 0,
          alreadyBytes: 0,
          unwantedFiles: 0,
          elapsedMs: 0,
          missing: [],
          missingCount: 0,
          skippedCount: 0,
        });
      },
    },
  });
  await runSend(['a'], {}, context);
  expect(options).toMatchObject({ words: 4 });
});
