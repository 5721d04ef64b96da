import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { joining, listening } from '../support/direct.js';
import { expectEnding } from '../support/endings.js';
import { isSoak } from '../support/soak.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const GOES_ON = 'receive into the same place: it goes on from here';
/** `npm run soak` cuts more often. */
const CUTS = isSoak ? 200 : 20;

let from: string;
let to: string;
let proxy: TcpProxy | undefined;

beforeAll(async () => {
  from = path.join(await temporaryFolder(), 'mixed');
  await fillSampleTree(from);
  await writeFile(path.join(from, 'large.bin'), noise(24 * MIB, 'large'));
});

beforeEach(async () => {
  to = await temporaryFolder();
});

afterEach(() => {
  proxy?.close();
  proxy = undefined;
});

interface Running {
  readonly sender: XferProcess;
  readonly receiver: XferProcess;
  readonly line: TcpProxy;
}

async function start(bytes: number, flags: readonly string[] = []): Promise<Running> {
  const { host: sender, code, port } = await listening(['send', from, ...flags]);
  proxy = await TcpProxy.start(port, bytes);
  const join = joining(['send'], code, proxy.port);
  const receiver = await xfer(['receive', ...join, '--yes', '--out', to, ...flags]);
  return { sender, receiver, line: proxy };
}

async function expectArrival({ sender, receiver }: Running): Promise<void> {
  expect(
    await Promise.all([sender.status(), receiver.status()]),
    `${sender.stderr}\n${receiver.stderr}`,
  ).toEqual([0, 0]);
  await expectSameTree(path.join(to, 'mixed'), from);
}

describe('a connection that is cut', () => {
  it.each([1, 300 * 1024, 9 * MIB, 26 * MIB])(
    'after %d bytes of content is made again, and nothing travels twice but what was under way',
    async (bytes) => {
      const run = await start(64 * 1024 + bytes);
      await run.line.held;
      run.line.cut();
      run.line.release();
      await expectArrival(run);
      for (const side of [run.sender, run.receiver]) {
        expect(side.stderr).toMatch(/the connection is lost; looking for the other side again/);
        expect(side.stderr).toMatch(/connected again directly/);
      }
      expect(run.line.carried).toBeLessThan(28 * MIB + 17 * MIB);
    },
  );

  it(`${CUTS} times, in as few transfers as it takes, comes to its end`, async () => {
    let cuts = 0;
    while (cuts < CUTS) {
      const run = await start(Infinity, ['--limit', '8M']);
      let next = 200_000;
      const cutting = setInterval(() => {
        if (run.line.carried < next) return;
        cuts += 1;
        // Spread over messages and the places inside them.
        next = run.line.carried + 300_000 + ((cuts * 7_919) % 500_000);
        run.line.cut();
      }, 5);
      await expectArrival(run).finally(() => clearInterval(cutting));
      await rm(to, { recursive: true });
      await mkdir(to);
    }
  }, 600_000);

  it('with --patience 0 ends both sides at once', async () => {
    const run = await start(5 * MIB, ['--patience', '0']);
    await run.line.held;
    run.line.cut();
    const gone = { status: 3, error: 'the other side is gone' };
    await expectEnding(run.receiver, { ...gone, hint: GOES_ON });
    await expectEnding(run.sender, { ...gone, hint: 'start again on both sides' });
  });

  it('for longer than the patience ends both sides, and what arrived is kept', async () => {
    const run = await start(5 * MIB, ['--patience', '2s']);
    await run.line.held;
    run.line.close();
    const gone = { status: 3, error: 'the other side is gone' };
    await expectEnding(run.receiver, { ...gone, hint: GOES_ON });
    await expectEnding(run.sender, { ...gone, hint: 'start again on both sides' });
  });

  it('is waited for no longer than a person wants', async () => {
    const run = await start(5 * MIB);
    await run.line.held;
    run.line.close();
    await run.receiver.waitFor(/the connection is lost/);
    run.receiver.kill('SIGINT');
    await expectEnding(run.receiver, { status: 130, error: 'interrupted', hint: GOES_ON });
    run.sender.kill('SIGINT');
    expect(await run.sender.status()).toBe(130);
  });
});

describe('row 19: a bit that is changed on the way', () => {
  it.each([64 * 1024, 5 * MIB + 3, 20 * MIB])(
    'after %d bytes costs a connection, and nothing else',
    async (bytes) => {
      const run = await start(Infinity);
      run.line.flipAt = bytes;
      await expectArrival(run);
      expect(run.receiver.stderr).toMatch(/connected again/);
    },
  );

  it.each([64 * 1024, 5 * MIB])(
    'in the length of a record after %d bytes costs a connection, and nothing else',
    async (bytes) => {
      // A lane would take the blame alone.
      const run = await start(Infinity, ['--lanes', '1']);
      run.line.flipLengthAt = bytes;
      await expectArrival(run);
      expect(run.line.flipLengthAt).toBe(Infinity);
      expect(run.receiver.stderr).toMatch(/connected again/);
    },
  );
});
