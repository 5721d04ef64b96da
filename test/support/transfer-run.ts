/** A transfer between two programs over a line that a test can hold or cut, and what must hold of what it leaves. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, expect } from 'vitest';
import { differences, treeOf, type TreeEntry } from '../../scripts/tree.js';
import { joining, listening } from './direct.js';
import { TcpProxy } from './tcp-proxy.js';
import { namesIn } from './trees.js';
import { xfer, type StartOptions, type XferProcess } from './xfer-process.js';

export interface RunOptions {
  readonly from: string | readonly string[];
  readonly to: string;
  /** The line stands still after so many bytes from the sender; never if not given. */
  readonly holdAfter?: number;
  /** Flags of either side. Whoever loses the other one does not look for it again, unless they say otherwise. */
  readonly send?: readonly string[];
  readonly receive?: readonly string[];
  readonly sender?: StartOptions;
  readonly receiver?: StartOptions;
}

export interface Run {
  readonly sender: XferProcess;
  readonly receiver: XferProcess;
  readonly line: TcpProxy;
}

const lines = new Set<TcpProxy>();
afterEach(() => {
  for (const line of lines) line.close();
  lines.clear();
});

/** Starts both sides; the receiver says yes to everything. */
export async function startRun(options: RunOptions): Promise<Run> {
  const { from, to, holdAfter = Infinity, send = [], receive = [] } = options;
  const paths = typeof from === 'string' ? [from] : from;
  const args = ['send', ...paths, '--patience', '0', ...send];
  const { host: sender, code, port } = await listening(args, options.sender);
  const line = await TcpProxy.start(port, holdAfter);
  lines.add(line);
  const join = joining(['send'], code, line.port);
  const receiver = await xfer(
    ['receive', ...join, '--yes', '--patience', '0', '--out', to, ...receive],
    options.receiver,
  );
  return { sender, receiver, line };
}

/** The exit statuses of sender and receiver. */
export async function statuses({ sender, receiver }: Run, patienceMs?: number): Promise<(number | null)[]> {
  return Promise.all([sender.status(patienceMs), receiver.status(patienceMs)]);
}

/**
 * Fails unless both sides end well, and `to` holds what was sent and nothing else. With `merged`, folders were there before, and
 * their times are their own.
 */
export async function expectArrival(
  run: Run,
  from: string,
  to: string,
  { merged = false }: { readonly merged?: boolean } = {},
): Promise<void> {
  expect(await statuses(run), `${run.sender.screen}\n${run.receiver.screen}`).toEqual([0, 0]);
  const root = path.basename(from);
  const [expected, actual] = [await treeOf(from), await treeOf(path.join(to, root))];
  if (merged) for (const tree of [expected, actual]) forgetFolderTimes(tree);
  expect(differences(expected, actual)).toEqual([]);
  // Nothing else beside it, hidden or not.
  expect(await readdir(to)).toEqual([root]);
}

function forgetFolderTimes(tree: Map<string, TreeEntry>): void {
  for (const [name, entry] of tree) if (entry.type === 'folder') tree.set(name, { ...entry, mtimeMs: 0 });
}

/** What the last line of `--json` says. */
export interface Done {
  readonly files: number;
  readonly bytes: number;
  readonly continuedBytes: number;
  readonly alreadyFiles: number;
  readonly alreadyBytes: number;
  readonly elapsedMs: number;
  readonly exitCode: number;
  readonly leftOut: readonly { readonly path: string; readonly reason: string }[];
}

/** What a side with `--json` wrote. */
export function eventsOf(side: XferProcess): Record<string, unknown>[] {
  const whole = side.stdout.slice(0, side.stdout.lastIndexOf('\n') + 1).split('\n');
  return whole.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function doneOf(side: XferProcess): Done {
  return eventsOf(side).at(-1) as unknown as Done;
}

/** Places in `length`, the same in every run. */
export function places(count: number, length: number, seed: string): number[] {
  const hash = createHash('shake256', { outputLength: 4 * count })
    .update(seed)
    .digest();
  return Array.from({ length: count }, (_, index) =>
    Math.floor((hash.readUInt32LE(index * 4) / 2 ** 32) * length),
  );
}

/**
 * Fails where a file under a final name in `to` is none of those that may be there: what is sent, or what was there before.
 * `allowed` are folders that `to` is compared with. Gives the bytes of the files that are as in the first of them.
 */
export async function expectNothingWrong(to: string, ...allowed: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(to)) {
    if (name.startsWith('.xfer-')) continue;
    const content = await readFile(path.join(to, name)).catch(() => undefined);
    if (content === undefined) continue;
    const known = await Promise.all(
      allowed.map((folder) => readFile(path.join(folder, name)).catch(() => undefined)),
    );
    const which = known.findIndex((each) => each?.equals(content));
    expect(which, `${name}, ${content.length} bytes, is something else`).toBeGreaterThanOrEqual(0);
    if (which === 0) bytes += content.length;
  }
  return bytes;
}
