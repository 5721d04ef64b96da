/** What both sides of a share hold of the words of a device for what is run. */
import { MAX_WORD_LENGTH } from './share-messages.js';

/** Also what no system takes, and what looks like another line in a log. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Why nothing that is run takes this word, whatever its owner says it may be; `undefined` where it may be taken. */
export function whyNoWord(word: string): string | undefined {
  if (word.startsWith('-')) return 'begins with a dash, which no action takes';
  if (word.length > MAX_WORD_LENGTH) return `is longer than ${MAX_WORD_LENGTH} characters`;
  return CONTROL.test(word) ? 'has a line break or another control character' : undefined;
}
