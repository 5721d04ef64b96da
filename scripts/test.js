// @ts-check
/**
 * Runs the tests against the built program and ends with one line: `N passed, N failed, N skipped`.
 *
 *     node scripts/test.js [--soak] [--project unit|net|e2e] [part of a file's path]…
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { soak: { type: 'boolean' }, project: { type: 'string', multiple: true } },
});
if (values.soak === true) process.env['XFER_SOAK'] = '1';

const vitest = await startVitest('test', positionals, {
  watch: false,
  // Most tests that take long wait for other processes and for the clock: one of them keeps a third of a processor busy.
  maxWorkers: Math.max(4, 2 * availableParallelism()),
  ...(values.project === undefined ? {} : { project: values.project }),
});

const modules = vitest.state.getTestModules();
const tests = modules.flatMap((module) => [...module.children.allTests()]);
/** @param {import('vitest/node').TestResult['state']} state */
const inState = (state) => tests.filter((test) => test.result().state === state);

const skipped = inState('skipped');
// A file or a hook that throws before its tests can run has no test that failed.
const broken = modules.filter((module) => module.errors().length > 0).length;
const failed = inState('failed').length + broken + vitest.state.getUnhandledErrors().length;
await vitest.close();

for (const test of skipped) {
  const result = test.result();
  const reason = result.state === 'skipped' ? result.note : undefined;
  console.log(`skipped: ${test.module.relativeModuleId} > ${test.fullName}${reason ? ` (${reason})` : ''}`);
}
console.log(`${inState('passed').length} passed, ${failed} failed, ${skipped.length} skipped`);
if (failed > 0 || tests.length === 0) process.exitCode = 1;
