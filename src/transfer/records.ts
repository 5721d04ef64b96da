/** Records as bytes, as they are inside the seal: docs/protocol.md section 6. */
import { DIGEST_BYTES } from '../crypto/digest.js';
import { decodeMessage, encodeMessage } from './message-codec.js';
import type { ControlMessage } from './messages.js';
import {
  CHUNK_BYTES,
  MANIFEST_PART_BYTES,
  MAX_ENTRIES,
  type Compression,
  type DataRecord,
  type Packed,
} from './ports.js';
import { ByteReader, ByteWriter, MAX_VARINT, malformed } from './wire.js';

/** The place of an item among all that one side sends in a session, from 0, whichever way each of them takes. */
export interface Sequenced {
  readonly sequence: number;
}

export interface ControlRecord extends Sequenced {
  readonly kind: 'control';
  readonly message: ControlMessage;
}

/** What the peer may send, and what of its control messages is handled. */
export interface CreditRecord {
  readonly kind: 'credit';
  /** The cost of all records that the peer may have sent since the epoch began. */
  readonly granted: number;
  /** How many items of the peer arrived with none missing before them. */
  readonly acknowledged: number;
}

/** The last record of a direction. */
export interface EndRecord {
  readonly kind: 'end';
  /** How many items there were. */
  readonly items: number;
}

/** A record that is delivered, in the order of the sequence. */
export type ItemRecord = ControlRecord | (DataRecord & Sequenced);

/** Everything that travels under a seal. */
export type WireRecord = ItemRecord | CreditRecord | EndRecord;

/** Cost of each item, besides its bytes: until its turn comes it takes a receiver so much more than its length. */
export const RECORD_COST = 256;
/** Cost of each entry that a record touches: an entry, too, costs its receiver more than its length. */
export const ENTRY_COST = 64;

// The position in each list is the byte on the wire.
const KINDS = ['control', 'credit', 'manifest', 'chunk', 'batch', 'hole', 'end'] as const;
const COMPRESSIONS: readonly Compression[] = ['stored', 'brotli', 'zstd'];
const NOT_LAST_OR_LAST = [false, true] as const;

/** A record as pieces to be sealed one after the other: its header and its body, the latter not copied. */
export function encodeRecord(record: WireRecord): Uint8Array[] {
  const header = new ByteWriter(96);
  header.u8(KINDS.indexOf(record.kind));
  if ('sequence' in record) header.varint(record.sequence);
  switch (record.kind) {
    case 'control':
      return [header.finish(), encodeMessage(record.message)];
    case 'credit':
      header.varint(record.granted);
      header.varint(record.acknowledged);
      return [header.finish()];
    case 'manifest':
      header.varint(record.transfer);
      header.varint(record.part);
      header.varint(record.count);
      return withBody(header, record.body);
    case 'chunk':
      header.varint(record.transfer);
      header.varint(record.entry);
      header.varint(record.offset);
      header.u8(record.digest === undefined ? 0 : 1);
      if (record.digest !== undefined) header.raw(record.digest);
      return withBody(header, record.body);
    case 'batch':
      header.varint(record.transfer);
      header.varint(record.count);
      return withBody(header, record.body);
    case 'hole':
      header.varint(record.transfer);
      header.varint(record.entry);
      header.varint(record.offset);
      header.varint(record.length);
      return [header.finish()];
    case 'end':
      header.varint(record.items);
      return [header.finish()];
  }
}

/** The record in an opened message. Its body is not copied and not decompressed. Throws `protocol` and `limit`. */
export function decodeRecord(plaintext: Uint8Array): WireRecord {
  const from = new ByteReader(plaintext);
  const kind = from.choice(KINDS);
  switch (kind) {
    case 'credit': {
      const record = { kind, granted: from.varint(), acknowledged: from.varint() };
      from.end();
      return record;
    }
    case 'end': {
      const record = { kind, items: from.varint() };
      from.end();
      return record;
    }
    default:
      return decodeItem(kind, from.varint(), from);
  }
}

function decodeItem(kind: ItemRecord['kind'], sequence: number, from: ByteReader): ItemRecord {
  switch (kind) {
    case 'control':
      return { kind, sequence, message: decodeMessage(from.rest()) };
    case 'manifest':
      return {
        kind,
        sequence,
        transfer: from.varint(),
        part: from.varint(),
        count: from.varint(MAX_ENTRIES),
        body: decodeBody(from, MANIFEST_PART_BYTES),
      };
    case 'chunk': {
      const [transfer, entry, offset] = [from.varint(), from.varint(), from.varint()];
      // A copy: the memory of the body may be handed to another thread.
      const digest = from.choice(NOT_LAST_OR_LAST) ? Uint8Array.from(from.raw(DIGEST_BYTES)) : undefined;
      const body = decodeBody(from, CHUNK_BYTES);
      demandPlace(offset, body.rawLength);
      const chunk = { kind, sequence, transfer, entry, offset, body };
      if (digest !== undefined) return { ...chunk, digest };
      if (body.rawLength === 0) throw malformed('an empty chunk that is not the last');
      return chunk;
    }
    case 'batch':
      return {
        kind,
        sequence,
        transfer: from.varint(),
        count: from.varint(MAX_ENTRIES),
        body: decodeBody(from, CHUNK_BYTES),
      };
    case 'hole': {
      const record = {
        kind,
        sequence,
        transfer: from.varint(),
        entry: from.varint(),
        offset: from.varint(),
        length: from.varint(),
      };
      from.end();
      demandPlace(record.offset, record.length);
      if (record.length === 0) throw malformed('an empty hole');
      return record;
    }
  }
}

/**
 * What a record costs of the credit that its receiver granted, in bytes.
 * @param messageLength Bytes of the sealed message, flags and tag included.
 */
export function costOf(record: WireRecord, messageLength: number): number {
  switch (record.kind) {
    case 'credit':
    case 'end':
      return 0;
    case 'manifest':
    case 'batch':
      return RECORD_COST + Math.max(record.body.rawLength, messageLength) + ENTRY_COST * record.count;
    case 'chunk':
      return RECORD_COST + Math.max(record.body.rawLength, messageLength);
    case 'control':
      return RECORD_COST + messageLength + ENTRY_COST * listed(record.message);
    case 'hole':
      return RECORD_COST + messageLength;
  }
}

/** Entries that a message lists. A list takes some forty times the memory that it takes on the wire. */
function listed(message: ControlMessage): number {
  switch (message.type) {
    case 'want':
      return message.runs.length + message.held.length + message.older.length;
    case 'need':
      return message.runs.length;
    case 'spans':
      return message.files.reduce((sum, { spans }) => sum + 1 + spans.length, 0);
    case 'offer':
      return message.roots.length;
    default:
      return 0;
  }
}

function withBody(header: ByteWriter, body: Packed): Uint8Array[] {
  header.u8(COMPRESSIONS.indexOf(body.compression));
  header.varint(body.rawLength);
  return [header.finish(), body.bytes];
}

function decodeBody(from: ByteReader, limit: number): Packed {
  const compression = from.choice(COMPRESSIONS);
  const rawLength = from.varint(limit);
  const bytes = from.rest();
  if (compression === 'stored' && bytes.length !== rawLength)
    throw malformed('stored bytes of another length');
  if (bytes.length > rawLength) throw malformed('compressed to more than it was');
  return { compression, rawLength, bytes };
}

function demandPlace(offset: number, length: number): void {
  if (offset + length > MAX_VARINT) throw malformed('beyond the largest file');
}
