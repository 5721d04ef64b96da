import { randomInt } from 'node:crypto';
import { inspect } from 'node:util';
import { distance } from 'fastest-levenshtein';
import { XferError } from '../errors.js';
import { HIDDEN, Secret } from './secret.js';
import { argon2id, blake2b128, blake2b256 } from './sodium.js';
import { indexOfWord, WORDS } from './wordlist.js';

/** The public part of a code, 1 to 6 digits. Anybody may learn it. */
export type Nameplate = string & { readonly brand: 'nameplate' };

/** The 32 bytes under which a host announces itself. Public. */
export type Topic = Uint8Array & { readonly brand: 'topic' };

/** The words of a long code that take part in its topic: all but the last two, which nothing public depends on. */
export type PublicWords = readonly string[] & { readonly brand: 'public words' };

export const MIN_WORDS = 2;
export const MAX_WORDS = 16;
export const MAX_NAMEPLATE_DIGITS = 6;

/** From this many words on a stranger who knows the nameplate cannot find the host. */
const STRETCHED_FROM_WORDS = 5;
/** Words that never leave the machine but through CPace. */
const PRIVATE_WORDS = 2;

/** Letters after which no two words of the list are equal. */
const UNIQUE_PREFIX_LETTERS = 4;
/** Letters above which a word is no typo of one of ours, which have 8 at most. */
const LONGEST_TYPO = 12;

const TOPIC_LABEL = Buffer.from('xfer/1 topic', 'ascii');

/** What one person tells the other: a nameplate and 2 to 16 words. Prints as `[secret]`; see `formatCode`. */
export class Code {
  readonly nameplate: Nameplate;
  readonly words: readonly string[];

  /** Both parts are valid: only `parseCode` and `generateCode` make codes. */
  constructor(nameplate: Nameplate, words: readonly string[]) {
    this.nameplate = nameplate;
    this.words = words;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** A random nameplate of at most `digits` digits (1 to 6), uniform from 1 up: 1 to 999 for three. */
export function generateNameplate(digits = 3): Nameplate {
  if (!Number.isInteger(digits) || digits < 1 || digits > MAX_NAMEPLATE_DIGITS) {
    throw new XferError('internal', { subject: 'digits of a nameplate', detail: digits });
  }
  return String(randomInt(1, 10 ** digits)) as Nameplate;
}

/** A code with random words, 11 bits each. Throws `usage` where `wordCount` is not 2 to 16. */
export function generateCode(nameplate: Nameplate, wordCount = MIN_WORDS): Code {
  if (!Number.isInteger(wordCount) || wordCount < MIN_WORDS || wordCount > MAX_WORDS) {
    throw new XferError('usage', { subject: 'words', detail: wordCount });
  }
  const words = Array.from({ length: wordCount }, () => WORDS[randomInt(WORDS.length)] ?? '');
  return new Code(nameplate, words);
}

/** The code as it is shown and told: `417-apple-tiger`. */
export function formatCode(code: Code): string {
  return [code.nameplate, ...code.words].join('-');
}

/** What both sides prove to each other that they know: the whole code (CPace's PRS). The caller erases it. */
export function passwordOf(code: Code): Secret {
  return new Secret(Buffer.from(formatCode(code), 'utf8'));
}

/**
 * The code in what a person typed or pasted: case, spaces, underscores, other dashes, quotes, a final full stop and
 * a whole command line such as `xfer receive 417-apple-tiger` are understood. Nothing is guessed: a word that is
 * not in the list throws `unknown-word` (subject: the word, detail: the word that was probably meant, if any), and
 * everything else that is no code `bad-code`.
 */
export function parseCode(input: string): Code {
  const [nameplate, ...words] = codeParts(input);
  if (nameplate === undefined || !/^[1-9][0-9]{0,5}$/.test(nameplate)) throw new XferError('bad-code');
  if (words.length < MIN_WORDS || words.length > MAX_WORDS) throw new XferError('bad-code');
  for (const word of words) {
    if (indexOfWord(word) !== undefined) continue;
    const suggestion = suggestWord(word);
    throw new XferError('unknown-word', {
      subject: word,
      ...(suggestion === undefined ? {} : { detail: suggestion }),
    });
  }
  return new Code(nameplate as Nameplate, words);
}

/** The words that begin with `prefix`, in order; all of them for an empty one. */
export function completeWord(prefix: string): string[] {
  const start = prefix.toLowerCase();
  return WORDS.filter((word) => word.startsWith(start));
}

/** The word of the list that was probably meant, or `undefined` where none is near. */
export function suggestWord(word: string): string | undefined {
  const typed = word.toLowerCase();
  const [completed, ...others] = typed.length < UNIQUE_PREFIX_LETTERS ? [] : completeWord(typed);
  if (completed !== undefined && others.length === 0) return completed;
  if (typed.length > LONGEST_TYPO) return undefined;
  const farthest = typed.length < UNIQUE_PREFIX_LETTERS ? 1 : 2;
  let best: string | undefined;
  let bestCost = Infinity;
  for (const candidate of WORDS) {
    const edits = distance(typed, candidate);
    // Among words equally near, the one that begins most like what was typed: slips come late in a word.
    const cost = edits - sharedBeginning(typed, candidate) / LONGEST_TYPO;
    if (edits <= farthest && cost < bestCost) [best, bestCost] = [candidate, cost];
  }
  return best;
}

function sharedBeginning(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/** Nameplate and words as they stand in the input, lower case, not checked. */
function codeParts(input: string): string[] {
  const tokens = input
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .replace(/[\p{Pd}\u2212_]/gu, '-')
    .split(/\s+/u)
    .map(withoutPunctuation);
  const whole = tokens.find((token) => /^[0-9]+(-+[^-\s]+){2,}$/u.test(token));
  if (whole !== undefined) return whole.split(/-+/);
  // Spoken apart: from the last number to the end, or to an option of the command it was pasted with.
  const start = tokens.findLastIndex((token) => /^[0-9]+(-|$)/.test(token));
  if (start === -1) return [];
  const rest = tokens.slice(start);
  const option = rest.findIndex((token) => /^--[a-z]/.test(token));
  return (option === -1 ? rest : rest.slice(0, option))
    .flatMap((token) => token.split('-'))
    .filter((part) => part !== '');
}

/** Drops what stands around a code in a sentence or a shell: quotes, brackets, a full stop, `XFER_CODE=`. */
function withoutPunctuation(token: string): string {
  return token
    .replace(/^[^\p{L}\p{N}-]+/u, '')
    .replace(/^xfer-code=["']?/, '')
    .replace(/[^\p{L}\p{N}]+$/u, '');
}

/** The topic of a nameplate alone. Needs `loadHashing`. */
export function topicFor(nameplate: Nameplate): Topic {
  return blake2b256(TOPIC_LABEL, Uint8Array.of(0), Buffer.from(nameplate, 'ascii')) as Topic;
}

/**
 * The topic of a long code: Argon2id (3 passes, 64 MiB) makes guessing its public words dear. Blocks for some
 * hundred milliseconds. Needs `loadHashing` and `loadPairingSodium`.
 */
export function stretchedTopicFor(nameplate: Nameplate, words: PublicWords): Topic {
  const salt = blake2b128(Buffer.from('xfer/1 topic salt', 'ascii'));
  const stretched = argon2id(Buffer.from([nameplate, ...words].join('-'), 'ascii'), salt, 3, 64 * 2 ** 20);
  return blake2b256(TOPIC_LABEL, Uint8Array.of(1), stretched) as Topic;
}

/** What a topic is called on the local network (protocol section 3). It tells nothing that the topic would not. Needs `loadHashing`. */
export function lanNameFor(topic: Topic): string {
  const name = blake2b128(Buffer.from('xfer/1 lan', 'ascii'), topic);
  return `${Buffer.from(name).toString('hex')}._xfer._tcp.local`;
}

/** Whether the topic of a code with so many words is stretched, for which more has to be loaded. */
export function isStretched(words: number): boolean {
  return words >= STRETCHED_FROM_WORDS;
}

/** The topic of a code (protocol section 3). Its last two words change nothing. Needs what its kind of topic needs. */
export function topicOf(code: Code): Topic {
  if (!isStretched(code.words.length)) return topicFor(code.nameplate);
  return stretchedTopicFor(
    code.nameplate,
    code.words.slice(0, -PRIVATE_WORDS) as readonly string[] as PublicWords,
  );
}
