import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SealedChannel } from '../../../src/peer/channel.js';
import type { Lane } from '../../../src/peer/lane.js';
import type { Chunk } from '../../../src/transfer/ports.js';
import { channelPair, lanePair } from '../../support/channels.js';
import { atMost } from '../../support/soak.js';

/** A lane that one side dials, and that cuts what one of its ends says after so many bytes. */
const doomed = fc.record({
  /** Before which item of the joiner. */
  at: fc.nat(30),
  cutAfter: fc.integer({ min: 0, max: 400_000 }),
  joinerDials: fc.boolean(),
  cutsJoiner: fc.boolean(),
});

function laneOf({
  cutAfter,
  joinerDials,
  cutsJoiner,
}: {
  cutAfter: number;
  joinerDials: boolean;
  cutsJoiner: boolean;
}): {
  joiner: Lane;
  host: Lane;
} {
  const [cut, other] = lanePair((bytes, before) => bytes.subarray(0, Math.max(0, cutAfter - before)));
  const [joiner, host] = cutsJoiner ? [cut, other] : [other, cut];
  return { joiner: { ...joiner, isDialler: joinerDials }, host: { ...host, isDialler: !joinerDials } };
}

function chunk(index: number, length: number): Chunk {
  const body = { compression: 'stored', rawLength: length, bytes: Buffer.alloc(length, index) } as const;
  return { kind: 'chunk', transfer: 1, entry: 0, offset: index, body };
}

/** Says so many items, every third of them a message, using memory again when it is given back. */
async function say(
  channel: SealedChannel,
  sizes: readonly number[],
  before: (index: number) => void,
): Promise<void> {
  for (const [index, size] of sizes.entries()) {
    before(index);
    if (index % 3 === 2) await channel.send({ type: 'counting', transfer: 1, entries: index, bytes: 0 });
    else {
      const item = chunk(index, size);
      await channel.send(item, () => (item.body.bytes as Buffer).fill(0xff));
    }
  }
  await channel.end();
}

async function hear(channel: SealedChannel): Promise<number[]> {
  const heard: number[] = [];
  for (let next = await channel.receive(); next !== undefined; next = await channel.receive()) {
    const { item } = next;
    if ('type' in item) heard.push(item.type === 'counting' ? item.entries : -1);
    else if (item.kind === 'chunk')
      heard.push(new Set(item.body.bytes).size > 1 ? -1 : (item.body.bytes[0] ?? -1));
    channel.release(next.cost);
  }
  return heard;
}

test(
  'whatever lanes come and go, both sides hear all that was said, in its order, and end',
  async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60_000 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.array(doomed, { maxLength: 5 }), async (ours, theirs, lanes) => {
        const [joiner, host] = await channelPair(undefined, 'dht');
        // Nobody grants anything after their end.
        for (const end of [joiner, host]) end.widen(2 ** 22);
        const add = (index: number): void => {
          for (const lane of lanes.filter(({ at }) => at === index)) {
            const ends = laneOf(lane);
            void joiner.addLane(ends.joiner, () => undefined);
            void host.addLane(ends.host, () => undefined);
          }
        };
        const [heardByHost, heardByJoiner] = await Promise.all([
          hear(host),
          hear(joiner),
          say(joiner, ours, add),
          say(host, theirs, () => undefined),
        ]);
        expect(heardByHost).toEqual([...ours.keys()]);
        expect(heardByJoiner).toEqual([...theirs.keys()]);
        joiner.destroy();
        host.destroy();
      }),
      { numRuns: 100 },
    );
    // Who ends after data waits a moment for its acknowledgement.
  },
  atMost(30_000),
);
