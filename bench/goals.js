// @ts-check
/** What xfer wants to reach, and how far it is. */
import { ran, secondsOf } from './figures.js';
import { figure, table } from './statistics.js';

/** @typedef {import('./compare.js').Result} Result */
/** @typedef {import('./growth.js').Step} GrowthStep */
/** @typedef {(scenario: string, tool?: string) => number | undefined} Seconds */

const MIB = 2 ** 20;
/** From here on memory may grow with the list of files. */
const MANY_FILES = 100_000;

/**
 * @typedef {object} Goal
 * @property {string} title
 * @property {number} atMost
 * @property {(seconds: Seconds, results: readonly Result[], steps: readonly GrowthStep[]) => number | undefined} value
 *   `undefined` where it was not measured
 */

/** @type {readonly Goal[]} */
const GOALS = [
  against('random', 'socat (raw TCP)', 1.5),
  against('random', 'scp', 0.4),
  against('random', 'croc', 0.6),
  {
    title: 'large log text, direct: × large random file',
    atMost: 1.1,
    value: (seconds) => ratio(ours(seconds, 'log'), ours(seconds, 'random')),
  },
  {
    title: 'large log text, direct: × xfer --no-compress',
    atMost: 1.05,
    value: (seconds) => ratio(seconds('log'), seconds('log', 'xfer --no-compress')),
  },
  against('log', 'croc', 0.25),
  against('files', 'rsync over ssh', 0.9),
  against('files', 'croc', 0.06),
  against('tiny', 'magic-wormhole', 0.9),
  {
    title: '1 KiB file, receiver from start to exit: seconds',
    atMost: 0.45,
    value: (seconds) => seconds('tiny'),
  },
  ...[100, 20].map((mbit) => ({
    title: `log text, line of ${mbit} Mbit/s: × what the line takes for the raw bytes`,
    atMost: 0.45,
    value: shareOfLine(`line-${mbit}-log`),
  })),
  {
    title: 'random, line of 100 Mbit/s with a round trip of 100 ms: × what the line takes',
    // At least 80 % of the line.
    atMost: 1.25,
    value: shareOfLine('far'),
  },
  {
    title: 'met through the DHT, with lanes: × direct and the meeting',
    atMost: 1.15,
    value: (seconds) => {
      const [met, direct] = [seconds('lanes', 'xfer, DHT'), seconds('lanes', 'xfer, direct')];
      const meeting = difference(seconds('meeting', 'xfer, DHT'), seconds('meeting', 'xfer, direct'));
      return ratio(difference(met, meeting), direct);
    },
  },
  {
    title: 'through the DHT without lanes: × bare hyperdht connection',
    atMost: 1.1,
    value: (seconds) => ratio(seconds('dht', 'xfer --lanes 0'), seconds('dht', 'bare hyperdht')),
  },
  {
    title: 'memory of one side, the largest of all these runs: MiB',
    atMost: 200,
    value: (_, results, steps) =>
      peakOf([
        ...results.flatMap((result) => ran(result).filter(isXfer)),
        ...steps.filter(({ files }) => files < MANY_FILES),
      ]),
  },
  {
    title: `memory of one side, from ${MANY_FILES.toLocaleString('en')} files on: MiB`,
    atMost: 300,
    value: (_, __, steps) => peakOf(steps.filter(({ files }) => files >= MANY_FILES)),
  },
];

/** @param {readonly Result[]} results @param {readonly GrowthStep[]} [steps] of `growth` */
export function goalTable(results, steps = []) {
  /** @type {Seconds} */
  const seconds = (scenario, tool = 'xfer') =>
    secondsOf(
      results.find(({ name }) => name === scenario),
      tool,
    );
  const rows = GOALS.map(({ title, atMost, value }) => {
    const measured = value(seconds, results, steps);
    const verdict = measured === undefined ? 'not measured' : measured <= atMost ? 'yes' : 'no';
    return [title, figure(atMost), figure(measured), verdict];
  });
  return table(['xfer', 'at most', 'measured', 'reached'], rows, [0, 3]);
}

/** @param {string} scenario @param {string} tool @param {number} atMost @returns {Goal} */
function against(scenario, tool, atMost) {
  const titles = {
    random: 'large random file, direct',
    log: 'large log text, direct',
    files: 'small files',
    tiny: '1 KiB file, receiver from start to exit',
  };
  return {
    title: `${titles[/** @type {keyof typeof titles} */ (scenario)]}: × ${tool}`,
    atMost,
    value: (seconds) => ratio(ours(seconds, scenario), seconds(scenario, tool)),
  };
}

/** Others do not wait for the disk, so for comparisons xfer does not either, where that was measured. @param {Seconds} seconds @param {string} scenario */
function ours(seconds, scenario) {
  return seconds(scenario, 'xfer --no-sync') ?? seconds(scenario);
}

/** @param {string} scenario @returns {Goal['value']} */
function shareOfLine(scenario) {
  return (seconds, results) => ratio(seconds(scenario), results.find(({ name }) => name === scenario)?.lineS);
}

/** @param {number | undefined} one @param {number | undefined} other */
function ratio(one, other) {
  return one === undefined || other === undefined ? undefined : one / other;
}

/** @param {number | undefined} one @param {number | undefined} other */
function difference(one, other) {
  return one === undefined || other === undefined ? undefined : one - other;
}

/** @param {import('./rounds.js').Rounds} tool */
function isXfer({ name }) {
  return name.startsWith('xfer');
}

/** The most MiB that one side held. @param {readonly { rounds: readonly import('./rounds.js').Round[] }[]} runs */
function peakOf(runs) {
  const peaks = runs
    .flatMap(({ rounds }) =>
      rounds.flatMap(({ sender, receiver }) => [sender.peakBytes, receiver?.peakBytes]),
    )
    .filter((peak) => peak !== undefined);
  return peaks.length === 0 ? undefined : Math.max(...peaks) / MIB;
}
