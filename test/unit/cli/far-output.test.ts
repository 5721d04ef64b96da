import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FarOutput } from '../../../src/cli/far-output.js';
import { showText } from '../../../src/cli/show.js';
import { Collected } from './world.js';

/** What comes out of bytes that come in such pieces. */
async function through(bytes: Uint8Array, cuts: readonly number[], isTTY: boolean): Promise<Collected> {
  const collected = new Collected({ isTTY });
  const output = new FarOutput(collected);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((one, other) => one - other);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    if (to > from) await output.write(bytes.subarray(from, to));
    from = to;
  }
  await output.end();
  return collected;
}

const cuts = fc.array(fc.nat(500), { maxLength: 6 });

describe('what a program of another machine writes', () => {
  test('row 55: is harmless on a terminal, however it is cut', async () => {
    const parts = fc.constantFrom('\u001b[2J', '\r\n', '\r', '\n', '\t', 'é', '😀', '\u202e', '\u0007', 'a');
    const text = fc.array(parts, { maxLength: 30 }).map((all) => all.join(''));
    await fc.assert(
      fc.asyncProperty(text, cuts, async (written, places) => {
        const { text: shown } = await through(Buffer.from(written), places, true);
        expect(shown).toBe(showText(written));
      }),
    );
  });

  test('row 55: need be no text there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), cuts, async (bytes, places) => {
        const { text: shown } = await through(bytes, places, true);
        expect(showText(shown)).toBe(shown);
      }),
    );
  });

  test('is as it was in a file or a pipe', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary-ascii' }), cuts, async (written, places) => {
        const { text: shown } = await through(Buffer.from(written), places, false);
        expect(shown).toBe(written);
      }),
    );
  });
});
