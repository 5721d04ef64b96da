import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { nodeAddress } from '../../../src/share/node.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const relay = { connections: 2, connectionsPerAddress: 1, bytesPerAddress: 1e9, allow: [] };
let keyFile: string;

beforeEach(async () => {
  keyFile = path.join(await temporaryFolder(), 'xfer', 'relay-key');
});

test('the key of a relay is made once, for all who ask at once, and lies where nobody else can read it', async () => {
  const ask = (): ReturnType<typeof nodeAddress> =>
    nodeAddress({ host: '192.0.2.7', port: 49_737, relay, keyFile });
  const all = await Promise.all(Array.from({ length: 8 }, ask));
  expect(new Set(all.map((address) => address.relay)).size).toBe(1);
  expect(all[0]).toEqual({
    bootstrap: '192.0.2.7:49737',
    relay: expect.stringMatching(/^[\da-f]{64}$/) as unknown,
  });
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  expect(await ask()).toEqual(all[0]);
});

test('the key of a relay is not replaced where it is broken', async () => {
  await nodeAddress({ host: '192.0.2.7', port: 49_737, relay, keyFile });
  await writeFile(keyFile, 'abc');
  await expect(nodeAddress({ host: '192.0.2.7', port: 49_737, relay, keyFile })).rejects.toMatchObject({
    code: 'config-invalid',
    subject: keyFile,
  });
  expect(await readFile(keyFile, 'utf8')).toBe('abc');
});

test('a node that has no relay needs no key, and one whose address is none makes none', async () => {
  const without = { host: '192.0.2.7', port: 49_737, relay: undefined, keyFile };
  expect(await nodeAddress(without)).toEqual({ bootstrap: '192.0.2.7:49737', relay: undefined });
  await expect(nodeAddress({ ...without, host: '1.2.3', relay })).rejects.toMatchObject({
    code: 'bad-address',
    subject: '1.2.3',
  });
  await expect(stat(keyFile)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('who may use a relay is read before anything is done', async () => {
  for (const network of ['office', '10.0.0.0/33', '10.0.0.0/', '::1/129', '']) {
    const place = {
      host: '192.0.2.7',
      port: 49_737,
      relay: { ...relay, allow: ['10.0.0.7', network] },
      keyFile,
    };
    await expect(nodeAddress(place)).rejects.toMatchObject({
      code: 'usage',
      subject: `'${network}' is neither an address nor a network`,
    });
  }
  await expect(stat(keyFile)).rejects.toMatchObject({ code: 'ENOENT' });
  const allow = ['10.0.0.7', '10.0.0.0/8', '::1', 'fd00::/8'];
  expect(
    (await nodeAddress({ host: '192.0.2.7', port: 1, relay: { ...relay, allow }, keyFile })).relay,
  ).toBeDefined();
});
