/** What several kinds of messages hold, as bytes: docs/protocol.md section 7. */
import { isErrorCode, type ErrorCode } from '../errors.js';
import type { EntryType } from './messages.js';
import { malformed, type ByteReader, type ByteWriter } from './wire.js';

/** Writes and reads one kind of message, behind its number. */
export interface Codec<Message> {
  readonly number: number;
  encode(to: ByteWriter, message: Message): void;
  decode(from: ByteReader): Message;
}

/** Most bytes of one name, a segment of a path. */
export const MAX_NAME_BYTES = 255;
/** Longer than any code there is; an unknown code may still be one of a later version. */
const MAX_CODE_BYTES = 64;

// The position in each list is the byte on the wire.
export const ENTRY_TYPES: readonly EntryType[] = ['file', 'folder'];
export const NO_OR_YES = [false, true] as const;

/** A size on the wire is one more than it is; 0 stands for an unknown one. */
export function encodeSize(to: ByteWriter, size: number | undefined): void {
  to.varint(size === undefined ? 0 : size + 1);
}

export function decodeSize(from: ByteReader): number | undefined {
  const size = from.varint();
  return size === 0 ? undefined : size - 1;
}

/** The nine permission bits of a file or folder. */
export function decodeMode(from: ByteReader): number {
  const mode = from.u16();
  if (mode > 0o777) throw malformed('mode bits beyond the nine');
  return mode;
}

/** `undefined` for the empty string. */
export function decodeCode(from: ByteReader): ErrorCode | undefined {
  const text = from.string(MAX_CODE_BYTES);
  if (text === '') return undefined;
  return isErrorCode(text) ? text : 'peer-failed';
}

export function demandCode(from: ByteReader): ErrorCode {
  const code = decodeCode(from);
  if (code === undefined) throw malformed('no reason given');
  return code;
}
