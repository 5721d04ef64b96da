import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { runResume } from '../../../src/cli/resume.js';
import { leftovers, removeLeftover } from '../../../src/index.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { makeWorld, type World } from './world.js';

const GONE = '.xfer-0000000000000001';
const FOREIGN = '.xfer-0000000000000002';
const UNKNOWN = '.xfer-0000000000000003';
const journalOf = (version: number): string => `{"xfer":${version},"roots":["r"],"started":1}\n`;

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

function leave(staging: string, version: number): void {
  mkdirSync(path.join(folder, staging), 0o700);
  writeFileSync(path.join(folder, staging, 'journal'), journalOf(version), { mode: 0o600 });
}

async function clean(json = false): Promise<World> {
  const world = makeWorld({ library: { leftovers, removeLeftover }, env: { XFER_HOME: folder } });
  expect(await runResume([folder], { clean: true, json }, world.context)).toBe(0);
  return world;
}

test('what is removed is counted, and what stays is said with the reason', async () => {
  leave(GONE, 1);
  leave(FOREIGN, 1);
  writeFileSync(path.join(folder, FOREIGN, 'mine.txt'), 'mine');
  leave(UNKNOWN, 2);
  const { stderr } = await clean();
  expect(stderr.lines.sort()).toEqual([
    `${path.join(folder, FOREIGN)} stays: something else is in it`,
    `${path.join(folder, UNKNOWN)} stays as it is: this version cannot read its journal`,
    'removed what 2 transfers left',
  ]);
  expect(readdirSync(folder)).toEqual([FOREIGN, UNKNOWN]);
  expect(readdirSync(path.join(folder, FOREIGN))).toEqual(['mine.txt']);
});

test('where nothing was removed that is said', async () => {
  leave(UNKNOWN, 2);
  const { stderr } = await clean();
  expect(stderr.lines.at(-1)).toBe('nothing was removed');
});

test('a program is told why something stays', async () => {
  leave(FOREIGN, 1);
  writeFileSync(path.join(folder, FOREIGN, 'mine.txt'), 'mine');
  leave(UNKNOWN, 2);
  const { stdout } = await clean(true);
  const events = stdout.lines.map((line) => JSON.parse(line) as { kept: string });
  expect(events.sort((a, b) => (a.kept < b.kept ? -1 : 1))).toMatchObject([
    { event: 'removed', kept: path.join(folder, FOREIGN), keptFor: 'content' },
    { event: 'removed', kept: path.join(folder, UNKNOWN), keptFor: 'journal' },
  ]);
});
