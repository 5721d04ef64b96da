import { randomFillSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TreeDigest } from '../../../src/crypto/digest.js';
import { XferError } from '../../../src/errors.js';
import { FileDigest } from '../../../src/transfer/file-digest.js';
import { MemoryHasher } from '../../support/memory-hasher.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource, flatten } from '../../support/memory-source.js';
import { ending, sketch, transfer } from '../../support/memory-transfer.js';

const MIB = 2 ** 20;

/** Random bytes that another thread could read. */
function shared(length: number): Buffer {
  return randomFillSync(Buffer.from(new SharedArrayBuffer(length)));
}

const large = shared(24 * MIB + 1000);

describe('leaves in another thread', () => {
  it.each([
    ['that ends in the middle of a leaf', 24 * MIB + 1000, 8],
    ['that ends with a leaf', 20 * MIB, 4],
    ['of one leaf more', 17 * MIB, 1],
    ['of no more', 16 * MIB, 0],
  ])('are those from 16 MiB on of a file %s, at both ends', async (_, length, leaves) => {
    const tree = { large: large.subarray(0, length), small: large.subarray(0, 3 * MIB) };
    const [sending, receiving] = [new MemoryHasher(), new MemoryHasher()];
    const sink = new MemorySink();
    const both = transfer(new MemorySource(tree), sink, { hasher: receiving }, { hasher: sending });
    expect(await Promise.all([ending(both.sender), ending(both.receiver)])).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(tree)));
    expect(sending).toMatchObject({ shared: leaves, handedOver: 0 });
    expect(receiving).toMatchObject({ shared: 0, handedOver: leaves });
    expect(Math.max(sending.peak, receiving.peak)).toBeLessThanOrEqual(5);
  });

  it('are none of memory that is not shared, at the sender', async () => {
    const hasher = new MemoryHasher();
    const sink = new MemorySink();
    const content = { large: Buffer.alloc(18 * MIB, 'not shared') };
    const both = transfer(new MemorySource(content), sink, {}, { hasher });
    expect(await Promise.all([ending(both.sender), ending(both.receiver)])).toEqual(['ok', 'ok']);
    expect(sketch(sink.arrived)).toEqual(sketch(flatten(content)));
    expect(hasher.shared + hasher.handedOver).toBe(0);
  });

  it('show what is not as it was sent: nothing gets its name', async () => {
    const receiving = new MemoryHasher();
    receiving.onLeaf = (number, digest) => {
      if (number === 3) digest[0]! ^= 1;
    };
    const sink = new MemorySink();
    const both = transfer(new MemorySource({ large }), sink, { hasher: receiving });
    expect(await ending(both.receiver)).toBe('integrity');
    expect(sink.arrived.size).toBe(0);
    expect(sink.openParts).toBe(0);
  });

  it.each(['the sender', 'the receiver'])(
    'that die with their thread end %s, and leave nothing',
    async (who) => {
      const hasher = new MemoryHasher();
      hasher.onLeaf = (number) => {
        if (number === 2) throw new XferError('internal', { subject: 'the thread that hashes' });
      };
      const sink = new MemorySink();
      const mine = { hasher };
      const isSender = who === 'the sender';
      const source = new MemorySource({ large });
      const both = transfer(source, sink, isSender ? {} : mine, isSender ? mine : {});
      const [one, other] = isSender ? [both.sender, both.receiver] : [both.receiver, both.sender];
      await expect(one.outcome).rejects.toMatchObject({ code: 'internal' });
      expect(await ending(other)).toBe('peer-failed internal');
      expect(sink.arrived.size).toBe(0);
      expect(sink.openParts).toBe(0);
    },
  );
});

describe('FileDigest', () => {
  it('is the tree digest, however pieces and holes come', async () => {
    const piece = shared(MIB);
    const tree = new TreeDigest();
    const digest = new FileDigest(new MemoryHasher());
    let read = 0;
    const steps = [...Array.from({ length: 20 }, () => MIB), 1000, MIB - 1000, -MIB, MIB, -70_000, MIB, 5];
    for (const step of steps) {
      if (step < 0) {
        tree.skipZeros(-step);
        await digest.skipZeros(-step);
      } else {
        tree.update(piece.subarray(0, step));
        await digest.update(piece.subarray(0, step), () => (read += 1));
      }
    }
    expect(Buffer.from(await digest.digest())).toEqual(Buffer.from(tree.digest()));
    expect(read).toBe(steps.filter((step) => step > 0).length);
  });
});
