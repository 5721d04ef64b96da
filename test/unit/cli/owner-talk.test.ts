import { expect, test } from 'vitest';
import { OwnerTalk } from '../../../src/cli/owner-talk.js';
import type { Said } from '../../../src/index.js';

function makeTalk(answer: Said = 'said', hasTerminal = true) {
  const said: [string, string | undefined][] = [];
  const shown: string[] = [];
  let type: ((line: string) => void) | undefined;
  const rooms = {
    say: (text: string, to?: string): Promise<Said> => {
      said.push([text, to]);
      return Promise.resolve(answer);
    },
  };
  const screen = {
    open: (onLine: (line: string) => void): boolean => {
      if (hasTerminal) type ??= onLine;
      return hasTerminal;
    },
    shut: (): void => {
      type = undefined;
    },
  };
  const talk = new OwnerTalk(rooms, screen, (text) => void shown.push(text));
  const typed = async (...lines: readonly string[]): Promise<void> => {
    for (const line of lines) type?.(line);
    await new Promise(setImmediate);
  };
  return { talk, said, shown, typed, isOpen: () => type !== undefined };
}

const joined = { type: 'joined', name: 'ann' } as const;
const left = { type: 'left', name: 'ann' } as const;

test('there is a prompt while somebody is there to hear it', () => {
  const { talk, isOpen, shown } = makeTalk();
  expect(isOpen()).toBe(false);
  talk.hear(joined);
  talk.hear(joined);
  talk.hear(left);
  expect(isOpen()).toBe(true);
  talk.hear(left);
  expect(isOpen()).toBe(false);
  talk.hear(joined);
  expect(isOpen()).toBe(true);
  // Once is enough.
  expect(shown).toHaveLength(1);
});

test('who is in the background is not told to type', () => {
  const { talk, isOpen, shown } = makeTalk('said', false);
  talk.hear(joined);
  expect(isOpen()).toBe(false);
  expect(shown).toEqual([]);
});

test('a line goes to all, or to one, in the order in which they were typed', async () => {
  const { talk, typed, said } = makeTalk();
  talk.hear(joined);
  await typed('hello', '  ', '/to phone  good morning', '//etc is a folder');
  expect(said).toEqual([
    ['hello', undefined],
    ['good morning', 'phone'],
    ['/etc is a folder', undefined],
  ]);
});

test.each<[string, Said, string]>([
  ['hello', 'nobody', 'nobody is in the chat'],
  ['/to phone hello', 'nobody', 'phone is not in the chat'],
  ['/to phone hello', 'not-alone', 'not said: phone talks where all others hear it, too; say it without /to'],
  ['/to phone', 'said', '/to needs a name and a text: /to phone hello'],
  ['/dance', 'said', 'there is no /dance; /help lists what there is'],
])('%j where it is %s is answered', async (line, answer, sentence) => {
  const { talk, typed, shown } = makeTalk(answer);
  talk.hear(joined);
  await typed(line);
  expect(shown.at(-1)).toBe(sentence);
});
