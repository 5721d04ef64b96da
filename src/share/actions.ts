/** What the owner of a share lets devices have run, and how much of it at once. */
import { accessSync, constants, lstatSync, readlinkSync, realpathSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { Script } from 'node:vm';
import { fillArguments, limitsOf, wholePattern, type ActionSettings } from '../action-settings.js';
import { XferError } from '../errors.js';
import type { ListedAction } from '../transfer/share-messages.js';
import { whyNoWord } from '../transfer/share-words.js';
import { TryLimit } from './try-limit.js';
import { startProgram, type RunLimits, type RunningProgram } from './running.js';

/** The folder that is shared beside. */
export interface SharedPlace {
  readonly folder: string;
  /** Whether any device may change what is in it. */
  readonly isWritable: boolean;
}

/** A device as the list of those that are remembered has it. */
interface KnownDevice {
  readonly publicKey: Uint8Array;
}

/** At once, of one device and of all. */
const MOST_OF_ONE = 2;
const MOST_OF_ALL = 8;

/** Where programs find others. What this process was started with is nobody else's business. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const LANG = 'C.UTF-8';

/** A pattern of the owner, which need not be a wise one, meets the words of somebody else. */
const MATCH_MS = 500;
const MATCH = new Script('pattern.test(word)');

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/** What is unsafe about a program, in words that stand behind its key. */
class Unsafe extends Error {}

/** The actions of a share, checked. */
export class SharedActions {
  readonly #actions: readonly Action[];
  readonly #running = new Map<string, number>();
  /** Words that a pattern took too long for: meanwhile nothing else of the share goes on. */
  readonly #slow = new TryLimit();
  #count = 0;

  private constructor(actions: readonly Action[]) {
    this.#actions = actions;
  }

  /**
   * @param file Where the settings are.
   * @param find Gives the device of a name. Throws `device-unknown`.
   * @throws XferError `config-invalid` for a program that is none, or that others than its owner could put another one in the place of, and
   * for a device that is not remembered
   */
  static async open(
    settings: Readonly<Record<string, ActionSettings>>,
    file: string,
    place: SharedPlace,
    find: (name: string) => Promise<KnownDevice>,
  ): Promise<SharedActions> {
    const folder = realpathSync(place.folder);
    const actions: Action[] = [];
    for (const [name, action] of Object.entries(settings)) {
      const wrong = (key: string, what: string): XferError =>
        new XferError('config-invalid', { subject: file, detail: `actions.${name}.${key} ${what}` });
      // No process groups, so nothing would end what an action started.
      if (process.platform === 'win32') throw wrong('program', 'cannot be run by a share on Windows');
      const devices = new Set<string>();
      for (const device of action.devices) {
        const known = await find(device).catch((error: unknown) => {
          if (error instanceof XferError && error.code === 'device-unknown') {
            throw wrong('devices', `names '${device}', and no device is called that`);
          }
          throw error;
        });
        devices.add(keyOf(known));
      }
      const notIn = place.isWritable ? folder : undefined;
      try {
        const location = findProgram(action.program, notIn);
        actions.push(new Action(name, action, { location, notIn }, devices));
      } catch (error) {
        throw error instanceof Unsafe ? wrong('program', error.message) : error;
      }
    }
    return new SharedActions(actions);
  }

  /** Those of one device, which is called `name` here. */
  for(device: KnownDevice, name: string): DeviceActions {
    const key = keyOf(device);
    return new DeviceActions(
      name,
      this.#actions.filter(({ devices }) => devices.has(key)),
      () => this.#take(key),
      { isSpent: () => this.#slow.isSpent(key), count: () => this.#slow.take(key) },
    );
  }

  /** Counts something that runs; what is given back ends that. Throws `too-many-runs`. */
  #take(key: string): () => void {
    const running = this.#running.get(key) ?? 0;
    if (running >= MOST_OF_ONE || this.#count >= MOST_OF_ALL) throw new XferError('too-many-runs');
    this.#running.set(key, running + 1);
    this.#count += 1;
    return () => {
      this.#running.set(key, (this.#running.get(key) ?? 1) - 1);
      this.#count -= 1;
    };
  }
}

/** Words of a device that took too long. */
interface SlowWords {
  /** Whether there were so many that no other one is looked at for a while. */
  isSpent(): boolean;
  count(): void;
}

/** What a device may have run. */
export class DeviceActions {
  readonly #device: string;
  readonly #actions: readonly Action[];
  readonly #take: () => () => void;
  readonly #slow: SlowWords;

  constructor(device: string, actions: readonly Action[], take: () => () => void, slow: SlowWords) {
    this.#device = device;
    this.#actions = actions;
    this.#take = take;
    this.#slow = slow;
  }

  list(): readonly ListedAction[] {
    return this.#actions.map(({ name, parameters }) => ({ name, parameters }));
  }

  /** Throws `no-action` and `argument-count`. */
  find(name: string, wordCount: number): FoundAction {
    const action = this.#actions.find((one) => one.name === name);
    if (action === undefined) throw new XferError('no-action');
    if (action.parameters.length !== wordCount) throw new XferError('argument-count');
    return {
      check: (index, word) => action.check(index, word, this.#slow),
      start: async (words, signal) => {
        const giveBack = this.#take();
        let running: RunningProgram;
        try {
          running = await action.start(words, this.#device, signal);
        } catch (error) {
          giveBack();
          throw error;
        }
        void running.over.then(giveBack);
        return running;
      },
    };
  }
}

/** An action that a device may have run, with as many words as it said. */
export interface FoundAction {
  /** Throws `argument-refused`. */
  check(index: number, word: string): void;
  /** With words that were checked. Throws `too-many-runs` and `action-failed`. */
  start(words: readonly string[], signal: AbortSignal): Promise<RunningProgram>;
}

interface Program {
  /** Where it was found: no link is followed a second time. */
  readonly location: string;
  /** A folder of which others may change what is in it. */
  readonly notIn: string | undefined;
}

class Action {
  readonly name: string;
  readonly parameters: readonly string[];
  /** The keys of those that may have it run. */
  readonly devices: ReadonlySet<string>;
  readonly #settings: ActionSettings;
  readonly #program: Program;
  readonly #patterns: readonly RegExp[];
  readonly #limits: RunLimits;

  constructor(name: string, settings: ActionSettings, program: Program, devices: ReadonlySet<string>) {
    this.name = name;
    this.parameters = Object.keys(settings.parameters ?? {});
    this.devices = devices;
    this.#settings = settings;
    this.#program = program;
    this.#patterns = Object.values(settings.parameters ?? {}).map(wholePattern);
    this.#limits = limitsOf(settings);
  }

  check(index: number, word: string, slow: SlowWords): void {
    const pattern = this.#patterns[index];
    const mayMatch = pattern !== undefined && whyNoWord(word) === undefined && !slow.isSpent();
    if (!mayMatch || !matches(pattern, word, slow)) throw new XferError('argument-refused');
  }

  async start(words: readonly string[], device: string, signal: AbortSignal): Promise<RunningProgram> {
    const { location, notIn } = this.#program;
    try {
      // As it is now: something else may be there by this time.
      if (findProgram(location, notIn) !== location) throw new Unsafe(`is not at ${location} any more`);
    } catch (cause) {
      throw new XferError('action-failed', { cause });
    }
    const args = fillArguments(this.#settings, words);
    const env = { PATH, LANG, XFER_DEVICE: device, XFER_ACTION: this.name };
    return startProgram({ program: location, name: this.#settings.program, args, env }, this.#limits, signal);
  }
}

/** False where it takes too long to find out, too. */
function matches(pattern: RegExp, word: string, slow: SlowWords): boolean {
  try {
    return MATCH.runInNewContext({ pattern, word }, { timeout: MATCH_MS }) === true;
  } catch {
    slow.count();
    return false;
  }
}

/**
 * Where the program is that a path of the owner names. Throws `Unsafe` where it cannot be run, or where somebody but this user and root
 * could put another program in its place: by itself, by a folder that it is in, or by the folder that is shared.
 */
function findProgram(given: string, notIn: string | undefined): string {
  let location: string;
  try {
    location = realpathSync(given);
  } catch {
    throw new Unsafe(`names ${given}, which is not there`);
  }
  const named = location === given ? given : `${given} (${location})`;
  const why = whyUnsafe(location, notIn) ?? whyUnsafeLinks(given);
  if (why !== undefined) throw new Unsafe(`names ${named}, ${why}`);
  return location;
}

function whyUnsafe(location: string, notIn: string | undefined): string | undefined {
  const stat = statSync(location);
  if (!stat.isFile() || !isExecutable(location)) return 'which is no program';
  if (notIn !== undefined && isInside(location, notIn)) {
    return 'which is in the folder that is shared and may be changed';
  }
  return whyOpen(location, stat) ?? whyUnsafeFolders(path.dirname(location));
}

/** About the folders of a link, and of what it leads to, and so on. */
function whyUnsafeLinks(at: string): string | undefined {
  const why = whyUnsafeFolders(path.dirname(at));
  if (why !== undefined || !lstatSync(at).isSymbolicLink()) return why;
  return whyUnsafeLinks(path.resolve(realpathSync(path.dirname(at)), readlinkSync(at)));
}

function isExecutable(location: string): boolean {
  try {
    accessSync(location, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function whyUnsafeFolders(folder: string): string | undefined {
  const { mode, uid, gid } = statSync(folder);
  // Only the owner of what is in a sticky folder may change that, and the folder's.
  const why = whyOpen(folder, { mode: (mode & STICKY) === 0 ? mode : 0, uid, gid });
  const above = path.dirname(folder);
  return why ?? (above === folder ? undefined : whyUnsafeFolders(above));
}

/** Who else may change it. */
function whyOpen(at: string, { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>): string | undefined {
  if (uid !== 0 && uid !== process.getuid?.()) return `and ${at} belongs to another user`;
  // The group of root is as good as root.
  const isOpen = (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && gid !== 0);
  return isOpen ? `and others may write to ${at}` : undefined;
}

function isInside(location: string, folder: string): boolean {
  const way = path.relative(folder, location);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

function keyOf({ publicKey }: KnownDevice): string {
  return Buffer.from(publicKey).toString('hex');
}
