/** A whole transfer over memory. */
import { createHash } from 'node:crypto';
import { LEAF_BYTES } from '../../src/crypto/digest.js';
import { toXferError } from '../../src/errors.js';
import type { Decision, TransferEvent, TransferOutcome } from '../../src/transfer/events.js';
import type { FileSink, FileSource } from '../../src/transfer/ports.js';
import { receiveFiles, type ReceiverOptions } from '../../src/transfer/receiver.js';
import { sendFiles, type SenderOptions } from '../../src/transfer/sender.js';
import { MemoryChannel, ScriptedPeer } from './memory-channel.js';
import { noise } from './trees.js';

export interface Side {
  readonly channel: MemoryChannel;
  readonly outcome: Promise<TransferOutcome>;
  readonly events: TransferEvent[];
}

export const yes = async (): Promise<Decision> => ({ accept: true, conflicts: 'refuse' });

/** Runs both sides. */
export function transfer(
  source: FileSource,
  sink: FileSink,
  receiving: Partial<ReceiverOptions> = {},
  sending: Partial<SenderOptions> = {},
  arrange: (sender: MemoryChannel) => void = () => {},
): { sender: Side; receiver: Side } {
  const [one, other] = MemoryChannel.pair();
  arrange(one);
  return { sender: send(one, source, sending), receiver: receive(other, sink, receiving) };
}

/** A sender whose receiver is the test. */
export function sendToScript(source: FileSource, options: Partial<SenderOptions> = {}): [Side, ScriptedPeer] {
  const [one, other] = MemoryChannel.pair();
  return [send(one, source, options), new ScriptedPeer(other)];
}

/** A receiver whose sender is the test. */
export function receiveFromScript(
  sink: FileSink,
  options: Partial<ReceiverOptions> = {},
): [Side, ScriptedPeer] {
  const [one, other] = MemoryChannel.pair();
  return [receive(one, sink, options), new ScriptedPeer(other)];
}

function send(channel: MemoryChannel, source: FileSource, options: Partial<SenderOptions>): Side {
  const events: TransferEvent[] = [];
  const { signal } = new AbortController();
  const onEvent = (event: TransferEvent): void => void events.push(event);
  const outcome = sendFiles(channel, source, { kind: 'files', signal, onEvent, ...options });
  // A test looks at the sides one after the other.
  outcome.catch(() => {});
  return { channel, outcome, events };
}

function receive(channel: MemoryChannel, sink: FileSink, options: Partial<ReceiverOptions>): Side {
  const events: TransferEvent[] = [];
  const { signal } = new AbortController();
  const onEvent = (event: TransferEvent): void => void events.push(event);
  const defaults = { decide: yes, early: false, intoHome: () => false, signal, onEvent };
  const outcome = receiveFiles(channel, sink, { ...defaults, ...options });
  outcome.catch(() => {});
  return { channel, outcome, events };
}

/** Files of which a receiver has a beginning, a wrong one, all, and an older copy. */
export function partlyThere() {
  const files = {
    a: noise(2 * LEAF_BYTES + 1, 'a'),
    b: noise(LEAF_BYTES + 7, 'b'),
    c: Buffer.from('the same'),
    d: noise(600_000, 'd'),
  };
  const older = Buffer.concat([files.d.subarray(0, 300_000), noise(200, 'e'), files.d.subarray(300_200)]);
  const there = {
    held: { a: files.a.subarray(0, LEAF_BYTES), b: noise(LEAF_BYTES, 'x') },
    older: { c: files.c, d: older },
  };
  return { files, there };
}

/** How a side ended: `ok`, or the error's code with its detail. */
export function ending({ outcome }: Side): Promise<string> {
  return outcome.then(
    () => 'ok',
    (error: unknown) => {
      const { code, detail } = toXferError(error);
      if (code === 'internal') throw error;
      return code === 'peer-failed' || code === 'declined' ? `${code} ${detail ?? ''}`.trimEnd() : code;
    },
  );
}

/** Folders, and files as length and hash: what a failed comparison can show. */
export function sketch(tree: ReadonlyMap<string, Uint8Array | 'folder'>): Record<string, string> {
  const entries = [...tree].map(([path, content]) => [
    path,
    content === 'folder' ? content : fingerprint(content),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function fingerprint(content: Uint8Array): string {
  return `${content.length} ${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
}
