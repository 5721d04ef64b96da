/** Sessions whose file bytes take lanes, from end to end of the library. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { receive, send, type MeetingOptions, type XferEvent } from '../../src/index.js';
import { deferred } from '../../src/peer/promises.js';
import { freePort } from '../support/direct.js';
import { startPrivateDht, type PrivateDht } from '../support/private-dht.js';
import { temporaryFolder } from '../support/temporary-folder.js';

type Side = Omit<MeetingOptions, 'code' | 'onEvent'>;

let dht: PrivateDht;
beforeAll(async () => (dht = await startPrivateDht()));
afterAll(() => dht.close());

/** Sends one file, and gives what both sides said meanwhile; fails unless it arrived as it was. */
async function transfer(
  sender: Side,
  receiver: Side,
  bytes = 30_000_000,
): Promise<{ sent: XferEvent[]; received: XferEvent[] }> {
  const folder = await temporaryFolder();
  const content = randomBytes(bytes);
  const file = path.join(folder, 'content');
  await writeFile(file, content);
  const code = deferred<string>();
  const [sent, received]: XferEvent[][] = [[], []];
  const sending = send(
    { kind: 'files', paths: [file] },
    {
      ...sender,
      onEvent: (event) => {
        sent.push(event);
        if (event.type === 'code') code.resolve(event.code);
      },
    },
  );
  sending.catch(code.reject);
  const receiving = receive({
    ...receiver,
    code: await code.promise,
    out: path.join(folder, 'arrived'),
    decide: () => Promise.resolve({ accept: true, conflicts: 'refuse' }),
    onEvent: (event) => void received.push(event),
  });
  const [outcome] = await Promise.all([receiving, sending]);
  const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
  expect(digest(await readFile(outcome.paths[0]!))).toBe(digest(content));
  return { sent, received };
}

const paths = (events: readonly XferEvent[]): unknown[] => events.filter(({ type }) => type === 'path');

describe('after a meeting through the DHT', () => {
  test('file bytes move to a lane, and both sides say so once', async () => {
    const { sent, received } = await transfer({ bootstrap: dht.bootstrap }, { bootstrap: dht.bootstrap });
    for (const events of [sent, received]) {
      expect(events.find(({ type }) => type === 'connected')).toMatchObject({ path: 'dht' });
      expect(paths(events)).toEqual([
        {
          type: 'path',
          path: 'direct',
          address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
          lanes: 1,
        },
      ]);
    }
  });
});
