// @ts-check
/**
 * Builds `dist/` anew, so that nothing of an older build stays in it, and makes the program executable. The compiler
 * checks and writes the declarations; the code goes into a few files, one for what is loaded together, since a hundred
 * take longer to find and to read (docs/decisions/0006-start-up.md). Packages stay packages.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build } from 'rolldown';

const root = path.dirname(import.meta.dirname);
const dist = path.join(root, 'dist');
const compiler = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript')), 'tsc.js');

/** What the program loads to read its arguments, before it knows what it will need. */
const start = ['src/cli/program.ts', 'src/cli/actions.ts'].map((file) => path.join(root, file));
/** Packages that are loaded in no time: whoever needs one of the files below may load them all. */
const small = new Set([
  'b4a',
  'env-paths',
  'fastest-levenshtein',
  'get-east-asian-width',
  'is-safe-filename',
]);
/** A file that loads its package at once although it does not import it. */
const digest = path.join(root, 'src/crypto/digest.ts');

/** It is started by the address of its file, which it must keep. */
const worker = path.join(root, 'src/hash-worker.ts');

/**
 * A file, and what is loaded with it: all that it imports, packages too.
 *
 * @param {string} id
 * @param {import('rolldown').ChunkingContext} graph
 * @param {Set<string>} found
 * @returns {Set<string>}
 */
function loadedWith(id, graph, found = new Set()) {
  if (found.has(id)) return found;
  found.add(id);
  for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) loadedWith(imported, graph, found);
  return found;
}

/**
 * The file that takes up a file of ours, if it is one for many: what most commands need lies in three, not in one for
 * each set of commands.
 *
 * @param {string} id
 * @param {import('rolldown').ChunkingContext} graph
 */
function sharedFile(id, graph) {
  const isQuick = [...loadedWith(id, graph)].every(
    (loaded) =>
      (path.isAbsolute(loaded) && loaded !== digest) || loaded.startsWith('node:') || small.has(loaded),
  );
  if (!isQuick || id === worker) return null;
  return id.startsWith(path.join(root, 'src/cli/')) ? 'command-line' : 'library';
}

rmSync(dist, { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [compiler, '-p', 'tsconfig.build.json', '--emitDeclarationOnly'],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
await build({
  cwd: root,
  input: {
    'cli/main': 'src/cli/main.ts',
    index: 'src/index.ts',
    // A thread is started by the address of its file, beside that of the code that starts it.
    'chunks/hash-worker': 'src/hash-worker.ts',
  },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
  output: {
    dir: dist,
    // As deep as in src/: what a file finds beside itself it finds here too.
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: {
      groups: [
        {
          name: (id, graph) => (start.some((first) => loadedWith(first, graph).has(id)) ? 'start' : null),
          debugName: 'start',
          priority: 2,
        },
        {
          name: (id, graph) => (sharedFile(id, graph) === 'library' ? 'library' : null),
          debugName: 'library',
          priority: 1,
          minShareCount: 8,
        },
        {
          name: (id, graph) => (sharedFile(id, graph) === 'command-line' ? 'command-line' : null),
          debugName: 'command-line',
          minShareCount: 8,
        },
      ],
    },
    sourcemap: true,
  },
  logLevel: 'warn',
});
chmodSync(path.join(dist, 'cli/main.js'), 0o755);
