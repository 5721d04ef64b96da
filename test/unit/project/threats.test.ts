import { describe, expect, it } from 'vitest';
import { namedByRow, testsByRow } from '../../../scripts/threats.js';

const tests = testsByRow();
const named = namedByRow();
/** Rows about devices and shares. Those in between are for what is not there yet. */
const DEVICES = [59, 70, 71, 72, 73, 74, 75, 76, 77, 78];

describe('docs/threats.md', () => {
  it('has every row once', () => {
    expect([...named.keys()]).toEqual([...Array.from({ length: 58 }, (_, index) => index + 1), ...DEVICES]);
  });

  it.each([...named.keys()])('has a test for row %d', (row) => {
    expect(tests.get(row) ?? []).not.toEqual([]);
  });

  it('names tests that are there (`npm run format` fills them in)', () => {
    for (const [row, files] of named) {
      for (const file of files) expect(tests.get(row) ?? [], `row ${row}`).toContain(file);
    }
  });
});
