import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { pack } from '../../../src/transfer/compression.js';
import { Inbox } from '../../../src/transfer/inbox.js';
import type { Channel, Chunk, Packed, Received } from '../../../src/transfer/ports.js';

const text = Buffer.alloc(100_000, 'the same again ');
const chunk = (offset: number, body: Packed): Chunk => ({
  kind: 'chunk',
  transfer: 1,
  entry: 0,
  offset,
  body,
});

/** A channel on which the given items come, then the end, or the error. */
function arriving(items: readonly Received['item'][], error?: XferError): Channel & { asked: number } {
  let underway = 0;
  const channel = {
    asked: 0,
    path: 'direct',
    compressions: new Set(['stored', 'brotli']),
    receive: async (): Promise<Received | undefined> => {
      expect(++underway).toBe(1);
      const item = items[channel.asked++];
      await setImmediate();
      underway--;
      if (item !== undefined) return { item, cost: 1 };
      if (error !== undefined) throw error;
      return undefined;
    },
    release: () => {},
  };
  return channel as unknown as Channel & { asked: number };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await setImmediate();
}

it('asks for one item at a time, and has four before their turn', async () => {
  const body = await pack(text, 'brotli');
  const channel = arriving(Array.from({ length: 20 }, (_, number) => chunk(number * text.length, body)));
  const inbox = new Inbox(channel);
  await inbox.peek();
  await settle();
  expect(channel.asked).toBe(5);
  for (let number = 0; number < 20; number++) {
    const received = await inbox.take();
    expect(received).toMatchObject({ cost: 1, item: { offset: number * text.length } });
    expect(Buffer.from((await received!.content)!.bytes).equals(text)).toBe(true);
    await settle();
    expect(channel.asked).toBeLessThanOrEqual(number + 5 + 1);
  }
  expect(await inbox.take()).toBeUndefined();
});

it('says that the peer is gone, or gave up, in its turn', async () => {
  const stored: Packed = { compression: 'stored', rawLength: 1, bytes: Buffer.from('a') };
  const gone = new Inbox(arriving([chunk(0, stored), chunk(1, stored)], new XferError('peer-gone')));
  const ended = new Inbox(arriving([chunk(0, stored), chunk(1, stored), { type: 'error', code: 'disk-full' }]));
  for (const [inbox, code] of [[gone, 'peer-gone'], [ended, 'peer-failed']] as const) {
    await inbox.peek();
    await settle();
    expect(await inbox.take()).toMatchObject({ item: { offset: 0 } });
    expect(await inbox.take()).toMatchObject({ item: { offset: 1 } });
    await expect(inbox.take()).rejects.toMatchObject({ code });
  }
}); // prettier-ignore

it('leaves a body that does not unpack to whoever takes it', async () => {
  const broken: Packed = { compression: 'brotli', rawLength: 50_000, bytes: Buffer.from('no brotli') };
  const inbox = new Inbox(arriving([chunk(0, await pack(text, 'brotli')), chunk(text.length, broken)]));
  await inbox.peek();
  await settle();
  await (await inbox.take())!.content;
  await expect((await inbox.take())!.content).rejects.toMatchObject({ code: 'protocol' });
});
