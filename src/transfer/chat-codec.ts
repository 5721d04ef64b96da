/** Messages of a chat as bytes: docs/protocol.md section 13. */
import {
  MAX_LINE_BYTES,
  MAX_MEMBER_NAME_BYTES,
  MAX_MEMBERS,
  type ChatMessage,
  type Member,
} from './chat-messages.js';
import {
  decodeSize,
  encodeSize,
  ENTRY_TYPES,
  MAX_NAME_BYTES,
  NO_OR_YES,
  type Codec,
} from './message-fields.js';
import { malformed, type ByteReader, type ByteWriter } from './wire.js';

type Tag = ChatMessage['type'];

export const CHAT_CODECS: { readonly [T in Tag]: Codec<Extract<ChatMessage, { type: T }>> } = {
  enter: {
    number: 48,
    encode: (to, { name }) => to.string(name),
    decode: (from) => ({ type: 'enter', name: from.string(MAX_MEMBER_NAME_BYTES) }),
  },
  welcome: {
    number: 49,
    encode: (to, { member, members }) => {
      to.varint(member);
      to.list(members, (one) => encodeMember(to, one));
    },
    decode: (from) => ({
      type: 'welcome',
      member: from.varint(),
      members: from.list(MAX_MEMBERS, () => decodeMember(from)),
    }),
  },
  joined: {
    number: 50,
    encode: (to, message) => encodeMember(to, message),
    decode: (from) => ({ type: 'joined', ...decodeMember(from) }),
  },
  left: {
    number: 51,
    encode: (to, { member }) => to.varint(member),
    decode: (from) => ({ type: 'left', member: from.varint() }),
  },
  line: {
    number: 52,
    encode: (to, { member, text }) => {
      to.varint(member);
      to.string(text);
    },
    decode: (from) => {
      const [member, text] = [from.varint(), from.string(MAX_LINE_BYTES)];
      if (text === '') throw malformed('an empty line');
      return { type: 'line', member, text };
    },
  },
  file: {
    number: 53,
    encode: (to, { member, file, name, entry, size }) => {
      to.varint(member);
      to.varint(file);
      to.string(name);
      to.u8(ENTRY_TYPES.indexOf(entry));
      encodeSize(to, size);
    },
    decode: (from) => {
      const [member, file, name] = [from.varint(), from.varint(), from.string(MAX_NAME_BYTES)];
      const [entry, size] = [from.choice(ENTRY_TYPES), decodeSize(from)];
      if ((entry === 'folder') !== (size === undefined))
        throw malformed('a size of a folder, or none of a file');
      return { type: 'file', member, file, name, entry, size };
    },
  },
  take: {
    number: 54,
    encode: (to, { member, file }) => {
      to.varint(member);
      to.varint(file);
    },
    decode: (from) => ({ type: 'take', member: from.varint(), file: from.varint() }),
  },
  begin: {
    number: 55,
    encode: (to, { request, member, file, sends }) => {
      to.varint(request);
      to.varint(member);
      to.varint(file);
      to.u8(Number(sends));
    },
    decode: (from) => ({
      type: 'begin',
      request: from.varint(),
      member: from.varint(),
      file: from.varint(),
      sends: from.choice(NO_OR_YES),
    }),
  },
  ready: {
    number: 56,
    encode: (to, { request }) => to.varint(request),
    decode: (from) => ({ type: 'ready', request: from.varint() }),
  },
  gone: {
    number: 57,
    encode: (to, { member, file }) => {
      to.varint(member);
      to.varint(file);
    },
    decode: (from) => ({ type: 'gone', member: from.varint(), file: from.varint() }),
  },
};

function encodeMember(to: ByteWriter, { member, name }: Member): void {
  to.varint(member);
  to.string(name);
}

function decodeMember(from: ByteReader): Member {
  return { member: from.varint(), name: from.string(MAX_MEMBER_NAME_BYTES) };
}
