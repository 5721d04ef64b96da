/** The form of `[actions.NAME]` in the settings: what a device may have run by a share. Whether it can be run is looked at when a share starts. */
import { parseDuration } from './duration.js';
import { XferError } from './errors.js';
import { parseSize } from './rate.js';
import { MAX_ACTION_NAME_BYTES, MAX_LISTED_ACTIONS, MAX_WORDS } from './transfer/share-messages.js';

/** One action, as it stands in the file. */
export interface ActionSettings {
  /** Absolute path. */
  readonly program: string;
  /** Given to the program, with the words of a device in place of `{parameter}`. */
  readonly arguments?: readonly string[];
  /** By name: what each word of a device has to match as a whole. They come in this order. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Who may have it run. */
  readonly devices: readonly string[];
  /** How long it may take, such as `60s`; see `parseDuration`. */
  readonly timeout?: string;
  /** How much it may say, such as `1MiB`; see `parseSize`. */
  readonly 'max-output'?: string;
}

const USUAL_TIMEOUT = '60s';
const USUAL_OUTPUT = '1MiB';

/** Most arguments that a program gets. */
const MAX_ARGUMENTS = 256;

/** Of an action and of a parameter. */
const NAME = new RegExp(`^[a-z][a-z0-9-]{0,${MAX_ACTION_NAME_BYTES - 1}}$`);
const PLACEHOLDER = /\{([a-z][a-z0-9-]*)\}/g;
const CONTROL = /\p{Cc}/u;

/** What is wrong with a part of the settings: the key and a sentence. */
class Wrong extends Error {}

/** What is wrong with the table of all actions, beginning with the key; `undefined` where nothing is. */
export function checkActions(table: unknown): string | undefined {
  try {
    const actions = Object.entries(demandTable('actions', table));
    if (actions.length > MAX_LISTED_ACTIONS)
      throw new Wrong(`actions has more than ${MAX_LISTED_ACTIONS} of them`);
    for (const [name, action] of actions) checkAction(name, action);
    return undefined;
  } catch (error) {
    if (error instanceof Wrong) return error.message;
    throw error;
  }
}

/** How long it may take, in milliseconds, and how many bytes it may say. */
export function limitsOf(settings: ActionSettings): {
  readonly timeoutMs: number;
  readonly maxBytes: number;
} {
  return {
    timeoutMs: parseDuration(settings.timeout ?? USUAL_TIMEOUT),
    maxBytes: parseSize(settings['max-output'] ?? USUAL_OUTPUT),
  };
}

/** Matches what a pattern matches as a whole. Throws `SyntaxError`. */
export function wholePattern(pattern: string): RegExp {
  // Alone first: what is no pattern must not become one by what is put around it.
  new RegExp(pattern, 'u');
  return new RegExp(`^(?:${pattern})$`, 'u');
}

/** What the program gets where a device says `words`, one for each parameter. */
export function fillArguments(settings: ActionSettings, words: readonly string[]): string[] {
  const names = Object.keys(settings.parameters ?? {});
  const said = new Map(names.map((name, index) => [name, words[index] ?? '']));
  return (settings.arguments ?? []).map((argument) =>
    argument.replace(PLACEHOLDER, (_, name: string) => said.get(name) ?? ''),
  );
}

function checkAction(name: string, action: unknown): void {
  const at = `actions.${name}`;
  if (!NAME.test(name)) throw new Wrong(`${at} is called ${NAMED}`);
  const { program, arguments: given, parameters, devices, timeout, ...rest } = demandTable(at, action);
  const { 'max-output': output, ...unknown } = rest;
  const [other] = Object.keys(unknown);
  if (other !== undefined) throw new Wrong(`${at} knows no '${other}'`);
  if (typeof program !== 'string' || !program.startsWith('/') || CONTROL.test(program)) {
    throw new Wrong(`${at}.program must be the absolute path of a program`);
  }
  if (!isTexts(devices) || devices.length === 0) {
    throw new Wrong(`${at}.devices must be a list of the devices that may have it run`);
  }
  if (given !== undefined && (!isTexts(given) || given.length > MAX_ARGUMENTS)) {
    throw new Wrong(`${at}.arguments must be a list of at most ${MAX_ARGUMENTS} texts`);
  }
  checkParameters(at, parameters ?? {}, given ?? []);
  if (timeout !== undefined && !isRead(timeout, parseDuration)) {
    throw new Wrong(`${at}.timeout must be a duration such as 60s`);
  }
  if (output !== undefined && !isRead(output, parseSize)) {
    throw new Wrong(`${at}.max-output must be a size such as 1MiB`);
  }
}

const NAMED = `by no name: one has small letters, digits and dashes, begins with a letter and has at most ${MAX_ACTION_NAME_BYTES}`;

function checkParameters(at: string, parameters: unknown, given: readonly string[]): void {
  const patterns = Object.entries(demandTable(`${at}.parameters`, parameters));
  if (patterns.length > MAX_WORDS) {
    throw new Wrong(`${at}.parameters has more than ${MAX_WORDS} of them`);
  }
  const used = new Set(
    given.flatMap((argument) => Array.from(argument.matchAll(PLACEHOLDER), ([, name]) => name)),
  );
  for (const [name, pattern] of patterns) {
    const key = `${at}.parameters.${name}`;
    if (!NAME.test(name)) throw new Wrong(`${key} is called ${NAMED}`);
    if (typeof pattern !== 'string') throw new Wrong(`${key} must be a pattern such as '[a-z]+'`);
    try {
      wholePattern(pattern);
    } catch (error) {
      throw new Wrong(`${key} is no pattern: ${(error as Error).message}`);
    }
    if (!used.delete(name)) throw new Wrong(`${key} stands in none of the arguments, as {${name}}`);
  }
  for (const name of used) throw new Wrong(`${at}.arguments has {${name ?? ''}}, which is no parameter`);
}

function demandTable(key: string, value: unknown): Record<string, unknown> {
  if (!isTable(value)) throw new Wrong(`${key} must be a table`);
  return value;
}

/** Whether a value of the file is a table, by whatever names are in it. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** A text with a NUL could be given to no program. */
function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string' && !text.includes('\0'));
}

function isRead(value: unknown, read: (text: string) => number): boolean {
  if (typeof value !== 'string') return false;
  try {
    return read(value) > 0;
  } catch (error) {
    if (error instanceof XferError) return false;
    throw error;
  }
}
