/** The commands of a shell, and what follows them. Pure. */
import { usageError } from '../usage.js';
import { demandWords, type Word } from '../words.js';

/** What words behind a command name: something in the share, something on this machine, or nothing. */
export type Kind = 'far' | 'local' | 'command' | 'none';

interface Flag {
  /** With two dashes, or one and a letter. */
  readonly names: readonly string[];
  /** What its value names; it takes none if not given. */
  readonly value?: Kind;
}

export interface CommandForm {
  readonly usage: string;
  readonly does: string;
  readonly kind: Kind;
  readonly least: number;
  readonly most: number;
  readonly flags: Readonly<Record<string, Flag>>;
}

const CONFLICTS: Readonly<Record<string, Flag>> = {
  overwrite: { names: ['--overwrite'] },
  update: { names: ['--update'] },
  rename: { names: ['--rename'] },
  skip: { names: ['--skip'] },
};

const NO_FLAGS: CommandForm['flags'] = {};

function form(usage: string, does: string, rest: Partial<CommandForm> = {}): CommandForm {
  return { usage, does, kind: 'none', least: 0, most: 0, flags: NO_FLAGS, ...rest };
}

export const COMMANDS = {
  ls: form('ls [-l] [PATHS]', 'list what is in a folder', {
    kind: 'far',
    most: Infinity,
    flags: { long: { names: ['-l', '--long'] } },
  }),
  cd: form('cd [FOLDER]', 'go into a folder', { kind: 'far', most: 1 }),
  pwd: form('pwd', 'say which folder this is'),
  get: form('get PATHS [--to FOLDER]', 'fetch files and folders to this machine', {
    kind: 'far',
    least: 1,
    most: Infinity,
    flags: {
      ...CONFLICTS,
      allowDotfiles: { names: ['--allow-dotfiles'] },
      to: { names: ['--to'], value: 'local' },
    },
  }),
  put: form('put PATHS [--to FOLDER]', 'put files and folders of this machine here', {
    kind: 'local',
    least: 1,
    most: Infinity,
    flags: { ...CONFLICTS, to: { names: ['--to'], value: 'far' } },
  }),
  cat: form('cat FILE', 'show what a file holds', { kind: 'far', least: 1, most: 1 }),
  edit: form('edit FILE', 'edit a file with VISUAL or EDITOR', { kind: 'far', least: 1, most: 1 }),
  rm: form('rm [-r] PATHS', 'remove files, with -r folders too', {
    kind: 'far',
    least: 1,
    most: Infinity,
    flags: { recursive: { names: ['-r', '--recursive'] } },
  }),
  mv: form('mv PATHS TO', 'move into a folder, or give a new name', {
    kind: 'far',
    least: 2,
    most: Infinity,
    flags: { overwrite: { names: ['--overwrite'] } },
  }),
  mkdir: form('mkdir FOLDERS', 'make folders', { kind: 'far', least: 1, most: Infinity }),
  run: form('run [NAME WORDS]', 'have an action run there, or list them', { most: Infinity }),
  chat: form('chat', 'talk with those who use this share, until /quit'),
  lls: form('lls [FOLDER]', 'list what is in a folder of this machine', { kind: 'local', most: 1 }),
  lcd: form('lcd [FOLDER]', 'go into a folder of this machine', { kind: 'local', most: 1 }),
  lpwd: form('lpwd', 'say which folder of this machine this is'),
  menu: form('menu', 'choose from a list what to do'),
  help: form('help [COMMAND]', 'say what there is', { kind: 'command', most: 1 }),
  exit: form('exit', 'leave; Ctrl-D does too'),
} as const satisfies Readonly<Record<string, CommandForm>>;

export type CommandName = keyof typeof COMMANDS;

export interface Command {
  readonly name: CommandName;
  readonly words: readonly Word[];
  /** By the names in `flags` of its form. */
  readonly flags: Readonly<Record<string, Word | true>>;
}

export function isCommand(text: string): text is CommandName {
  return Object.hasOwn(COMMANDS, text);
}

/** What a line means; `undefined` where it is empty. Throws `usage`. */
export function readCommand(line: string): Command | undefined {
  const [first, ...rest] = demandWords(line);
  if (first === undefined) return undefined;
  const name = first.text;
  if (!isCommand(name))
    throw usageError(`there is no command '${name}' here`, 'help lists them, menu leads to them');
  const form: CommandForm = COMMANDS[name];
  const words: Word[] = [];
  const flags: Record<string, Word | true> = {};
  let areFlagsOver = false;
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at];
    if (word === undefined) break;
    if (areFlagsOver || !word.text.startsWith('-') || word.text === '-') {
      words.push(word);
    } else if (word.text === '--') {
      areFlagsOver = true;
    } else {
      const [key, flag] = findFlag(form, word.text);
      if (key === undefined) throw usageError(`${name} knows no ${word.text}`, form.usage);
      const value = flag.value === undefined ? true : rest[++at];
      if (value === undefined) throw usageError(`what ${word.text} names is missing`, form.usage);
      flags[key] = value;
    }
  }
  if (words.length < form.least) throw usageError(`${name} needs more words`, form.usage);
  if (words.length > form.most) throw usageError(`${name} takes fewer words`, form.usage);
  return { name, words, flags };
}

/** What the last of `before`, with which a new word would begin, lets that word name. */
export function kindAfter(before: readonly Word[]): Kind {
  const [first, ...rest] = before;
  if (first === undefined) return 'command';
  if (!isCommand(first.text)) return 'none';
  const form: CommandForm = COMMANDS[first.text];
  const [, flag] = findFlag(form, rest.at(-1)?.text ?? '');
  return flag?.value ?? form.kind;
}

function findFlag(
  { flags }: CommandForm,
  text: string,
): readonly [string, Flag] | readonly [undefined, undefined] {
  return Object.entries(flags).find(([, { names }]) => names.includes(text)) ?? [undefined, undefined];
}
