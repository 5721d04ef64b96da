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
    sourcemap: true,
  },
  logLevel: 'warn',
});
chmodSync(path.join(dist, 'cli/main.js'), 0o755);
