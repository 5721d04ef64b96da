/** For those who do not know the commands. Pure. */
import { quoteWord } from '../other-side.js';
import type { CommandName } from './commands.js';

export interface MenuItem {
  readonly label: string;
  readonly command: CommandName;
  /** What to ask for, one line each; what is answered are the words of the command. */
  readonly questions: readonly string[];
}

export const MENU: readonly MenuItem[] = [
  { label: 'see what is in this folder', command: 'ls', questions: [] },
  { label: 'go into a folder', command: 'cd', questions: ['which folder? (.. is the one above)'] },
  { label: 'fetch a file or a folder', command: 'get', questions: ['which one?'] },
  { label: 'put a file or a folder here', command: 'put', questions: ['which one, on this machine?'] },
  { label: 'read a file', command: 'cat', questions: ['which one?'] },
  { label: 'edit a file', command: 'edit', questions: ['which one?'] },
  { label: 'make a folder', command: 'mkdir', questions: ['what is it called?'] },
  { label: 'move or rename something', command: 'mv', questions: ['what?', 'where to, or its new name?'] },
  { label: 'remove a file', command: 'rm', questions: ['which one?'] },
  { label: 'leave', command: 'exit', questions: [] },
];

export function menuLines(): readonly string[] {
  return MENU.map(({ label }, index) => `${String(index + 1).padStart(3)}  ${label}`);
}

/** The line that does what was chosen. Answers are names, whatever they look like. */
export function lineFor({ command }: MenuItem, answers: readonly string[]): string {
  return [command, ...(answers.length === 0 ? [] : ['--']), ...answers.map(quoteWord)].join(' ');
}
