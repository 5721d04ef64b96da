import { describe, expect, test } from 'vitest';
import { COMMANDS, readCommand } from '../../../src/cli/shell/commands.js';
import { completeLine, FolderCache, type Listed } from '../../../src/cli/shell/completing.js';
import { lineFor, MENU } from '../../../src/cli/shell/menu.js';
import { placeOf } from '../../../src/cli/shell/place.js';
import { readWords } from '../../../src/cli/words.js';

const place = (line: string, from: readonly string[]) => {
  const [word] = readWords(line).words;
  return placeOf(word ?? { text: '', glob: undefined }, from);
};

describe('a path in a share', () => {
  test.each<[string, string[], string[]]>([
    ['a/b', [], ['a', 'b']],
    ['a//./b/', ['c'], ['c', 'a', 'b']],
    ['/a', ['c'], ['a']],
    ['..', ['c', 'd'], ['c']],
    ['../../x', ['c', 'd'], ['x']],
    ['.', ['c'], ['c']],
    ['/', ['c'], []],
  ])('%s from %j is %j', (text, from, path) => {
    expect(place(text, from).path).toEqual(path);
  });

  test.each(['..', '/..', 'a/../..'])('%s leads out', (text) => {
    expect(() => place(text, [])).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
  });

  test('is a glob where no quote says otherwise, and the folder it begins in never is', () => {
    expect(place('*.txt', ['a[1]', 'b']).glob).toEqual([String.raw`a\[1\]`, 'b', '*.txt']);
    expect(place("'*.txt'", ['a[1]']).glob).toBeUndefined();
  });
});

describe('a line', () => {
  test('is a command with its words and flags, wherever they stand', () => {
    const command = readCommand(`get --overwrite 'a b' --to /tmp c`);
    expect(command?.name).toBe('get');
    expect(command?.words.map(({ text }) => text)).toEqual(['a b', 'c']);
    expect(command?.flags).toMatchObject({ overwrite: true, to: { text: '/tmp' } });
  });

  test('has names that look like flags behind two dashes', () => {
    expect(readCommand('rm -r -- -r --')?.words.map(({ text }) => text)).toEqual(['-r', '--']);
  });

  test('may be empty', () => {
    expect(readCommand('  ')).toBeUndefined();
  });

  test.each(['constructor', 'ls -x', 'get', 'get a --to', 'cat a b', 'mv a', 'pwd x', "ls '"])(
    '%s is refused',
    (line) => {
      expect(() => readCommand(line)).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
    },
  );

  test('of the menu means what was answered, whatever that looks like', () => {
    for (const item of MENU) {
      const answers = item.questions.map(() => "-r it's *");
      const command = readCommand(lineFor(item, answers));
      expect(command?.name).toBe(item.command);
      expect(command?.words.map(({ text, glob }) => [text, glob])).toEqual(
        answers.map((answer) => [answer, undefined]),
      );
    }
  });
});

describe('the Tab key', () => {
  const far: Record<string, Listed[]> = {
    '': [
      { name: 'notes.txt', type: 'file' },
      { name: 'my docs', type: 'folder' },
      { name: "it's", type: 'file' },
      { name: '-x', type: 'file' },
      { name: '.hidden', type: 'file' },
      { name: 'evil\u001b[2J', type: 'file' },
      { name: 'a\u202eb', type: 'file' },
    ],
    'my docs/': [{ name: 'a b.txt', type: 'file' }],
  };
  const folders = {
    far: (path: string) => Promise.resolve(far[path] ?? []),
    local: () => Promise.resolve([{ name: 'mine', type: 'file' } as const]),
  };

  test.each<[string, string[], string]>([
    ['p', ['pwd ', 'put '], 'p'],
    ['get n', ['notes.txt '], 'n'],
    ['get m', ["'my docs/' "].map((text) => text.trimEnd()), 'm'],
    ["get 'my d", ["'my docs/'"], "'my d"],
    [String.raw`get my\ d`, ["'my docs/'"], String.raw`my\ d`],
    ["get 'my docs/'", ["'my docs/a b.txt' "], "'my docs/'"],
    ['get it', [String.raw`'it'\''s' `], 'it'],
    ['get ', ['notes.txt ', "'my docs/'", String.raw`'it'\''s' `, './-x '], ''],
    ['get .', ['.hidden '], '.'],
    ['get e', [], 'e'],
    ['get a', [], 'a'],
    ['get --o', ['--overwrite '], '--o'],
    ['get x --to m', ['mine '], 'm'],
    ['put m', ['mine '], 'm'],
    ['put x --to n', ['notes.txt '], 'n'],
    ['help l', ['ls ', 'lls ', 'lcd ', 'lpwd '], 'l'],
    ['pwd n', [], 'n'],
    ['nonsense n', [], 'n'],
  ])('makes of %j %j', async (line, candidates, replaced) => {
    const [found, part] = await completeLine(line, folders);
    expect(found.sort()).toEqual([...candidates].sort());
    expect(part).toBe(replaced);
  });

  test('asks once for a folder, until something was done', async () => {
    const asked: string[] = [];
    const cache = new FolderCache((path) => {
      asked.push(path.join('/'));
      return Promise.resolve([]);
    });
    await cache.in(['a']);
    await cache.in(['a']);
    cache.forget();
    await cache.in(['a']);
    expect(asked).toEqual(['a', 'a']);
  });
});

test('every command says what it does in a line of a terminal', () => {
  for (const { usage, does } of Object.values(COMMANDS))
    expect(usage.padEnd(26).length + does.length).toBeLessThan(79);
});
