import path from 'node:path';
import { expect, it } from 'vitest';
import { micro } from '../../../bench/micro.js';

it('every step that is measured can be taken', async () => {
  const root = path.resolve(import.meta.dirname, '../../..');
  const costs = await micro(root, async ({ name, bytes, call }) => {
    await call();
    return { name, bytes, wallUs: 1, cpuUs: 1 };
  });
  const names = costs.map(({ name }) => name).join('\n');
  for (const what of ['digest', 'seal', 'open', 'compress', 'decompress', 'encode', 'batch']) {
    expect(names).toContain(what);
  }
});
