import { describe, expect, it } from 'vitest';
import { namedByRow, testsByRow } from '../../../scripts/threats.js';

const tests = testsByRow();
const named = namedByRow();

describe('docs/threats.md', () => {
  it('has every row once', () => {
    expect([...named.keys()]).toEqual(Array.from({ length: 58 }, (_, index) => index + 1));
  });

  it.each(Array.from({ length: 17 }, (_, index) => index + 1))('has a test for row %d', (row) => {
    expect(tests.get(row) ?? []).not.toEqual([]);
  });

  it('names tests that are there (`npm run format` fills them in)', () => {
    for (const [row, files] of named) {
      for (const file of files) expect(tests.get(row) ?? [], `row ${row}`).toContain(file);
    }
  });
});
