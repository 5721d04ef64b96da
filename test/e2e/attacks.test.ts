/** Peers that know the code and want the memory of the built program. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { SessionChannel } from '../../src/peer/meeting.js';
import { ROOT, type Entry, type Packed } from '../../src/transfer/ports.js';
import { ManifestEncoder } from '../../src/transfer/manifest.js';
import { listening } from '../support/direct.js';
import { lure, visit } from '../support/hostile-session.js';
import { stored, transfer } from '../support/hostile-world.js';
import { watchPeak } from '../support/memory-peak.js';
import { atMost, isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const MOST_MEMORY = 250 * MIB;
/** Messages without an end, as many as there is time for. */
const WORDS = isSoak ? 1_000_000 : 30_000;
/** More than a receiver lets come before it has written them. */
const SMALL_PIECES = isSoak ? 1_000_000 : 80_000;
/** An attack takes the machine as long as it takes. */
const PATIENCE_MS = isSoak ? 1_800_000 : 300_000;

type Attack = (channel: SessionChannel) => Promise<void>;

const packed = (bytes: Uint8Array): Packed => ({
  compression: 'brotli',
  rawLength: bytes.length,
  bytes: brotliCompressSync(bytes, { params: { 1: 1 } }),
});

/** Takes what the other side says, up to that word, and leaves it at that. */
async function hear(channel: SessionChannel, last?: 'want'): Promise<void> {
  for (;;) {
    const heard = await channel.receive();
    if (heard === undefined) return;
    channel.release(heard.cost);
    if ('type' in heard.item && heard.item.type === last) return;
  }
}

/** Offers one folder, and lists what is said to lie in it. */
async function list(
  channel: SessionChannel,
  type: Entry['type'],
  names: Iterable<string>,
  body: (bytes: Uint8Array) => Packed,
  take: 'takeFull' | 'takeAll' = 'takeFull',
): Promise<void> {
  const encoder = new ManifestEncoder();
  let index = 0;
  let part = 0;
  const add = (parent: number, name: string, type: Entry['type']): void =>
    encoder.add({
      entries: [{ index: index++, parent, type, name, size: 0, mtimeMs: 0, mode: 0o755 }],
      skipped: [],
    });
  await channel.send({ type: 'offer', transfer, kind: 'files', roots: [{ name: 'all', type: 'folder', size: undefined }] }); // prettier-ignore
  add(ROOT, 'all', 'folder');
  // Or it would wait with its answers, and with all that is to come.
  void hear(channel).catch(() => undefined);
  for (const name of names) {
    add(0, name, type);
    for (const { count, bytes } of encoder[take]())
      await channel.send({ kind: 'manifest', transfer, part: part++, count, body: body(bytes) });
  }
}

function* longNames(): Generator<string> {
  const random = Buffer.from(noise(MIB, 'names')).toString('base64url');
  for (let number = 0; number < 2_000_000; number++) {
    const at = (number * 7_919) % (random.length - 245);
    yield `${String(number).padStart(8, '0')}${random.slice(at, at + 245)}`;
  }
}

function* shortNames(): Generator<string> {
  for (let number = 0; number < 1_999_000; number++) yield String(number).padStart(7, '0');
}

const offerOfOneFile = { type: 'offer', transfer, kind: 'files', roots: [{ name: 'a', type: 'file', size: 1 }] } as const; // prettier-ignore

/** What a sender may do, and with which status its receiver ends. */
const SENDERS: Readonly<
  Record<string, { readonly attack: Attack; readonly status: number; readonly flags?: readonly string[] }>
> = {
  'lists files whose names do not compress': {
    attack: (channel) => list(channel, 'file', longNames(), stored),
    status: 1,
  },
  'lists two million folders': {
    attack: (channel) => list(channel, 'folder', shortNames(), packed),
    // Or it would make them.
    flags: ['--only', 'a'],
    status: 1,
  },
  'lists each file in a part of its own': {
    attack: (channel) => list(channel, 'file', shortNames(), stored, 'takeAll'),
    status: 1,
  },
  'lists nothing, again and again': {
    attack: async (channel) => {
      await channel.send(offerOfOneFile);
      for (let part = 0; part < WORDS; part++)
        await channel.send({ kind: 'manifest', transfer, part, count: 0, body: stored(new Uint8Array(0)) });
    },
    status: 4,
  },
  'sends a file byte by byte': {
    attack: async (channel) => {
      const size = SMALL_PIECES;
      await channel.send({ ...offerOfOneFile, roots: [{ name: 'a', type: 'file', size }] });
      const entry: Entry = { index: 0, parent: ROOT, type: 'file', name: 'a', size, mtimeMs: 0, mode: 0o644 };
      const encoder = new ManifestEncoder();
      encoder.add({ entries: [entry], skipped: [] });
      for (const { count, bytes } of encoder.takeAll())
        await channel.send({ kind: 'manifest', transfer, part: 0, count, body: stored(bytes) });
      const figures = { entries: 1, files: 1, bytes: size, skipped: 0, missing: 0 };
      await channel.send({ type: 'manifest-end', transfer, ...figures, digest: encoder.digest() });
      await hear(channel, 'want');
      const hearing = hear(channel).catch(() => undefined);
      for (let offset = 0; offset < size; offset++)
        await channel.send({ kind: 'chunk', transfer, entry: 0, offset, body: stored(Buffer.alloc(1)) });
      await channel.end();
      await hearing;
    },
    status: 1,
  },
  'sends what unpacks to 1 GiB': {
    attack: async (channel) => {
      await channel.send(offerOfOneFile);
      const bomb = brotliCompressSync(Buffer.alloc(1024 * MIB), { params: { 1: 1 } });
      const body: Packed = { compression: 'brotli', rawLength: 65_536, bytes: bomb };
      await channel.send({ kind: 'manifest', transfer, part: 0, count: 1, body });
      await channel.receive();
    },
    status: 4,
  },
  'never ends to count': {
    attack: async (channel) => {
      await channel.send(offerOfOneFile);
      for (let entries = 0; entries < WORDS; entries++)
        await channel.send({ type: 'counting', transfer, entries, bytes: 0 });
      await channel.send({ type: 'error', code: 'interrupted' });
      await channel.end();
    },
    status: 3,
  },
};

/** What a receiver may do to its sender, which ends with that status. */
const RECEIVERS: Readonly<Record<string, { readonly attack: Attack; readonly status: number }>> = {
  'takes nothing off the line': {
    attack: async (channel) => {
      await accept(channel);
      channel.widen(2 ** 40);
      // The credit is there. What comes is left where it is.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      channel.destroy();
    },
    status: 3,
  },
  'never ends to say how far it is': {
    attack: async (channel) => {
      await accept(channel);
      for (let files = 0; files < WORDS; files++)
        await channel.send({ type: 'progress', transfer, state: 'receiving', files: 0, bytes: 0 }); // prettier-ignore
      await channel.send({ type: 'error', code: 'interrupted' });
      await channel.end();
    },
    status: 3,
  },
};

async function accept(channel: SessionChannel): Promise<void> {
  const offer = await channel.receive();
  channel.release(offer?.cost ?? 0);
  await channel.send({ type: 'answer', transfer, accepted: true, reason: undefined });
  await channel.send({ type: 'want', transfer, part: 0, runs: [[0, 1]], held: [], older: [] });
}

/** An attack ends where the other side hangs up. */
async function until(channel: SessionChannel, attack: Attack): Promise<void> {
  await attack(channel).catch(() => undefined);
}

describe.skipIf(process.platform !== 'linux')(
  'rows 21, 24, 28, 52: a peer that knows the code takes no more than 250 MiB',
  // They have the processors busy, which other tests want as well.
  { timeout: atMost(180_000) },
  () => {
    it.each(Object.entries(SENDERS))('as a sender that %s', async (_, { attack, status, flags = [] }) => {
    const to = await temporaryFolder();
    const { join, channel } = await lure();
    const receiver = await xfer(['receive', ...join, '--yes', ...flags, '--patience', '0', '--out', to]);
    const peak = watchPeak(receiver);
    const attacked = until(await channel, attack);
    expect(await receiver.status(PATIENCE_MS), receiver.text).toBe(status);
    await attacked;
    expect(await namesIn(to)).toEqual([]);
    expect(peak()).toBeGreaterThan(0);
    expect(peak()).toBeLessThan(MOST_MEMORY);
  }); // prettier-ignore

    it.each(Object.entries(RECEIVERS))('as a receiver that %s', async (_, { attack, status }) => {
    const from = path.join(await temporaryFolder(), 'file.bin');
    const content = noise(MIB, 'file');
    await writeFile(from, Buffer.concat(Array<Uint8Array>(300).fill(content)));
    const { host: sender, code, port } = await listening(['send', from, '--patience', '0']);
    const peak = watchPeak(sender);
    const attacked = until(await visit(code, port), attack);
    expect(await sender.status(PATIENCE_MS), sender.text).toBe(status);
    await attacked;
    expect(peak()).toBeGreaterThan(0);
    expect(peak()).toBeLessThan(MOST_MEMORY);
  }); // prettier-ignore
  },
);
