// @ts-check
/** Fills the last column of docs/threats.md: the test files in which a title carries the row's number. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const page = path.join(root, 'docs/threats.md');
const ROW = /^\| (\d+) \|.*\| ([^|]*) \|$/gm;
/** `row 8: …`, `rows 39, 40: …` at the beginning of a title. */
const TITLE = /['"`]rows? (\d+(?:, \d+)*):/g;

/** Test files below the project's folder by the rows that their titles name. @returns {Map<number, string[]>} */
export function testsByRow() {
  /** @type {Map<number, string[]>} */
  const tests = new Map();
  const names = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((each) => each.endsWith('.test.ts')).sort()) {
    const file = `test/${name.split(path.sep).join('/')}`;
    for (const [, digits] of readFileSync(path.join(root, file), 'utf8').matchAll(TITLE)) {
      for (const row of (digits ?? '').split(', ').map(Number)) {
        const files = tests.get(row) ?? [];
        if (!files.includes(file)) tests.set(row, [...files, file]);
      }
    }
  }
  return tests;
}

/** The test files that the page names, by row. @returns {Map<number, string[]>} */
export function namedByRow() {
  const rows = readFileSync(page, 'utf8').matchAll(ROW);
  return new Map(
    [...rows].map(([, row, files]) => [Number(row), files === '' ? [] : (files ?? '').split(', ')]),
  );
}

if (process.argv[1] === import.meta.filename) {
  const tests = testsByRow();
  const filled = readFileSync(page, 'utf8').replace(ROW, (line, row, files) => {
    const before = line.slice(0, line.length - String(files).length - ' |'.length);
    return `${before}${(tests.get(Number(row)) ?? []).join(', ')} |`;
  });
  writeFileSync(page, filled);
}
