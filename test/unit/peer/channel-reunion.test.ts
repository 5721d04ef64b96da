import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { SessionKey } from '../../../src/crypto/key-schedule.js';
import { Secret } from '../../../src/crypto/secret.js';
import { SealedChannel } from '../../../src/peer/channel.js';
import type { Connection } from '../../../src/peer/connection.js';
import { deferred } from '../../../src/transfer/deferred.js';
import type { Chunk } from '../../../src/transfer/ports.js';
import { AGREEMENT, channelPair, lanePair } from '../../support/channels.js';
import { connectionPair, type Tamper } from '../../support/connections.js';
import { atMost } from '../../support/soak.js';
import { settle, until } from '../../support/turns.js';

const cutAfter =
  (bytes: number): Tamper =>
  (piece, before) =>
    piece.subarray(0, Math.max(0, bytes - before));

function chunk(index: number, length: number): Chunk {
  const body = { compression: 'stored', rawLength: length, bytes: Buffer.alloc(length, index) } as const;
  return { kind: 'chunk', transfer: 1, entry: 0, offset: index, body };
}

/** Says so many items, every third of them a message, using memory again when it is given back. */
async function say(
  channel: SealedChannel,
  sizes: readonly number[],
  mayEnd: Promise<unknown>,
): Promise<void> {
  for (const [index, size] of sizes.entries()) {
    if (index % 3 === 2) await channel.send({ type: 'counting', transfer: 1, entries: index, bytes: 0 });
    else {
      const item = chunk(index, size);
      await channel.send(item, () => (item.body.bytes as Buffer).fill(0xff));
    }
  }
  await mayEnd;
  await channel.end();
}

/** What was heard until the end, or until nothing more can come. */
async function hear(channel: SealedChannel, onHeard: (count: number) => void): Promise<number[]> {
  const heard: number[] = [];
  onHeard(0);
  const receive = (): ReturnType<SealedChannel['receive']> => channel.receive().catch(() => undefined);
  for (let next = await receive(); next !== undefined; next = await receive()) {
    const { item } = next;
    if ('type' in item) heard.push(item.type === 'counting' ? item.entries : -1);
    else if (item.kind === 'chunk')
      heard.push(new Set(item.body.bytes).size > 1 ? -1 : (item.body.bytes[0] ?? -1));
    channel.release(next.cost);
    onHeard(heard.length);
  }
  return heard;
}

/** A connection by which two ends may go on. */
async function nextConnection(tamper?: Tamper): Promise<[Connection, Connection]> {
  const next = await connectionPair(tamper);
  for (const connection of next) await connection.confirm();
  return next;
}

/** The two ends of a session whose connections the caller has in hand. */
function channelsOver([joiner, host]: readonly [Connection, Connection]): [SealedChannel, SealedChannel] {
  const sessionKey = new SessionKey(new Secret(randomBytes(64)));
  return [
    new SealedChannel(joiner, sessionKey, 'joiner', AGREEMENT),
    new SealedChannel(host, sessionKey, 'host', AGREEMENT),
  ];
}

/** Has both ends go on over it, under a key of its own. */
function goOn(ends: readonly SealedChannel[], connections: readonly Connection[]): void {
  const sessionKey = new SessionKey(new Secret(randomBytes(64)));
  for (const [index, channel] of ends.entries()) {
    channel.goOn(connections[index]!, { sessionKey, agreement: AGREEMENT }, () => undefined);
  }
}

interface Ends {
  readonly joiner: SealedChannel;
  readonly host: SealedChannel;
  /** Says and hears all; gives what the host and the joiner heard. */
  readonly talk: (ours: readonly number[], theirs: readonly number[]) => Promise<[number[], number[]]>;
  /** Connections so far. */
  readonly epochs: () => number;
}

/** Two ends whose connections are cut after so many bytes each, the last one never. */
async function together(cuts: readonly number[]): Promise<Ends> {
  const left = [...cuts];
  const tamper = (): Tamper | undefined => {
    const cut = left.shift();
    return cut === undefined ? undefined : cutAfter(cut);
  };
  const [joiner, host] = await channelPair(tamper());
  for (const end of [joiner, host]) end.widen(2 ** 22);
  let epochs = 1;
  const lost = new Set<SealedChannel>();
  const meetAgain = async (): Promise<void> => {
    const next = await nextConnection(tamper());
    epochs += 1;
    lost.clear();
    goOn([joiner, host], next);
  };
  const done = new Set<SealedChannel>();
  const look = (): void => {
    if (lost.size === 2) void meetAgain();
    // Who said and heard everything has left. The other one cannot know whether its last word arrived.
    else if (done.size === 1) for (const channel of lost) channel.destroy();
  };
  for (const channel of [joiner, host]) {
    channel.outlive(() => {
      lost.add(channel);
      look();
    });
  }
  const talk: Ends['talk'] = async (ours, theirs) => {
    // As in a transfer: the one ends when it has the other's last word, which ends when it heard that.
    const [isTold, hasEnded] = [deferred<undefined>(), deferred<undefined>()];
    const all = async (
      channel: SealedChannel,
      hearing: Promise<number[]>,
      saying: Promise<void>,
    ): Promise<number[]> => {
      const [heard] = await Promise.all([hearing, saying.catch(() => undefined)]);
      done.add(channel);
      look();
      return heard;
    };
    const atHostHeard = hear(host, () => undefined);
    void atHostHeard.then(() => hasEnded.resolve(undefined));
    const atJoinerHeard = hear(joiner, (count) => {
      if (count === theirs.length) isTold.resolve(undefined);
    });
    const [atJoiner, atHost] = await Promise.all([
      all(joiner, atJoinerHeard, say(joiner, ours, isTold.promise)),
      all(host, atHostHeard, say(host, theirs, hasEnded.promise)),
    ]);
    joiner.destroy();
    host.destroy();
    return [atHost, atJoiner];
  };
  return { joiner, host, talk, epochs: () => epochs };
}

describe('a session that loses its connections', () => {
  test(
    'is heard in full, in its order, and once, whenever they are cut',
    async () => {
      const sizes = fc.array(fc.integer({ min: 1, max: 60_000 }), { maxLength: 20 });
      // A handshake takes some 200 bytes, and is not what is cut here.
      const cuts = fc.array(fc.integer({ min: 300, max: 400_000 }), { maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(sizes, sizes, cuts, async (ours, theirs, places) => {
          const { talk } = await together(places);
          expect(await talk(ours, theirs)).toEqual([[...ours.keys()], [...theirs.keys()]]);
        }),
        { numRuns: 60 },
      );
    },
    atMost(30_000),
  );

  test(
    'goes on at every byte of a small one',
    async () => {
      const sizes = [10, 20, 30];
      for (let at = 300; at < 900; at += 7) {
        const { talk } = await together([at]);
        expect(await talk(sizes, sizes), `cut at ${at}`).toEqual([
          [0, 1, 2],
          [0, 1, 2],
        ]);
      }
    },
    atMost(30_000),
  );

  test('says what it was told by, and fails for a peer that breaks the rules', async () => {
    const [joiner, host] = await channelPair();
    const lost: string[] = [];
    host.outlive(({ code }) => lost.push(code));
    joiner.destroy();
    await expect.poll(() => lost).toEqual(['peer-gone']);
    const [, other] = await channelPair();
    let isLost = false;
    other.outlive(() => (isLost = true));
    other.destroy();
    await expect(other.receive()).rejects.toMatchObject({ code: 'peer-gone' });
    expect(isLost).toBe(false);
  });

  test('loses one where the length of a message is changed on the way', async () => {
    let isTampered = false;
    const tamper: Tamper = (bytes) => {
      // The highest byte of the length of a frame.
      if (isTampered) bytes[2]! ^= 0x80;
      return bytes;
    };
    const [joiner, host] = await channelPair(tamper, 'dht');
    const lost: string[] = [];
    host.outlive(({ code }) => lost.push(code));
    isTampered = true;
    await joiner.send({ type: 'verified' });
    await expect.poll(() => lost).toEqual(['integrity']);
    for (const channel of [joiner, host]) channel.destroy();
  });

  test('brings what is said after the end of the peer, and while there is no connection', async () => {
    const connections = await nextConnection();
    const [joiner, host] = channelsOver(connections);
    const lost: SealedChannel[] = [];
    for (const channel of [joiner, host]) channel.outlive(() => lost.push(channel));
    await host.end();
    expect(await joiner.receive()).toBeUndefined();
    for (const connection of connections) connection.destroy();
    await expect.poll(() => lost.length).toBe(2);
    await joiner.send({ type: 'verified' });
    const ending = joiner.end();
    await settle();
    goOn([joiner, host], await nextConnection());
    expect((await host.receive())?.item).toEqual({ type: 'verified' });
    expect(await host.receive()).toBeUndefined();
    await ending;
    for (const channel of [joiner, host]) channel.destroy();
  });

  test('is over for a side that gave up, whoever closes its connection', async () => {
    const [joiner, host] = await channelPair();
    let isLost = false;
    joiner.outlive(() => (isLost = true));
    joiner.giveUp();
    await joiner.send({ type: 'error', code: 'disk-full' });
    await joiner.end();
    expect((await host.receive())?.item).toEqual({ type: 'error', code: 'disk-full' });
    host.destroy();
    await expect(joiner.receive()).rejects.toMatchObject({ code: 'peer-gone' });
    expect(isLost).toBe(false);
  });

  test('is over where the last word of the peer was why it gave up', async () => {
    const [joiner, host] = await channelPair();
    let isLost = false;
    host.outlive(() => (isLost = true));
    await joiner.send({ type: 'error', code: 'disk-full' });
    await joiner.end();
    expect((await host.receive())?.item).toEqual({ type: 'error', code: 'disk-full' });
    expect(await host.receive()).toBeUndefined();
    joiner.destroy();
    await settle();
    await expect(host.end()).rejects.toMatchObject({ code: 'peer-gone' });
    expect(isLost).toBe(false);
  });

  test('sends nothing of the old lanes, and listens to the new ones only', async () => {
    const { joiner, host, epochs } = await together([5_000]);
    const [dialled, accepted] = lanePair();
    void joiner.addLane(dialled, () => undefined);
    void host.addLane(accepted, () => undefined);
    const heard: unknown[] = [];
    host.listenForLanes(() => heard.push('old'));
    const hints = [{ host: '192.0.2.1', port: 4000 }];
    const never = (): void => undefined;
    const working = Promise.all([hear(host, never), hear(joiner, never), say(host, [], Promise.resolve())]);
    await joiner.send({ type: 'lanes', count: 2 });
    await joiner.send({ type: 'hints', hints });
    for (let index = 0; index < 10; index++) await joiner.send(chunk(index, 1_000));
    await expect.poll(epochs).toBe(2);
    host.listenForLanes((message) => heard.push(message));
    await joiner.send({ type: 'hints', hints });
    await joiner.end();
    expect((await working)[0]).toEqual([...Array(10).keys()]);
    expect(heard.filter((one) => one !== 'old').at(-1)).toEqual({ type: 'hints', hints });
    expect([dialled, accepted].map(({ socket }) => socket.destroyed)).toEqual([true, true]);
  });
});

describe('a session whose reader is slower than its line', () => {
  const ITEMS = 8;

  /** A joiner that waits for credit: the host has all that it may send so far, has said so, and read nothing yet. */
  async function slowlyRead(): Promise<{
    readonly joiner: SealedChannel;
    readonly host: SealedChannel;
    /** Reads to the end; gives what is read, as it is. */
    readonly read: () => readonly number[];
    readonly lose: () => void;
    readonly meetAgain: () => Promise<void>;
  }> {
    let connections = await nextConnection();
    const [joiner, host] = channelsOver(connections);
    for (const channel of [joiner, host]) channel.outlive(() => undefined);
    let [sent, arrived] = [0, 0];
    const say = async (): Promise<void> => {
      for (let index = 0; index < ITEMS; index++) {
        await joiner.send(chunk(index, 2 ** 16), () => (arrived += 1));
        sent += 1;
      }
    };
    say().catch(() => undefined);
    await vi.waitFor(() => expect([sent, arrived]).toEqual([3, 3]));
    const read = (): readonly number[] => {
      const heard: number[] = [];
      const receive = async (): Promise<void> => {
        for (let next = await host.receive(); next !== undefined; next = await host.receive()) {
          if ('kind' in next.item && next.item.kind === 'chunk') heard.push(next.item.offset);
          host.release(next.cost);
        }
      };
      receive().catch(() => undefined);
      return heard;
    };
    const lose = (): void => {
      for (const connection of connections) connection.destroy();
    };
    const meetAgain = async (): Promise<void> => {
      connections = await nextConnection();
      goOn([joiner, host], connections);
    };
    return { joiner, host, read, lose, meetAgain };
  }

  test('goes on where all of it was read while there was no connection', async () => {
    const { joiner, host, read, lose, meetAgain } = await slowlyRead();
    lose();
    const heard = read();
    await until(() => heard.length === 3, 'what is there');
    await meetAgain();
    await until(() => heard.length === ITEMS, 'a grant');
    expect(heard).toEqual([...Array(ITEMS).keys()]);
    for (const channel of [joiner, host]) channel.destroy();
  });

  test('hears of lanes no more than once in an epoch, however many of them went by meanwhile', async () => {
    const { joiner, host, read, lose, meetAgain } = await slowlyRead();
    const heard: unknown[] = [];
    for (const port of [4001, 4002]) {
      lose();
      await meetAgain();
      host.listenForLanes((message) => heard.push(message));
      // Each waits behind what waits for credit.
      joiner.send({ type: 'hints', hints: [{ host: '192.0.2.1', port }] }).catch(() => undefined);
      await settle();
    }
    const items = read();
    await until(() => items.length === ITEMS, 'what is behind the talk');
    expect(items).toEqual([...Array(ITEMS).keys()]);
    expect(heard).toEqual([{ type: 'hints', hints: [{ host: '192.0.2.1', port: 4002 }] }]);
    for (const channel of [joiner, host]) channel.destroy();
  });
});

describe('a reunion', () => {
  const key = (): SessionKey => new SessionKey(new Secret(Buffer.alloc(64, 7)));

  test('has secrets of its own in each epoch, equal at both sides', () => {
    const [one, other] = [key().reunionSecrets(), key().reunionSecrets()];
    expect(one.topic).toEqual(other.topic);
    expect(one.password.expose()).toEqual(other.password.expose());
    const next = new SessionKey(new Secret(Buffer.alloc(64, 8))).reunionSecrets();
    expect(next.topic).not.toEqual(one.topic);
    expect(next.password.expose()).not.toEqual(one.password.expose());
    expect([one.topic.length, one.password.expose().length]).toEqual([32, 32]);
    expect(one.topic).not.toEqual(one.password.expose());
  });

  test('shows its connection what the peer said first, and keeps it for the channel', async () => {
    const [near, far] = await connectionPair();
    await near.send([Buffer.from('first')]);
    await far.waitForMessage(1_000);
    expect(Buffer.from((await far.receive())!).toString()).toBe('first');
    const gone: Promise<unknown> = far.waitForMessage(20);
    await expect(gone).rejects.toMatchObject({ code: 'peer-gone' });
    near.destroy();
  });
});
