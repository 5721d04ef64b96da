/** Where somebody is in a share, and what paths mean from there. Pure. */
import type { FarPath } from '../../index.js';
import { meansFolder, type FarTarget } from '../far-path.js';
import { usageError } from '../usage.js';
import { globOf, type Word } from '../words.js';

export type FarPlace = FarTarget & { readonly isFolder: boolean };

/** What a word means in a folder of a share. A slash at its beginning is the share. Throws `usage` for what is above it. */
export function placeOf({ text, glob }: Pick<Word, 'text' | 'glob'>, from: FarPath): FarPlace {
  return {
    path: follow(text, from),
    glob: glob === undefined ? undefined : follow(glob, from.map(globOf)),
    isFolder: meansFolder(text),
  };
}

function follow(text: string, from: FarPath): FarPath {
  const path = text.startsWith('/') ? [] : [...from];
  for (const name of text.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') path.push(name);
    else if (path.pop() === undefined) {
      throw usageError(`${text} leads out of what is shared`, 'cd / leads to the shared folder itself');
    }
  }
  return path;
}
