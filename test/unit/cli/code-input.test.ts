import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { completeCode, readCode } from '../../../src/cli/code-input.js';
import { explain } from '../../../src/cli/explain.js';
import { Prompts } from '../../../src/cli/prompts.js';
import { makeWorld, type, type WorldOptions } from './world.js';

async function read(argument: string | undefined, options: WorldOptions = {}): Promise<string> {
  const { context } = makeWorld(options);
  return readCode(argument, context, {}, new Prompts(context));
}

test('row 13: the code comes from an argument, the environment, a pipe, or a person', async () => {
  expect(await read('417-apple-tiger')).toBe('417-apple-tiger');
  expect(await read(undefined, { code: '417-apple-tiger' })).toBe('417-apple-tiger');
  expect(await read('-', { input: '417-apple-tiger\nmore\n' })).toBe('417-apple-tiger');
  expect(await read(undefined, { terminal: true, input: '417-apple-tiger\n' })).toBe('417-apple-tiger');
});

test('a code is understood as people write it', async () => {
  expect(await read('417 Apple TIGER')).toBe('417-apple-tiger');
  expect(await read('xfer receive 417-apple-tiger')).toBe('417-apple-tiger');
});

test.each([
  ['apple-tiger', 'bad-code'],
  ['417-aple-tiger', 'unknown-word'],
])('%s is refused', async (code, error) => {
  await expect(read(code)).rejects.toMatchObject({ code: error });
});

describe('with nobody to ask', () => {
  test('no code is a usage error', async () => {
    await expect(read(undefined, { input: '417-apple-tiger\n' })).rejects.toMatchObject({ code: 'usage' });
    await expect(read('-', { input: '' })).rejects.toMatchObject({ code: 'bad-code' });
  });

  test('--json asks nobody', async () => {
    const { context } = makeWorld({ terminal: true });
    const code = readCode(undefined, context, { json: true }, new Prompts(context));
    await expect(code).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('a person', () => {
  test('hears what is wrong and is asked again', async () => {
    const { context, stdin, stderr } = makeWorld({ terminal: true });
    const code = readCode(undefined, context, {}, new Prompts(context));
    await type(stdin, ['417-aple-tiger\n', '\n', 'what?\n', '417-apple-tiger\n']);
    expect(await code).toBe('417-apple-tiger');
    expect(stderr.text).toContain("no code has the word 'aple'; did you mean 'apple'?\n");
    expect(stderr.text).toContain('this is not a code;');
  });

  test('hears it in lines that fit the terminal, broken between words', async () => {
    const { context, stdin, stderr } = makeWorld({ terminal: true });
    Object.assign(stderr, { columns: 40 });
    const code = readCode(undefined, context, {}, new Prompts(context));
    await type(stdin, ['y\n', '417-apple-tiger\n']);
    await code;
    const said = stderr.text.slice(stderr.text.indexOf('this is not'), stderr.text.lastIndexOf('code: '));
    const { sentence, hint } = explain({ code: 'bad-code', subject: undefined, detail: undefined });
    const lines = stripVTControlCharacters(said).trimEnd().split('\n');
    expect(lines.map((line) => line.trim()).join(' ')).toBe(`${sentence}; ${hint}`);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  });

  test('who ends the input, or presses Ctrl-C, gives no code', async () => {
    await expect(read(undefined, { terminal: true, input: '\u0004' })).rejects.toMatchObject({
      code: 'usage',
    });
    await expect(read(undefined, { terminal: true, input: '\u0003' })).rejects.toMatchObject({
      code: 'interrupted',
    });
  });

  test('an interruption ends what waits for a pipe, and leaves the code', async () => {
    const { context, stdin, interruption } = makeWorld();
    const code = readCode('-', context, {}, new Prompts(context));
    stdin.write('417-app');
    await new Promise(setImmediate);
    interruption.abort();
    await expect(code).rejects.toMatchObject({ code: 'interrupted', subject: 'code' });
  });

  test('completes words with the Tab key', async () => {
    const { context, stdin } = makeWorld({ terminal: true });
    const code = readCode(undefined, context, {}, new Prompts(context));
    await type(stdin, ['417-appl', '\t', 'tige', '\t', '\n']);
    expect(await code).toBe('417-apple-tiger');
  });
});

test('only words are completed', () => {
  expect(completeCode('417-appl')).toEqual(['417-apple-']);
  expect(completeCode('417 Appl')).toEqual(['417 apple-']);
  expect(completeCode('417-apple-tige')).toEqual(['417-apple-tiger']);
  expect(completeCode('417-')).toHaveLength(2048);
  expect(completeCode('41')).toEqual([]);
  expect(completeCode('apple')).toEqual([]);
  expect(completeCode('417-xyzzy')).toEqual([]);
});
