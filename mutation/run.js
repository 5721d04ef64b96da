// @ts-check
/**
 * Breaks the code in every small way that Stryker knows and looks whether a test notices. Ends with a line for each
 * file; what survives is explained in docs/mutants.md.
 *
 *     node mutation/run.js [part of a file's path]…
 */
import { Stryker } from '@stryker-mutator/core';
import { TARGETS } from './targets.js';

const parts = process.argv.slice(2);
const chosen = Object.entries(TARGETS).filter(
  ([file]) => parts.length === 0 || parts.some((part) => file.includes(part)),
);

const lines = [];
for (const [file, tests] of chosen) {
  process.env['XFER_MUTANTS_TESTS'] = tests.join(',');
  const mutants = await new Stryker({
    mutate: [file],
    plugins: ['@stryker-mutator/vitest-runner', './mutation/texts.js'],
    ignorers: ['texts'],
    testRunner: 'vitest',
    vitest: { configFile: 'mutation/vitest.config.ts', related: false },
    coverageAnalysis: 'perTest',
    concurrency: 2,
    // What waits for ever is broken too, and a busy machine is not.
    timeoutMS: 20_000,
    reporters: ['clear-text'],
    clearTextReporter: { logTests: false, reportTests: false, reportScoreTable: false },
    ignorePatterns: ['/bench', '/docs', '/fuzz', '/reports'],
    allowEmpty: false,
  }).runMutationTest();
  /** @param {(mutant: (typeof mutants)[number]) => boolean} which */
  const count = (which) => mutants.filter(which).length;
  const ignored = count(({ status }) => status === 'Ignored');
  // Where no test ran the file could not even be loaded, which Stryker takes for a success.
  const survived = count(
    ({ status, testsCompleted }) =>
      status === 'NoCoverage' || (status === 'Survived' && testsCompleted !== 0),
  );
  lines.push(`${file}: ${mutants.length - ignored - survived} killed, ${survived} survived`);
}
console.log(lines.join('\n'));
