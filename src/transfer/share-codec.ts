/** Messages about a shared folder as bytes: docs/protocol.md section 12. */
import { OWNER_POINT_BYTES, OWNER_SALT_BYTES, OWNER_TAG_BYTES } from '../crypto/owner.js';
import {
  decodeCode,
  decodeMode,
  ENTRY_TYPES,
  MAX_NAME_BYTES,
  NO_OR_YES,
  type Codec,
} from './message-fields.js';
import type { ConflictPolicy } from './ports.js';
import {
  MAX_ACTION_NAME_BYTES,
  MAX_FAR_DEPTH,
  MAX_FAR_PATHS,
  MAX_LISTED,
  MAX_LISTED_ACTIONS,
  MAX_OUTPUT_BYTES,
  MAX_WORD_LENGTH,
  MAX_WORDS,
  type Action,
  type Ask,
  type Ending,
  type FarPath,
  type ListedItem,
  type ShareMessage,
  type Stream,
} from './share-messages.js';
import { malformed, type ByteReader, type ByteWriter } from './wire.js';

type Tag = ShareMessage['type'];
type AskOf<A extends Action> = Extract<Ask, { action: A }>;

// The position in the list is the byte on the wire.
const POLICIES: readonly ConflictPolicy[] = ['refuse', 'overwrite', 'update', 'rename', 'skip'];
const STREAMS: readonly Stream[] = ['stdout', 'stderr'];
const ENDINGS: readonly Ending['how'][] = ['exit', 'signal', 'timeout', 'output'];

/** A character takes no more in UTF-8 than three bytes for each unit that it has in UTF-16. */
const MAX_WORD_BYTES = 3 * MAX_WORD_LENGTH;

const ASKS: { readonly [A in Action]: Codec<AskOf<A>> } = {
  list: {
    number: 1,
    encode: (to, { path }) => encodePath(to, path),
    decode: (from) => ({ action: 'list', path: decodePath(from) }),
  },
  look: {
    number: 2,
    encode: (to, { path }) => encodePath(to, path),
    decode: (from) => ({ action: 'look', path: decodePath(from) }),
  },
  get: {
    number: 3,
    encode: (to, { paths }) => to.list(paths, (path) => encodePath(to, path)),
    decode: (from) => ({ action: 'get', paths: from.list(MAX_FAR_PATHS, () => decodePath(from)) }),
  },
  put: {
    number: 4,
    encode: (to, { path, conflicts }) => {
      encodePath(to, path);
      to.u8(POLICIES.indexOf(conflicts));
    },
    decode: (from) => ({ action: 'put', path: decodePath(from), conflicts: from.choice(POLICIES) }),
  },
  'make-folder': {
    number: 5,
    encode: (to, { path }) => encodePath(to, path),
    decode: (from) => ({ action: 'make-folder', path: decodePath(from) }),
  },
  remove: {
    number: 6,
    encode: (to, { path, recursive }) => {
      encodePath(to, path);
      to.u8(Number(recursive));
    },
    decode: (from) => ({ action: 'remove', path: decodePath(from), recursive: from.choice(NO_OR_YES) }),
  },
  move: {
    number: 7,
    encode: (to, { from, to: target, replace }) => {
      encodePath(to, from);
      encodePath(to, target);
      to.u8(Number(replace));
    },
    decode: (from) => ({
      action: 'move',
      from: decodePath(from),
      to: decodePath(from),
      replace: from.choice(NO_OR_YES),
    }),
  },
  stop: {
    number: 8,
    encode: () => undefined,
    decode: () => ({ action: 'stop' }),
  },
  run: {
    number: 9,
    encode: (to, { name, words }) => {
      to.string(name);
      to.list(words, (word) => to.string(word));
    },
    decode: (from) => ({
      action: 'run',
      name: from.string(MAX_ACTION_NAME_BYTES),
      words: from.list(MAX_WORDS, () => from.string(MAX_WORD_BYTES)),
    }),
  },
  actions: {
    number: 10,
    encode: () => undefined,
    decode: () => ({ action: 'actions' }),
  },
};

const askByNumber = new Map<number, { decode(from: ByteReader): Ask }>(
  Object.values(ASKS).map((codec) => [codec.number, codec]),
);

export const SHARE_CODECS: { readonly [T in Tag]: Codec<Extract<ShareMessage, { type: T }>> } = {
  request: {
    number: 40,
    encode: (to, { request, ask }) => {
      to.varint(request);
      // The table gives each action the codec of that action, which the compiler cannot follow through an index.
      const codec = ASKS[ask.action] as Codec<Ask>;
      to.u8(codec.number);
      codec.encode(to, ask);
    },
    decode: (from) => {
      const request = from.varint();
      const codec = askByNumber.get(from.u8());
      if (codec === undefined) throw malformed('unknown request');
      return { type: 'request', request, ask: codec.decode(from) };
    },
  },
  listing: {
    number: 41,
    encode: (to, { request, items }) => {
      to.varint(request);
      to.list(items, (item) => encodeItem(to, item));
    },
    decode: (from) => ({
      type: 'listing',
      request: from.varint(),
      items: from.list(MAX_LISTED, () => decodeItem(from)),
    }),
  },
  reply: {
    number: 42,
    encode: (to, { request, problem, path }) => {
      to.varint(request);
      to.string(problem ?? '');
      to.varint(path);
    },
    decode: (from) => ({
      type: 'reply',
      request: from.varint(),
      problem: decodeCode(from),
      path: from.varint(MAX_FAR_PATHS),
    }),
  },
  challenge: {
    number: 44,
    encode: (to, { request, salt, point }) => {
      to.varint(request);
      to.raw(salt);
      to.raw(point);
    },
    decode: (from) => ({
      type: 'challenge',
      request: from.varint(),
      salt: Uint8Array.from(from.raw(OWNER_SALT_BYTES)),
      point: Uint8Array.from(from.raw(OWNER_POINT_BYTES)),
    }),
  },
  proof: {
    number: 45,
    encode: (to, { request, point, tag }) => {
      to.varint(request);
      to.raw(point);
      to.raw(tag);
    },
    decode: (from) => ({
      type: 'proof',
      request: from.varint(),
      point: Uint8Array.from(from.raw(OWNER_POINT_BYTES)),
      tag: Uint8Array.from(from.raw(OWNER_TAG_BYTES)),
    }),
  },
  actions: {
    number: 46,
    encode: (to, { request, actions }) => {
      to.varint(request);
      to.list(actions, ({ name, parameters }) => {
        to.string(name);
        to.list(parameters, (parameter) => to.string(parameter));
      });
    },
    decode: (from) => ({
      type: 'actions',
      request: from.varint(),
      actions: from.list(MAX_LISTED_ACTIONS, () => ({
        name: from.string(MAX_ACTION_NAME_BYTES),
        parameters: from.list(MAX_WORDS, () => from.string(MAX_ACTION_NAME_BYTES)),
      })),
    }),
  },
  output: {
    number: 47,
    encode: (to, { request, stream, bytes }) => {
      to.varint(request);
      to.u8(STREAMS.indexOf(stream));
      to.bytes(bytes);
    },
    decode: (from) => {
      const [request, stream] = [from.varint(), from.choice(STREAMS)];
      // A copy: it is written later.
      const bytes = Uint8Array.from(from.bytes(MAX_OUTPUT_BYTES));
      if (bytes.length === 0) throw malformed('output of nothing');
      return { type: 'output', request, stream, bytes };
    },
  },
  ended: {
    number: 39,
    encode: (to, { request, ending }) => {
      to.varint(request);
      to.u8(ENDINGS.indexOf(ending.how));
      to.u8(ending.how === 'exit' ? ending.status : ending.how === 'signal' ? ending.signal : 0);
    },
    decode: (from) => ({ type: 'ended', request: from.varint(), ending: decodeEnding(from) }),
  },
  over: {
    number: 43,
    encode: (to, { request }) => to.varint(request),
    decode: (from) => ({ type: 'over', request: from.varint() }),
  },
};

function decodeEnding(from: ByteReader): Ending {
  const [how, value] = [from.choice(ENDINGS), from.u8()];
  if (how === 'exit') return { how, status: value };
  if (how === 'signal' && value >= 1 && value <= 127) return { how, signal: value };
  if (how === 'signal' || value !== 0) throw malformed('no end of a program');
  return { how };
}

function encodePath(to: ByteWriter, path: FarPath): void {
  to.list(path, (name) => to.string(name));
}

function decodePath(from: ByteReader): FarPath {
  return from.list(MAX_FAR_DEPTH, () => from.string(MAX_NAME_BYTES));
}

function encodeItem(to: ByteWriter, { name, type, size, mtimeMs, mode }: ListedItem): void {
  to.string(name);
  to.u8(ENTRY_TYPES.indexOf(type));
  to.varint(size);
  to.svarint(mtimeMs);
  to.u16(mode);
}

function decodeItem(from: ByteReader): ListedItem {
  return {
    name: from.string(MAX_NAME_BYTES),
    type: from.choice(ENTRY_TYPES),
    size: from.varint(),
    mtimeMs: from.svarint(),
    mode: decodeMode(from),
  };
}
