import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { qrLines } from '../../../src/cli/qr.js';
import { runSend, type SendFlags } from '../../../src/cli/send.js';
import {
  XferError,
  type Content,
  type ContentListing,
  type MeetingOptions,
  type TransferOutcome,
} from '../../../src/index.js';
import { makeWorld, moved, type World, type WorldOptions } from './world.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xfer-send-'));
});

afterEach(() => rm(folder, { recursive: true }));

interface Sent {
  readonly status: number;
  readonly content: Content | undefined;
  readonly options: MeetingOptions | undefined;
  readonly world: World;
}

/** Runs the command over a library that does what `act` does. */
async function send(
  paths: readonly string[],
  flags: SendFlags = {},
  world: WorldOptions = {},
  act: (options: MeetingOptions) => Promise<TransferOutcome> = () => Promise.resolve(moved),
): Promise<Sent> {
  let content: Content | undefined;
  let options: MeetingOptions | undefined;
  const library = {
    send: async (given: Content, asked: MeetingOptions): Promise<TransferOutcome> => {
      content = given;
      options = asked;
      return act(asked);
    },
  };
  const made = makeWorld({ ...world, library: { ...library, ...world.library } });
  const status = await runSend(paths, flags, made.context);
  return { status, content, options, world: made };
}

describe('what is sent', () => {
  test('files with their rules', async () => {
    const { content, status } = await send(['a', 'b'], {
      follow: true,
      exclude: ['*.o'],
      gitignore: true,
      portable: true,
      compress: true,
    });
    expect(status).toBe(0);
    expect(content).toEqual({
      kind: 'files',
      paths: ['a', 'b'],
      follow: true,
      exclude: ['*.o'],
      gitignore: true,
      portable: true,
    });
  });

  test('every kind of content as it is, with --no-compress', async () => {
    const flags = { compress: false };
    for (const { content } of [
      await send(['a'], flags),
      await send([], { ...flags, text: 'hi' }),
      await send(['-'], flags, { input: 'x' }),
    ]) {
      expect(content).toMatchObject(flags);
    }
  });

  test.each([
    ['a\nb c\r\n\nd', ['a', 'b c', 'd']],
    ['a\nb\0c\0', ['a\nb', 'c']],
  ])('files of a list %j', async (list, paths) => {
    const file = join(folder, 'list');
    await writeFile(file, list);
    expect((await send(['z'], { filesFrom: file })).content).toMatchObject({ paths: ['z', ...paths] });
    expect((await send([], { filesFrom: '-' }, { input: list })).content).toMatchObject({ paths });
  });

  test('a text, given or read', async () => {
    expect((await send([], { text: 'hi' })).content).toEqual({ kind: 'text', text: 'hi' });
    expect((await send([], { text: '-' }, { input: 'zwölf\n' })).content).toEqual({
      kind: 'text',
      text: 'zwölf\n',
    });
  });

  test('a pipe', async () => {
    const { content, world } = await send(['-'], {}, { input: 'x' });
    expect(content).toEqual({ kind: 'pipe', input: world.context.stdin });
  });

  test.each<[readonly string[], SendFlags, WorldOptions, string]>([
    [[], {}, {}, 'usage'],
    [['a'], { text: 'hi' }, {}, 'usage'],
    [['a', '-'], {}, {}, 'usage'],
    [['-'], {}, { terminal: true }, 'usage'],
    [[], { filesFrom: '/nonexistent/list' }, {}, 'path-missing'],
    [[], { filesFrom: '/' }, {}, 'path-unreadable'],
    [[], { text: '-' }, { input: 'x'.repeat(2 ** 20 + 1) }, 'limit'],
    [[], { text: 'hi', dryRun: true }, {}, 'usage'],
    [['a'], { words: '1' }, {}, 'usage'],
    [['a'], { code: 'nonsense' }, {}, 'bad-code'],
  ])('%j with %j is refused', async (paths, flags, world, code) => {
    await expect(send(paths, flags, world)).rejects.toMatchObject({ code });
  });
});

test.each<SendFlags>([{ text: '-' }, { filesFrom: '-' }])(
  'what waits for %j ends by an interruption',
  async (flags) => {
    const { context, stdin, interruption } = makeWorld();
    const sending = runSend([], flags, context);
    stdin.write('begun');
    await new Promise(setImmediate);
    interruption.abort();
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' });
  },
);

test('flags reach the library', async () => {
  const flags = { code: '417 Apple Tiger', connect: '127.0.0.1:9', verify: true };
  const { options } = await send(['a'], flags, { terminal: true });
  expect(options).toMatchObject({
    code: '417-apple-tiger',
    connect: { host: '127.0.0.1', port: 9 },
    verify: true,
  });
});

test('an environment with a code does not make a sender join', async () => {
  expect((await send(['a'], {}, { code: '417-apple-tiger' })).options).not.toHaveProperty('code');
});

describe('the words to compare', () => {
  test.each([
    ['y\n', true],
    ['\n', false],
    ['\u0004', false],
  ])('are asked about: %j', async (input, equal) => {
    let answer: boolean | undefined;
    const { world } = await send(['a'], {}, { terminal: true, input }, async ({ compareWords }) => {
      answer = await compareWords?.(['one', 'two'], new AbortController().signal);
      return moved;
    });
    expect(answer).toBe(equal);
    expect(world.stderr.text).toContain('one two\n');
    expect(world.stderr.text).toContain('do both screens show the same words? [y/N]');
  });

  test('need somebody to ask', async () => {
    const usage = { code: 'usage', subject: expect.stringContaining('--verify') as string };
    await expect(send(['a'], { verify: true })).rejects.toMatchObject(usage);
    await expect(send(['a'], { verify: true, json: true }, { terminal: true })).rejects.toMatchObject(usage);
    expect((await send(['a'])).options).not.toHaveProperty('compareWords');
    expect((await send(['a'], { json: true }, { terminal: true })).options).not.toHaveProperty(
      'compareWords',
    );
  });
});

describe('the end', () => {
  test.each([
    [{ ...moved }, 0],
    [{ ...moved, skippedCount: 5 }, 0],
    [{ ...moved, skippedCount: 5, missingCount: 3 }, 1],
    [{ ...moved, missing: [{ path: 'p', reason: 'path-unreadable' }], missingCount: 1 }, 1],
    [{ ...moved, missing: [{ path: 'n', reason: 'name-refused' }], missingCount: 1 }, 1],
    [{ ...moved, missing: [{ path: 'l', reason: 'link-skipped' }], missingCount: 1 }, 1],
    [{ ...moved, missingCount: 1 }, 1],
  ] as const)('%j has status %i', async (end, status) => {
    expect((await send(['a'], {}, {}, () => Promise.resolve(end))).status).toBe(status);
  });

  test('what was left out on purpose is listed too, and all of it counted', async () => {
    const { status, world } = await send(['a'], {}, {}, ({ onEvent }) => {
      for (let number = 0; number < 1500; number++) {
        onEvent?.({ type: 'skipped', skipped: { path: `link ${number}`, reason: 'link-skipped' } });
      }
      return Promise.resolve({ ...moved, skippedCount: 1500 });
    });
    expect(status).toBe(0);
    expect(world.stderr.text).toContain('1,500 entries left out:\n  link 0  a symbolic link\n');
  });

  test('an error has its status and its words', async () => {
    const { status, world } = await send(['a'], {}, {}, () => Promise.reject(new XferError('peer-gone')));
    expect(status).toBe(3);
    expect(world.stderr.text).toMatch(/^xfer: error: the other side is gone\nxfer: hint: /);
    expect(world.stdout.text).toBe('');
  });

  test('what is no error of ours is a bug', async () => {
    const { status } = await send(['a'], {}, {}, () => Promise.reject(new TypeError('oops')));
    expect(status).toBe(70);
  });

  test('--json tells both on stdout and nothing elsewhere', async () => {
    const { world } = await send(['a'], { json: true }, {}, ({ onEvent }) => {
      onEvent?.({ type: 'code', code: '417-apple-tiger' });
      return Promise.reject(new XferError('code-expired'));
    });
    expect(world.stdout.lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
      'code',
      'error',
    ]);
    expect(world.stderr.text).toBe('');
  });

  test('--quiet leaves the code and errors', async () => {
    const { world } = await send(['a'], { quiet: true }, {}, ({ onEvent }) => {
      onEvent?.({ type: 'code', code: '417-apple-tiger' });
      return Promise.reject(new XferError('code-expired'));
    });
    expect(world.stdout.text).toBe('417-apple-tiger\n');
    expect(world.stderr.lines[0]).toBe('xfer: error: the code has expired');
  });

  test('row 14: --debug tells events on stderr without the code', async () => {
    const { world } = await send(['a'], { debug: true, quiet: true }, {}, ({ onEvent }) => {
      onEvent?.({ type: 'code', code: '417-apple-tiger' });
      return Promise.reject(new XferError('internal', { cause: new Error('417-apple-tiger') }));
    });
    expect(world.stderr.text).toContain('xfer: debug: ');
    expect(world.stderr.text).not.toMatch(/apple|tiger/);
  });
});

test('--qr shows the code in blocks', async () => {
  const { world } = await send(['a'], { qr: true }, {}, async ({ onEvent }) => {
    onEvent?.({ type: 'code', code: '417-apple-tiger' });
    // As long as it takes to load what draws them.
    await import('../../../src/cli/qr.js');
    await new Promise(setImmediate);
    return moved;
  });
  expect(world.stderr.lines).toEqual(expect.arrayContaining(qrLines('417-apple-tiger')));
});

describe('--dry-run', () => {
  async function* listContent(): AsyncGenerator<ContentListing> {
    yield { entries: [{ path: 'photos', type: 'folder', size: 0 }], skipped: [] };
    yield {
      entries: [{ path: 'photos/a', type: 'file', size: 5 }],
      skipped: [{ path: 'photos/l', reason: 'link-skipped' }],
    };
  }

  test('lists what would be sent and left out', async () => {
    const { status, content, world } = await send(['photos'], { dryRun: true }, { library: { listContent } });
    expect([status, content]).toEqual([0, undefined]);
    expect(world.stdout.lines).toEqual(['photos', 'photos/a']);
    expect(world.stderr.lines).toEqual(['1 entry left out:', '  photos/l  a symbolic link']);
  });

  test('lists it as events', async () => {
    const { world } = await send(['photos'], { dryRun: true, json: true }, { library: { listContent } });
    expect(world.stdout.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { event: 'listed', path: 'photos' },
      { event: 'listed', path: 'photos/a', size: 5 },
      { event: 'skipped', skipped: { path: 'photos/l', reason: 'link-skipped' } },
    ]);
  });
});

describe('to a device', () => {
  const config = { env: { XFER_HOME: '/home/zoe/xfer' } };

  test('there is no code, and the library is told where devices are remembered', async () => {
    const { options, world } = await send(['a'], { to: 'pi' }, config);
    expect(options?.device).toEqual({ name: 'pi', devices: '/home/zoe/xfer/devices' });
    expect(options).not.toHaveProperty('code');
    expect(options).not.toHaveProperty('words');
    expect(options).not.toHaveProperty('connect');
    expect(world.stderr.text).toContain("looking for 'pi'");
  });

  test('an address for this time is the only place that is looked at', async () => {
    const { options } = await send(['a'], { to: 'pi', addr: 'pi.home' }, config);
    expect(options?.connect).toEqual({ host: 'pi.home', port: 7337 });
    expect(options?.alsoDht).toBeUndefined();
  });

  test('an address without a device is a usage error', async () => {
    await expect(send(['a'], { addr: 'pi.home' })).rejects.toMatchObject({ code: 'usage' });
    await expect(send(['a'], { to: 'pi', addr: '7337' })).rejects.toMatchObject({ code: 'bad-address' });
  });

  test('what went wrong is said without a code', async () => {
    const { status, world } = await send(['a'], { to: 'pi' }, config, () =>
      Promise.reject(new XferError('peer-gone')),
    );
    expect(status).toBe(3);
    expect(world.stderr.text).toContain('xfer: hint: start it again when the other machine is there');
    expect(world.stderr.text).not.toContain('code');
  });
});
