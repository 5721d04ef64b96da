// @ts-check
/** How fast xfer is, beside what else there is on this machine. See README.md beside this file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compare } from './compare.js';
import { resultTable, skippedLines } from './figures.js';
import { goalTable } from './goals.js';
import { describeMachine, roomyFolder, versions } from './machine.js';
import { stopAll } from './measured.js';
import { scenarios } from './scenarios.js';

const ROOT = path.dirname(import.meta.dirname);
/** What lies there at once at most. */
const ROOM_BYTES = { quick: 2 ** 29, full: 5 * 2 ** 30 };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    only: { type: 'string', multiple: true },
    dir: { type: 'string' },
    program: { type: 'string', default: path.join(ROOT, 'dist/cli/main.js') },
    json: { type: 'string' },
  },
});
const runs = Number(values.runs ?? (values.quick ? 1 : 5));
if (!Number.isSafeInteger(runs) || runs < 1) throw new Error('--runs takes a number from 1');
const all = scenarios(values.quick);
for (const name of values.only ?? []) {
  const names = all.map((scenario) => scenario.name);
  if (!names.includes(name)) throw new Error(`--only takes one of: ${names.join(', ')}`);
}
const chosen = all.filter(({ name }) => values.only?.includes(name) ?? true);

// Whatever runs is ended, whoever waits for it fails, and everything is cleaned up.
process.once('SIGINT', stopAll).once('SIGTERM', stopAll);

const folder = values.dir ?? roomyFolder(values.quick ? ROOM_BYTES.quick : ROOM_BYTES.full);
const temporary = await mkdtemp(path.join(folder, 'xfer-bench-'));
try {
  const machine = describeMachine(temporary);
  const programs = versions(ROOT);
  for (const [name, value] of [...Object.entries(machine), ...Object.entries(programs)])
    console.log(`${name}: ${value}`);
  console.log(`${runs} ${runs === 1 ? 'round' : 'rounds'}, every program once in each`);
  const results = await compare({
    scenarios: chosen,
    runs,
    program: path.resolve(values.program),
    temporary,
    onRound: () => process.stderr.isTTY && process.stderr.write('.'),
    onResult: (result) => {
      const skipped = skippedLines(result);
      const lines = result.skipped === undefined ? [result.title, resultTable(result), ...skipped] : skipped;
      console.log(`\n${lines.join('\n')}`);
    },
  });
  console.log(`\n${goalTable(results)}`);
  const report = { machine, programs, runs, quick: values.quick, results };
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(report, null, 2));
} finally {
  await rm(temporary, { recursive: true, force: true });
}
