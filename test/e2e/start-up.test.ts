import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { joining, listening } from '../support/direct.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, type StartOptions } from '../support/xfer-process.js';

const LOADED = path.resolve(import.meta.dirname, '../support/loaded-packages.js');
/** What takes long to load. */
const HEAVY = [
  '@hyperswarm/secret-stream',
  '@napi-rs/blake-hash',
  'hyperdht',
  'hyperswarm',
  'libsodium-wrappers',
  'libsodium-wrappers-sumo',
  'ora',
];

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

/** Options that have a program write down what it imports, in a file of this name. */
function watched(name: string): StartOptions {
  return { nodeArgs: ['--import', LOADED], env: { XFER_TEST_IMPORTS: path.join(folder, name) } };
}

/** The packages that were imported; with `before`, only those before the first thing was printed. */
async function packages(name: string, before?: 'print'): Promise<string[]> {
  const text = await readFile(path.join(folder, name), 'utf8');
  const [start = ''] = before === undefined ? [text] : text.split('printed\n', 1);
  const specifiers = start.split('\n').filter((line) => /^[@a-z]/.test(line) && line !== 'printed');
  return [...new Set(specifiers.filter((specifier) => !/^(node|file|data):/.test(specifier)))].sort();
}

describe('nothing is loaded before it is needed', () => {
  it.each([[['--version']], [['--help']], [['send', '--help']]])('%j loads commander alone', async (args) => {
    const running = await xfer(args, watched('imports'));

    expect(await running.status()).toBe(0);
    expect(await packages('imports')).toEqual(['commander']);
  });

  it('nothing that moves or encrypts is loaded to complete a line', async () => {
    const running = await xfer(['complete', '--', 'receive', '417-app'], watched('imports'));

    expect(await running.status()).toBe(0);
    expect(running.stdout).toContain('417-apple');
    expect(await packages('imports')).not.toEqual(expect.arrayContaining([expect.toBeOneOf(HEAVY)]));
  });

  it('a code is shown before what proves it is loaded, and a direct transfer loads no DHT', async () => {
    const file = path.join(folder, 'note');
    await writeFile(file, 'for you');
    const { host, code, port } = await listening(['send', file], watched('sender'));
    const join = joining(['send'], code, port);
    const receiver = await xfer(
      ['receive', ...join, '--yes', '--out', path.join(folder, 'got')],
      watched('receiver'),
    );

    expect(await receiver.status()).toBe(0);
    expect(await host.status()).toBe(0);
    const early = await packages('sender', 'print');
    expect(early).toContain('commander');
    expect(early.filter((name) => HEAVY.includes(name) && name !== '@napi-rs/blake-hash')).toEqual([]);
    for (const side of ['sender', 'receiver']) {
      const all = await packages(side);
      expect(all).toContain('libsodium-wrappers-sumo');
      expect(
        all.filter((name) => ['hyperdht', 'hyperswarm', 'libsodium-wrappers', 'ora'].includes(name)),
      ).toEqual([]);
    }
  });
});
