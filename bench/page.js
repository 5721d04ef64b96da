// @ts-check
/** docs/benchmarks.md: what one run measured, and nothing else. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ran, resultTable, skippedLines, times } from './figures.js';
import { goalTable } from './goals.js';
import { growthTable } from './growth.js';
import { microTable } from './micro.js';
import { barPlot } from './plot.js';
import { median, table } from './statistics.js';

/**
 * @typedef {object} Report
 * @property {Record<string, string>} machine
 * @property {Record<string, string>} programs with their versions
 * @property {number} runs
 * @property {boolean} quick
 * @property {import('./compare.js').Result[]} [results]
 * @property {import('./growth.js').Step[]} [growth]
 * @property {import('./micro.js').Cost[]} [micro]
 */

const PLOT = 'benchmarks.svg';

/** @param {string} folder @param {Report} report */
export async function writePage(folder, report) {
  await writeFile(path.join(folder, PLOT), plotOf(report.results ?? []));
  await writeFile(path.join(folder, 'benchmarks.md'), pageOf(report));
}

/** @param {readonly import('./compare.js').Result[]} results */
export function plotOf(results) {
  const panels = results.map((result) => ({
    title: result.title,
    bars: ran(result).map((tool) => ({
      name: tool.name,
      value: median(times(tool)),
      low: Math.min(...times(tool)),
      high: Math.max(...times(tool)),
      isOurs: tool.name.startsWith('xfer'),
    })),
  }));
  return barPlot(
    'Seconds that each program took in each scenario',
    'seconds, less is better; the thin line reaches from the fastest to the slowest run',
    panels.filter(({ bars }) => bars.length > 0),
  );
}

/** @param {Report} report */
export function pageOf({ machine, programs, runs, quick, results = [], growth, micro }) {
  const parts = [
    '# Benchmarks',
    `Written by \`npm run bench -- --write\` from what it measured; [bench/README.md](../bench/README.md) says what is run, how, and
what the figures mean. Every result was compared with what was sent. ${runs === 1 ? 'One round' : `${runs} rounds`}, in each every
program once, one after the other.`,
    ...(quick
      ? ['**This run was cut short with `--quick`: it shows that everything works, and little more.**']
      : []),
    facts('machine', machine),
    facts('program', programs),
    `![Seconds that each program took in each scenario](${PLOT})`,
    '## What xfer wants to reach',
    'Ratios of medians of this run.',
    goalTable(results, growth),
    '## Scenarios',
    ...results.flatMap((result) => {
      const skipped = skippedLines(result).map((line) => `- ${line}`);
      return [
        `### ${result.title}`,
        ...(ran(result).length > 0 ? [resultTable(result)] : []),
        ...(skipped.length > 0 ? [skipped.join('\n')] : []),
      ];
    }),
    ...(growth === undefined
      ? []
      : [
          '## How the cost grows',
          'xfer, directly over TCP on loopback, starts of both programs included.',
          growthTable(growth),
        ]),
    ...(micro === undefined
      ? []
      : ['## Steps', 'What one call costs, the median of seven short series.', microTable(micro)]),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** @param {string} name @param {Record<string, string>} values */
function facts(name, values) {
  return table([name, ''], Object.entries(values), [0, 1]);
}
