/** A crowd of strangers at the port of a sender that waits, and the one honest receiver among them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { listening } from '../support/direct.js';
import { watchPeak } from '../support/memory-peak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
const MOST_MEMORY = 250 * MIB;
const CROWD = path.resolve(import.meta.dirname, '../support/crowd.js');

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** Resolves when all of them were connected once. */
async function gather(port: number, count: number, stranger: string): Promise<void> {
  const crowd = spawn(process.execPath, [CROWD, String(port), String(count), stranger], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  endings.push(() => crowd.kill('SIGKILL'));
  const [line] = (await once(crowd.stdout, 'data')) as [Buffer];
  expect(String(line)).toBe('all were connected\n');
}

describe.skipIf(process.platform !== 'linux')('a crowd of strangers', () => {
  it.each([
    ['2,000 that say nothing', 2_000, 'silent'],
    ['2,000 that say a byte now and then', 2_000, 'slow'],
    ['2,000 that announce frames of 16 MiB', 2_000, 'large'],
    ['2,000 that announce what strangers may say, and say half of it', 2_000, 'open'],
    ['2,000 that want lanes which nobody offered', 2_000, 'lanes'],
    ['300 that get through the handshake and say nothing', 300, 'noise'],
    ['300 that get through the handshake and say 8 kB of nothing', 300, 'talkative'],
  ])('rows 23, 28, 30: %s cost a sender little memory, and nobody the file', async (_, count, stranger) => {
    const from = path.join(await temporaryFolder(), 'file.bin');
    const to = await temporaryFolder();
    await writeFile(from, noise(3 * MIB, 'file'));
    const { host: sender, join, port } = await listening(['send', from]);
    const peak = watchPeak(sender);
    await gather(port, count, stranger);
    const receiver = await xfer(['receive', ...join, '--yes', '--out', to]);
    expect(await receiver.status(), receiver.text).toBe(0);
    expect(await sender.status(), sender.text).toBe(0);
    expect((await readFile(path.join(to, 'file.bin'))).equals(await readFile(from))).toBe(true);
    expect(peak()).toBeGreaterThan(0);
    expect(peak()).toBeLessThan(MOST_MEMORY);
  });
});
