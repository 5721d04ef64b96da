/** What a command is, as plain data: `program.ts` makes it what the package for command lines understands. */
import type { ChatFlags } from '../chat.js';
import type { CommandShape } from '../completion.js';
import type { DevicesFlags } from '../devices.js';
import type { DoctorFlags } from '../doctor.js';
import type { MvFlags, RmFlags } from '../far-commands.js';
import type { GetFlags } from '../get.js';
import type { LsFlags } from '../ls.js';
import type { NodeFlags } from '../node.js';
import type { PairFlags } from '../pair.js';
import type { PutFlags } from '../put.js';
import type { ReceiveFlags } from '../receive.js';
import type { ResumeFlags } from '../resume.js';
import type { RunFlags } from '../run.js';
import type { SendFlags } from '../send.js';
import type { ServeFlags } from '../serve.js';
import type { UseFlags } from '../use.js';

/** What the commands do; each gives its exit status. */
export interface Actions {
  send(paths: readonly string[], flags: SendFlags): Promise<number>;
  receive(code: string | undefined, flags: ReceiveFlags): Promise<number>;
  resume(folders: readonly string[], flags: ResumeFlags): Promise<number>;
  pair(code: string | undefined, flags: PairFlags): Promise<number>;
  chat(code: string | undefined, flags: ChatFlags): Promise<number>;
  devices(flags: DevicesFlags): Promise<number>;
  renameDevice(name: string, to: string): Promise<number>;
  removeDevice(name: string): Promise<number>;
  setAddress(name: string, address: string | undefined): Promise<number>;
  node(flags: NodeFlags): Promise<number>;
  doctor(flags: DoctorFlags): Promise<number>;
  stop(name: string, flags: UseFlags): Promise<number>;
  serve(folder: string | undefined, flags: ServeFlags): Promise<number>;
  ls(places: readonly string[], flags: LsFlags): Promise<number>;
  get(words: readonly string[], flags: GetFlags): Promise<number>;
  put(words: readonly string[], flags: PutFlags): Promise<number>;
  cat(place: string, flags: GetFlags): Promise<number>;
  edit(place: string, flags: UseFlags): Promise<number>;
  shell(device: string, flags: UseFlags): Promise<number>;
  rm(places: readonly string[], flags: RmFlags): Promise<number>;
  mv(places: readonly string[], flags: MvFlags): Promise<number>;
  run(words: readonly string[], flags: RunFlags): Promise<number>;
  mkdir(places: readonly string[], flags: UseFlags): Promise<number>;
  configPath(): Promise<number>;
  configGet(key: string | undefined): Promise<number>;
  configSet(key: string, words: readonly string[]): Promise<number>;
  completion(shell: string): Promise<number>;
  /** Prints what the last of `words` may become. */
  complete(words: readonly string[], shape: CommandShape): Promise<number>;
  /** `xfer WORDS`, where the first word is no command. Throws `usage` with a hint at what was meant. */
  misdirected(words: readonly string[]): Promise<number>;
  /** Throws `usage` with what is wrong with the command line. */
  refuse(sentence: string, hint: string): Promise<never>;
}

export interface FlagSpec {
  /** As the help shows it: `-l, --long`, `--to <device>`, `--listen [address]`. */
  readonly term: string;
  /** What the help says of it; nothing for one that the help does not show. */
  readonly does: string | undefined;
  /** Flags that it cannot stand beside, as keys of what an action gets. */
  readonly conflicts?: readonly string[];
  /** Whether it may be given again: its value is a list then. */
  readonly repeats?: boolean;
}

export interface ParameterSpec {
  /** `<place>`, `[folder]`, `[paths...]`. */
  readonly term: string;
  readonly does?: string;
  /** What the Tab key offers; whether it is one of them, the action says. */
  readonly choices?: readonly string[];
}

export interface CommandSpec {
  readonly name: string;
  readonly alias?: string;
  /** Nothing for a command that the help does not show. */
  readonly does: string | undefined;
  readonly parameters?: readonly ParameterSpec[];
  readonly flags?: readonly FlagSpec[];
  /** Flags in `no-` that are neither yes nor no where they were not given. */
  readonly undecided?: readonly string[];
  /** Whether words that look like unknown flags are words. */
  readonly takesUnknownFlags?: boolean;
  /** What the help says at its end. */
  readonly more?: string;
  readonly commands?: readonly CommandSpec[];
  /** Gets a value for each parameter, and then the flags; `undefined` where only the commands below it do something. */
  readonly act?: (actions: Actions, ...values: never[]) => Promise<number>;
}

export function flag(term: string, does: string, more: Omit<FlagSpec, 'term' | 'does'> = {}): FlagSpec {
  return { term, does, ...more };
}

/** A code may be read out and typed with spaces. */
export function codeOf(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : words.join(' ');
}
