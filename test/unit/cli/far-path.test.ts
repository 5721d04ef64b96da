import { describe, expect, it, test } from 'vitest';
import { demandFarName, expandGlobs, parseFarName, sameDevice } from '../../../src/cli/far-path.js';

describe('a path on another machine', () => {
  test.each([
    ['pi:', 'pi', [], true],
    ['pi:/', 'pi', [], true],
    ['pi:.', 'pi', [], true],
    ['pi:docs/a.pdf', 'pi', ['docs', 'a.pdf'], false],
    ['pi:/docs//./a', 'pi', ['docs', 'a'], false],
    ['office-2.lan:docs/', 'office-2.lan', ['docs'], true],
    ['pi:a:b', 'pi', ['a:b'], false],
    ['pi:a b\nc', 'pi', ['a b\nc'], false],
  ])('%j', (text, device, path, isFolder) => {
    expect(parseFarName(text)).toEqual({ device, path, isFolder });
  });

  test.each(['docs', './pi:x', '/tmp/a:b', '', ':x', 'my pi:x'])('%j is none', (text) => {
    expect(parseFarName(text)).toBeUndefined();
    expect(() => demandFarName(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test.each(['pi:..', 'pi:../etc', 'pi:a/../../b', 'pi:a/..'])('%j leads out', (text) => {
    expect(() => parseFarName(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('is on one device with the others of a command', () => {
    const names = ['pi:a', 'pi:b', 'pc:c'].map(demandFarName);
    expect(sameDevice(names.slice(0, 2))).toBe('pi');
    expect(() => sameDevice(names)).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => sameDevice([])).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('globs of the other side', () => {
  const tree: Readonly<Record<string, readonly string[]>> = {
    '': ['a.txt', 'b.txt', '.hidden.txt', 'docs/', 'old/', '[x]'],
    docs: ['c.txt', 'd.pdf', 'deep/'],
    'docs/deep': ['e.txt'],
    old: ['*.txt'],
  };
  const list = async (folder: readonly string[]) =>
    (tree[folder.join('/')] ?? []).map((name) => ({
      name: name.replace('/', ''),
      type: name.endsWith('/') ? ('folder' as const) : ('file' as const),
    }));
  const expand = async (text: string): Promise<string[]> =>
    (await expandGlobs([demandFarName(`pi:${text}`)], list)).map((path) => path.join('/'));

  test.each([
    ['a.txt', ['a.txt']],
    ['*.txt', ['a.txt', 'b.txt']],
    ['.*.txt', ['.hidden.txt']],
    ['{a,b}.txt', ['a.txt', 'b.txt']],
    ['*/c.txt', ['docs/c.txt', 'old/c.txt']],
    ['*/*.txt', ['docs/c.txt', 'old/*.txt']],
    ['docs/*/e.*', ['docs/deep/e.txt']],
    ['nothing*', ['nothing*']],
    ['[x]', ['[x]']],
  ])('%j', async (glob, found) => {
    expect(await expand(glob)).toEqual(found);
  });
});
