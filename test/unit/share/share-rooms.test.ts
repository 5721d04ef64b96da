import { describe, expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { ChatLink } from '../../../src/share/chat-link.js';
import { Guest, type ChatEvent } from '../../../src/share/guest.js';
import { LineGate } from '../../../src/share/line-gate.js';
import { parseRights } from '../../../src/share/rights.js';
import type { MemberEvent } from '../../../src/share/room.js';
import { ShareRooms } from '../../../src/share/share-rooms.js';
import { MAX_LINE_BYTES, type ChatMessage } from '../../../src/transfer/chat-messages.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';

const forever = new AbortController().signal;
const nothing = { send: async () => undefined, receive: async () => [] };

interface Entered {
  readonly guest: Guest;
  readonly heard: ChatEvent[];
  readonly log: MemberEvent[];
  readonly stayed: Promise<void>;
  readonly served: Promise<void>;
}

/** A device that comes to talk, with these rights. */
function enter(rooms: ShareRooms, name: string, rights: string, signal: AbortSignal = forever): Entered {
  const [near, far] = MemoryChannel.pair();
  const [heard, log]: [ChatEvent[], MemberEvent[]] = [[], []];
  const guest = new Guest(new ChatLink(near), { ...nothing, onEvent: (event) => void heard.push(event) });
  const served = rooms.join(far, signal, { name, rights: parseRights(rights) }, (event) => {
    log.push(event);
  });
  const stayed = guest.stay('whatever it calls itself');
  for (const one of [served, stayed]) one.catch(() => undefined);
  return { guest, heard, log, stayed, served };
}

/** Until everything that was said was heard. */
async function soon(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
}

describe('the rooms of a share', () => {
  it('are one for all who may read it, and one with the owner for everybody else', async () => {
    const rooms = new ShareRooms({ host: 'pi' });
    const [ann, bob] = [enter(rooms, 'ann', 'read'), enter(rooms, 'bob', 'read,write')];
    const [eve, too] = [enter(rooms, 'eve', 'inbox'), enter(rooms, 'too', 'write')];
    await soon();
    expect(ann.heard).toEqual([
      { type: 'entered', name: 'ann', others: ['pi'] },
      { type: 'came', name: 'bob' },
    ]);
    expect(bob.heard).toEqual([{ type: 'entered', name: 'bob', others: ['pi', 'ann'] }]);
    eve.guest.say('of eve');
    ann.guest.say('of ann');
    await soon();
    expect(eve.heard).toEqual([{ type: 'entered', name: 'eve', others: ['pi'] }]);
    expect(too.heard).toEqual([{ type: 'entered', name: 'too', others: ['pi'] }]);
    expect(ann.heard).toHaveLength(2);
    expect(bob.heard.slice(1)).toEqual([{ type: 'line', from: 'ann', text: 'of ann' }]);
    expect(eve.log).toEqual([
      { type: 'joined', name: 'eve' },
      { type: 'line', from: 'eve', text: 'of eve' },
    ]);
    expect(await rooms.say('to all')).toBe('said');
    expect(await rooms.say('to eve', 'EVE')).toBe('said');
    expect(await rooms.say('to ann', 'ann')).toBe('not-alone');
    expect(await rooms.say('to nobody', 'zoe')).toBe('nobody');
    await soon();
    const line = (text: string): ChatEvent => ({ type: 'line', from: 'pi', text });
    for (const { heard } of [ann, bob, too]) expect(heard.at(-1)).toEqual(line('to all'));
    expect(eve.heard.slice(1)).toEqual([line('to all'), line('to eve')]);
  });

  it('row 71: number nobody of one room in another', async () => {
    const rooms = new ShareRooms({ host: 'pi' });
    for (const name of ['ann', 'bob', 'eve']) enter(rooms, name, name === 'eve' ? 'inbox' : 'read');
    await soon();
    const [near, far] = MemoryChannel.pair();
    rooms
      .join(far, forever, { name: 'phone', rights: parseRights('inbox') }, () => undefined)
      .catch(() => undefined);
    const peer = new ScriptedPeer(near);
    await peer.say({ type: 'enter', name: 'x' });
    expect(await peer.hear('welcome')).toEqual({
      type: 'welcome',
      member: 2,
      members: [
        { member: 1, name: 'pi' },
        { member: 2, name: 'phone' },
      ],
    });
  });

  it('let nothing out that is said where the owner does not read along', async () => {
    const rooms = new ShareRooms();
    const [ann, bob] = [enter(rooms, 'ann', 'read'), enter(rooms, 'bob', 'read')];
    await soon();
    ann.guest.say('between us');
    ann.guest.offer('/tmp/a', { name: 'a', entry: 'file', size: 1 });
    await soon();
    expect(bob.heard.map(({ type }) => type)).toEqual(['entered', 'line', 'file-offered']);
    expect(bob.heard[0]).toMatchObject({ others: ['ann'] });
    await ann.guest.leave();
    await ann.served;
    expect(ann.log).toEqual([
      { type: 'joined', name: 'ann' },
      { type: 'left', name: 'ann' },
    ]);
  });

  it('are closed to who has no rights, and to one device too often', async () => {
    const rooms = new ShareRooms();
    for (const rights of ['none', 'dotfiles']) {
      const nobody = enter(rooms, 'tv', rights);
      await expect(nobody.served).rejects.toMatchObject({ code: 'not-allowed' });
      await expect(nobody.stayed).rejects.toMatchObject({ code: 'peer-failed', detail: 'not-allowed' });
    }
    const seats = ['1', '2', '3'].map(() => enter(rooms, 'ann', 'read'));
    await soon();
    await expect(enter(rooms, 'ann', 'read').stayed).rejects.toMatchObject({ code: 'peer-busy' });
    const bob = enter(rooms, 'bob', 'read');
    await soon();
    expect(bob.heard[0]).toMatchObject({ others: ['ann', 'ann-2', 'ann-3'] });
    await seats[0]!.guest.leave();
    await seats[0]!.served;
    const again = enter(rooms, 'ann', 'read');
    await soon();
    expect(again.guest.isIn).toBe(true);
  });

  it('say goodbye, and let nobody in from then on', async () => {
    const rooms = new ShareRooms({ host: 'pi' });
    const ending = new AbortController();
    const here = [enter(rooms, 'ann', 'read', ending.signal), enter(rooms, 'eve', 'inbox', ending.signal)];
    await soon();
    // As serve does it: the rooms first, the sessions with the same Ctrl-C.
    const closed = rooms.close();
    ending.abort();
    await expect(enter(rooms, 'late', 'read').stayed).rejects.toMatchObject({ code: 'peer-interrupted' });
    for (const { guest, stayed } of here) {
      await stayed;
      await guest.leave();
    }
    await closed;
    for (const { served } of here) await served;
  });

  it('row 76: lose a device at once that is removed', async () => {
    const rooms = new ShareRooms();
    const removal = new AbortController();
    const ann = enter(rooms, 'ann', 'read');
    const eve = enter(rooms, 'eve', 'read', removal.signal);
    await soon();
    removal.abort(new XferError('device-removed'));
    await expect(eve.served).rejects.toMatchObject({ code: 'device-removed' });
    await soon();
    expect(ann.heard.at(-1)).toEqual({ type: 'went', name: 'eve' });
    expect(eve.log.at(-1)).toEqual({ type: 'left', name: 'eve' });
  });
});

describe('row 58: a device that breaks the rules of a room', () => {
  const enterEve: ChatMessage = { type: 'enter', name: 'eve' };
  it.each<[string, readonly ChatMessage[]]>([
    ['speaks in the name of the owner', [enterEve, { type: 'line', member: 1, text: 'x' }]],
    ['says that the owner left', [enterEve, { type: 'left', member: 1 }]],
    ['says no name', [{ type: 'line', member: 3, text: 'x' }]],
  ])('%s: it is out, and nobody else', async (_what, words) => {
    const rooms = new ShareRooms({ host: 'pi' });
    const ann = enter(rooms, 'ann', 'read');
    await soon();
    const [near, far] = MemoryChannel.pair();
    const served = rooms.join(far, forever, { name: 'eve', rights: parseRights('read') }, () => undefined);
    served.catch(() => undefined);
    const peer = new ScriptedPeer(near);
    for (const word of words) await peer.say(word);
    await expect(served).rejects.toMatchObject({ code: 'protocol' });
    expect(await rooms.say('still here')).toBe('said');
    await soon();
    expect(ann.heard.at(-1)).toEqual({ type: 'line', from: 'pi', text: 'still here' });
    expect(ann.heard.filter(({ type }) => type === 'line')).toHaveLength(1);
  });

  it('wants a file of the owner, who has none: it is told so', async () => {
    const rooms = new ShareRooms({ host: 'pi' });
    const [near, far] = MemoryChannel.pair();
    rooms
      .join(far, forever, { name: 'eve', rights: parseRights('read') }, () => undefined)
      .catch(() => undefined);
    const peer = new ScriptedPeer(near);
    await peer.say(enterEve);
    await peer.say({ type: 'take', member: 1, file: 1 });
    expect(await peer.hear('gone')).toEqual({ type: 'gone', member: 1, file: 1 });
  });

  it('reads nothing: the owner does not wait for it, and it is dropped', async () => {
    const rooms = new ShareRooms({ host: 'pi', gate: new LineGate({ burst: Infinity }) });
    const ann = enter(rooms, 'ann', 'read');
    const [near, far] = MemoryChannel.pair();
    const served = rooms.join(far, forever, { name: 'deaf', rights: parseRights('read') }, () => undefined);
    served.catch(() => undefined);
    await near.send({ type: 'enter', name: 'deaf' });
    await soon();
    for (let count = 0; count < 100; count++) {
      expect(await rooms.say(`${count} ${'x'.repeat(MAX_LINE_BYTES - 4)}`)).toBe('said');
      await soon();
    }
    await expect(served).rejects.toMatchObject({ code: 'limit' });
    expect(ann.heard.filter(({ type }) => type === 'line')).toHaveLength(100);
  });
});
