/** `xfer receive --update`: what is there already does not travel, and the new version takes the place of the old one at once. */
import { randomBytes } from 'node:crypto';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { joining, listening } from '../support/direct.js';
import { isSoak } from '../support/soak.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { expectSameTree, fillSampleTree, namesIn, noise } from '../support/trees.js';
import { xfer } from '../support/xfer-process.js';

const MIB = 2 ** 20;
/** `npm run soak` takes a larger one. */
const LARGE_BYTES = isSoak ? 1024 * MIB : 64 * MIB;

let from: string;
let to: string;
let home: string;

beforeEach(async () => {
  from = path.join(await temporaryFolder(), 'tree');
  to = await temporaryFolder();
  home = await temporaryFolder();
  await mkdir(from);
});

interface Outcome {
  readonly files: number;
  readonly bytes: number;
  readonly continuedBytes: number;
  readonly alreadyFiles: number;
  readonly exitCode: number;
}

/** One connection, so that what was carried is what has come. Sends `from` and receives it with `flags`; gives what each side said in the end, and the bytes on the line. `kill` stops it when the receiver said `seen`. */
async function bring(
  flags: readonly string[],
  kill?: { readonly afterBytes: number; readonly seen: RegExp },
): Promise<{ sent: Outcome; received: Outcome; lineBytes: number }> {
  const {
    host: sender,
    code,
    port,
  } = await listening(['send', from, '--json', '--patience', '0', '--lanes', '0']);
  const proxy = await TcpProxy.start(port, kill?.afterBytes ?? Infinity);
  try {
    const join = joining(['send'], code, proxy.port);
    const receiver = await xfer(
      ['receive', ...join, '--yes', '--json', '--patience', '0', '--lanes', '0', '--out', to, ...flags],
      { env: { XFER_HOME: home } },
    );
    if (kill !== undefined) {
      await proxy.held;
      await receiver.waitFor(kill.seen);
      receiver.kill('SIGKILL');
    }
    await Promise.all([sender.ended, receiver.ended]);
    const last = (out: string): Outcome => JSON.parse(out.trim().split('\n').at(-1) ?? '{}') as Outcome;
    return { sent: last(sender.stdout), received: last(receiver.stdout), lineBytes: proxy.carried };
  } finally {
    proxy.close();
  }
}

describe('receive --update', () => {
  it('brings a tree up to date, sends what differs, and leaves alone what only the receiver has', async () => {
    await fillSampleTree(from);
    await writeFile(path.join(from, 'large.bin'), noise(6 * MIB, 'large'));
    expect(await bring([])).toMatchObject({ received: { exitCode: 0 } });
    await writeFile(path.join(to, 'tree/mine.txt'), 'mine');

    const edited = Buffer.from(noise(6 * MIB, 'large'));
    await writeFile(path.join(from, 'large.bin'), Buffer.concat([Buffer.from('new start'), edited]));
    await writeFile(path.join(from, 'many/7.txt'), 'changed');
    await writeFile(path.join(from, 'many/new.txt'), 'new');
    await chmod(path.join(from, 'many/8.txt'), 0o600);
    await utimes(path.join(from, 'many/9.txt'), 1_000_000, 1_000_000);
    const { sent, received, lineBytes } = await bring(['--update']);
    expect(received).toMatchObject({ exitCode: 0 });
    // Three files, and those without content, which say nothing by not coming.
    expect(sent).toMatchObject({ files: received.files, alreadyFiles: received.alreadyFiles });
    expect(received.files).toBeLessThanOrEqual(5);
    expect(received.alreadyFiles).toBeGreaterThan(300);
    expect(lineBytes).toBeLessThan(400_000);

    expect(await readdir(to)).toEqual(['tree']);
    expect(await readFile(path.join(to, 'tree/mine.txt'), 'utf8')).toBe('mine');
    const time = await stat(path.join(to, 'tree'));
    await rm(path.join(to, 'tree/mine.txt'));
    await utimes(path.join(to, 'tree'), time.atime, time.mtime);
    await utimes(path.join(from), time.atime, time.mtime);
    await utimes(path.join(from, 'many'), time.atime, time.mtime);
    await utimes(path.join(to, 'tree/many'), time.atime, time.mtime);
    await expectSameTree(path.join(to, 'tree'), from);
  });

  it('moves only the end of a large file that grew', async () => {
    const file = path.join(from, 'log');
    await fillWithNoise(file, LARGE_BYTES);
    await bring(['--no-sync']);
    const handle = await open(file, 'a');
    await handle.write(randomBytes(100_000));
    await handle.close();
    const { received, lineBytes } = await bring(['--update', '--no-sync']);
    expect(received).toMatchObject({ exitCode: 0, files: 1, bytes: LARGE_BYTES + 100_000 });
    const moved = received.bytes - received.continuedBytes;
    expect(moved).toBeGreaterThanOrEqual(100_000);
    // The end, and the span that it was put behind.
    expect(moved).toBeLessThanOrEqual(100_000 + 2 * 2 ** 18);
    // The list of what the file consists of.
    expect(lineBytes).toBeLessThan(moved + LARGE_BYTES / 1000 + 100_000);
    await expectSameTree(path.join(to, 'tree'), from);
  });

  it('goes on after a crash with what it had made, and with the older file', async () => {
    await fillWithNoise(path.join(from, 'large'), 8 * MIB);
    await bring([]);
    const old = await readFile(path.join(from, 'large'));
    const fresh = randomBytes(12 * MIB);
    await writeFile(path.join(from, 'large'), Buffer.concat([fresh, old]));
    // Of the 10 MiB that came, 5 million bytes are on the disk at least.
    await bring(['--update'], { afterBytes: 10 * MIB, seen: /"bytes":(?:[5-9]|1\d)\d{6},/ });
    // The older one has its place until the new one is whole.
    expect((await readFile(path.join(to, 'tree/large'))).equals(old)).toBe(true);
    const { received } = await bring(['--update']);
    expect(received).toMatchObject({ exitCode: 0, files: 1 });
    expect(received.bytes - received.continuedBytes).toBeLessThan(8 * MIB);
    expect(await namesIn(to)).toEqual(['tree', 'tree/large']);
    await expectSameTree(path.join(to, 'tree'), from);
  });

  it('reads no link and waits for no pipe, and replaces what is no file as --overwrite does', async () => {
    const secret = path.join(await temporaryFolder(), 'secret');
    await writeFile(secret, 'the same');
    await writeFile(path.join(from, 'link'), 'the same');
    await mkdir(path.join(to, 'tree'));
    await symlink(secret, path.join(to, 'tree/link'));
    const { received } = await bring(['--update']);
    expect(received).toMatchObject({ exitCode: 0, files: 1, alreadyFiles: 0 });
    expect((await lstat(path.join(to, 'tree/link'))).isFile()).toBe(true);
    expect(await readFile(secret, 'utf8')).toBe('the same');
  });

  it('leaves the other names of an old file what they were', async () => {
    await writeFile(path.join(from, 'a'), noise(MIB, 'new'));
    await mkdir(path.join(to, 'tree'));
    await writeFile(path.join(to, 'tree/a'), 'old');
    await link(path.join(to, 'tree/a'), path.join(to, 'other'));
    expect(await bring(['--update'])).toMatchObject({ received: { exitCode: 0 } });
    expect(await readFile(path.join(to, 'other'), 'utf8')).toBe('old');
    await expectSameTree(path.join(to, 'tree'), from);
  });

  it('cannot be had together with another answer', async () => {
    const process = await xfer(['receive', '1-apple-tiger', '--update', '--overwrite']);
    expect(await process.status()).toBe(2);
    expect(process.stderr).toContain('--overwrite');
  });
});

async function fillWithNoise(file: string, length: number): Promise<void> {
  const handle = await open(file, 'w');
  for (let done = 0; done < length; done += MIB)
    await handle.write(randomBytes(Math.min(MIB, length - done)));
  await handle.close();
}
