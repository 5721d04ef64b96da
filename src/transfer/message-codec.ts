/** Control messages as bytes: docs/protocol.md section 7. */
import { DIGEST_BYTES } from '../crypto/digest.js';
import { X25519_BYTES } from '../crypto/x25519.js';
import { XferError } from '../errors.js';
import {
  decodeCode,
  decodeSize,
  demandCode,
  encodeSize,
  ENTRY_TYPES,
  MAX_NAME_BYTES,
  NO_OR_YES,
  type Codec,
} from './message-fields.js';
import {
  MAX_CONTROL_BYTES,
  MAX_HINTS,
  MAX_LANES,
  MAX_LEAVES,
  MAX_MACHINE_NAME_BYTES,
  MAX_ROOTS,
  MAX_SPANS,
  type ControlMessage,
  type OfferKind,
  type OfferedRoot,
  type ReceiverState,
  type Role,
} from './messages.js';
import { MAX_ENTRIES } from './ports.js';
import { CHAT_CODECS } from './chat-codec.js';
import { SHARE_CODECS } from './share-codec.js';
import { ByteReader, ByteWriter, malformed } from './wire.js';

/** What HKDF gives for it. */
const DEVICE_PROOF_BYTES = 32;
/** The longest literal IP address. */
const MAX_HOST_BYTES = 45;

// The position in each list is the byte on the wire.
const ROLES: readonly Role[] = ['send', 'receive', 'share', 'use', 'chat'];
const OFFER_KINDS: readonly OfferKind[] = ['files', 'text', 'pipe'];
const RECEIVER_STATES: readonly ReceiverState[] = ['asking', 'receiving', 'verifying'];

type Tag = ControlMessage['type'];
type MessageOf<T extends Tag> = Extract<ControlMessage, { type: T }>;

const CODECS: { readonly [T in Tag]: Codec<MessageOf<T>> } = {
  ...SHARE_CODECS,
  ...CHAT_CODECS,
  chosen: {
    number: 1,
    encode: () => undefined,
    decode: () => ({ type: 'chosen' }),
  },
  session: {
    number: 2,
    encode: (to, { role, verify, limit }) => {
      to.u8(ROLES.indexOf(role));
      to.u8(Number(verify));
      to.varint(limit ?? 0);
    },
    decode: (from) => {
      const [role, verify, limit] = [from.choice(ROLES), from.choice(NO_OR_YES), from.varint()];
      return { type: 'session', role, verify, limit: limit === 0 ? undefined : limit };
    },
  },
  verified: {
    number: 3,
    encode: () => undefined,
    decode: () => ({ type: 'verified' }),
  },
  hints: {
    number: 4,
    encode: (to, { hints }) => {
      to.list(hints, ({ host, port }) => {
        to.string(host);
        to.u16(port);
      });
    },
    decode: (from) => ({
      type: 'hints',
      hints: from.list(MAX_HINTS, () => ({ host: from.string(MAX_HOST_BYTES), port: from.u16() })),
    }),
  },
  lanes: {
    number: 5,
    encode: (to, { count }) => {
      to.u8(count);
    },
    decode: (from) => {
      const count = from.u8();
      if (count > MAX_LANES) throw malformed('more lanes than there may be');
      return { type: 'lanes', count };
    },
  },
  device: {
    number: 6,
    encode: (to, { verify, publicKey, name }) => {
      to.u8(Number(verify));
      to.raw(publicKey);
      to.string(name);
    },
    decode: (from) => ({
      type: 'device',
      verify: from.choice(NO_OR_YES),
      publicKey: from.raw(X25519_BYTES),
      name: from.string(MAX_MACHINE_NAME_BYTES),
    }),
  },
  'device-proof': {
    number: 7,
    encode: (to, { proof }) => {
      to.raw(proof);
    },
    decode: (from) => ({ type: 'device-proof', proof: from.raw(DEVICE_PROOF_BYTES) }),
  },
  remembered: {
    number: 8,
    encode: () => undefined,
    decode: () => ({ type: 'remembered' }),
  },
  offer: {
    number: 16,
    encode: (to, { transfer, kind, roots }) => {
      to.varint(transfer);
      to.u8(OFFER_KINDS.indexOf(kind));
      to.list(roots, (root) => {
        to.string(root.name);
        to.u8(ENTRY_TYPES.indexOf(root.type));
        encodeSize(to, root.size);
      });
    },
    decode: (from) => ({
      type: 'offer',
      transfer: from.varint(),
      kind: from.choice(OFFER_KINDS),
      roots: from.list(MAX_ROOTS, () => decodeRoot(from)),
    }),
  },
  counting: {
    number: 17,
    encode: (to, { transfer, entries, bytes }) => {
      to.varint(transfer);
      to.varint(entries);
      to.varint(bytes);
    },
    decode: (from) => ({
      type: 'counting',
      transfer: from.varint(),
      entries: from.varint(MAX_ENTRIES),
      bytes: from.varint(),
    }),
  },
  'manifest-end': {
    number: 18,
    encode: (to, { transfer, entries, files, bytes, skipped, missing, digest }) => {
      to.varint(transfer);
      to.varint(entries);
      to.varint(files);
      to.varint(bytes);
      to.varint(skipped);
      to.varint(missing);
      to.raw(digest);
    },
    decode: (from) => ({
      type: 'manifest-end',
      transfer: from.varint(),
      entries: from.varint(MAX_ENTRIES),
      files: from.varint(MAX_ENTRIES),
      bytes: from.varint(),
      skipped: from.varint(),
      missing: from.varint(),
      digest: from.raw(DIGEST_BYTES),
    }),
  },
  answer: {
    number: 19,
    encode: (to, { transfer, accepted, reason }) => {
      to.varint(transfer);
      to.u8(Number(accepted));
      to.string(reason ?? '');
    },
    decode: (from) => {
      const transfer = from.varint();
      const accepted = from.choice(NO_OR_YES);
      const reason = decodeCode(from);
      if (accepted && reason !== undefined) throw malformed('a yes with a reason');
      return { type: 'answer', transfer, accepted, reason };
    },
  },
  want: {
    number: 20,
    encode: (to, { transfer, part, runs, held, older }) => {
      to.varint(transfer);
      to.varint(part);
      encodeRuns(to, runs);
      to.list(held, ([entry, leaves]) => {
        to.varint(entry);
        to.varint(leaves);
      });
      encodeRuns(to, older);
    },
    decode: (from) => ({
      type: 'want',
      transfer: from.varint(),
      part: from.varint(),
      runs: decodeRuns(from),
      held: from.list(MAX_CONTROL_BYTES, () => [from.varint(MAX_ENTRIES), from.varint()] as const),
      older: decodeRuns(from),
    }),
  },
  'entry-failed': {
    number: 21,
    encode: (to, { transfer, entry, reason }) => {
      to.varint(transfer);
      to.varint(entry);
      to.string(reason);
    },
    decode: (from) => ({
      type: 'entry-failed',
      transfer: from.varint(),
      entry: from.varint(),
      reason: demandCode(from),
    }),
  },
  sent: {
    number: 22,
    encode: (to, { transfer, files, bytes }) => {
      to.varint(transfer);
      to.varint(files);
      to.varint(bytes);
    },
    decode: (from) => ({ type: 'sent', transfer: from.varint(), files: from.varint(), bytes: from.varint() }),
  },
  received: {
    number: 23,
    encode: (to, { transfer, files, bytes, missing }) => {
      to.varint(transfer);
      to.varint(files);
      to.varint(bytes);
      to.varint(missing);
    },
    decode: (from) => ({
      type: 'received',
      transfer: from.varint(),
      files: from.varint(),
      bytes: from.varint(),
      missing: from.varint(),
    }),
  },
  progress: {
    number: 24,
    encode: (to, { transfer, state, files, bytes }) => {
      to.varint(transfer);
      to.u8(RECEIVER_STATES.indexOf(state));
      to.varint(files);
      to.varint(bytes);
    },
    decode: (from) => ({
      type: 'progress',
      transfer: from.varint(),
      state: from.choice(RECEIVER_STATES),
      files: from.varint(),
      bytes: from.varint(),
    }),
  },
  leaves: {
    number: 25,
    encode: (to, { transfer, entry, digests }) => {
      to.varint(transfer);
      to.varint(entry);
      to.list(digests, (digest) => {
        to.raw(digest);
      });
    },
    decode: (from) => ({
      type: 'leaves',
      transfer: from.varint(),
      entry: from.varint(MAX_ENTRIES),
      // Copies: they are compared later.
      digests: from.list(MAX_LEAVES, () => Uint8Array.from(from.raw(DIGEST_BYTES))),
    }),
  },
  keep: {
    number: 26,
    encode: (to, { transfer, entry, leaves }) => {
      to.varint(transfer);
      to.varint(entry);
      to.varint(leaves);
    },
    decode: (from) => ({
      type: 'keep',
      transfer: from.varint(),
      entry: from.varint(MAX_ENTRIES),
      leaves: from.varint(),
    }),
  },
  spans: {
    number: 27,
    encode: (to, { transfer, files }) => {
      to.varint(transfer);
      to.list(files, ({ entry, spans }) => {
        to.varint(entry);
        to.list(spans, ({ length, digest }) => {
          to.varint(length);
          to.raw(digest);
        });
      });
    },
    decode: (from) => ({
      type: 'spans',
      transfer: from.varint(),
      files: from.list(MAX_SPANS, () => ({
        entry: from.varint(MAX_ENTRIES),
        spans: from.list(MAX_SPANS, () => ({
          length: from.varint(),
          digest: Uint8Array.from(from.raw(DIGEST_BYTES)),
        })),
      })),
    }),
  },
  need: {
    number: 28,
    encode: (to, { transfer, runs }) => {
      to.varint(transfer);
      encodeRuns(to, runs);
    },
    decode: (from) => ({ type: 'need', transfer: from.varint(), runs: decodeRuns(from) }),
  },
  error: {
    number: 32,
    encode: (to, { code }) => {
      to.string(code);
    },
    decode: (from) => ({ type: 'error', code: demandCode(from) }),
  },
};

const byNumber = new Map<number, { decode(from: ByteReader): ControlMessage }>(
  Object.values(CODECS).map((codec) => [codec.number, codec]),
);

/** Throws `limit` where the message passes 64 KiB, as an offer of very many roots does. */
export function encodeMessage(message: ControlMessage): Uint8Array {
  // The table gives each tag the codec of that tag, which the compiler cannot follow through an index.
  const codec = CODECS[message.type] as Codec<ControlMessage>;
  const to = new ByteWriter();
  to.u8(codec.number);
  codec.encode(to, message);
  if (to.length > MAX_CONTROL_BYTES) throw new XferError('limit', { detail: MAX_CONTROL_BYTES });
  return to.finish();
}

/** Throws `protocol` and `limit`. */
export function decodeMessage(bytes: Uint8Array): ControlMessage {
  if (bytes.length > MAX_CONTROL_BYTES) throw new XferError('limit', { detail: MAX_CONTROL_BYTES });
  const from = new ByteReader(bytes);
  const codec = byNumber.get(from.u8());
  if (codec === undefined) throw malformed('unknown message');
  const message = codec.decode(from);
  from.end();
  return message;
}

type Runs = MessageOf<'want'>['runs'];

function encodeRuns(to: ByteWriter, runs: Runs): void {
  to.list(runs, ([skip, take]) => {
    to.varint(skip);
    to.varint(take);
  });
}

function decodeRuns(from: ByteReader): Runs {
  return from.list(MAX_CONTROL_BYTES, () => [from.varint(), from.varint()] as const);
}

function decodeRoot(from: ByteReader): OfferedRoot {
  const name = from.string(MAX_NAME_BYTES);
  const type = from.choice(ENTRY_TYPES);
  const size = decodeSize(from);
  if (type === 'folder' && size !== undefined) throw malformed('a folder with a size');
  return { name, type, size };
}
