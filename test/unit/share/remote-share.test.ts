import { describe, expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { RemoteShare } from '../../../src/share/remote-share.js';
import { MAX_ENTRIES } from '../../../src/transfer/ports.js';
import { MAX_LISTED, type ListedItem } from '../../../src/transfer/share-messages.js';
import { receiveFiles } from '../../../src/transfer/receiver.js';
import { sendFiles } from '../../../src/transfer/sender.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource } from '../../support/memory-source.js';
import { yes } from '../../support/memory-transfer.js';

const item = (name: string): ListedItem => ({ name, type: 'file', size: 1, mtimeMs: 0, mode: 0o644 });

/** A share that the test plays. */
function hostileShare(): { remote: RemoteShare; share: ScriptedPeer; channel: MemoryChannel } {
  const [channel, far] = MemoryChannel.pair();
  return { remote: new RemoteShare(channel, 'pi:'), share: new ScriptedPeer(far), channel };
}

const reply = { type: 'reply', request: 1, problem: undefined, path: 0 } as const;
const refused = (problem: XferError['code'], path = 0) => ({ ...reply, problem, path });
const settled = async (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
const signal = new AbortController().signal;
const receive = (channel: Parameters<typeof receiveFiles>[0]): Promise<unknown> =>
  receiveFiles(channel, () => new MemorySink(), {
    decide: yes,
    early: false,
    intoHome: () => false,
    signal,
    onEvent: () => undefined,
  });

describe('a share that is used', () => {
  it('answers one request after the other, in their order', async () => {
    const { remote, share } = hostileShare();
    const listed = remote.list(['docs']);
    const looked = remote.look(['a']);
    expect(await share.hear('request')).toEqual({
      type: 'request',
      request: 1,
      ask: { action: 'list', path: ['docs'] },
    });
    await share.say(
      { type: 'listing', request: 1, items: [item('a')] },
      { type: 'listing', request: 1, items: [item('b')] },
    );
    await share.say(reply);
    expect(await listed).toEqual([item('a'), item('b')]);
    expect(await share.hear('request')).toMatchObject({ request: 2, ask: { action: 'look' } });
    await share.say({ type: 'listing', request: 2, items: [item('a')] }, { ...reply, request: 2 });
    expect(await looked).toEqual(item('a'));
  });

  it('names the path that a refusal is about, as this side wrote it', async () => {
    const { remote, share } = hostileShare();
    const asked: [Promise<unknown>, Parameters<typeof refused>, string][] = [
      [remote.get([['a'], ['docs', 'b']], receive), ['path-missing', 1], 'pi:docs/b'],
      [remote.move(['a'], ['b'], false), ['target-exists', 1], 'pi:b'],
      [remote.move(['a'], ['b'], false), ['path-missing', 0], 'pi:a'],
      [remote.remove(['docs'], false), ['is-a-folder'], 'pi:docs'],
      [remote.makeFolder(['docs']), ['not-allowed'], 'pi:docs'],
      [remote.get([['a']], receive), ['path-missing', 999], 'pi:'],
    ];
    let request = 0;
    for (const [work, [problem, path = 0], subject] of asked) {
      const said = settled(work);
      await share.say({ ...refused(problem, path), request: ++request });
      expect(await said).toMatchObject({ code: problem, subject });
    }
  });

  it('says of its own troubles what any peer says', async () => {
    const { remote, share } = hostileShare();
    const said = settled(remote.list([]));
    await share.say(refused('disk-failed'));
    expect(await said).toMatchObject({ code: 'peer-failed', detail: 'disk-failed' });
  });
});

describe('a hostile share', () => {
  const offer = {
    type: 'offer',
    transfer: 1,
    kind: 'files',
    roots: [{ name: 'x', type: 'file', size: 1 }],
  } as const;

  it.each<[string, (share: ScriptedPeer) => Promise<void>]>([
    ['replies to another request', (share) => share.say({ ...reply, request: 2 })],
    ['replies to none', (share) => share.say({ ...reply, request: 0 })],
    ['lists for another request', (share) => share.say({ type: 'listing', request: 2, items: [item('a')] })],
    ['lists nothing', (share) => share.say({ type: 'listing', request: 1, items: [] })],
    ['asks', (share) => share.say({ type: 'request', request: 1, ask: { action: 'list', path: [] } })],
    ['offers', (share) => share.say(offer)],
    ['ends a transfer', (share) => share.say({ type: 'over', request: 1 })],
  ])('row 59: loses the session where it %s', async (_, attack) => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.list([]));
    await attack(share);
    expect(await said).toMatchObject({ code: 'protocol' });
    expect(channel.isDestroyed).toBe(true);
    expect(await settled(remote.list([]))).toBeInstanceOf(XferError);
  });

  it.each<[string, (remote: RemoteShare) => Promise<unknown>, readonly (readonly ListedItem[])[]]>([
    ['to look at one', (remote) => remote.look(['a']), [[item('a')], [item('b')]]],
    ['to look at one, at once', (remote) => remote.look(['a']), [[item('a'), item('b')]]],
    ['to look at one, and none', (remote) => remote.look(['a']), []],
    ['to make a folder', (remote) => remote.makeFolder(['a']), [[item('a')]]],
    ['to remove', (remote) => remote.remove(['a'], false), [[item('a')]]],
    ['to move', (remote) => remote.move(['a'], ['b'], false), [[item('a')]]],
    ['to be sent something', (remote) => remote.get([['a']], receive), [[item('a')]]],
  ])('row 59: lists what nobody asked for: %s', async (_, ask, listings) => {
    const { remote, share, channel } = hostileShare();
    const said = settled(ask(remote));
    for (const items of listings) await share.say({ type: 'listing', request: 1, items });
    await share.say(reply).catch(() => undefined);
    expect(await said).toMatchObject({ code: 'protocol' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('row 52: lists no more than there may be of entries', async () => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.list([]));
    const items = Array.from({ length: MAX_LISTED }, (_, number) => item(String(number)));
    const flood = (async () => {
      for (let sent = 0; sent <= MAX_ENTRIES; sent += MAX_LISTED) {
        await share.say({ type: 'listing', request: 1, items });
      }
    })();
    flood.catch(() => undefined);
    expect(await said).toMatchObject({ code: 'limit' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('is told where this side fails before it begins, and answers the next request', async () => {
    const { remote, share } = hostileShare();
    const failed = settled(remote.get([['a']], () => Promise.reject(new XferError('path-unreadable'))));
    await share.say(reply);
    expect(await share.hear('error')).toEqual({ type: 'error', code: 'path-unreadable' });
    await share.hear('over');
    await share.say({ type: 'over', request: 1 });
    expect(await failed).toMatchObject({ code: 'path-unreadable' });
    const looked = remote.look(['a']);
    await share.say({ type: 'listing', request: 2, items: [item('a')] }, { ...reply, request: 2 });
    expect(await looked).toEqual(item('a'));
  });

  it('that says yes and sends nothing is left when it goes', async () => {
    const { remote, share } = hostileShare();
    const said = settled(remote.get([['a']], receive));
    await share.say(reply);
    await share.hear('request');
    share.channel.destroy();
    expect(await said).toMatchObject({ code: 'peer-gone' });
  });

  it('that says yes and sends nothing is left when this side stops', async () => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.get([['a']], receive));
    await share.say(reply);
    await share.hear('request');
    await remote.leave(new XferError('interrupted'));
    expect(await said).toMatchObject({ code: 'interrupted' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('that refuses and sends all the same loses the session', async () => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.get([['a']], receive));
    await share.hear('request');
    await share.say(refused('path-missing'));
    expect(await said).toMatchObject({ code: 'path-missing', subject: 'pi:a' });
    const next = settled(remote.list([]));
    await share.say(offer);
    expect(await next).toMatchObject({ code: 'protocol' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('that takes nothing of what it let be put says why', async () => {
    const { remote, share } = hostileShare();
    const source = new MemorySource({ a: Buffer.from('x') });
    const said = settled(
      remote.put(['a'], 'refuse', (channel) =>
        sendFiles(channel, source, { kind: 'files', signal, onEvent: () => undefined }),
      ),
    );
    await share.say(reply);
    const { transfer } = await share.hear('manifest-end');
    await share.say(
      { type: 'answer', transfer, accepted: false, reason: 'target-exists' },
      { type: 'over', request: 1 },
    );
    expect(await said).toMatchObject({ code: 'target-exists', subject: 'pi:a' });
  });
});

describe('something that a share runs', () => {
  const output = (text: string, stream: 'stdout' | 'stderr' = 'stdout') =>
    ({ type: 'output', request: 1, stream, bytes: Buffer.from(text) }) as const;
  const ended = { type: 'ended', request: 1, ending: { how: 'exit', status: 3 } } as const;

  it('is handed over piece by piece, the next one when there is room', async () => {
    const { remote, share, channel } = hostileShare();
    const pieces: string[] = [];
    let makeRoom = (): void => undefined;
    const said = remote.run('one', ['a'], async (stream, bytes) => {
      pieces.push(`${stream}: ${Buffer.from(bytes).toString()}`);
      await new Promise<void>((resolve) => {
        makeRoom = resolve;
      });
    });
    expect(await share.hear('request')).toMatchObject({ ask: { action: 'run', name: 'one', words: ['a'] } });
    await share.say(output('a'), output('b', 'stderr'));
    const flood = share.say(...Array.from({ length: 20 }, () => output('x'.repeat(2 ** 15))), ended, reply);
    await new Promise(setImmediate);
    expect(pieces).toEqual(['stdout: a']);
    expect(channel.peakCost).toBeLessThanOrEqual(1 << 18);
    for (let done = false; !done;) {
      makeRoom();
      done = await Promise.race([said.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]); // prettier-ignore
    }
    await flood;
    expect(await said).toEqual({ how: 'exit', status: 3 });
    expect(pieces.length).toBe(22);
    expect(pieces[1]).toBe('stderr: b');
  });

  it.each<[string, Parameters<typeof refused>, string]>([
    ['no-action', ['no-action'], 'one'],
    ['argument-count', ['argument-count'], 'one'],
    ['argument-refused', ['argument-refused', 1], 'b'],
    ['argument-refused', ['argument-refused', 7], ''],
    ['too-many-runs', ['too-many-runs'], 'one'],
    ['action-failed', ['action-failed'], 'one'],
  ])('is refused with %s, and what that is about', async (code, [problem, path], subject) => {
    const { remote, share } = hostileShare();
    const said = settled(remote.run('one', ['a', 'b'], async () => undefined));
    await share.say(refused(problem, path));
    expect(await said).toMatchObject({ code, subject });
    const listed = settled(remote.actions());
    await share.say({ ...refused('not-allowed'), request: 2 });
    expect(await listed).toMatchObject({ code: 'not-allowed', detail: 'run actions' });
  });

  it.each<[string, readonly Parameters<ScriptedPeer['say']>[0][]]>([
    ['says more after the end', [ended, output('a')]],
    ['ends twice', [ended, ended]],
    ['never says how it ended', [output('a'), reply]],
    ['says nothing of it', [reply]],
    ['refuses what it ran', [output('a'), refused('no-action')]],
    ['refuses what it ended', [ended, refused('no-action')]],
    ['writes for another request', [{ ...output('a'), request: 2 }]],
    ['lists files', [{ type: 'listing', request: 1, items: [item('a')] }]],
    ['lists actions', [{ type: 'actions', request: 1, actions: [{ name: 'a', parameters: [] }] }]],
  ])('row 59: loses the session where the share %s', async (_, words) => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.run('one', [], async () => undefined));
    await share.say(...words).catch(() => undefined);
    expect(await said).toMatchObject({ code: 'protocol' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('row 59: is not what anything else was answered with', async () => {
    for (const word of [output('a'), ended, { type: 'actions', request: 1, actions: [] } as const]) {
      for (const ask of [
        (remote: RemoteShare) => remote.list([]),
        (remote: RemoteShare) => remote.actions(),
      ]) {
        const { remote, share, channel } = hostileShare();
        const said = settled(ask(remote));
        await share.say(word);
        expect(await said).toMatchObject({ code: 'protocol' });
        expect(channel.isDestroyed).toBe(true);
      }
    }
  });

  it('row 52: lists no more actions than there may be', async () => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.actions());
    const actions = Array.from({ length: 64 }, (_, number) => ({ name: `a${number}`, parameters: [] }));
    await share.say({ type: 'actions', request: 1, actions }, { type: 'actions', request: 1, actions });
    expect(await said).toMatchObject({ code: 'limit' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('ends with the session where nobody takes what it writes', async () => {
    const { remote, share, channel } = hostileShare();
    const said = settled(remote.run('one', [], () => Promise.reject(new XferError('output-closed'))));
    await share.say(output('a'));
    expect(await said).toMatchObject({ code: 'output-closed' });
    expect(channel.isDestroyed).toBe(true);
    expect(await share.hear('error')).toMatchObject({ code: 'interrupted' });
  });
});
