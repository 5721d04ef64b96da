// @ts-check
/** Builds `dist/` anew, so that nothing of an older build stays in it, and makes the program executable. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const program = path.join(root, 'dist/cli/main.js');
const compiler = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript')), 'tsc.js');

rmSync(path.join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
if (existsSync(program)) chmodSync(program, 0o755);
