import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, XferError } from '../../../src/errors.js';
import { decodeMessage, encodeMessage } from '../../../src/transfer/message-codec.js';
import type { Ask, Ending } from '../../../src/transfer/share-messages.js';
import type { ControlMessage } from '../../../src/transfer/messages.js';
import type { Packed } from '../../../src/transfer/ports.js';
import { costOf, decodeRecord, encodeRecord, type WireRecord } from '../../../src/transfer/records.js';

interface Vectors {
  readonly records: readonly { readonly name: string; readonly hex: string; readonly record: unknown }[];
  readonly faulty: readonly { readonly name: string; readonly hex: string; readonly code: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/wire.json', import.meta.url), 'utf8'),
) as Vectors;

const joined = (record: WireRecord): Buffer => Buffer.concat(encodeRecord(record));

/** Bytes as hex, and nothing for what is undefined. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, inner: unknown) => bytesAsHex(inner)));
function bytesAsHex(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  // A Buffer has become this before a replacer sees it.
  if (
    typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    'type' in value &&
    value.type === 'Buffer'
  ) {
    return Buffer.from(value.data as number[]).toString('hex');
  }
  return value;
}

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const count = fc.nat(2_000_000);
const code = fc.constantFrom(...ERROR_CODES);
const size = fc.option(fc.nat(), { nil: undefined });
const transfer = fc.nat();
const number = fc.maxSafeNat();
const root = fc.oneof(
  fc.record({ name: fc.string({ maxLength: 50 }), type: fc.constant('file' as const), size }),
  fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 20 }), type: fc.constant('folder' as const), size: fc.constant(undefined) }),
); // prettier-ignore
const type = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

const name = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => Buffer.byteLength(text) <= 128);
const farPath = fc.array(name, { maxLength: 64 });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const short = fc.string({ maxLength: 8 });
const ask: fc.Arbitrary<Ask> = fc.oneof(
  fc.record({ action: type('stop') }),
  fc.record({ action: type('actions') }),
  fc.record({ action: type('run'), name: short, words: fc.array(fc.string({ unit: 'grapheme', maxLength: 30 }), { maxLength: 16 }) }),
  fc.record({ action: fc.constantFrom('list', 'look', 'make-folder'), path: farPath }),
  fc.record({ action: type('get'), paths: fc.array(farPath) }),
  fc.record({ action: type('put'), path: farPath, conflicts: fc.constantFrom('refuse', 'overwrite', 'update', 'rename', 'skip') }),
  fc.record({ action: type('remove'), path: farPath, recursive: fc.boolean() }),
  fc.record({ action: type('move'), from: farPath, to: farPath, replace: fc.boolean() }),
); // prettier-ignore

const ending: fc.Arbitrary<Ending> = fc.oneof(
  fc.record({ how: type('exit'), status: fc.nat(255) }),
  fc.record({ how: type('signal'), signal: fc.integer({ min: 1, max: 127 }) }),
  fc.record({ how: fc.constantFrom('timeout', 'output') }),
);

const message: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.record({ type: type('chosen') }),
  fc.record({ type: type('session'), role: fc.constantFrom('send', 'receive', 'share', 'use', 'chat'), verify: fc.boolean(), limit: fc.option(fc.integer({ min: 1 }), { nil: undefined }) }),
  fc.record({ type: type('verified') }),
  fc.record({ type: type('hints'), hints: fc.array(fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.nat(65_535) }), { maxLength: 8 }) }),
  fc.record({ type: type('lanes'), count: fc.nat(8) }),
  fc.record({ type: type('device'), verify: fc.boolean(), publicKey: digest, name: fc.string({ unit: 'grapheme', maxLength: 10 }).filter((name) => Buffer.byteLength(name) <= 64) }),
  fc.record({ type: type('device-proof'), proof: digest }),
  fc.record({ type: type('remembered') }),
  fc.record({ type: type('offer'), transfer, kind: fc.constantFrom('files', 'text', 'pipe'), roots: fc.array(root) }),
  fc.record({ type: type('counting'), transfer, entries: count, bytes: number }),
  fc.record({ type: type('manifest-end'), transfer, entries: count, files: count, bytes: number, skipped: number, missing: number, digest }),
  fc.record({ type: type('answer'), transfer, accepted: fc.constant(true), reason: fc.constant(undefined) }),
  fc.record({ type: type('answer'), transfer, accepted: fc.constant(false), reason: fc.option(code, { nil: undefined }) }),
  fc.record({ type: type('want'), transfer, part: number, runs: fc.array(fc.tuple(number, number)), held: fc.array(fc.tuple(count, number)), older: fc.array(fc.tuple(number, number)) }),
  fc.record({ type: type('leaves'), transfer, entry: count, digests: fc.array(digest, { maxLength: 64 }) }),
  fc.record({ type: type('keep'), transfer, entry: count, leaves: number }),
  fc.record({ type: type('spans'), transfer, files: fc.array(fc.record({ entry: count, spans: fc.array(fc.record({ length: number, digest })) })) }),
  fc.record({ type: type('need'), transfer, runs: fc.array(fc.tuple(number, number)) }),
  fc.record({ type: type('entry-failed'), transfer, entry: number, reason: code }),
  fc.record({ type: type('sent'), transfer, files: number, bytes: number }),
  fc.record({ type: type('received'), transfer, files: number, bytes: number, missing: number }),
  fc.record({ type: type('progress'), transfer, state: fc.constantFrom('asking', 'receiving', 'verifying'), files: number, bytes: number }),
  fc.record({ type: type('request'), request: number, ask }),
  fc.record({ type: type('listing'), request: number, items: fc.array(fc.record({ name, type: fc.constantFrom('file', 'folder'), size: number, mtimeMs: fc.integer(), mode: fc.nat(0o777) })) }),
  fc.record({ type: type('reply'), request: number, problem: fc.option(code, { nil: undefined }), path: fc.nat(1000) }),
  fc.record({ type: type('challenge'), request: number, salt: bytesOf(16), point: digest }),
  fc.record({ type: type('proof'), request: number, point: digest, tag: bytesOf(64) }),
  fc.record({ type: type('actions'), request: number, actions: fc.array(fc.record({ name: short, parameters: fc.array(short, { maxLength: 16 }) }), { maxLength: 64 }) }),
  fc.record({ type: type('output'), request: number, stream: fc.constantFrom('stdout', 'stderr'), bytes: fc.uint8Array({ minLength: 1 }) }),
  fc.record({ type: type('ended'), request: number, ending }),
  fc.record({ type: type('over'), request: number }),
  fc.record({ type: type('enter'), name }),
  fc.record({ type: type('welcome'), member: number, members: fc.array(fc.record({ member: number, name }), { maxLength: 32 }) }),
  fc.record({ type: type('joined'), member: number, name }),
  fc.record({ type: type('left'), member: number }),
  fc.record({ type: type('line'), member: number, text: fc.string({ minLength: 1, unit: 'grapheme' }) }),
  fc.record({ type: type('file'), member: number, file: number, name, entry: type('file'), size: number.filter((bytes) => bytes < Number.MAX_SAFE_INTEGER) }),
  fc.record({ type: type('file'), member: number, file: number, name, entry: type('folder'), size: fc.constant(undefined) }),
  fc.record({ type: type('take'), member: number, file: number }),
  fc.record({ type: type('begin'), request: number, member: number, file: number, sends: fc.boolean() }),
  fc.record({ type: type('ready'), request: number }),
  fc.record({ type: type('gone'), member: number, file: number }),
  fc.record({ type: type('error'), code }),
); // prettier-ignore

const body: fc.Arbitrary<Packed> = fc.oneof(
  fc.uint8Array({ minLength: 1 }).map((bytes) => ({ compression: 'stored' as const, rawLength: bytes.length, bytes })),
  fc
    .tuple(fc.uint8Array({ minLength: 1 }), fc.nat(1000), fc.constantFrom('brotli' as const, 'zstd' as const))
    .map(([bytes, more, compression]) => ({ compression, rawLength: bytes.length + more, bytes })),
); // prettier-ignore
const entry = fc.nat();
const offset = fc.nat(2 ** 40);

const record: fc.Arbitrary<WireRecord> = fc.oneof(
  fc.record({ kind: type('control'), sequence: number, message }),
  fc.record({ kind: type('credit'), granted: number, acknowledged: number }),
  fc.record({ kind: type('end'), items: number }),
  fc.record({ kind: type('manifest'), sequence: number, transfer, part: number, count, body }),
  fc.record({ kind: type('chunk'), sequence: number, transfer, entry, offset, body }),
  fc.record({ kind: type('chunk'), sequence: number, transfer, entry, offset, body, digest }),
  fc.record({ kind: type('batch'), sequence: number, transfer, count, body }),
  fc.record({ kind: type('hole'), sequence: number, transfer, entry, offset, length: fc.integer({ min: 1, max: 2 ** 31 - 1 }) }),
); // prettier-ignore

const shorter = (bytes: Uint8Array): Buffer => Buffer.from(bytes.subarray(0, -1));

describe('a record', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(record, (one) => {
        expect(plain(decodeRecord(joined(one)))).toEqual(plain(one));
      }),
    );
  });

  it('row 21: is a value or an XferError, whatever the bytes', () => {
    const start = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(start, fc.nat(6), (bytes, kind) => {
        for (const one of [bytes, Uint8Array.of(kind, ...bytes)]) expectValueOrError(() => decodeRecord(one));
      }),
      { numRuns: 1000 },
    );
  });

  it('is a value or an XferError with any byte of it changed, or cut anywhere', () => {
    fc.assert(
      fc.property(record, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, change) => {
        const bytes = joined(one);
        const place = at % bytes.length;
        expectValueOrError(() => decodeRecord(bytes.subarray(0, place)));
        bytes[place]! ^= change;
        expectValueOrError(() => decodeRecord(bytes));
      }),
    );
  });

  it('reaches to the end of the largest file there may be, and not beyond', () => {
    const hole = { kind: 'hole', sequence: 0, transfer: 1, entry: 0, length: 5 } as const;
    const last = Number.MAX_SAFE_INTEGER - 5;
    expect(decodeRecord(joined({ ...hole, offset: last }))).toMatchObject({ offset: last, length: 5 });
    expectError('protocol', () => decodeRecord(joined({ ...hole, offset: last + 1 })));
  });

  it('does not copy its body', () => {
    const bytes = Buffer.alloc(1 << 20);
    const one: WireRecord = { kind: 'batch', sequence: 0, transfer: 1, count: 1, body: { compression: 'stored', rawLength: bytes.length, bytes } }; // prettier-ignore
    expect(encodeRecord(one)[1]).toBe(bytes);
  });

  it('row 52: costs what its receiver has to keep', () => {
    const packed: Packed = { compression: 'brotli', rawLength: 5000, bytes: Buffer.alloc(100) };
    const place = { sequence: 0, transfer: 1, entry: 0, offset: 0 };
    expect(costOf({ kind: 'manifest', sequence: 0, transfer: 1, part: 0, count: 3, body: packed }, 130)).toBe(
      256 + 5000 + 192,
    );
    expect(
      costOf({ kind: 'batch', sequence: 0, transfer: 1, count: 2, body: { ...packed, rawLength: 100 } }, 130),
    ).toBe(256 + 130 + 128);
    expect(costOf({ kind: 'chunk', ...place, body: packed }, 130)).toBe(256 + 5000);
    expect(costOf({ kind: 'hole', ...place, length: 9e15 }, 30)).toBe(256 + 30);
    expect(costOf({ kind: 'control', sequence: 0, message: { type: 'chosen' } }, 20)).toBe(256 + 20);
    const lists: [ControlMessage, number][] = [
      [{ type: 'want', transfer: 1, part: 0, runs: Array.from({ length: 500 }, () => [1, 1]), held: [], older: [] }, 1000],
      [{ type: 'want', transfer: 1, part: 0, runs: [[0, 2]], held: [[0, 3], [1, 3]], older: [[0, 1], [1, 1]] }, 20],
      [{ type: 'need', transfer: 1, runs: [[0, 2], [1, 1]] }, 20],
      [{ type: 'spans', transfer: 1, files: [{ entry: 0, spans: Array.from({ length: 4 }, () => ({ length: 1, digest: Buffer.alloc(32) })) }] }, 200],
      [{ type: 'want', transfer: 1, part: 0, runs: [], held: [], older: [] }, 5],
      [{ type: 'offer', transfer: 1, kind: 'files', roots: [
        { name: 'a', type: 'file', size: 1 }, { name: 'b', type: 'folder', size: undefined } ] }, 20],
    ]; // prettier-ignore
    const costs = lists.map(([message, length]) => costOf({ kind: 'control', sequence: 0, message }, length));
    expect(costs.map((cost) => cost - 256)).toEqual([
      1000 + 500 * 64,
      20 + 5 * 64,
      20 + 2 * 64,
      200 + 5 * 64,
      5,
      20 + 128,
    ]);
    expect(costOf({ kind: 'credit', granted: 1, acknowledged: 1 }, 20)).toBe(0);
    expect(costOf({ kind: 'end', items: 1 }, 20)).toBe(0);
  });
});

describe('a control message', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(message, (one) => {
        const bytes = encodeMessage(one);
        expect(plain(decodeMessage(bytes))).toEqual(plain(one));
        expectError('protocol', () => decodeMessage(Buffer.concat([bytes, Buffer.from([0])])));
        if (one.type !== 'error' || one.code !== 'internal')
          expectValueOrError(() => decodeMessage(shorter(bytes)));
      }),
    );
  });

  it('row 52: is at most 64 KiB, on both sides', () => {
    const roots = Array.from({ length: 1000 }, (_, index) => ({
      name: `${index}`.padEnd(100),
      type: 'file' as const,
      size: 1,
    }));
    expectError('limit', () => encodeMessage({ type: 'offer', transfer: 1, kind: 'files', roots }));
    expectError('limit', () => decodeMessage(Buffer.alloc((1 << 16) + 1)));
    // What the others leave room for to the byte: one of 20 letters, and 3 bytes beside them.
    const fitting = [...roots.slice(0, 636), { name: 'a'.repeat(20), type: 'file' as const, size: 1 }];
    const largest = encodeMessage({ type: 'offer', transfer: 1, kind: 'files', roots: fitting });
    expect(largest.length).toBe(1 << 16);
    expect(decodeMessage(largest)).toMatchObject({ roots: fitting });
  });

  it('reads a code that it does not know as peer-failed', () => {
    const bytes = Buffer.concat([Buffer.from([32, 7]), Buffer.from('strange')]);
    expect(decodeMessage(bytes)).toEqual({ type: 'error', code: 'peer-failed' });
  });
});

describe('the vectors of docs/protocol.md', () => {
  it.each(vectors.records)('$name', ({ hex, record: expected }) => {
    const bytes = Buffer.from(hex, 'hex');
    const decoded = decodeRecord(bytes);
    expect(plain(decoded)).toEqual(expected);
    expect(joined(decoded).toString('hex')).toBe(hex);
  });

  it.each(vectors.faulty)('faulty: $name', ({ hex, code: expected }) => {
    expectError(expected, () => decodeRecord(Buffer.from(hex, 'hex')));
  });
});

function expectValueOrError(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(XferError);
    expect((error as XferError).code).toMatch(/^(protocol|limit)$/);
  }
}

function expectError(expected: string, work: () => unknown): void {
  expect(work).toThrow(expect.objectContaining({ code: expected }));
}
