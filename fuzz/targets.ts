/** Everything that reads what somebody else wrote: the peer, the disk, a person. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { formatCode, parseCode } from '../src/crypto/code.js';
import { XferError } from '../src/errors.js';
import { encodeArrived, encodeLine, encodeMade, parseJournal, PART_NAME } from '../src/files/journal.js';
import { checkName } from '../src/files/paths.js';
import {
  decodeAccept,
  decodeConfirm,
  decodeReply,
  decodeStart,
  decodeTerms,
  encodeAccept,
  encodeConfirm,
  encodeReply,
  encodeStart,
  encodeTerms,
  termsOf,
} from '../src/peer/pairing-messages.js';
import { worthDialling } from '../src/peer/hints.js';
import { BatchWriter, decodeBatch } from '../src/transfer/batch.js';
import { unpack } from '../src/transfer/compression.js';
import { ManifestDecoder, ManifestEncoder, decodeEntries } from '../src/transfer/manifest.js';
import { decodeMessage, encodeMessage } from '../src/transfer/message-codec.js';
import { ROOT } from '../src/transfer/ports.js';
import { decodeRecord, encodeRecord } from '../src/transfer/records.js';
import type { Target } from './kind.js';
import { PEERS } from './peers.js';
import { PEOPLE } from './people.js';

const VECTORS = (
  JSON.parse(readFileSync(path.resolve('test/vectors/wire.json'), 'utf8')) as {
    records: { hex: string }[];
  }
).records.map(({ hex }) => hex);

const text = (input: Buffer): string => input.toString('utf8');

/** Fails where what was read is not read again from how it is written. */
function demandSame(one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) throw new Error('written and read again it is something else');
}

/** Targets that bring what they begin with. */
const KINDS = { ...PEERS, ...PEOPLE };

export const TARGETS: Readonly<Record<string, Target>> = {
  record: (input) => {
    const record = decodeRecord(input);
    demandSame(decodeRecord(Buffer.concat(encodeRecord(record))), record);
  },
  message: (input) => {
    const message = decodeMessage(input);
    demandSame(decodeMessage(encodeMessage(message)), message);
    if (message.type === 'hints') worthDialling(message.hints, false);
  },
  manifest: (input) => {
    const roots = [
      { name: 'a', type: 'file', size: 3 },
      { name: 'd', type: 'folder', size: undefined },
    ] as const;
    const count = input.readUInt8(0);
    const entries = [...new ManifestDecoder('files', roots).decode(input.subarray(1), count)];
    demandSame([...decodeEntries(input.subarray(1), 0)], entries);
  },
  batch: (input) => {
    const files = decodeBatch(input.subarray(1), input.readUInt8(0));
    const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
    if (bytes > input.length) throw new Error('more came out than went in');
  },
  body: async (input) => {
    const record = decodeRecord(input);
    if (!('body' in record)) return;
    const { rawLength } = record.body;
    if ((await unpack(record.body)).length !== rawLength) throw new Error('unpacked to another length');
  },
  pairing: (input) => {
    const read = [decodeStart, decodeReply, decodeConfirm, decodeAccept][input.readUInt8(0) % 4];
    const message = read?.(input.subarray(1));
    if (message !== undefined && 'ad' in message) decodeTerms('joiner', message.ad);
  },
  journal: (input) => {
    for (const { name } of parseJournal(text(input))?.parts ?? []) {
      if (!PART_NAME.test(name)) throw new Error('a part outside its folder');
    }
  },
  name: (input) => {
    const name = text(input);
    for (const platform of ['linux', 'darwin', 'win32'] as const) {
      if (
        checkName(name, platform) === 'ok' &&
        (name.includes('/') || name === '..' || name.includes('\0'))
      ) {
        throw new Error('a name that leaves its folder');
      }
    }
  },
  code: (input) => {
    const code = parseCode(text(input));
    demandSame(formatCode(parseCode(formatCode(code))), formatCode(code));
  },
  ...Object.fromEntries(Object.entries(KINDS).map(([name, { read }]) => [name, read])),
};

/** What there is to begin with, where nothing is kept yet. */
export function seedsOf(name: string): Buffer[] {
  const hex = (list: readonly string[]): Buffer[] => list.map((text) => Buffer.from(text, 'hex'));
  switch (name) {
    case 'record':
      return hex(VECTORS);
    case 'body': {
      const bytes = brotliCompressSync(Buffer.alloc(500, 'a'));
      const packed = { compression: 'brotli', rawLength: 500, bytes } as const;
      const place = { kind: 'chunk', sequence: 1, transfer: 1, entry: 0, offset: 0 } as const;
      return [...hex(VECTORS), Buffer.concat(encodeRecord({ ...place, body: packed }))];
    }
    case 'message':
      // Behind the kind of the record and its place.
      return hex(VECTORS.filter((text) => text.startsWith('00')).map((text) => text.slice(4)));
    case 'manifest': {
      const encoder = new ManifestEncoder();
      const shared = { mtimeMs: -5, mode: 0o644 };
      encoder.add({ entries: [
        { ...shared, index: 0, parent: ROOT, type: 'file', name: 'a', size: 3 },
        { ...shared, index: 1, parent: ROOT, type: 'folder', name: 'd', size: 0 },
      ], skipped: [] }); // prettier-ignore
      encoder.add({
        entries: [{ ...shared, index: 2, parent: 1, type: 'file', name: 'x', size: 300 }],
        skipped: [],
      });
      return encoder.takeAll().map(({ count, bytes }) => Buffer.concat([Uint8Array.of(count), bytes]));
    }
    case 'batch': {
      const writer = new BatchWriter();
      writer.add(3, Buffer.from('abc'));
      writer.add(4, Buffer.alloc(0));
      return [Buffer.concat([Uint8Array.of(2), writer.finish()])];
    }
    case 'pairing': {
      const ad = encodeTerms('joiner', termsOf({ aes: true, zstd: true }));
      const share = { ad, point: new Uint8Array(32).fill(9) };
      const tag = new Uint8Array(64);
      return [
        Buffer.concat([Uint8Array.of(0), encodeStart(share)]),
        Buffer.concat([Uint8Array.of(1), encodeReply(share)]),
        Buffer.concat([Uint8Array.of(2), encodeConfirm({ tag, kemPublicKey: new Uint8Array(1216) })]),
        Buffer.concat([Uint8Array.of(3), encodeAccept({ tag, kemCiphertext: new Uint8Array(1120) })]),
      ];
    }
    case 'journal': {
      const lines = [
        encodeLine({ xfer: 1, roots: ['a'], started: 5 }),
        encodeLine({ part: '0.part', path: 'a/b', size: 3 }),
        encodeLine({ root: 'a', as: 'a (1)' }),
        encodeArrived([{ ino: 5, birthtimeMs: 7 }]),
        encodeMade([{ ino: 6, birthtimeMs: 7 }]),
      ];
      return [Buffer.from(lines.join(''))];
    }
    case 'name':
      return ['a/b', '..', 'con.txt', 'a:b', 'end.', '\u0000'].map((text) =>
        Buffer.from(text.padEnd(3, 'x')),
      );
    case 'code':
      return ['417-apple-tiger', 'xfer receive 7-apple-tiger', '"417 Apple_Tiger."'].map((text) =>
        Buffer.from(text),
      );
    default:
      return KINDS[name]?.seeds.map((seed) => Buffer.from(seed, 'latin1')) ?? [];
  }
}

/** Why an input is a bug, if it is one. */
export async function bugIn(target: Target, input: Buffer): Promise<unknown> {
  // The targets read a byte or three for themselves first.
  if (input.length < 3) return undefined;
  try {
    await target(Buffer.from(input));
    return undefined;
  } catch (thrown) {
    return thrown instanceof XferError && thrown.code !== 'internal' ? undefined : thrown;
  }
}
