/** `--exclude` and `--only`. Globs are the person's own; paths use forward slashes on every system. */
import picomatch from 'picomatch';
import { XferError } from '../errors.js';

/** Whether the globs name an entry: `path` begins with its root's name. */
export type PathMatcher = (path: string, isFolder?: boolean) => boolean;

/**
 * True for entries that one of the globs names, by the path with or without the root's name or by the base name
 * alone. A glob that ends in `/` names folders only. Stars match names that begin with a dot.
 * Throws `usage` for a glob that cannot be understood.
 */
export function matchGlobs(globs: readonly string[]): PathMatcher {
  const any = compile(globs.filter((glob) => !glob.endsWith('/')));
  const folders = compile(globs.filter((glob) => glob.endsWith('/')).map((glob) => glob.replace(/\/+$/, '')));
  return (path, isFolder = false) => any(path) || (isFolder && folders(path));
}

/**
 * True for entries that one of the globs names, and for everything below a folder that one of them names: what
 * `--only` takes.
 */
export function pathMatcher(globs: readonly string[]): PathMatcher {
  const matches = matchGlobs(globs);
  return (path, isFolder = false) => {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (matches(path.slice(0, slash), true)) return true;
    }
    return matches(path, isFolder);
  };
}

/** True for the names that a glob of a shell means: a star matches no dot at the beginning. Throws `usage`. */
export function nameMatcher(glob: string): (name: string) => boolean {
  return compileGlob(glob, false);
}

function compile(globs: readonly string[]): (path: string) => boolean {
  const matchers = globs.map(compileOne);
  if (matchers.length === 0) return () => false;
  return (path) => {
    const below = path.slice(path.indexOf('/') + 1);
    const base = path.slice(path.lastIndexOf('/') + 1);
    return matchers.some((matches) => matches(path) || matches(below) || matches(base));
  };
}

function compileOne(glob: string): (path: string) => boolean {
  const pattern = glob.replace(/^\.?\/+/, '');
  if (pattern === '') {
    throw new XferError('usage', {
      subject: `the glob '${glob}' matches nothing`,
      detail: 'give a name or a pattern such as *.jpg',
    });
  }
  return compileGlob(pattern, true);
}

/** @param dot Whether stars match names that begin with a dot. */
function compileGlob(pattern: string, dot: boolean): (path: string) => boolean {
  try {
    return picomatch(pattern, { dot });
  } catch (cause) {
    throw new XferError('usage', { subject: pattern, cause });
  }
}
