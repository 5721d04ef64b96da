import { describe, expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { ChatLink } from '../../../src/share/chat-link.js';
import { Guest, type ChatEvent, type GuestHooks } from '../../../src/share/guest.js';
import { LineGate } from '../../../src/share/line-gate.js';
import { localChannels } from '../../../src/share/local-channel.js';
import { memberName } from '../../../src/share/member-name.js';
import { Room } from '../../../src/share/room.js';
import { MAX_LINE_BYTES, type ChatMessage } from '../../../src/transfer/chat-messages.js';
import { encodeMessage } from '../../../src/transfer/message-codec.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';

const signal = new AbortController().signal;
const nothing = { send: async () => undefined, receive: async () => [] };

/** A member whose person is the test. */
function enter(
  room: Room,
  name: string,
  hooks: Omit<GuestHooks, 'onEvent'> = nothing,
): { guest: Guest; events: ChatEvent[]; stayed: Promise<void>; link: ChatLink } {
  const [near, far] = MemoryChannel.pair();
  const events: ChatEvent[] = [];
  const link = new ChatLink(near);
  const guest = new Guest(link, { ...hooks, onEvent: (event) => void events.push(event) });
  room.welcome(far, signal).catch(() => undefined);
  const stayed = guest.stay(name);
  stayed.catch(() => undefined);
  return { guest, events, stayed, link };
}

/** A member that says what no honest one does. */
function hostileMember(room: Room): { peer: ScriptedPeer; served: Promise<void> } {
  const [near, far] = MemoryChannel.pair();
  const served = room.welcome(far, signal);
  served.catch(() => undefined);
  return { peer: new ScriptedPeer(near), served };
}

/** Until everything that was said was heard. */
async function soon(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
}

describe('row 58: a member that breaks the rules', () => {
  const file = { type: 'file', member: 2, file: 1, name: 'a', entry: 'file', size: 1 } as const;
  const line = { type: 'line', member: 2, text: 'x' } as const;
  it.each<[string, readonly ChatMessage[]]>([
    ['says no name', [line]],
    [
      'says its name twice',
      [
        { type: 'enter', name: 'eve' },
        { type: 'enter', name: 'eve' },
      ],
    ],
    [
      'speaks in the name of another',
      [
        { type: 'enter', name: 'eve' },
        { ...line, member: 1 },
      ],
    ],
    [
      'offers in the name of another',
      [
        { type: 'enter', name: 'eve' },
        { ...file, member: 1 },
      ],
    ],
    [
      'offers out of turn',
      [
        { type: 'enter', name: 'eve' },
        { ...file, file: 2 },
      ],
    ],
    [
      'is ready for nothing',
      [
        { type: 'enter', name: 'eve' },
        { type: 'ready', request: 1 },
      ],
    ],
    [
      'talks like a room',
      [
        { type: 'enter', name: 'eve' },
        { type: 'left', member: 1 },
      ],
    ],
  ])('%s: it is out, and nobody else', async (_what, words) => {
    const room = new Room();
    const ann = enter(room, 'ann');
    await soon();
    const { peer, served } = hostileMember(room);
    for (const word of words) await peer.say(word);
    await expect(served).rejects.toMatchObject({ code: 'protocol' });
    const bob = enter(room, 'bob');
    await soon();
    bob.guest.say('still here');
    await soon();
    expect(ann.events.at(-1)).toEqual({ type: 'line', from: 'bob', text: 'still here' });
  });

  it('that asks for what is not there is told so', async () => {
    const room = new Room();
    enter(room, 'ann');
    await soon();
    const { peer } = hostileMember(room);
    await peer.say({ type: 'enter', name: 'eve' });
    await peer.say({ type: 'take', member: 1, file: 1 });
    expect(await peer.hear('welcome')).toMatchObject({ member: 2 });
    expect(await peer.hear('gone')).toEqual({ type: 'gone', member: 1, file: 1 });
  });

  it('that reads nothing is dropped before its lines fill the memory', async () => {
    // Nobody has the patience to see how slowly the lines come.
    const room = new Room({ gate: new LineGate({ burst: Infinity }) });
    const ann = enter(room, 'ann');
    await soon();
    const [near, far] = MemoryChannel.pair();
    const served = room.welcome(far, signal);
    served.catch(() => undefined);
    await near.send({ type: 'enter', name: 'deaf' });
    await soon();
    for (let count = 0; count < 100; count++) {
      ann.guest.say('x'.repeat(MAX_LINE_BYTES));
      await ann.link.settled();
    }
    await expect(served).rejects.toMatchObject({ code: 'limit' });
  });
});

describe('row 58: several that flood a room', () => {
  /** A gate whose time stands still, and what waits at it. */
  function stoppedGate(): { gate: LineGate; waiting: { readonly ms: number; readonly go: () => void }[] } {
    const waiting: { readonly ms: number; readonly go: () => void }[] = [];
    const wait = (ms: number, aborting: AbortSignal | undefined): Promise<void> =>
      new Promise((go, reject) => {
        waiting.push({ ms, go });
        aborting?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      });
    return { gate: new LineGate({ burst: 10, perSecond: 1, now: () => 0, wait }), waiting };
  }

  it('wait together: what those hear who only listen has one pace, in bytes too', async () => {
    const { gate, waiting } = stoppedGate();
    const room = new Room({ gate });
    const ann = enter(room, 'ann');
    await soon();
    for (const name of ['bob', 'eve']) {
      const { guest } = enter(room, name);
      await soon();
      for (let count = 0; count < 20; count++) guest.say('x');
    }
    await soon();
    // Two words more are under way, one of each; three of the ten were for coming in.
    expect(ann.events.filter(({ type }) => type === 'line').length).toBeLessThanOrEqual(7);
    expect(waiting).toHaveLength(2);
    waiting[0]?.go();
    await soon();
    expect(waiting).toHaveLength(3);
    // The next one of that member is behind the one of the other.
    expect(waiting[2]!.ms).toBeGreaterThan(waiting[1]!.ms);
    const { gate: other, waiting: large } = stoppedGate();
    const loud = enter(new Room({ gate: other }), 'loud');
    await soon();
    loud.guest.say('x'.repeat(MAX_LINE_BYTES));
    await soon();
    expect(large[0]?.ms).toBeCloseTo((1 + 1 + 16 - 10) * 1000);
  });

  it('are out at once when they are removed, with the words that wait', async () => {
    const { gate } = stoppedGate();
    const room = new Room({ gate });
    const ann = enter(room, 'ann');
    await soon();
    const [near, far] = MemoryChannel.pair();
    const removal = new AbortController();
    const served = room.welcome(far, removal.signal);
    served.catch(() => undefined);
    const guest = new Guest(new ChatLink(near), { ...nothing, onEvent: () => undefined });
    guest.stay('eve').catch(() => undefined);
    await soon();
    for (let count = 0; count < 20; count++) guest.say(`line ${count}`);
    await soon();
    const heard = ann.events.length;
    removal.abort(new XferError('device-removed'));
    await expect(served).rejects.toMatchObject({ code: 'device-removed' });
    await soon();
    expect(ann.events.slice(heard)).toEqual([{ type: 'went', name: 'eve' }]);
  });
});

describe('row 58: a room that breaks the rules', () => {
  const welcome = { type: 'welcome', member: 2, members: [{ member: 1, name: 'ann' }, { member: 2, name: 'bob' }] } as const; // prettier-ignore
  it.each<[string, readonly ChatMessage[]]>([
    ['says a line before its welcome', [{ type: 'line', member: 1, text: 'x' }]],
    ['welcomes nobody', [{ ...welcome, member: 3 }]],
    ['welcomes with one number for two', [{ ...welcome, members: [welcome.members[1], welcome.members[1]] }]],
    ['welcomes twice', [welcome, welcome]],
    ['passes on a line of nobody', [welcome, { type: 'line', member: 7, text: 'x' }]],
    ['puts words into one’s mouth', [welcome, { type: 'line', member: 2, text: 'x' }]],
    ['lets somebody come who is there', [welcome, { type: 'joined', member: 1, name: 'ann' }]],
    ['lets somebody go who is not there', [welcome, { type: 'left', member: 9 }]],
    [
      'has more members than there may be',
      [
        welcome,
        ...Array.from(
          { length: 31 },
          (_, index) => ({ type: 'joined', member: index + 3, name: 'x' }) as const,
        ),
      ],
    ],
    [
      'sends a file that nobody asked for',
      [welcome, { type: 'begin', request: 1, member: 1, file: 1, sends: false }],
    ],
    [
      'asks for a file that was not offered',
      [welcome, { type: 'begin', request: 1, member: 2, file: 1, sends: true }],
    ],
    ['begins out of turn', [welcome, { type: 'begin', request: 2, member: 2, file: 1, sends: true }]],
    ['takes back what nobody asked for', [welcome, { type: 'gone', member: 1, file: 1 }]],
    ['talks like a member', [welcome, { type: 'take', member: 1, file: 1 }]],
  ])('%s: the member leaves', async (_what, words) => {
    const [near, far] = MemoryChannel.pair();
    const guest = new Guest(new ChatLink(near), { ...nothing, onEvent: () => undefined });
    const stayed = guest.stay('bob');
    stayed.catch(() => undefined);
    const peer = new ScriptedPeer(far);
    for (const word of words) await peer.say(word).catch(() => undefined);
    await expect(stayed).rejects.toMatchObject({ code: 'protocol' });
  });
});

describe('a room', () => {
  it('cuts a line that is too long for one, between characters', async () => {
    const room = new Room();
    const [ann, bob] = [enter(room, 'ann'), enter(room, 'bob')];
    await soon();
    const text = 'ä€😀'.repeat(4_000);
    ann.guest.say(text);
    await soon();
    const heard = bob.events.filter((event) => event.type === 'line').map((event) => event.text);
    expect(heard.join('')).toBe(text);
    for (const one of heard) expect(Buffer.byteLength(one)).toBeLessThanOrEqual(MAX_LINE_BYTES);
  });

  it('passes on a transfer in both directions, one at a time for each member', async () => {
    const room = new Room();
    const moved: string[] = [];
    const [near, far] = localChannels();
    const owner = new Guest(new ChatLink(near), {
      onEvent: () => undefined,
      receive: async () => [],
      send: async (channel, file) => {
        await channel.send({ type: 'counting', transfer: 1, entries: 0, bytes: moved.length });
        const answer = await channel.receive();
        channel.release(answer?.cost ?? 0);
        moved.push(`${file} ${answer !== undefined && 'type' in answer.item ? answer.item.type : ''}`);
        await channel.end();
      },
    });
    room.welcome(far, signal).catch(() => undefined);
    owner.stay('ann').catch(() => undefined);
    await soon();
    owner.offer('/tmp/a', { name: 'a', entry: 'file', size: 1 });
    const takers = ['bob', 'eve'].map((name) => {
      const [one, other] = MemoryChannel.pair();
      const events: ChatEvent[] = [];
      const guest = new Guest(new ChatLink(one), {
        onEvent: (event) => void events.push(event),
        send: async () => undefined,
        receive: async (channel) => {
          const item = await channel.receive();
          channel.release(item?.cost ?? 0);
          await channel.send({ type: 'sent', transfer: 1, files: 0, bytes: 0 });
          await channel.end();
          return ['here'];
        },
      });
      room.welcome(other, signal).catch(() => undefined);
      guest.stay(name).catch(() => undefined);
      return { guest, events };
    });
    await soon();
    // Who comes later has not heard of what was offered before.
    expect(() => takers[0]!.guest.take()).toThrow('usage');
    owner.offer('/tmp/b', { name: 'b', entry: 'file', size: 1 });
    await soon();
    for (const { guest } of takers) guest.take(1);
    expect(() => takers[0]!.guest.take(1)).toThrow('usage');
    await soon();
    expect(moved).toEqual(['/tmp/b sent', '/tmp/b sent']);
    for (const { events } of takers)
      expect(events.at(-1)).toMatchObject({ type: 'file-moved', paths: ['here'] });
  });
});

describe('a file that is gone when somebody asks for it', () => {
  it('is missed by whoever asked, and keeps neither of them', async () => {
    const room = new Room();
    // As where the path cannot be opened any more.
    const send = (): Promise<void> => Promise.reject(new XferError('path-missing'));
    const owner = enter(room, 'ann', { ...nothing, send });
    const taker = enter(room, 'bob', {
      ...nothing,
      receive: async (channel) => {
        const item = (await channel.receive())?.item;
        const isError = item !== undefined && 'type' in item && item.type === 'error';
        throw new XferError(isError ? item.code : 'internal');
      },
    });
    await soon();
    for (const number of [1, 2]) {
      owner.guest.offer('/tmp/a', { name: 'a', entry: 'file', size: 1 });
      await soon();
      taker.guest.take(number);
      await soon();
      for (const { events } of [owner, taker])
        expect(events.at(-1)).toMatchObject({
          type: 'file-moved',
          file: { number },
          problem: 'path-missing',
        });
    }
    await owner.guest.leave();
  });
});

describe('a name in a room', () => {
  it.each([
    ['Zoë', [], 'Zoë'],
    ['Иван', [], 'Иван'],
    ['ann', ['ANN'], 'ann-2'],
    ['ann', ['ann', 'ann-2'], 'ann-3'],
    ['* system:', [], 'system'],
    ['\u001b[2J\u202e', [], '2J'],
    ['\u{200b}\u{feff}', [], 'guest'],
    ['', ['guest'], 'guest-2'],
    ['x'.repeat(100), [], 'x'.repeat(32)],
    ['𝐚𝐧𝐧', ['ann'], 'ann-2'],
  ])('of somebody who wants to be %j where there is %j is %j', (wanted, taken, name) => {
    expect(memberName(wanted, taken)).toBe(name);
    expect(() => encodeMessage({ type: 'enter', name })).not.toThrow();
  });
});

describe('the gate of lines', () => {
  it('lets a burst through, and then so many in a second', async () => {
    let now = 0;
    const waits: number[] = [];
    const gate = new LineGate({
      now: () => now,
      wait: async (ms) => {
        waits.push(ms);
        now += ms;
      },
    });
    for (let count = 0; count < 300; count++) await gate.pass();
    expect(waits).toHaveLength(100);
    expect(now).toBeCloseTo(2_000);
    now += 60_000;
    waits.length = 0;
    for (let count = 0; count < 200; count++) await gate.pass();
    expect(waits).toEqual([]);
  });
});
