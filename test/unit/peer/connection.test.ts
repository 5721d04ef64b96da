import { afterEach, describe, expect, test, vi } from 'vitest';
import { duplexPair, type Duplex } from 'node:stream';
import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, NoiseStream } from '../../../src/peer/noise.js';
import { connectionOver, connectionPair, line } from '../../support/connections.js';

afterEach(() => {
  vi.useRealTimers();
});

/** The stream of a listener, and the raw line of whoever dialled it. */
function stranger(): {
  readonly stream: NoiseStream;
  readonly raw: Duplex;
  readonly failure: Promise<Error>;
} {
  const [raw, far] = duplexPair();
  raw.on('error', () => undefined);
  raw.resume();
  const stream = new NoiseStream(false, far);
  const failure = new Promise<Error>((resolve) => stream.once('error', resolve));
  return { stream, raw, failure };
}

describe('a connection', () => {
  test('keeps the boundaries of messages, given in pieces', async () => {
    const [a, b] = await connectionPair();
    const sizes = [1, 2, 1_000, 5_000];
    for (const size of sizes) await a.send([Buffer.alloc(1, size), Buffer.alloc(size - 1, size)]);
    for (const size of sizes) expect(await b.receive()).toEqual(Buffer.alloc(size, size));
    a.destroy();
  });

  test('has one handshake hash and knows the keys of both ends', async () => {
    const [a, b] = await connectionPair();
    expect(a.handshakeHash).toEqual(b.handshakeHash);
    expect(a.handshakeHash).toHaveLength(64);
    expect([a.publicKey, a.remotePublicKey]).toEqual([b.remotePublicKey, b.publicKey]);
    a.destroy();
  });

  test('takes the largest message and sends on after it', async () => {
    const [a, b] = await connectionPair();
    await b.confirm();
    const largest = Buffer.alloc(MAX_MESSAGE_BYTES, 7);
    const sent = a.send([largest]);
    expect((await b.receive())?.length).toBe(largest.length);
    await sent;
    await a.send([Buffer.from('more')]);
    expect(await b.receive()).toEqual(Buffer.from('more'));
    a.destroy();
  });

  test('row 18: an end without a word is an end, a dropped peer is gone', async () => {
    const [a, b] = await connectionPair();
    void a.close();
    expect(await b.receive()).toBeUndefined();
    const [c, d] = await connectionPair();
    c.destroy();
    await expect(d.receive().then((end) => end ?? Promise.reject(new Error('ended')))).rejects.toThrow();
    await expect(c.receive()).rejects.toMatchObject({ code: 'peer-gone' });
    await expect(c.send([Buffer.from('x')])).rejects.toMatchObject({ code: 'peer-gone' });
  });

  test('row 19: a flipped bit on the way breaks it', async () => {
    const [a, b] = await connectionPair((bytes, before) => {
      // After the handshake (32 + 64 bytes and their lengths) and the stream header.
      if (before < 158) return bytes;
      const flipped = Buffer.from(bytes);
      flipped[flipped.length - 1]! ^= 1;
      return flipped;
    });
    await a.send([Buffer.from('hello')]);
    await expect(b.receive()).rejects.toMatchObject({ code: 'integrity' });
  });

  test('row 19: so does one in the length of a message', async () => {
    const [a, b] = await connectionPair((bytes, before) => {
      if (before < 158) return bytes;
      const flipped = Buffer.from(bytes);
      flipped[2]! ^= 0x80;
      return flipped;
    });
    await b.confirm();
    await a.send([Buffer.from('hello')]);
    await expect(b.receive()).rejects.toMatchObject({ code: 'integrity' });
  });

  test('row 23: a frame that is too long ends it before memory is set aside', async () => {
    const { raw, failure } = stranger();
    const before = process.memoryUsage().arrayBuffers;
    raw.write(Buffer.from([0xff, 0xff, 0xff, 0]));
    expect(await failure).toMatchObject({ code: 'limit' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  test('row 23: the length counts however it is cut, and after the pairing it is 1 MiB and 1 KiB', async () => {
    const { stream, raw, failure } = stranger();
    stream.confirm();
    const header = Buffer.alloc(3);
    header.writeUIntLE(MAX_FRAME_BYTES + 1, 0, 3);
    for (const byte of header) raw.write(Uint8Array.of(byte));
    // Whoever is on the way may have made it that long.
    expect(await failure).toMatchObject({ code: 'integrity' });
  });

  test('more than 8 KiB before the pairing is confirmed ends it, more after it does not', async () => {
    const [a, b] = await connectionPair();
    void a.send([Buffer.alloc(9_000)]).catch(() => undefined);
    await expect(b.receive()).rejects.toMatchObject({ code: 'limit' });
    const [c, d] = await connectionPair();
    await d.confirm();
    for (let index = 0; index < 20; index++) await c.send([Buffer.alloc(9_000)]);
    for (let index = 0; index < 20; index++) expect((await d.receive())?.length).toBe(9_000);
    c.destroy();
  });

  test('row 28: silence, before and during the pairing, ends it after 10 s, and keep-alives do not help', async () => {
    vi.useFakeTimers();
    const { near, far } = line();
    const opening = connectionOver(far, false);
    const silent = expect(opening).rejects.toMatchObject({ code: 'peer-gone' });
    await vi.advanceTimersByTimeAsync(10_000);
    await silent;
    near.destroy();

    const [a, b] = await connectionPair();
    const failure = expect(b.receive()).rejects.toMatchObject({ code: 'peer-gone' });
    await vi.advanceTimersByTimeAsync(9_900);
    await b.send([Buffer.from('alive')]);
    await vi.advanceTimersByTimeAsync(200);
    await failure;
    a.destroy();
  });

  test('row 28: a confirmed peer is kept while it keeps alive, and gone within 15 s of silence', async () => {
    vi.useFakeTimers();
    let isDeaf = false;
    const [a, b] = await connectionPair((bytes) =>
      isDeaf ? Buffer.alloc(bytes.length, 0).subarray(0, 0) : bytes,
    );
    await a.confirm();
    await b.confirm();
    let gone = false;
    void b.closed.then(() => (gone = true));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gone).toBe(false);
    isDeaf = true;
    // Its last word may be as old as its keep-alives are apart.
    await vi.advanceTimersByTimeAsync(8_900);
    expect(gone).toBe(false);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(gone).toBe(true);
    a.destroy();
  });
});
