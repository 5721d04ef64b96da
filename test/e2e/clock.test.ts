/** The clock of the day is set while files move: nothing waits by it, and no figure is made with it. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { startPrivateDht } from '../support/private-dht.js';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { eventsOf, expectArrival, startRun, type Run } from '../support/transfer-run.js';
import { expectSameTree, fillSampleTree, noise } from '../support/trees.js';
import { xfer, type StartOptions, type XferProcess } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const PRELOAD = path.resolve(import.meta.dirname, '../support/jumping-clock.js');
/** Hours, forward and back: two sides at once are never of one mind. */
const JUMPS = { sender: [5, -29, 1, -0.05, 8760, -3], receiver: [-7, 48, -0.5, 0.05, -8760, 2] } as const;
/** In the soak so slow that everything that looks now and then looks between two jumps. */
const RATE = isSoak ? '1M' : '12M';
type Side = keyof typeof JUMPS;

let from: string;
let to: string;

beforeEach(async () => {
  from = path.join(await temporaryFolder(), 'mixed');
  to = await temporaryFolder();
  await fillSampleTree(from, 20);
  await writeFile(path.join(from, 'large.bin'), noise(10 * MIB, 'large'));
});

function clock(side: Side): StartOptions {
  return { nodeArgs: ['--import', PRELOAD], env: { XFER_CLOCK_JUMPS: JUMPS[side].join(',') } };
}

async function start(holdAfter?: number): Promise<Run> {
  const flags = ['--patience', '1m'];
  return startRun({
    from,
    to,
    ...(holdAfter === undefined ? {} : { holdAfter }),
    send: [...flags, '--limit', RATE],
    receive: [...flags, '--json'],
    sender: clock('sender'),
    receiver: clock('receiver'),
  });
}

/** Sets the clocks of these sides each time that so many bytes went over the line. */
function jumpEvery(bytes: number, { line, ...run }: Run, sides: readonly Side[]): () => void {
  let next = bytes;
  const timer = setInterval(() => {
    if (line.carried < next) return;
    next = line.carried + bytes;
    for (const side of sides) run[side].kill('SIGUSR2');
  }, 5);
  return () => clearInterval(timer);
}

/** How often the clock of a side was set. */
const jumpsOf = (side: XferProcess): number => side.stderr.match(/^clock: /gm)?.length ?? 0;

/** Fails where a side says that it waited, or a figure that cannot be. */
function expectSound({ sender, receiver }: Run, lost: boolean): void {
  for (const side of [sender, receiver]) {
    expect(side.text).not.toMatch(/no data for|"stalled"|too long/);
    expect(/connection is lost|"reconnecting"/.test(side.text), side.text).toBe(lost);
    expect(side.text).not.toMatch(/(^|[\s:])-\d|NaN|Infinity/m);
  }
  const numbers: number[] = [];
  JSON.stringify(eventsOf(receiver), (_, value: unknown) => {
    if (typeof value === 'number') numbers.push(value);
    return value;
  });
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(eventsOf(receiver).at(-1)?.['elapsedMs']).toBeLessThan(30_000);
  expect(sender.text).toMatch(/^verified: .*, \d+(\.\d)? s, /m);
}

describe('a clock that jumps while files move', () => {
  const SIDES: readonly [string, readonly Side[]][] = [
    ['both sides', ['sender', 'receiver']],
    ['the sender', ['sender']],
    ['the receiver', ['receiver']],
  ];

  it.each(SIDES.slice(0, isSoak ? 3 : 1))('at %s, by hours and back, changes nothing', async (_, sides) => {
    const run = await start();
    const stop = jumpEvery(2_000_000, run, sides);
    await expectArrival(run, from, to).finally(stop);
    for (const side of sides) expect(jumpsOf(run[side])).toBeGreaterThan(3);
    expectSound(run, false);
  });

  it.each([1, -1].slice(0, isSoak ? 2 : 1))(
    'while both sides look for each other changes nothing (%d)',
    async (turn) => {
      const run = await start(6 * MIB);
      const sides = [run.sender, run.receiver];
      await run.line.held;
      for (const side of turn > 0 ? sides : sides.reverse()) side.kill('SIGUSR2');
      run.line.cut();
      await run.sender.waitFor(/the connection is lost/);
      for (const side of sides) side.kill('SIGUSR2');
      run.line.release();
      const stop = jumpEvery(2_000_000, run, ['sender', 'receiver']);
      await expectArrival(run, from, to).finally(stop);
      for (const side of sides) expect(jumpsOf(side)).toBeGreaterThan(2);
      expectSound(run, true);
    },
  );

  it.skipIf(!isSoak)(
    'over the DHT, from the first look for the other side on, changes nothing',
    async () => {
      const dht = await startPrivateDht();
      try {
        const over = (side: Side): StartOptions => ({ ...clock(side), bootstrap: dht.bootstrap });
        for (const lanes of [['--lanes', '0'], []]) {
          const sender = await xfer(['send', from, '--limit', '4M', ...lanes], over('sender'));
          const code = await sender.code();
          sender.kill('SIGUSR2');
          const receiver = await xfer(
            ['receive', code, '--yes', '--json', '--out', to, ...lanes],
            over('receiver'),
          );
          const timer = setInterval(() => {
            for (const side of [sender, receiver]) side.kill('SIGUSR2');
          }, 700);
          const ends = Promise.all([sender.status(60_000), receiver.status(60_000)]);
          expect(await ends.finally(() => clearInterval(timer)), sender.text + receiver.text).toEqual([0, 0]);
          for (const side of [sender, receiver]) expect(jumpsOf(side)).toBeGreaterThan(3);
          await expectSameTree(path.join(to, 'mixed'), from);
          await rm(to, { recursive: true });
          await mkdir(to);
        }
      } finally {
        await dht.close();
      }
    },
    180_000,
  );
});
