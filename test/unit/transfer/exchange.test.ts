import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { Exchange, SHARE_WORDS, type TransferChannel, type Word } from '../../../src/transfer/exchange.js';
import { receiveFiles } from '../../../src/transfer/receiver.js';
import { sendFiles } from '../../../src/transfer/sender.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource } from '../../support/memory-source.js';
import { yes } from '../../support/memory-transfer.js';
import { noise } from '../../support/trees.js';
import { settle } from '../../support/turns.js';

const ASK = { action: 'list', path: [] } as const;
const chunk = { type: 'counting', transfer: 1, entries: 0, bytes: 0 } as const;

function exchanges(): { one: Exchange; other: Exchange; channels: [MemoryChannel, MemoryChannel] } {
  const channels = MemoryChannel.pair();
  return {
    one: new Exchange(channels[0], SHARE_WORDS),
    other: new Exchange(channels[1], SHARE_WORDS),
    channels,
  };
}

function scripted(): { exchange: Exchange; peer: ScriptedPeer; channel: MemoryChannel } {
  const [channel, far] = MemoryChannel.pair();
  return { exchange: new Exchange(channel, SHARE_WORDS), peer: new ScriptedPeer(far), channel };
}

const signal = new AbortController().signal;

function send(channel: TransferChannel, source: MemorySource, stop = signal): ReturnType<typeof sendFiles> {
  return sendFiles(channel, source, { kind: 'files', signal: stop, onEvent: () => undefined });
}

function receive(channel: TransferChannel, sink: MemorySink, decide = yes): ReturnType<typeof receiveFiles> {
  return receiveFiles(channel, sink, {
    signal,
    decide,
    early: false,
    intoHome: () => false,
    onEvent: () => undefined,
  });
}

describe('an exchange', () => {
  it('hands over words in their order, and the end', async () => {
    const { one, other } = exchanges();
    await one.say({ type: 'request', request: 1, ask: ASK });
    await one.say({ type: 'request', request: 2, ask: ASK });
    await one.end();
    expect(await other.next()).toMatchObject({ request: 1 });
    expect(await other.next()).toMatchObject({ request: 2 });
    expect(await other.next()).toBeUndefined();
  });

  const part = new Uint8Array(32);
  it.each<Word>([
    { type: 'request', request: 1, ask: ASK },
    { type: 'listing', request: 1, items: [{ name: 'a', type: 'file', size: 1, mtimeMs: 0, mode: 0o644 }] },
    { type: 'reply', request: 1, problem: undefined, path: 0 },
    { type: 'challenge', request: 1, salt: part.subarray(16), point: part },
    { type: 'proof', request: 1, point: part, tag: new Uint8Array(64) },
    { type: 'actions', request: 1, actions: [{ name: 'backup', parameters: [] }] },
    { type: 'output', request: 1, stream: 'stdout', bytes: part },
    { type: 'ended', request: 1, ending: { how: 'exit', status: 0 } },
  ])('hands over between and in transfers: $type', async (word) => {
    const { one, other } = exchanges();
    const transfer = other.begin(1);
    await one.say(word);
    expect(await other.next()).toMatchObject({ type: word.type, request: 1 });
    await one.end();
    await expect(transfer.receive()).rejects.toMatchObject({ code: 'peer-gone' });
  });

  it.each([
    ['ends', (channel: MemoryChannel) => channel.end(), 'peer-gone'],
    [
      'gives up',
      (channel: MemoryChannel) => channel.send({ type: 'error', code: 'disk-full' }),
      'peer-failed',
    ],
  ])('tells at once that the peer %s, though words still wait', async (_, go, code) => {
    const { exchange, peer } = scripted();
    await peer.say({ type: 'request', request: 1, ask: ASK });
    await settle();
    expect(exchange.gone.aborted).toBe(false);
    await go(peer.channel);
    await settle();
    expect(exchange.gone.reason).toMatchObject({ code });
    expect(await exchange.next()).toMatchObject({ request: 1 });
  });

  it('may take a transfer back that was refused', async () => {
    const { exchange, peer } = scripted();
    exchange.begin(1);
    exchange.cancel();
    expect(exchange.begin(2).path).toBe('direct');
    exchange.cancel();
    await peer.say(chunk);
    await expect(exchange.next()).rejects.toMatchObject({ code: 'protocol' });
  });

  it('can be dropped, with the transfer in it', async () => {
    const { exchange, channel } = scripted();
    const transfer = exchange.begin(1);
    exchange.destroy(new XferError('stalled'));
    expect(channel.isDestroyed).toBe(true);
    await expect(transfer.over).rejects.toMatchObject({ code: 'stalled' });
  });

  it('lets no more words wait than the credit allows', async () => {
    const { exchange, channel, peer } = scripted();
    let sent = 0;
    const flood = (async () => {
      for (; sent < 100_000; sent++) await peer.say({ type: 'request', request: sent, ask: ASK });
    })();
    flood.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    await vi.waitFor(() => expect(sent).toBeGreaterThan(500));
    const waiting = sent;
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBe(waiting);
    expect(channel.peakCost).toBeLessThanOrEqual(1 << 18);
    // Each that is taken makes room.
    await exchange.next();
    await vi.waitFor(() => expect(sent).toBeGreaterThan(waiting));
    channel.destroy();
  });

  it('says why the peer went', async () => {
    const { exchange, peer } = scripted();
    await peer.say({ type: 'error', code: 'interrupted' });
    await expect(exchange.next()).rejects.toMatchObject({ code: 'peer-interrupted' });
    await expect(exchange.next()).rejects.toMatchObject({ code: 'peer-interrupted' });
  });

  it('can be interrupted, before what waits', async () => {
    const { one, other } = exchanges();
    await one.say({ type: 'request', request: 1, ask: ASK });
    const waiting = one.next();
    one.interrupt(new XferError('interrupted'));
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
    other.interrupt(new XferError('interrupted'));
    await expect(other.next()).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('tells the peer why it goes', async () => {
    const { exchange, peer, channel } = scripted();
    await exchange.leave(new XferError('device-removed'));
    expect(await peer.hear('error')).toEqual({ type: 'error', code: 'device-removed' });
    expect(channel.isDestroyed).toBe(true);
  });

  it.each([
    ['what belongs to a transfer while there is none', chunk],
    ['the end of a transfer that is none', { type: 'over', request: 1 } as const],
  ])('breaks off after %s', async (_, item) => {
    const { exchange, peer, channel } = scripted();
    await peer.say(item);
    await expect(exchange.next()).rejects.toMatchObject({ code: 'protocol' });
    expect(channel.isDestroyed).toBe(true);
  });

  it('breaks off after the end of another transfer', async () => {
    const { exchange, peer } = scripted();
    const transfer = exchange.begin(2);
    await peer.say({ type: 'over', request: 1 });
    await expect(transfer.receive()).rejects.toMatchObject({ code: 'protocol' });
    await expect(transfer.over).rejects.toMatchObject({ code: 'protocol' });
  });

  it('breaks off after more than the end', async () => {
    const { exchange, peer } = scripted();
    const transfer = exchange.begin(1);
    await peer.say({ type: 'over', request: 1 }, chunk);
    await expect(exchange.next()).rejects.toMatchObject({ code: 'protocol' });
    await expect(transfer.over).rejects.toMatchObject({ code: 'protocol' });
  });

  it('has one transfer at a time', () => {
    const { exchange } = scripted();
    exchange.begin(1);
    expect(() => exchange.begin(2)).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  it('has smaller records where many share what may be under way', () => {
    const pieceOf = (mostBytes?: number): number => {
      const [channel] = MemoryChannel.pair();
      channel.pieceBytes = () => 1 << 20;
      const limit = mostBytes === undefined ? undefined : () => mostBytes;
      return new Exchange(channel, SHARE_WORDS, limit).begin(1).pieceBytes();
    };
    expect(pieceOf()).toBe(1 << 20);
    expect(pieceOf(1 << 24)).toBe(1 << 20);
    expect(pieceOf(1 << 20)).toBe(1 << 17);
    expect(pieceOf(1)).toBe(1 << 16);
  });

  it('limits what a transfer may have under way', async () => {
    const [channel] = MemoryChannel.pair();
    const widen = vi.spyOn(channel, 'widen');
    new Exchange(channel, SHARE_WORDS, () => 1 << 22).begin(1).widen(1 << 24);
    expect(widen).toHaveBeenCalledWith(1 << 22);
  });

  it('keeps no more of what it sends than a transfer may have under way', async () => {
    const [channel] = MemoryChannel.pair();
    const done: (() => void)[] = [];
    const sent = vi.spyOn(channel, 'send').mockImplementation(async (_item, onDone) => {
      done.push(onDone ?? (() => undefined));
    });
    const transfer = new Exchange(channel, SHARE_WORDS, () => 200).begin(1);
    const body = { compression: 'stored', rawLength: 100, bytes: new Uint8Array(100) } as const;
    const batch = { kind: 'batch', transfer: 1, count: 1, body } as const;
    const settled = vi.fn();
    const sending = Array.from({ length: 4 }, () => transfer.send(batch, settled));
    await Promise.all(sending.slice(0, 2));
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveBeenCalledTimes(2);
    done[0]!();
    await sending[2];
    expect(sent).toHaveBeenCalledTimes(3);
    expect(settled).toHaveBeenCalledTimes(1);
    transfer.destroy(new XferError('disk-full'));
    await expect(sending[3]).rejects.toMatchObject({ code: 'disk-full' });
  });

  it('sends what is larger than all of it alone', async () => {
    const [channel, far] = MemoryChannel.pair();
    const [exchange, other] = [new Exchange(channel, SHARE_WORDS, () => 100), new Exchange(far, SHARE_WORDS)];
    const [sent] = await Promise.all([
      send(exchange.begin(1), new MemorySource({ 'b.bin': noise(1 << 20, 'b') })),
      receive(other.begin(1), new MemorySink()),
    ]);
    expect(sent.bytes).toBe(1 << 20);
  });

  it('lets records through that are a part of what is open, however many share a window', async () => {
    const channels = MemoryChannel.pair();
    channels[0].pieceBytes = () => 1 << 16;
    const [from, to] = [
      new Exchange(channels[0], SHARE_WORDS),
      new Exchange(channels[1], SHARE_WORDS, () => 1 << 18),
    ];
    const content = createHash('shake256', { outputLength: 3 << 20 }).digest();
    const [sent] = await Promise.all([
      send(from.begin(1), new MemorySource({ 'b.bin': content })),
      receive(to.begin(1), new MemorySink()),
    ]);
    expect(sent.bytes).toBe(3 << 20);
  });

  it('grants whole bytes, whatever a part of a window comes to', () => {
    const [channel] = MemoryChannel.pair();
    const widen = vi.spyOn(channel, 'widen');
    new Exchange(channel, SHARE_WORDS, () => 2 ** 26 / 13).begin(1).widen(1 << 24);
    expect(widen).toHaveBeenCalledWith(5_162_220);
  });
});

describe('transfers of an exchange', () => {
  it('come one after the other, both ways, with words between', async () => {
    const { one, other } = exchanges();
    for (let request = 1; request <= 4; request++) {
      const [from, to] = request % 2 === 0 ? [one, other] : [other, one];
      const source = new MemorySource({
        'a.txt': Buffer.from(`content ${request}`),
        'b.bin': new Uint8Array(3 << 20),
      });
      const sink = new MemorySink();
      const [out, into] = [from.begin(request), to.begin(request)];
      const [sent, received] = await Promise.all([send(out, source), receive(into, sink)]);
      expect([sent.files, received.files]).toEqual([2, 2]);
      await Promise.all([out.over, into.over]);
      await from.say({ type: 'reply', request, problem: undefined, path: 0 });
      expect(await to.next()).toMatchObject({ request });
    }
  });

  it.each([
    ['the receiver says no', async () => ({ accept: false }) as const, 'declined'],
    ['the receiver fails', () => Promise.reject(new XferError('disk-full')), 'disk-full'],
  ])('may fail since %s, and the next one goes well', async (_, decide, code) => {
    const { one, other } = exchanges();
    const failing = [one.begin(1), other.begin(1)] as const;
    const [sent, received] = await Promise.allSettled([
      send(failing[0], new MemorySource({ a: Buffer.from('x') })),
      receive(failing[1], new MemorySink(), decide),
    ]);
    expect(received).toMatchObject({ reason: { code } });
    expect(sent).toMatchObject({ reason: { code: code === 'declined' ? code : 'peer-failed' } });
    await Promise.all(failing.map(({ over }) => over));
    const next = [one.begin(2), other.begin(2)] as const;
    const sink = new MemorySink();
    await Promise.all([send(next[0], new MemorySource({ a: Buffer.from('x') })), receive(next[1], sink)]);
    await Promise.all(next.map(({ over }) => over));
  });

  it('may be stopped by the sender, and the next one goes well', async () => {
    const { one, other } = exchanges();
    const stop = new AbortController();
    const stopped = [one.begin(1), other.begin(1)] as const;
    const decide = async (): Promise<never> => {
      stop.abort();
      return new Promise(() => undefined);
    };
    const outcomes = await Promise.allSettled([
      send(stopped[0], new MemorySource({ a: Buffer.from('x') }), stop.signal),
      receive(stopped[1], new MemorySink(), decide),
    ]);
    expect(outcomes).toMatchObject([
      { reason: { code: 'interrupted' } },
      { reason: { code: 'peer-interrupted' } },
    ]);
    await Promise.all(stopped.map(({ over }) => over));
    await one.say({ type: 'request', request: 2, ask: ASK });
    expect(await other.next()).toMatchObject({ request: 2 });
  });

  it('whose side gives up send no content any more, and leave the session as it is', async () => {
    const [channel] = MemoryChannel.pair();
    const giveUp = vi.fn();
    Object.assign(channel, { giveUp, delivery: () => ({ items: 7, waitedMs: 0 }) });
    const done: (() => void)[] = [];
    const sent = vi.spyOn(channel, 'send').mockImplementation(async (_item, onDone) => {
      if (onDone !== undefined) done.push(onDone);
    });
    const transfer = new Exchange(channel, SHARE_WORDS, () => 100).begin(1);
    const body = { compression: 'stored', rawLength: 100, bytes: new Uint8Array(100) } as const;
    const batch = { kind: 'batch', transfer: 1, count: 1, body } as const;
    await transfer.send(batch);
    const waiting = transfer.send(batch);
    const word = transfer.send({ type: 'error', code: 'disk-full' });
    await settle();
    transfer.giveUp();
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
    await word;
    await expect(transfer.send(batch)).rejects.toMatchObject({ code: 'interrupted' });
    expect(sent.mock.calls.map(([item]) => item)).toEqual([batch, { type: 'error', code: 'disk-full' }]);
    expect(giveUp).not.toHaveBeenCalled();
    expect(transfer.delivery()).toEqual({ items: 7, waitedMs: 0 });
  });

  it('say nothing after their end', async () => {
    const { exchange, peer, channel } = scripted();
    const transfer = exchange.begin(1);
    await transfer.send(chunk);
    const ended = transfer.end();
    await expect(transfer.send(chunk)).rejects.toMatchObject({ code: 'interrupted' });
    await ended;
    expect(channel.sent).toEqual([chunk, { type: 'over', request: 1 }]);
    await peer.say({ type: 'over', request: 1 });
    await transfer.over;
  });

  it('end with the session', async () => {
    const { one, other, channels } = exchanges();
    const transfer = one.begin(1);
    const receiving = transfer.receive();
    other.begin(1);
    channels[1].destroy();
    await expect(receiving).rejects.toMatchObject({ code: 'peer-gone' });
    await expect(transfer.over).rejects.toMatchObject({ code: 'peer-gone' });
    await expect(transfer.send(chunk)).rejects.toMatchObject({ code: 'peer-gone' });
  });

  it.each([
    ['in order', (channel: MemoryChannel) => channel.end()],
    ['lost', async (channel: MemoryChannel) => channel.destroy()],
  ])('end at once where the session ended before they began: %s', async (_, leave) => {
    const { exchange, peer } = scripted();
    await peer.say({ type: 'request', request: 1, ask: ASK });
    await leave(peer.channel);
    await settle();
    const transfer = exchange.begin(1);
    await expect(transfer.receive()).rejects.toMatchObject({ code: 'peer-gone' });
    await expect(transfer.over).rejects.toMatchObject({ code: 'peer-gone' });
  });

  it.each(['protocol', 'limit', 'integrity', 'internal', 'stalled', 'peer-gone'] as const)(
    'end the session where it is not to be trusted any more: %s',
    async (code) => {
      const { exchange, channel } = scripted();
      const transfer = exchange.begin(1);
      transfer.destroy(new XferError(code));
      expect(channel.isDestroyed).toBe(true);
      await expect(transfer.over).rejects.toMatchObject({ code });
    },
  );

  it('that are over stay so, whatever becomes of them and of the session', async () => {
    const { exchange, peer, channel } = scripted();
    const transfer = exchange.begin(1);
    await transfer.end();
    await transfer.end();
    await peer.say({ type: 'over', request: 1 });
    await transfer.over;
    transfer.destroy(new XferError('integrity'));
    expect(channel).toMatchObject({ isDestroyed: false, sent: [{ type: 'over', request: 1 }] });
    channel.destroy();
    await expect(exchange.next()).rejects.toMatchObject({ code: 'peer-gone' });
    expect(await transfer.receive()).toBeUndefined();
  });

  describe('that are given up', () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    it('drop what still comes, and give its credit back', async () => {
      const { exchange, peer, channel } = scripted();
      const transfer = exchange.begin(1);
      await peer.say(chunk);
      transfer.destroy(new XferError('disk-full'));
      await expect(transfer.receive()).rejects.toMatchObject({ code: 'disk-full' });
      for (let count = 0; count < 50_000; count++) await peer.say(chunk);
      expect(channel.peakCost).toBeLessThanOrEqual(1 << 18);
      expect(await peer.hear('over')).toEqual({ type: 'over', request: 1 });
      await peer.say({ type: 'over', request: 1 });
      await transfer.over;
      vi.advanceTimersByTime(60_000);
      expect(channel.isDestroyed).toBe(false);
    });

    it('are given up once, for the first reason', async () => {
      const { exchange, peer, channel } = scripted();
      const transfer = exchange.begin(1);
      transfer.destroy();
      transfer.destroy(new XferError('integrity'));
      expect(channel.isDestroyed).toBe(false);
      await expect(transfer.receive()).rejects.toMatchObject({ code: 'interrupted' });
      await peer.say({ type: 'over', request: 1 });
      await transfer.over;
      expect(channel.sent).toEqual([{ type: 'over', request: 1 }]);
    });

    it('leave the session while anything of them comes, however slowly', async () => {
      const { exchange, peer, channel } = scripted();
      const transfer = exchange.begin(1);
      transfer.destroy(new XferError('disk-full'));
      for (let seconds = 0; seconds < 40; seconds += 8) {
        await vi.advanceTimersByTimeAsync(8_000);
        await peer.say(chunk);
        await settle();
      }
      expect(channel.isDestroyed).toBe(false);
      await peer.say({ type: 'over', request: 1 });
      await transfer.over;
      await vi.advanceTimersByTimeAsync(60_000);
      expect([channel.isDestroyed, vi.getTimerCount()]).toEqual([false, 0]);
    });

    it('leave the session while there is no connection', async () => {
      const { exchange, channel } = scripted();
      let isAway = true;
      Object.assign(channel, { isAway: () => isAway });
      exchange.begin(1).destroy(new XferError('disk-full'));
      await vi.advanceTimersByTimeAsync(600_000);
      expect(channel.isDestroyed).toBe(false);
      isAway = false;
      await vi.advanceTimersByTimeAsync(9_000);
      expect(channel.isDestroyed).toBe(false);
      await vi.advanceTimersByTimeAsync(1_000);
      expect([channel.isDestroyed, vi.getTimerCount()]).toEqual([true, 0]);
    });

    it('end the session where the peer never ends them', async () => {
      const { exchange, channel } = scripted();
      const transfer = exchange.begin(1);
      transfer.destroy(new XferError('interrupted'));
      vi.advanceTimersByTime(10_000);
      expect(channel.isDestroyed).toBe(true);
      await expect(transfer.over).rejects.toMatchObject({ code: 'stalled' });
    });
  });
});
