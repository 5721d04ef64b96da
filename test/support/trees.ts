/** Folders to send, and what must hold of what arrived. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { differences, treeOf } from '../../scripts/tree.js';

/** Bytes that do not compress, the same in every run. */
export function noise(length: number, seed: string): Uint8Array {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

interface Sample {
  /** Nothing for a folder. */
  readonly content?: Uint8Array | string;
  readonly mode?: number;
  readonly mtimeMs?: number;
}

const SAMPLES: Readonly<Record<string, Sample>> = {
  'empty folder': {},
  'empty file': { content: '' },
  'crème brûlée für Zoë.txt': { content: 'accents and spaces\n', mtimeMs: 1_234_567_890_123 },
  'run.sh': { content: '#!/bin/sh\n', mode: 0o755 },
  'read only': { content: 'nobody writes here', mode: 0o444 },
  'deep/er/and/deeper': {},
  'deep/er/small.bin': { content: noise(100, 'small') },
  'deep/er/chunk.bin': { content: noise(2 ** 20, 'one chunk') },
  'deep/er/chunks.bin': { content: noise(3 * 2 ** 20 + 1, 'some chunks') },
  'deep/text.txt': { content: 'the same line again\n'.repeat(20_000), mtimeMs: 86_400_000 },
  private: { mode: 0o700, mtimeMs: 946_684_800_000 },
  'private/key': { content: 'do not read', mode: 0o600 },
};

/** Fills `folder` with a bit of everything that a transfer keeps, and `many` small files. */
export async function fillSampleTree(folder: string, many = 300): Promise<void> {
  for (const [name, sample] of Object.entries(SAMPLES)) await writeSample(path.join(folder, name), sample);
  for (let number = 0; number < many; number++) {
    await writeSample(path.join(folder, `many/${number}.txt`), {
      content: `file ${number}\n`.repeat(number),
    });
  }
  // Last, as writing into a folder changes its time.
  for (const [name, { mode, mtimeMs = 1_700_000_000_000 }] of Object.entries(SAMPLES).reverse()) {
    const file = path.join(folder, name);
    if (mode !== undefined) await chmod(file, mode);
    await utimes(file, mtimeMs / 1000, mtimeMs / 1000);
  }
}

async function writeSample(file: string, { content }: Sample): Promise<void> {
  await mkdir(content === undefined ? file : path.dirname(file), { recursive: true });
  if (content !== undefined) await writeFile(file, content);
}

/** Fails unless both folders hold the same names, types, sizes, modes, times and bytes. */
export async function expectSameTree(actual: string, expected: string): Promise<void> {
  expect(differences(await treeOf(expected), await treeOf(actual))).toEqual([]);
}

/** The paths below a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  return [...(await treeOf(folder)).keys()];
}
