/** The one way of foreign text to a terminal: names, paths, texts, errors of a peer, addresses. */
import { columnsOf } from './columns.js';
import { clustersOf, displayWidth } from './display-width.js';

/**
 * What a terminal obeys, hides or turns around: controls, format characters (bidi, zero width, tags), lone surrogates,
 * private and unassigned characters, line separators, and the invisible fillers that Unicode counts as letters.
 * Variation selectors stay, because emoji need them and they move nothing.
 */
const UNSAFE =
  '[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}[\\p{Default_Ignorable_Code_Point}--[\\u{FE00}-\\u{FE0F}]]]';
// The v flag is newer than the language level that this project compiles to; Node 20 knows it.
const EVERY_UNSAFE = new RegExp(UNSAFE, 'gv');
/** As above, but a text may have lines and tabs. */
const EVERY_UNSAFE_IN_TEXT = new RegExp(`[${UNSAFE}--[\\n\\t]]`, 'gv');

/** Most columns that a foreign text may take where nobody says how many there are. */
const WIDEST = 200;

/** Columns of a line for `output`. A script gets lines whole. */
export function widthOf(output: { readonly isTTY?: boolean; readonly columns?: number }): number {
  return output.isTTY === true ? columnsOf(output) : Number.MAX_SAFE_INTEGER;
}

/** `text` on one line and harmless: `\u{202e}` for what is not, cut in its middle to at most `width` columns. */
export function show(text: string, width: number = WIDEST): string {
  return cut(text.replace(EVERY_UNSAFE, escapeCharacter), width);
}

/** A path or a value for `output`: whole; as it is for a script, harmless on a terminal. */
export function showOn(output: { readonly isTTY?: boolean }, text: string): string {
  return output.isTTY === true ? show(text, Infinity) : text;
}

/** A text of several lines, whole and harmless. */
export function showText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(EVERY_UNSAFE_IN_TEXT, escapeCharacter);
}

/** `value` as one line of JSON that is harmless on a terminal too; what it means is not changed. */
export function showJson(value: unknown): string {
  return JSON.stringify(value).replace(EVERY_UNSAFE, (character) =>
    Array.from({ length: character.length }, (_, unit) => jsonEscape(character.charCodeAt(unit))).join(''),
  );
}

/** At most `width` columns of `text`: what is too much goes from the middle, so that the end of a file's name stays. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  const clusters = clustersOf(text);
  const end = take(clusters.toReversed(), Math.floor((width - 1) / 2)).reverse();
  const start = take(clusters, width - 1 - displayWidth(end.join('')));
  return `${start.join('')}…${end.join('')}`;
}

/**
 * A sentence in lines of at most `width` columns, broken between words. What is indented is a name or a command
 * to copy: it stays whole, and the terminal breaks it.
 */
export function wrap(sentence: string, width: number): string[] {
  if (sentence.startsWith(' ') || displayWidth(sentence) <= width) return [sentence];
  const lines: string[] = [];
  let line = '';
  for (const word of sentence.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (displayWidth(longer) > width && line !== '') {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

/** As `wrap`, and no line is longer: what stands in a log must not look like the beginning of another line. */
export function fold(sentence: string, width: number): string[] {
  return wrap(sentence, width).flatMap((line) => {
    if (displayWidth(line) <= width) return [line];
    const rows = [''];
    let left = width;
    for (const cluster of clustersOf(line)) {
      left -= displayWidth(cluster);
      if (left < 0) {
        rows.push('');
        left = width - displayWidth(cluster);
      }
      rows.push(`${rows.pop() ?? ''}${cluster}`);
    }
    return rows;
  });
}

/** The first clusters that fit into `width` columns. */
function take(clusters: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let left = width;
  for (const cluster of clusters) {
    left -= displayWidth(cluster);
    if (left < 0) break;
    taken.push(cluster);
  }
  return taken;
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function jsonEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
