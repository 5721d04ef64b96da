import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { bugIn, TARGETS } from '../../../fuzz/targets.js';

const corpus = path.resolve(import.meta.dirname, '../../../fuzz/corpus');

describe('inputs that fuzzing kept', () => {
  it.each(Object.entries(TARGETS))('of %s find no bug', async (name, target) => {
    const files = readdirSync(path.join(corpus, name));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(await bugIn(target, readFileSync(path.join(corpus, name, file))), file).toBe(undefined);
    }
  });
});
