// @ts-check
/**
 * Makes src/crypto/wordlist.ts, the words of codes. Not part of the build: the result is committed, and changing it
 * changes the protocol (docs/protocol.md section 3).
 *
 * Source: SCOWL (Spell Checker Oriented Word Lists) by Kevin Atkinson, version 2020.12.07, http://wordlist.aspell.net,
 * free to use, copy, modify and distribute with its notice, which stands below and in the result. Debian has it:
 *
 *   apt-get install scowl      (or: apt-get download scowl && dpkg-deb -x scowl_*.deb scowl)
 *   node scripts/make-wordlist.js /usr/share/dict/scowl
 *
 * make-wordlist.choice.txt is a person's choice from the source: well-known words, things and qualities that can be
 * pictured, nothing that offends, frightens or preaches. No numerals and none of the words people use when they
 * dictate a code ("dash", "space", "capital"). The script proves the rest. make-wordlist.refused.txt holds what must
 * never come in, as the first 16 hex digits of SHA-256 of the word, so that this repository need not spell it out.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The size classes of common words; `english` holds what American and British English spell alike. */
const SOURCES = [10, 20, 35, 40, 50].map((size) => `english-words.${size}`);

/** Words that sound alike: at most one of each line. */
// prettier-ignore
const SOUND_ALIKE = [
  'beach beech', 'bear bare', 'berry bury', 'board bored', 'boy buoy', 'brake break', 'bread bred', 'cellar seller',
  'cent scent', 'cereal serial', 'coarse course', 'colonel kernel', 'coral choral', 'cord chord', 'cruise crews',
  'cymbal symbol', 'deer dear', 'desert dessert', 'dough doe', 'fair fare', 'flair flare', 'flour flower', 'fowl foul',
  'fur fir', 'gate gait', 'grill grille', 'guest guessed', 'hail hale', 'hair hare', 'horse hoarse', 'hour our',
  'idle idol', 'jeans genes', 'knight night', 'knot not', 'lesson lessen', 'links lynx', 'lute loot', 'lyre liar',
  'mail male', 'maize maze', 'medal metal', 'mist missed', 'moose mousse', 'morning mourning', 'muscle mussel',
  'oar ore', 'pail pale', 'pair pear', 'palette palate', 'pause paws', 'peace piece', 'pedal petal', 'pier peer',
  'plane plain', 'plum plumb', 'prince prints', 'rain reign', 'reed read', 'right write', 'ring wring', 'road rode',
  'role roll', 'root route', 'rye wry', 'sail sale', 'sauce source', 'scene seen', 'sea see', 'shore sure',
  'steel steal', 'suite sweet', 'sun son', 'tail tale', 'throne thrown', 'thyme time', 'tide tied', 'toad towed',
  'veil vale', 'vein vane', 'waist waste', 'wait weight', 'watt what', 'wave waive', 'way weigh', 'weather whether',
  'week weak', 'whale wail', 'wood would', 'wrist rest', 'yolk yoke',
].map((line) => line.split(' '));

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: node scripts/make-wordlist.js SCOWL-DIRECTORY');

const source = new Set(SOURCES.flatMap((name) => lines(join(directory, name), 'latin1')));
const refused = new Set(lines(beside('make-wordlist.refused.txt')));
const words = lines(beside('make-wordlist.choice.txt')).toSorted();
const chosen = new Set(words);

/** @type {string[]} */
const faults = [];
/** @type {Map<string, string>} */
const byBeginning = new Map();
for (const word of words) {
  if (!source.has(word)) faults.push(`${word}: not in the source`);
  if (!/^[a-z]{3,8}$/.test(word)) faults.push(`${word}: not 3 to 8 letters a-z`);
  if (word.endsWith('s') && chosen.has(word.slice(0, -1))) faults.push(`${word}: plural of another`);
  if (refused.has(createHash('sha256').update(word).digest('hex').slice(0, 16)))
    faults.push(`${word}: refused`);
  const beginning = word.slice(0, 4);
  for (const length of [3, 4]) {
    const other = byBeginning.get(beginning.slice(0, length));
    if (other !== undefined) faults.push(`${word}: begins like ${other}`);
  }
  byBeginning.set(beginning, word);
}
for (const alike of SOUND_ALIKE) {
  if (alike.filter((word) => chosen.has(word)).length > 1) faults.push(`${alike.join(', ')}: sound alike`);
}
if (words.length !== 2048) faults.push(`${words.length} words instead of 2048`);
// The documentation says these.
for (const word of ['apple', 'tiger']) if (!chosen.has(word)) faults.push(`${word}: missing`);
if (faults.length > 0) throw new Error(faults.join('\n'));

/** @type {string[]} */
const rows = [''];
for (const word of words) {
  const row = rows.at(-1) ?? '';
  if (row.length + 1 + word.length > 108) rows.push(word);
  else rows[rows.length - 1] = row === '' ? word : `${row} ${word}`;
}

writeFileSync(
  join(import.meta.dirname, '../src/crypto/wordlist.ts'),
  `/**
 * The words of codes, made by scripts/make-wordlist.js: 2048, so that each carries 11 bits, in alphabetical order, and
 * each known by its first four letters. Part of the protocol: neither the words nor their order may change.
 *
 * Chosen from SCOWL (Spell Checker Oriented Word Lists, http://wordlist.aspell.net), size classes 10 to 50:
 * Copyright 2000-2018 by Kevin Atkinson. Permission to use, copy, modify, distribute and sell these word lists, the
 * associated scripts, the output created from the scripts, and its documentation for any purpose is hereby granted
 * without fee, provided that the above copyright notice appears in all copies and that both that copyright notice and
 * this permission notice appear in supporting documentation. Kevin Atkinson makes no representations about the
 * suitability of this array for any purpose. It is provided "as is" without express or implied warranty.
 */
export const WORDS: readonly string[] = \`
${rows.join('\n')}
\`
  .trim()
  .split(/\\s/);

const positions: ReadonlyMap<string, number> = new Map(WORDS.map((word, index) => [word, index]));

/** The position of a word in the list, from 0; \`undefined\` for any other text. */
export function indexOfWord(word: string): number | undefined {
  return positions.get(word);
}
`,
);

/**
 * @param {string} name
 * @returns {string}
 */
function beside(name) {
  return join(import.meta.dirname, name);
}

/**
 * @param {string} path
 * @param {BufferEncoding} [encoding]
 * @returns {string[]}
 */
function lines(path, encoding = 'utf8') {
  return readFileSync(path, encoding)
    .split('\n')
    .filter((line) => line !== '');
}
