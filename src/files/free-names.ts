/** Names for what arrives beside something of the same name. */
import type { EntryType } from '../transfer/ports.js';
import { MAX_NAME_BYTES } from './paths.js';

const MOST_TRIED = 10_000;

/** `name` itself, then `name (1).ext`, `name (2).ext` and so on. */
export function* freeNames(name: string, type: EntryType): Generator<string> {
  yield name;
  const extension = type === 'file' ? extensionOf(name) : '';
  const stem = name.slice(0, name.length - extension.length);
  for (let count = 1; count <= MOST_TRIED; count++) {
    const suffix = ` (${count})${extension}`;
    yield cut(stem, MAX_NAME_BYTES - Buffer.byteLength(suffix)) + suffix;
  }
}

/** `.gz` and `.tar.gz`; none where the only dot begins the name, or where it is too long to be one. */
function extensionOf(name: string): string {
  return /(?<=.)(?:\.tar)?\.[^. ]{1,16}$/i.exec(name)?.[0] ?? '';
}

/** The first characters of `text` that take at most `bytes` bytes. */
function cut(text: string, bytes: number): string {
  const characters = Array.from(text);
  while (Buffer.byteLength(characters.join('')) > bytes) characters.pop();
  return characters.join('');
}
