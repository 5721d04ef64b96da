/** The `.gitignore` files of a tree: each holds for its folder and below, and the deepest that speaks decides. */
import ignore, { type Ignore } from 'ignore';
import { foldsNames, thisPlatform } from './paths.js';

/** The package remembers every path it was asked about; from here on it forgets. */
const REMEMBERED_PATHS = 10_000;

export class Gitignore {
  readonly #above: Gitignore | undefined;
  /** How many characters of a path lead to the folder of this file, its slash included. */
  readonly #folderLength: number;
  #rules: Ignore;
  #asked = 0;

  /** `folder` is the path of the folder that the file lies in, with the root's name; `text` the file's content. */
  constructor(folder: string, text: string, above: Gitignore | undefined) {
    this.#above = above;
    this.#folderLength = folder.length + 1;
    this.#rules = newRules().add(text);
  }

  /** Whether what lies at `path` (with the root's name, in this file's folder or below) is left out. */
  ignores(path: string, isFolder: boolean): boolean {
    const { ignored, unignored } = this.#test(path.slice(this.#folderLength), isFolder);
    if (ignored || unignored) return ignored;
    return this.#above?.ignores(path, isFolder) ?? false;
  }

  #test(below: string, isFolder: boolean): { ignored: boolean; unignored: boolean } {
    if (++this.#asked % REMEMBERED_PATHS === 0) this.#rules = newRules().add(this.#rules);
    const asked = isFolder ? `${below}/` : below;
    const result = this.#rules.test(asked);
    return result.ignored && this.#takeFoldersIn(below) ? this.#rules.test(asked) : result;
  }

  /**
   * The walk comes only to what lies in folders that are not left out. Where these rules say that one is, the
   * file of a deeper folder took it in, and what lies in it is to be judged for itself. True where there was one.
   */
  #takeFoldersIn(below: string): boolean {
    let wasThere = false;
    for (let slash = below.indexOf('/'); slash !== -1; slash = below.indexOf('/', slash + 1)) {
      if (!this.#rules.test(below.slice(0, slash + 1)).ignored) continue;
      this.#rules.add(`!/${below.slice(0, slash).replace(/[\\*?[\]! #]/g, String.raw`\$&`)}`);
      wasThere = true;
    }
    return wasThere;
  }
}

function newRules(): Ignore {
  return ignore({ ignorecase: foldsNames(thisPlatform()), allowRelativePaths: true });
}
