/** A target that this user may not write to, or nobody. */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { expectEnding } from '../support/endings.js';
import { canBeNobody, NOBODY, openFolder } from '../support/nobody.js';
import { smallDisk } from '../support/small-disk.js';
import { doneOf, expectArrival, startRun } from '../support/transfer-run.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const HINT = 'check whose it is, or choose another place';

let from: string;
let to: string;

beforeEach(async () => {
  from = path.join(await openFolder(), 'tree');
  to = await openFolder();
  await mkdir(from);
  await writeFile(path.join(from, 'large.bin'), noise(3 * MIB + 1, 'large'));
  await writeFile(path.join(from, 'small.txt'), 'small');
});

describe('row 35: a target that may not be written', () => {
  it('ends a user without rights before the code is used up', async ({ skip }) => {
    if (!canBeNobody()) skip('programs cannot be started as another user here');
    const { host: sender, join } = await listening(['send', from]);
    const refused = { status: 1, error: `${to} is not allowed to you`, hint: HINT, in: to };
    for (const out of [to, path.join(to, 'new')]) {
      const receiver = await xfer(['receive', ...join, '--yes', '--out', out], { user: NOBODY });
      await expectEnding(receiver, refused);
    }
    const again = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect([await again.status(), await sender.status()]).toEqual([0, 0]);
  });

  it('in a folder below ends both sides, and nothing is left', async ({ skip }) => {
    if (!canBeNobody()) skip('programs cannot be started as another user here');
    await chown(to, NOBODY.uid, NOBODY.gid);
    await mkdir(path.join(to, 'tree'), 0o755);
    const { sender, receiver } = await startRun({ from, to, receiver: { user: NOBODY } });
    await expectEnding(receiver, {
      status: 1,
      error: `${path.join(to, 'tree/large.bin')} is not allowed to you`,
      hint: HINT,
      in: to,
      kept: ['tree'],
    });
    await expectEnding(sender, {
      status: 1,
      error: 'the other side stopped because of an error: not allowed',
      hint: 'its screen says which',
    });
  });

  it('since its disk is read-only ends root too', async ({ skip }) => {
    const disk = await smallDisk(MIB);
    if (disk === undefined) return skip('no tmpfs can be mounted here');
    await disk.close();
    const { host: sender, join } = await listening(['send', from]);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', disk.folder]);
    const error = `${disk.folder} is not allowed to you`;
    await expectEnding(receiver, { status: 1, error, hint: HINT, in: disk.folder });
    sender.kill();
  });

  it.for([
    ['0644', 0o644],
    ['0444', 0o444],
  ] as const)(
    'any more, from the middle of a file of mode %s on, gives it no name and keeps what came',
    async ([, mode], { skip }) => {
      if (!canBeNobody()) skip('programs cannot be started as another user here');
      await chmod(path.join(from, 'large.bin'), mode);
      await chown(to, NOBODY.uid, NOBODY.gid);
      const run = await startRun({
        from,
        to,
        holdAfter: 2 * MIB,
        receive: ['--debug'],
        receiver: { user: NOBODY },
      });
      await run.line.held;
      await run.receiver.waitFor(/debug: .* progress .*"bytes":[1-9]/);
      await chmod(path.join(to, 'tree'), 0o555);
      run.line.release();
      await expectEnding(run.receiver, {
        status: 1,
        error: `${path.join(to, 'tree/large.bin')} is not allowed to you`,
        hint: 'check whose it is, then start again with a new code and receive into the same place',
      });
      expect((await namesIn(to)).filter((name) => !name.startsWith('.xfer-'))).toEqual([]);
      const again = await startRun({ from, to, receive: ['--json'], receiver: { user: NOBODY } });
      await expectArrival(again, from, to);
      expect(doneOf(again.receiver).continuedBytes).toBe(3 * MIB);
    },
  );
});
