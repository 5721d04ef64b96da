import { expect, test } from 'vitest';
import { runGet } from '../../../src/cli/get.js';
import { makeWorld } from './world.js';

test('one target is enough', async () => {
  const { context } = makeWorld({});
  await expect(runGet(['pi:a', 'here'], { out: 'there' }, context)).rejects.toMatchObject({
    code: 'usage',
    subject: 'the target is named twice',
  });
  await expect(runGet(['pi:a', 'here'], { stdout: true }, context)).rejects.toMatchObject({
    code: 'usage',
    subject: 'the standard output is the target',
  });
});
