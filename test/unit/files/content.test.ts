import { PassThrough, Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pipeSource, streamSink, textSink, textSource } from '../../../src/files/content.js';
import { CHUNK_BYTES, ROOT, type Entry, type FileSource } from '../../../src/transfer/ports.js';
import { codeOf, readAll, readPieces, scan } from './collect.js';

const file: Entry = {
  index: 0,
  parent: ROOT,
  type: 'file',
  name: 'a',
  size: undefined,
  mtimeMs: 0,
  mode: 0o644,
};
const offer = { roots: [{ name: 'a', type: 'file', size: undefined }] } satisfies Pick<FileSource, 'roots'>;

async function only(source: FileSource): Promise<Entry> {
  const { entries } = await scan(source);
  expect(entries).toHaveLength(1);
  return entries[0]!;
}

/** A stream that remembers what it was given, one piece at a time. */
function memory(): { output: Writable; bytes: () => Buffer } {
  const pieces: Buffer[] = [];
  const output = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(Buffer.from(piece));
      setImmediate(done);
    },
  });
  return { output, bytes: () => Buffer.concat(pieces) };
}

describe('a text', () => {
  test('is one file of known size, whole or in pieces', async () => {
    const source = textSource('grüße');
    expect(source.roots).toEqual([{ name: 'text.txt', type: 'file', size: 7 }]);
    const entry = await only(source);
    expect(entry).toMatchObject({ size: 7, mode: 0o600 });
    expect(await source.readWhole(entry, 7)).toEqual(Buffer.from('grüße'));
    expect(await source.readWhole(entry, 6)).toBeUndefined();
    expect(await readAll(await source.open(entry))).toEqual(Buffer.from('grüße'));
  });

  test('has at least one byte and at most 1 MiB', async () => {
    expect(textSource('x'.repeat(CHUNK_BYTES)).roots[0]?.size).toBe(CHUNK_BYTES);
    expect(await codeOf(() => textSource('x'.repeat(CHUNK_BYTES + 1)))).toBe('limit');
    expect(await codeOf(() => textSource(''))).toBe('nothing-to-send');
  });

  test('is given out when it was verified whole', async () => {
    const sink = textSink();
    expect(await sink.examine(file)).toEqual({ status: 'new' });
    const part = await sink.create();
    const reused = Buffer.from('gr\u00fc');
    await part.write(reused);
    reused.fill(0);
    await part.write(Buffer.from('\u00dfe'));
    expect(sink.text()).toBeUndefined();
    await part.commit();
    expect(sink.text()).toBe('grüße');
  });

  test('arrives whole in one go', async () => {
    const sink = textSink();
    await sink.writeWhole(file, Buffer.from('hello'));
    expect(sink.text()).toBe('hello');
  });

  test('that is too long, or no text, is refused', async () => {
    expect(await codeOf(() => textSink().writeWhole(file, Buffer.alloc(CHUNK_BYTES + 1)))).toBe('limit');
    const sink = textSink();
    expect(await codeOf(() => sink.writeWhole(file, Buffer.from([0xff])))).toBe('protocol');
    expect(sink.text()).toBeUndefined();
    const endless = textSink();
    expect(await codeOf(() => endless.skip(2 ** 40))).toBe('limit');
  });
});

describe('a pipe', () => {
  test('is one file of unknown size', async () => {
    const source = pipeSource(Readable.from([Buffer.from('a')]));
    expect(source.roots).toEqual([{ name: 'pipe', type: 'file', size: undefined }]);
    const entry = await only(source);
    expect(entry.size).toBeUndefined();
    expect(await source.readWhole(entry, 1000)).toBeUndefined();
  });

  test('gives every byte, in order, however it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 })), async (pieces) => {
        const source = pipeSource(Readable.from(pieces.map((piece) => Buffer.from(piece))));
        const got = await readAll(await source.open(await only(source)));
        expect(got).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  test('collects what comes meanwhile into pieces of at most 1 MiB, and then waits', async () => {
    let made = 0;
    const input = new Readable({
      read() {
        this.push(made < 100 ? Buffer.alloc(65_536, made) : null);
        made++;
      },
    });
    const source = pipeSource(input);
    const opened = await source.open(await only(source));
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    // One chunk, and what the stream itself holds.
    expect(made).toBeLessThan(24);
    const sizes = (await readPieces(opened)).map((piece) => (piece instanceof Uint8Array ? piece.length : 0));
    expect(Math.max(...sizes)).toBe(CHUNK_BYTES);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(100 * 65_536);
  });

  test('gives a little at once, without waiting for more', async () => {
    const input = new PassThrough();
    const source = pipeSource(input);
    const opened = await source.open(await only(source));
    input.write('first');
    expect(await opened.read()).toEqual(Buffer.from('first'));
    const next = opened.read();
    input.end('second');
    expect(await next).toEqual(Buffer.from('second'));
    expect(await opened.read()).toBeUndefined();
    expect(await opened.read()).toBeUndefined();
  });

  test('that breaks, before or while it is read, is unreadable, after what came before', async () => {
    const early = new PassThrough();
    const first = pipeSource(early);
    const whenRead = only(first).then((entry) => first.open(entry));
    early.destroy(new Error('broken'));
    expect(await codeOf(async () => (await whenRead).read())).toBe('path-unreadable');

    for (const error of [new Error('broken'), undefined]) {
      const input = new PassThrough();
      const source = pipeSource(input);
      const opened = await source.open(await only(source));
      input.write('good');
      expect(await opened.read()).toEqual(Buffer.from('good'));
      input.destroy(error);
      expect(await codeOf(() => opened.read())).toBe('path-unreadable');
    }
  });

  test('that ended empty is an empty file; one is read once', async () => {
    const source = pipeSource(Readable.from([]));
    const entry = await only(source);
    expect(await readAll(await source.open(entry))).toEqual(Buffer.alloc(0));
    expect(await codeOf(() => source.open(entry))).toBe('source-vanished');
  });
});

describe('output to a stream', () => {
  test('takes one file only', async () => {
    const { output } = memory();
    const two = { roots: [offer.roots[0]!, { ...offer.roots[0]!, name: 'b' }] };
    expect(await codeOf(() => streamSink(output, two))).toBe('not-streamable');
    expect(await codeOf(() => streamSink(output, { roots: [] }))).toBe('not-streamable');
    const folder = { roots: [{ name: 'photos', type: 'folder', size: undefined }] } as const;
    expect(await codeOf(() => streamSink(output, folder))).toBe('not-streamable');
    const sink = streamSink(output, offer);
    expect(await codeOf(() => sink.examine({ ...file, index: 1, parent: 0 }))).toBe('protocol');
    expect(await codeOf(() => sink.examine({ ...file, name: 'a\u001bb' }))).toBe('protocol');
  });

  test('writes in order, holes as zeros, and leaves the stream open', async () => {
    const { output, bytes } = memory();
    const sink = streamSink(output, offer);
    expect(await sink.examine(file)).toEqual({ status: 'new' });
    const part = await sink.create();
    await part.write(Buffer.from('begin'));
    await part.skip(100_000);
    await part.write(Buffer.from('end'));
    await part.commit();
    await sink.finish();
    expect(bytes()).toEqual(Buffer.concat([Buffer.from('begin'), Buffer.alloc(100_000), Buffer.from('end')]));
    expect(sink.bytesWritten).toBe(100_008);
    expect(output.writableEnded).toBe(false);
  });

  test('waits for a slow reader', async () => {
    let release = (): void => {};
    const output = new Writable({ write: (_piece, _encoding, done) => void (release = done) });
    const writing = streamSink(output, offer).writeWhole(file, Buffer.from('x'));
    let isDone = false;
    void writing.then(() => (isDone = true));
    await new Promise(setImmediate);
    expect(isDone).toBe(false);
    release();
    await writing;
  });

  test.each([
    ['EPIPE', 'output-closed'],
    ['ENOSPC', 'disk-full'],
    ['EIO', 'disk-failed'],
  ])('says how much was good when it fails with %s', async (errno, code) => {
    let left = 2;
    const output = new Writable({
      write(_piece, _encoding, done) {
        done(left-- > 0 ? null : Object.assign(new Error(errno), { code: errno }));
      },
    });
    const sink = streamSink(output, offer);
    await sink.write(Buffer.alloc(10));
    await sink.write(Buffer.alloc(20));
    await expect(sink.write(Buffer.alloc(40))).rejects.toMatchObject({ code, detail: 30 });
    await expect(sink.write(Buffer.alloc(40))).rejects.toMatchObject({ code, detail: 30 });
    expect(sink.bytesWritten).toBe(30);
  });

  test('that was closed by its reader in between is closed', async () => {
    const { output } = memory();
    const sink = streamSink(output, offer);
    await sink.write(Buffer.alloc(10));
    output.destroy();
    await expect(sink.write(Buffer.alloc(1))).rejects.toMatchObject({ code: 'output-closed', detail: 10 });
  });
});
