/** Words of a line as a POSIX shell has them: quotes and backslashes, and nothing else of it. Pure. */
import { usageError } from './usage.js';

export interface Word {
  readonly text: string;
  /** As a glob, where it is one; what was quoted stands for itself in it. */
  readonly glob: string | undefined;
  /** Where it begins in the line. */
  readonly start: number;
}

export interface Line {
  readonly words: readonly Word[];
  /** The last word is not over: its quote is not closed, or a backslash has nothing behind it. */
  readonly isOpen: boolean;
}

const SPACE = /\s/;
const GLOB = /[*?[{]/;
/** What means something else in a glob than itself. */
const SPECIAL = /[*?[\]{}()!+@|,\\]/;
const EVERY_SPECIAL = new RegExp(SPECIAL, 'g');

/** What a backslash takes the meaning of inside double quotes. */
const ESCAPED_IN_QUOTES = '"\\$`';

/** @param escapes Whether a backslash is more than a letter; it is not in paths of Windows. */
export function readWords(line: string, escapes = true): Line {
  const words: Word[] = [];
  let word: { text: string; glob: string; isGlob: boolean; readonly start: number } | undefined;
  let quote: string | undefined;
  let isOpen = false;
  const finish = (): void => {
    if (word === undefined) return;
    words.push({ text: word.text, glob: word.isGlob ? word.glob : undefined, start: word.start });
    word = undefined;
  };
  for (let at = 0; at < line.length; at++) {
    let letter = line.charAt(at);
    if (quote === undefined && SPACE.test(letter)) {
      finish();
      continue;
    }
    word ??= { text: '', glob: '', isGlob: false, start: at };
    if (letter === quote) {
      quote = undefined;
      continue;
    }
    if (quote === undefined && (letter === '"' || letter === "'")) {
      quote = letter;
      continue;
    }
    let isQuoted = quote !== undefined;
    if (escapes && letter === '\\' && quote !== "'") {
      const next = line.charAt(at + 1);
      isOpen = next === '';
      if (isOpen) break;
      if (quote === undefined || ESCAPED_IN_QUOTES.includes(next)) {
        letter = next;
        at += 1;
      }
      isQuoted = true;
    }
    word.text += letter;
    word.glob += isQuoted ? globOf(letter) : letter;
    word.isGlob ||= !isQuoted && GLOB.test(letter);
  }
  finish();
  return { words, isOpen: isOpen || quote !== undefined };
}

/** As a glob that only this text matches. */
export function globOf(text: string): string {
  return text.replace(EVERY_SPECIAL, String.raw`\$&`);
}

/** As `readWords`. Throws `usage` for a line whose last word is not over. */
export function demandWords(line: string, escapes = true): readonly Word[] {
  const { words, isOpen } = readWords(line, escapes);
  if (isOpen)
    throw usageError('a quote is not closed', String.raw`write a quote that means itself as \" or \'`);
  return words;
}
