// @ts-check
/** Results as tables. */
import { figure, mebibytes, median, medianKnown, table } from './statistics.js';

/** @typedef {import('./compare.js').Result} Result */
/** @typedef {import('./rounds.js').Rounds} Rounds */

const MIB = 2 ** 20;

/** The tools of a scenario that ran. @param {Result} result */
export function ran(result) {
  return result.tools.filter(({ rounds }) => rounds.length > 0);
}

/** Median seconds of one tool in a scenario, where it ran. @param {Result | undefined} result @param {string} name */
export function secondsOf(result, name) {
  const tool = result === undefined ? undefined : ran(result).find((each) => each.name === name);
  return tool === undefined ? undefined : median(times(tool));
}

/** @param {Rounds} tool */
export function times({ rounds }) {
  return rounds.map(({ elapsedS }) => elapsedS);
}

/** @param {Result} result */
export function resultTable(result) {
  const tools = ran(result);
  const { lineS } = result;
  const first = tools[0] === undefined ? NaN : median(times(tools[0]));
  const head = [
    'program',
    'median s',
    'from – to s',
    `× ${tools[0]?.name ?? ''}`,
    'MiB/s',
    ...(lineS === undefined ? [] : ['× line']),
    'CPU s, both sides',
    'memory MiB, both sides',
  ];
  const rows = tools.map((tool) => {
    const seconds = median(times(tool));
    return [
      tool.name,
      figure(seconds),
      `${figure(Math.min(...times(tool)))} – ${figure(Math.max(...times(tool)))}`,
      figure(seconds / first),
      result.bytes < MIB ? '–' : figure(result.bytes / MIB / seconds),
      ...(lineS === undefined ? [] : [figure(seconds / lineS)]),
      sides(tool, ({ cpuS }) => cpuS, figure),
      sides(tool, ({ peakBytes }) => peakBytes, mebibytes),
    ];
  });
  return table(head, rows);
}

/** Why tools did not run, one line each. @param {Result} result */
export function skippedLines({ title, skipped, tools }) {
  if (skipped !== undefined) return [`skipped: ${title}: ${skipped}`];
  return tools.flatMap((tool) =>
    tool.skipped === undefined ? [] : [`skipped: ${tool.name}: ${tool.skipped}`],
  );
}

/**
 * Medians of the sender and the receiver, or of the one program of a tool whose other side is a server.
 *
 * @param {Rounds} tool
 * @param {(side: import('./rounds.js').Measured) => number | undefined} value
 * @param {(value: number | undefined) => string} write
 */
function sides({ rounds }, value, write) {
  const sender = medianKnown(rounds.map((round) => value(round.sender)));
  if (rounds.every(({ receiver }) => receiver === undefined)) return write(sender);
  return `${write(sender)} + ${write(medianKnown(rounds.map(({ receiver }) => receiver && value(receiver))))}`;
}
