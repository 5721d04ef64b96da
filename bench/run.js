// @ts-check
/** How fast xfer is, beside what else there is on this machine. See README.md beside this file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compare } from './compare.js';
import { resultTable, skippedLines } from './figures.js';
import { goalTable } from './goals.js';
import { growth, growthTable } from './growth.js';
import { describeMachine, roomyFolder, versions } from './machine.js';
import { interrupt } from './measured.js';
import { micro, microTable } from './micro.js';
import { writePage } from './page.js';
import { scenarios } from './scenarios.js';

const ROOT = path.dirname(import.meta.dirname);
/** What lies there at once at most. */
const ROOM_BYTES = { quick: 2 ** 28, full: 5 * 2 ** 30 };
/** How far `--growth` goes with `--quick`, and without. */
const MOST = {
  quick: { bytes: 100 * 2 ** 20, files: 1_000 },
  full: { bytes: 10 * 2 ** 30, files: 1_000_000 },
};

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    only: { type: 'string', multiple: true },
    micro: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    'most-bytes': { type: 'string' },
    'most-files': { type: 'string' },
    dir: { type: 'string' },
    program: { type: 'string', default: path.join(ROOT, 'dist/cli/main.js') },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const { quick, write } = values;
const program = path.resolve(values.program);
const runs = numberOf('runs', quick ? 1 : 5);
const most = MOST[quick ? 'quick' : 'full'];
const mostBytes = numberOf('most-bytes', most.bytes);
const mostFiles = numberOf('most-files', most.files);
const withMicro = values.micro || write;
const withGrowth = values.growth || write;
const withScenarios = write || values.only !== undefined || !(values.micro || values.growth);
const chosen = chosenScenarios(values.only);

// Whatever runs is ended, whoever waits for it fails, and everything is cleaned up.
process.once('SIGINT', interrupt).once('SIGTERM', interrupt);

const folder = values.dir ?? roomyFolder(quick ? ROOM_BYTES.quick : ROOM_BYTES.full);
/** @type {import('./page.js').Report} */
const report = { machine: describeMachine(folder), programs: versions(ROOT), runs, quick };
if (withScenarios) await compared();
if (withGrowth) await grown();
if (withMicro) {
  report.micro = await micro(path.resolve(path.dirname(program), '../..'));
  console.log(`\n${microTable(report.micro)}`);
  await save();
}
if (write) await writePage(path.join(ROOT, 'docs'), report);

/** As soon as something is measured: the rest takes long, and may fail. */
async function save() {
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(report, null, 2));
}

async function compared() {
  const about = { ...describeMachine(folder), ...versions(ROOT) };
  for (const [name, value] of Object.entries(about)) console.log(`${name}: ${value}`);
  console.log(`${runs} ${runs === 1 ? 'round' : 'rounds'}, every program once in each`);
  const temporary = await mkdtemp(path.join(folder, 'xfer-bench-'));
  try {
    report.results = [];
    const results = await compare({
      scenarios: chosen,
      runs,
      program,
      temporary,
      onResult: async (result) => {
        report.results?.push(result);
        await save();
        const skipped = skippedLines(result);
        const lines =
          result.skipped === undefined ? [result.title, resultTable(result), ...skipped] : skipped;
        console.log(`\n${lines.join('\n')}`);
      },
    });
    if (quick) console.log('\nSizes are cut: starting takes most of the time, and the ratios say little.');
    console.log(`\n${goalTable(results)}`);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function grown() {
  report.growth = [];
  const steps = await growth({
    mostBytes,
    mostFiles,
    // The large ones take long, and what grows shows in one run.
    runs: values.runs === undefined ? 1 : runs,
    program,
    dir: values.dir,
    onStep: async (step) => {
      report.growth?.push(step);
      await save();
      console.log(`measured: ${step.title}`);
    },
  });
  console.log(`\n${growthTable(steps)}`);
}

/** @param {readonly string[] | undefined} only */
function chosenScenarios(only) {
  const all = scenarios(quick);
  const unknown = only?.find((name) => all.every((scenario) => scenario.name !== name));
  if (unknown !== undefined)
    throw new Error(`--only takes one of: ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => only?.includes(name) ?? true);
}

/** @param {'runs' | 'most-bytes' | 'most-files'} flag @param {number} otherwise */
function numberOf(flag, otherwise) {
  const number = Number(values[flag] ?? otherwise);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${flag} takes a number from 1`);
  return number;
}
