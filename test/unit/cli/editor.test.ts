import { expect, test } from 'vitest';
import { editorCommand } from '../../../src/cli/editor.js';

test.each<[NodeJS.ProcessEnv, NodeJS.Platform, string[]]>([
  [{ VISUAL: 'code --wait', EDITOR: 'ed' }, 'linux', ['code', '--wait']],
  [{ EDITOR: `"/my apps/ed" -s 'a  b'` }, 'darwin', ['/my apps/ed', '-s', 'a  b']],
  [{ VISUAL: ' ', EDITOR: 'ed' }, 'linux', ['ed']],
  [{}, 'linux', ['vi']],
  [{}, 'win32', ['notepad']],
  [{ EDITOR: String.raw`"C:\My Apps\ed.exe" /w` }, 'win32', [String.raw`C:\My Apps\ed.exe`, '/w']],
])('%j on %s is the editor %j', (env, platform, command) => {
  expect(editorCommand(env, platform)).toEqual(command);
});

test('a quote that is not closed is refused with the name of the variable', () => {
  expect(() => editorCommand({ EDITOR: "vi 'x" }, 'linux')).toThrow(
    expect.objectContaining({ code: 'usage', subject: "a quote in EDITOR is not closed: vi 'x" }) as Error,
  );
});
