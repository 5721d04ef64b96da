import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi, type Mock } from 'vitest';
import { toXferError } from '../../../src/errors.js';
import { NoisePrelude } from '../../../src/peer/noise-prelude.js';
import { MAX_MESSAGE_BYTES } from '../../../src/peer/noise.js';
import { RecordLine } from '../../../src/peer/record-line.js';
import { noise } from '../../support/trees.js';

interface End {
  readonly line: RecordLine;
  readonly messages: Buffer[];
  /** Called whenever there is room again. */
  readonly onDrain: Mock<() => void>;
  readonly over: Promise<string>;
}

const NOTHING = Buffer.alloc(0);

/** A record line over one end of a duplex in memory, which does all that a line asks of a socket. */
function lineOver(raw: Duplex, received: Uint8Array = NOTHING): End {
  const messages: Buffer[] = [];
  const onDrain = vi.fn<() => void>();
  let settle: (how: string) => void = () => undefined;
  const over = new Promise<string>((resolve) => (settle = resolve));
  const line = new RecordLine(raw, received, {
    onMessage: (message) => void messages.push(Buffer.from(message)),
    onDrain,
    onEnd: () => settle('end'),
    onError: (error) => settle(toXferError(error).code),
    onClose: () => settle('close'),
  });
  return { line, messages, onDrain, over };
}

const framed = (message: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
};

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

afterEach(() => {
  vi.useRealTimers();
});

describe('records over TCP', () => {
  test('come as they were sent, however they are given and cut', async () => {
    const message = fc.uint8Array({ maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.array(message), fc.array(fc.integer({ min: 1, max: 50 })), async (sent, cuts) => {
        const [near, far] = duplexPair();
        const { messages } = lineOver(far);
        let rest = Buffer.concat(sent.map(framed));
        for (const cut of cuts) {
          near.write(rest.subarray(0, cut));
          rest = rest.subarray(cut);
          await settled();
        }
        near.write(rest);
        await settled();
        await settled();
        // Empty ones keep alive, and are nobody's message.
        expect(messages).toEqual(sent.filter(({ length }) => length > 0).map((bytes) => Buffer.from(bytes)));
        near.destroy();
      }),
    );
  });

  test('take as much memory as they need, for as long as some come', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [near, far] = duplexPair();
    const memory: number[] = [];
    const onMessage = (message: Uint8Array): void => {
      expect(message.every((byte) => byte === 7)).toBe(true);
      memory.push(message.buffer.byteLength);
    };
    const nothing = (): void => undefined;
    new RecordLine(far, NOTHING, {
      onMessage,
      onDrain: nothing,
      onEnd: nothing,
      onError: nothing,
      onClose: nothing,
    });
    const take = async (length: number): Promise<void> => {
      const bytes = framed(Buffer.alloc(length, 7));
      for (const half of [bytes.subarray(0, length / 2), bytes.subarray(length / 2)]) {
        near.write(half);
        await settled();
      }
    };
    for (const length of [10_000, 500, MAX_MESSAGE_BYTES, 500]) await take(length);
    expect(memory[0]).toBeLessThan(2 * 10_000);
    expect(memory).toEqual([memory[0], memory[0], MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES]);
    for (let pulse = 0; pulse < 2; pulse++) {
      near.write(framed(NOTHING));
      await settled();
      vi.advanceTimersByTime(5_000);
    }
    await take(10_000);
    expect(memory.at(-1)).toBe(memory[0]);
    near.destroy();
  });

  test('begin with what came before the line took over', async () => {
    const [near, far] = duplexPair();
    const { messages } = lineOver(far, framed(Buffer.from('hello')).subarray(0, 6));
    near.write(framed(Buffer.from('hello')).subarray(6));
    await settled();
    expect(messages).toEqual([Buffer.from('hello')]);
  });

  test('are written whole, small pieces joined with their neighbours', async () => {
    const written: Buffer[] = [];
    const raw = new Duplex({
      read: () => undefined,
      write: (piece: Buffer, _, done) => {
        written.push(piece);
        done();
      },
    });
    const { line } = lineOver(raw);
    const [large, larger] = [Buffer.alloc(100_000, 7), Buffer.alloc(200_000, 8)];
    const message = [Buffer.from('a'), Buffer.from('b'), large, larger, Buffer.from('c'), large];
    line.send(message);
    expect(await line.flush()).toBe(true);
    expect(Buffer.concat(written)).toEqual(framed(Buffer.concat(message)));
    expect(written.map(({ length }) => length)).toEqual([4 + 2, 100_000, 200_000, 1, 100_000]);
    raw.destroy();
  });

  test('are too many when more than 2 MiB wait for the system, until no more do', async () => {
    const [near, far] = duplexPair();
    const { line, onDrain } = lineOver(far);
    const taken = Array.from({ length: 6 }, () => line.send([Buffer.alloc(2 ** 20)]));
    expect(taken).toEqual([true, false, false, false, false, false]);
    await settled();
    expect(onDrain).not.toHaveBeenCalled();
    let read = 0;
    let readAtDrain = 0;
    onDrain.mockImplementation(() => void (readAtDrain = read));
    near.on('data', (piece: Buffer) => (read += piece.length));
    expect(await line.flush()).toBe(true);
    expect(read).toBe(6 * (4 + 2 ** 20));
    expect(onDrain).toHaveBeenCalledTimes(1);
    expect(readAtDrain).toBeGreaterThanOrEqual(4 * 2 ** 20);
    expect(readAtDrain).toBeLessThan(read);
    expect(line.send([Buffer.alloc(2 ** 20)])).toBe(true);
    near.destroy();
  });

  test('are flushed when all of them were written, and at once when there are none', async () => {
    // What keeps a line alive would flush it too.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [near, far] = duplexPair();
    const { line } = lineOver(far);
    expect(await line.flush()).toBe(true);
    for (const text of ['one', 'two', 'three']) line.send([Buffer.from(text)]);
    const flushed = line.flush();
    await settled();
    near.resume();
    expect(await flushed).toBe(true);
    near.pause();
    for (const text of ['four', 'five']) line.send([Buffer.from(text)]);
    line.destroy();
    expect(await line.flush()).toBe(false);
  });

  test('are not flushed as long as one of them waits, nor is there news of room that never lacked', async () => {
    const writes: (() => void)[] = [];
    const raw = new Duplex({ read: () => undefined, write: (_, __, done) => void writes.push(done) });
    const { line, onDrain } = lineOver(raw);
    for (const text of ['one', 'two', 'three']) line.send([Buffer.from(text)]);
    let isFlushed = false;
    const flushed = line.flush();
    void flushed.then(() => (isFlushed = true));
    for (let written = 0; written < 3; written++) {
      await settled();
      expect([writes.length, isFlushed]).toEqual([1, false]);
      writes.pop()?.();
    }
    expect(await flushed).toBe(true);
    expect(onDrain).not.toHaveBeenCalled();
    raw.destroy();
  });

  test('come whole though they take long', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [near, far] = duplexPair();
    const { messages } = lineOver(far);
    const message = noise(10_000, 'slow');
    const bytes = framed(message);
    for (let at = 0; at < bytes.length; at += 2_000) {
      near.write(bytes.subarray(at, at + 2_000));
      await settled();
      await vi.advanceTimersByTimeAsync(10_000);
    }
    expect(messages).toEqual([message]);
    near.destroy();
  });

  test('that were not written when the line broke are not flushed', async () => {
    for (const breakLine of [
      (line: RecordLine) => line.destroy(),
      (_: RecordLine, near: Duplex) => void near.destroy(),
    ]) {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const dialled = connect((server.address() as AddressInfo).port, '127.0.0.1');
      const [deaf] = (await once(server, 'connection')) as [Socket];
      const { line } = lineOver(dialled);
      // More than a system keeps for somebody who does not read.
      for (let index = 0; index < 20; index++) line.send([Buffer.alloc(2 ** 20)]);
      const flushed = line.flush();
      breakLine(line, deaf);
      expect(await flushed).toBe(false);
      deaf.destroy();
      server.close();
    }
  });

  test('the largest passes; row 23: a longer one ends the line before memory is set aside', async () => {
    const [near, far] = duplexPair();
    const { messages, over } = lineOver(far);
    near.write(framed(Buffer.alloc(MAX_MESSAGE_BYTES, 1)));
    while (messages.length === 0) await settled();
    expect(messages[0]?.length).toBe(MAX_MESSAGE_BYTES);
    const before = process.memoryUsage().arrayBuffers;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(MAX_MESSAGE_BYTES + 1);
    near.write(length);
    // Nobody sealed the length: whoever is on the way may have made it that long.
    expect(await over).toBe('integrity');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 19);
  });

  test('an end is told as an end, which nobody authenticated', async () => {
    const [near, far] = duplexPair();
    const { over } = lineOver(far);
    near.end();
    expect(await over).toBe('end');
  });

  test('an end of our own is the last that is said', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [near, far] = duplexPair();
    const { line, over } = lineOver(far);
    let how: string | undefined;
    void over.then((theirs) => (how = theirs));
    const ended = once(near, 'end');
    near.resume();
    line.end();
    await ended;
    await vi.advanceTimersByTimeAsync(5_000);
    await settled();
    expect(how).toBeUndefined();
    near.destroy();
  });

  test('a line over a socket that is gone already closes', async () => {
    const [, far] = duplexPair();
    far.destroy();
    await settled();
    expect(await lineOver(far).over).toBe('close');
  });

  test('a line keeps itself alive only where nothing else was sent', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [near, far] = duplexPair();
    const { line } = lineOver(far);
    const sent: Buffer[] = [];
    near.on('data', (piece: Buffer) => sent.push(piece));
    const message = framed(Buffer.from('news'));
    line.send([Buffer.from('news')]);
    await vi.advanceTimersByTimeAsync(4_500);
    await settled();
    expect(Buffer.concat(sent)).toEqual(message);
    await vi.advanceTimersByTimeAsync(500);
    await settled();
    expect(Buffer.concat(sent)).toEqual(Buffer.concat([message, framed(NOTHING)]));
    far.destroy();
  });

  test('row 28: a line keeps itself alive; a peer that is silent is gone within 15 s', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [near, far] = duplexPair();
    const { over } = lineOver(far);
    const kept: Buffer[] = [];
    near.on('data', (piece: Buffer) => kept.push(piece));
    let isOver = false;
    void over.then(() => (isOver = true));
    for (let second = 0; second < 30; second += 5) {
      near.write(framed(NOTHING));
      await settled();
      await vi.advanceTimersByTimeAsync(5_000);
    }
    await settled();
    expect(isOver).toBe(false);
    expect(Buffer.concat(kept)).toEqual(Buffer.alloc(6 * 4));
    // In the middle between two looks at the clock.
    await vi.advanceTimersByTimeAsync(500);
    near.write(framed(NOTHING));
    await settled();
    await vi.advanceTimersByTimeAsync(13_900);
    await settled();
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1_100);
    await settled();
    expect(isOver).toBe(true);
    expect(await over).toBe('peer-gone');
  });

  test('a machine that slept does not take its own sleep for silence', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const [, far] = duplexPair();
    const { over } = lineOver(far);
    let isOver = false;
    void over.then(() => (isOver = true));
    // What came before the line, if only nothing, is heard before the sleep.
    await settled();
    const awake = performance.now.bind(performance);
    const napping = vi.spyOn(performance, 'now').mockImplementation(() => awake() + 3_600_000);
    await vi.advanceTimersByTimeAsync(13_000);
    await settled();
    expect(isOver).toBe(false);
    napping.mockRestore();
    far.destroy();
  });
});

describe('what a Noise stream sees of a socket', () => {
  const frame = (length: number): Buffer => {
    const bytes = Buffer.alloc(3 + length, 5);
    bytes.writeUIntLE(length, 0, 3);
    return bytes;
  };

  test('ends with the last frame of the pairing, however the bytes are cut', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const noise = Buffer.concat([32, 96, 56, 80].map(frame));
      const records = Buffer.from('records that follow at once');
      for (const cut of [1, 34, noise.length - 1, noise.length, noise.length + 3]) {
        const accepted = once(server, 'connection') as Promise<[Socket]>;
        const dialled = connect(port, '127.0.0.1');
        const [socket] = await accepted;
        const prelude = new NoisePrelude(socket, true);
        const seen: Buffer[] = [];
        prelude.on('data', (piece: Buffer) => seen.push(piece));
        const all = Buffer.concat([noise, records]);
        dialled.write(all.subarray(0, cut));
        await settled();
        dialled.write(all.subarray(cut));
        while (Buffer.concat(seen).length < noise.length) await settled();
        expect(Buffer.concat(seen)).toEqual(noise);
        const messages: Buffer[] = [];
        const rest = prelude.release();
        messages.push(Buffer.from(rest));
        socket.on('data', (piece: Buffer) => messages.push(piece));
        socket.resume();
        while (Buffer.concat(messages).length < records.length) await settled();
        expect(Buffer.concat(messages)).toEqual(records);
        dialled.destroy();
        socket.destroy();
      }
    } finally {
      server.close();
    }
  });
});
