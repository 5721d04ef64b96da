/** What members of a room are called. */
import { MAX_MEMBER_NAME_BYTES } from '../transfer/chat-messages.js';

const LONGEST = 32;
const NAMELESS = 'guest';

/** A name like the one that somebody wants, which may be anything, other than those that are taken. */
export function memberName(wanted: string, taken: readonly string[]): string {
  const plain = wanted
    .normalize('NFKC')
    // Letters of any language; nothing that is invisible, turns text around or looks like what the program says itself.
    .replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-')
    .replace(/^[\p{M}._-]+|[._-]+$/gu, '');
  const letters = Array.from(plain);
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? '' : `-${number}`;
    const base = fitting(letters, LONGEST - suffix.length, MAX_MEMBER_NAME_BYTES - suffix.length);
    const name = (base === '' ? NAMELESS : base) + suffix;
    if (!taken.some((other) => key(other) === key(name))) return name;
  }
}

function fitting(letters: readonly string[], most: number, mostBytes: number): string {
  let text = letters.slice(0, most).join('');
  while (Buffer.byteLength(text) > mostBytes) text = Array.from(text).slice(0, -1).join('');
  return text;
}

/** Two names with one key are one to a person. */
function key(name: string): string {
  return name.toLowerCase();
}
