import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
/** Where everything that goes over the wire has its type. */
const MESSAGES = ['src/transfer/messages.ts', 'src/peer/pairing-messages.ts'];
/** Besides these, the files of records and entries. Their only time is that of a file. */
const RECORDS = ['src/transfer/ports.ts', 'src/transfer/records.ts', 'src/transfer/manifest.ts'];

const TIME = /\b\w*(?:Ms|Seconds|Millis|[tT]ime[oO]ut|[dD]eadline|[eE]xpir\w*|[dD]elay|[iI]nterval)\??:/g;

it.each([...MESSAGES, ...RECORDS])('row 29: nothing in %s sets a time limit', (file) => {
  const fields = readFileSync(path.join(root, file), 'utf8').match(TIME) ?? [];
  expect(fields.filter((field) => field !== 'mtimeMs:')).toEqual([]);
});
