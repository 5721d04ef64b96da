import { expect } from 'vitest';
import { namesIn } from './trees.js';
import type { XferProcess, XferTerminal } from './xfer-process.js';

/** How the program ends that could not do what it was asked for. */
export interface Ending {
  readonly status: number;
  /** The sentence behind `xfer: error: `, or its beginning. */
  readonly error: string;
  /** What stands in the line behind `xfer: hint: `; no such line if not given. */
  readonly hint?: string;
  /** The folder that received: nothing new may have a name in it. */
  readonly in?: string;
  /** What a later transfer can go on with is kept there, which the hint says; otherwise nothing is. */
  readonly goesOn?: boolean;
  /** What was in that folder before. */
  readonly kept?: readonly string[];
}

const GOES_ON = 'start again with a new code and receive into the same place: it goes on from here';

/** Waits for the end of a program and fails unless it ended with this status, one sentence, one hint and no file. */
export async function expectEnding(side: XferProcess | XferTerminal, ending: Ending): Promise<void> {
  const status = await side.status();
  const lines = 'stderr' in side ? side.stderr.split('\n') : unbroken(side.lines);
  const said = lines.join('\n');
  expect(status, said).toBe(ending.status);
  const hint = ending.goesOn === true ? GOES_ON : ending.hint;
  const errors = lines.filter((line) => line.startsWith('xfer: error: '));
  const hints = lines.filter((line) => line.startsWith('xfer: hint: '));
  expect(errors, said).toEqual([expect.stringContaining(`xfer: error: ${ending.error}`)]);
  expect(hints, said).toEqual(hint === undefined ? [] : [expect.stringContaining(hint)]);
  for (const line of [...errors, ...hints]) expect(line).toMatch(/^xfer: \w+: [^A-Z].*[^.]$/);
  if (ending.in === undefined) return;
  const names = await namesIn(ending.in);
  expect(names.filter((name) => !name.startsWith('.xfer-'))).toEqual(ending.kept ?? []);
  // The folder, a journal and a part at least.
  const hidden = names.filter((name) => name.startsWith('.xfer-'));
  expect(hidden.length > 2, hidden.join('\n')).toBe(ending.goesOn === true);
}

/** Sentences as they were before a narrow terminal broke them. */
function unbroken(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => line.startsWith('xfer: error: '));
  const said = lines.slice(Math.max(first, 0)).join(' ').trimEnd();
  return [...lines.slice(0, Math.max(first, 0)), ...said.split(/ (?=xfer: )/)];
}
