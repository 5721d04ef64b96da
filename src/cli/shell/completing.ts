/** What the Tab key makes of a line. */
import type { FarPath } from '../../index.js';
import { quoteWord } from '../other-side.js';
import { show } from '../show.js';
import { readWords } from '../words.js';
import { COMMANDS, isCommand, kindAfter, type CommandForm } from './commands.js';

export interface Listed {
  readonly name: string;
  readonly type: 'file' | 'folder';
}

/** What is in folders, where that can be known. */
export interface Folders {
  /** Where `path`, of a share and seen from where somebody is, leads. */
  readonly far: (path: string) => Promise<readonly Listed[]>;
  readonly local: (path: string) => Promise<readonly Listed[]>;
}

/** What the last word of a line may become, and the part of the line that this replaces. */
export async function completeLine(
  line: string,
  folders: Folders,
): Promise<[candidates: string[], replaced: string]> {
  const { words, isOpen } = readWords(line);
  const isNew = words.length === 0 || (!isOpen && /\s$/.test(line) && !/\\\s$/.test(line));
  const last = isNew ? undefined : words.at(-1);
  const typed = last?.text ?? '';
  const replaced = last === undefined ? '' : line.slice(last.start);
  const before = last === undefined ? words : words.slice(0, -1);
  const kind = kindAfter(before);
  const command = before[0]?.text ?? '';
  if (kind === 'command') return [startingWith(typed, Object.keys(COMMANDS)), replaced];
  if (typed.startsWith('-') && isCommand(command)) {
    const form: CommandForm = COMMANDS[command];
    return [
      startingWith(
        typed,
        Object.values(form.flags).flatMap(({ names }) => names),
      ),
      replaced,
    ];
  }
  if (kind === 'none') return [[], replaced];
  const slash = typed.lastIndexOf('/') + 1;
  const [above, begun] = [typed.slice(0, slash), typed.slice(slash)];
  const found: string[] = [];
  for (const { name, type } of await folders[kind](above)) {
    // What a terminal would obey is nothing to be typed.
    if (!name.startsWith(begun) || show(name, Infinity) !== name) continue;
    // Names that look like dots or flags only where they are asked for.
    if (begun === '' && name.startsWith('.')) continue;
    const path = `${above === '' && name.startsWith('-') ? './' : above}${name}`;
    found.push(type === 'folder' ? quoteWord(`${path}/`) : `${quoteWord(path)} `);
  }
  return [found, replaced];
}

function startingWith(typed: string, all: readonly string[]): string[] {
  return all.filter((word) => word.startsWith(typed)).map((word) => `${word} `);
}

/** Remembers what is in folders of a share until somebody did something there. */
export class FolderCache {
  readonly #list: (path: FarPath) => Promise<readonly Listed[]>;
  readonly #known = new Map<string, readonly Listed[]>();

  constructor(list: (path: FarPath) => Promise<readonly Listed[]>) {
    this.#list = list;
  }

  async in(path: FarPath): Promise<readonly Listed[]> {
    const key = path.join('/');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = await this.#list(path);
    this.#known.set(key, found);
    return found;
  }

  forget(): void {
    this.#known.clear();
  }
}
