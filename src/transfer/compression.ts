/**
 * Compresses bodies, each on its own, and takes them apart within the length they state. Only the one-shot calls of
 * zlib are used: the streaming ones do not keep `maxOutputLength`.
 */
import zlib, { constants } from 'node:zlib';
import { XferError } from '../errors.js';
import type { Controller, Level, Turn } from './controller.js';
import type { Compression, Packed } from './ports.js';
import { malformed } from './wire.js';

/** From this length on zlib works in a thread of its own; a shorter body is done before a thread would begin. */
const THREAD_FROM_BYTES = 1 << 15;
/** Shorter bodies gain nothing. */
const PACK_FROM_BYTES = 64;
const SAMPLE_BYTES = 1 << 16;
/** How many bytes of one file a sample speaks for. */
const SAMPLE_EVERY_BYTES = 1 << 24;
/** The same for batches, which are of many files. */
const SAMPLE_BATCHES_EVERY_BYTES = 1 << 22;
/** A body is worth packing where it shrinks below this share. */
const WORTH = 0.95;
// Parameters by zstd's own numbers, as the types of this Node do not know them.
const ZSTD_C_COMPRESSION_LEVEL = 100;
const ZSTD_D_WINDOW_LOG_MAX = 100;
/** Largest window that a peer's zstd frame may demand of us: 8 MiB. Brotli's is 16 MiB by its format. */
const WINDOW_LOG_MAX = 23;
/** zlib's smallest output buffer. */
const MIN_OUTPUT_BYTES = 64;

/** What a one-shot call gives with `info`. */
interface Finished {
  readonly buffer: Buffer;
  /** Counts the bytes of input that it used. */
  readonly engine: { readonly bytesWritten: number };
}

interface OneShot {
  readonly sync: (bytes: Uint8Array, options: object) => Finished;
  readonly threaded: (
    bytes: Uint8Array,
    options: object,
    done: (error: Error | null, finished: Finished) => void,
  ) => void;
  readonly options: object;
}

/** What is compressed is either `fast` or `strong`. */
type PackLevel = Exclude<Level, 'none'>;

interface Format {
  readonly compress: Readonly<Record<PackLevel, OneShot>>;
  readonly decompress: OneShot;
}

// The speed of ours is never the peer's to choose: nothing here comes from the wire.
const brotli: Format = {
  compress: { fast: brotliOf(1), strong: brotliOf(5) },
  decompress: oneShot(zlib.brotliDecompressSync, zlib.brotliDecompress, {}),
};

const formats: Partial<Record<Compression, Format>> = { brotli, ...zstdFormat() };

/** What this side can take apart, `stored` included. */
export const SUPPORTED_COMPRESSIONS: ReadonlySet<Compression> = new Set<Compression>([
  'stored',
  ...(Object.keys(formats) as Compression[]),
]);

/** The best that both this side and a peer who supports `theirs` have. */
export function chooseCompression(theirs: ReadonlySet<Compression>): Compression {
  return (['zstd', 'brotli'] as const).find((one) => formats[one] && theirs.has(one)) ?? 'stored';
}

/** Compresses where that makes fewer bytes; stores otherwise. */
export async function pack(
  raw: Uint8Array,
  compression: Compression,
  level: PackLevel = 'fast',
): Promise<Packed> {
  const format = formats[compression];
  if (format === undefined || raw.length < PACK_FROM_BYTES) return store(raw);
  try {
    const { buffer } = await run(format.compress[level], raw, raw.length - 1);
    // A copy, as zlib gives a view of a buffer as large as the input, and parts of a manifest are kept.
    return { compression, rawLength: raw.length, bytes: Uint8Array.from(buffer) };
  } catch (error) {
    if (isTooLarge(error)) return store(raw);
    throw error;
  }
}

/** @throws XferError `protocol` unless the body is one whole compressed piece of exactly the length it states. */
export async function unpack(packed: Packed): Promise<Uint8Array> {
  const { compression, rawLength, bytes } = packed;
  if (compression === 'stored') return bytes;
  const format = formats[compression];
  if (format === undefined) throw malformed(`cannot decompress ${compression}`);
  const { buffer, engine } = await run(format.decompress, bytes, rawLength).catch((cause: unknown) => {
    throw new XferError('protocol', { detail: 'decompression', cause });
  });
  if (buffer.length !== rawLength) throw malformed('decompressed to another length');
  if (engine.bytesWritten !== bytes.length) throw malformed('bytes left over after decompression');
  return buffer;
}

/** A packed body, and how many milliseconds that took. */
export interface TimedBody {
  readonly body: Packed;
  readonly tookMs: number;
}

export type TimedPack = (raw: Uint8Array, compression: Compression, level: PackLevel) => Promise<TimedBody>;

/** `pack`, timed by that clock. */
export function timedPack(now: () => number): TimedPack {
  return async (raw, compression, level) => {
    const startMs = now();
    const body = await pack(raw, compression, level);
    return { body, tookMs: now() - startMs };
  };
}

/** A body, and where it is worth packing the turn of the controller that said how. */
export interface PackedBody {
  readonly body: Packed;
  readonly turn?: Turn;
}

/**
 * Packs the bodies of one file, or of batches, as hard as the controller says. What does not shrink is stored: samples
 * find that out, and bodies that were packed.
 */
export class Packer {
  readonly #compression: Compression;
  readonly #controller: Controller;
  readonly #sampleEveryBytes: number;
  readonly #timedPack: TimedPack;
  #worth: Promise<boolean> = Promise.resolve(true);
  #untilSample = 0;

  constructor(
    compression: Compression,
    controller: Controller,
    content: 'file' | 'batches',
    timed: TimedPack = timedPack(controller.now),
  ) {
    this.#timedPack = timed;
    this.#compression = compression;
    this.#controller = controller;
    this.#sampleEveryBytes = content === 'file' ? SAMPLE_EVERY_BYTES : SAMPLE_BATCHES_EVERY_BYTES;
  }

  /** Calls may overlap. */
  async pack(raw: Uint8Array): Promise<PackedBody> {
    if (this.#compression === 'stored' || raw.length < PACK_FROM_BYTES) return { body: store(raw) };
    if (this.#untilSample <= 0) {
      this.#untilSample = this.#sampleEveryBytes;
      // A small body is its own sample.
      this.#worth = raw.length > SAMPLE_BYTES ? this.#sample(raw) : Promise.resolve(true);
    }
    this.#untilSample -= raw.length;
    if (!(await this.#worth)) return { body: store(raw) };
    const turn = this.#controller.next(raw.length);
    return { body: turn.level === 'none' ? store(raw) : await this.#pack(raw, turn.level), turn };
  }

  async #sample(raw: Uint8Array): Promise<boolean> {
    return isWorth(await this.#measured(raw.subarray(0, SAMPLE_BYTES)));
  }

  async #pack(raw: Uint8Array, level: PackLevel): Promise<Packed> {
    const body = await (level === 'fast' ? this.#measured(raw) : this.#unmeasured(raw, level));
    const worth = isWorth(body);
    this.#worth = Promise.resolve(worth);
    if (worth) this.#untilSample = this.#sampleEveryBytes;
    return body;
  }

  async #unmeasured(raw: Uint8Array, level: PackLevel): Promise<Packed> {
    return (await this.#timedPack(raw, this.#compression, level)).body;
  }

  async #measured(raw: Uint8Array): Promise<Packed> {
    const { body, tookMs } = await this.#timedPack(raw, this.#compression, 'fast');
    this.#controller.measured(raw.length, body.bytes.length, tookMs);
    return body;
  }
}

function isWorth(packed: Packed): boolean {
  return packed.bytes.length < WORTH * packed.rawLength;
}

function store(raw: Uint8Array): Packed {
  return { compression: 'stored', rawLength: raw.length, bytes: raw };
}

async function run(call: OneShot, bytes: Uint8Array, maxLength: number): Promise<Finished> {
  const options = {
    ...call.options,
    info: true,
    maxOutputLength: Math.max(maxLength, 1),
    // One byte more than can come, so that zlib sees the end in its first round.
    chunkSize: Math.max(maxLength + 1, MIN_OUTPUT_BYTES),
  };
  if (Math.max(bytes.length, maxLength) < THREAD_FROM_BYTES) return call.sync(bytes, options);
  return new Promise((resolve, reject) => {
    call.threaded(bytes, options, (error, finished) => {
      if (error === null) resolve(finished);
      else reject(error);
    });
  });
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function brotliOf(quality: number): OneShot {
  return oneShot(zlib.brotliCompressSync, zlib.brotliCompress, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_LGWIN]: 20 },
  });
}

/** The types of zlib do not say what `info` changes about a result. */
function oneShot(sync: unknown, threaded: unknown, options: object): OneShot {
  return { sync: sync as OneShot['sync'], threaded: threaded as OneShot['threaded'], options };
}

/** Node has zstd from 22.15 on; this one may be older. */
function zstdFormat(): { zstd?: Format } {
  const calls: Record<string, unknown> = { ...zlib };
  if (typeof calls['zstdCompress'] !== 'function') return {};
  const compress = (level: number): OneShot =>
    oneShot(calls['zstdCompressSync'], calls['zstdCompress'], {
      params: { [ZSTD_C_COMPRESSION_LEVEL]: level },
    });
  return {
    zstd: {
      compress: { fast: compress(1), strong: compress(8) },
      decompress: oneShot(calls['zstdDecompressSync'], calls['zstdDecompress'], {
        params: { [ZSTD_D_WINDOW_LOG_MAX]: WINDOW_LOG_MAX },
      }),
    },
  };
}
