/** The bytes of everything on the wire: docs/protocol.md section 2. A reader trusts nothing and allocates nothing unbounded. */
import { XferError } from '../errors.js';

/** Largest `varint`: what a number holds exactly. */
export const MAX_VARINT = Number.MAX_SAFE_INTEGER;
/** Most bytes of an encoded `varint`. */
export const MAX_VARINT_BYTES = 8;

// A byte order mark is content like any other: without `ignoreBOM` it would vanish.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Builds one message. Values that the wire cannot hold are bugs of ours: `internal`. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  /** @param capacity Bytes to begin with; the writer grows as it needs. */
  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#length = this.#buffer.writeUInt8(integer(value, 0xff), this.#length);
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16BE(integer(value, 0xffff), this.#length);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(integer(value, 0xffff_ffff), this.#length);
  }

  varint(value: number): void {
    let rest = integer(value, MAX_VARINT);
    this.#reserve(MAX_VARINT_BYTES);
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
    this.#buffer[this.#length++] = rest;
  }

  /** Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
  svarint(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** The bytes alone, for fields of a fixed length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  string(text: string): void {
    const length = Buffer.byteLength(text);
    this.varint(length);
    this.#reserve(length);
    this.#length += this.#buffer.write(text, this.#length, length, 'utf8');
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.varint(items.length);
    for (const item of items) write(item);
  }

  /** Takes back everything after the first `length` bytes and gives a copy of it. */
  cut(length: number): Uint8Array {
    const tail = Uint8Array.prototype.slice.call(this.#buffer, length, this.#length);
    this.#length = length;
    return tail;
  }

  /** Forgets what was written, and keeps its memory. */
  clear(): void {
    this.#length = 0;
  }

  /** What was written, without a copy: it is lost when the writer is used again. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/**
 * Reads one message. Every method throws `protocol` where the bytes are not what they must be, and `limit`
 * where a length passes its limit.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  /** A byte that stands for one of `values`. */
  choice<T>(values: readonly T[]): T {
    const value = values[this.u8()];
    if (value === undefined) throw malformed('unknown value');
    return value;
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  varint(limit: number = MAX_VARINT): number {
    let value = 0;
    for (let index = 0, scale = 1; index < MAX_VARINT_BYTES; index++, scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (byte === 0 && index > 0) throw malformed('varint not in its shortest form');
      if (value > MAX_VARINT) break;
      if (value > limit) throw new XferError('limit', { detail: limit });
      return value;
    }
    throw malformed('varint too large');
  }

  svarint(): number {
    const zigzag = this.varint();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  /** The next `length` bytes, without a copy. */
  raw(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  bytes(limit: number): Uint8Array {
    return this.raw(this.varint(limit));
  }

  string(limitBytes: number): string {
    const bytes = this.bytes(limitBytes);
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new XferError('protocol', { detail: 'not UTF-8', cause });
    }
  }

  list<T>(limit: number, read: () => T): T[] {
    const count = this.varint(limit);
    // No item is shorter than a byte, so a count cannot make us loop for longer than the message is.
    if (count > this.remaining) throw malformed('list longer than its message');
    return Array.from({ length: count }, read);
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.raw(this.remaining);
  }

  /** Throws `protocol` unless everything was read. */
  end(): void {
    if (this.remaining > 0) throw malformed('bytes left over');
  }

  #advance(length: number): number {
    if (length > this.remaining) throw malformed('message too short');
    const start = this.#position;
    this.#position += length;
    return start;
  }
}

/** The error for bytes or messages that no honest peer sends. */
export function malformed(detail: string): XferError {
  return new XferError('protocol', { detail });
}

function integer(value: number, largest: number): number {
  if (Number.isSafeInteger(value) && value >= 0 && value <= largest) return value;
  throw new XferError('internal', { detail: `not encodable: ${String(value)}` });
}
