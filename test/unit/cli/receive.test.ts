import { describe, expect, test } from 'vitest';
import { explain } from '../../../src/cli/explain.js';
import { runReceive, type ReceiveFlags } from '../../../src/cli/receive.js';
import {
  XferError,
  type OfferSummary,
  type ReceiveOptions,
  type ReceiveOutcome,
} from '../../../src/index.js';
import { makeOffer, makeWorld, moved, stillWatch, type World, type WorldOptions } from './world.js';

const CODE = '417-apple-tiger';

const outcome: ReceiveOutcome = { ...moved, paths: ['/home/zoe/a.txt'], text: undefined };

interface Received {
  readonly status: number;
  readonly options: ReceiveOptions | undefined;
  readonly world: World;
}

/** Runs the command over a library that offers `offer` and behaves as the real one does about a no. */
async function receive(
  argument: string | undefined,
  flags: ReceiveFlags = {},
  world: WorldOptions = {},
  { offer = makeOffer(), end = outcome }: { offer?: OfferSummary; end?: ReceiveOutcome } = {},
): Promise<Received> {
  let options: ReceiveOptions | undefined;
  const library = {
    receive: async (asked: ReceiveOptions): Promise<ReceiveOutcome> => {
      options = asked;
      const decision = await asked.decide(offer, stillWatch);
      if (!decision.accept) throw new XferError('declined');
      return end;
    },
  };
  const made = makeWorld({ ...world, library });
  const status = await runReceive(argument, flags, made.context);
  return { status, options, world: made };
}

test('flags reach the library', async () => {
  const { status, options } = await receive(CODE, {
    yes: true,
    out: 'd',
    only: ['*.jpg'],
    exec: false,
    sync: false,
    allowDotfiles: true,
    listen: '0',
  });
  expect(status).toBe(0);
  expect(options).toMatchObject({
    code: CODE,
    out: 'd',
    only: ['*.jpg'],
    noExec: true,
    sync: false,
    early: true,
    listen: { host: undefined, port: 0 },
  });
});

test('row 13: XFER_CODE is taken', async () => {
  expect((await receive(undefined, { yes: true }, { code: CODE })).options).toMatchObject({ code: CODE });
});

test('--new makes a code and takes none', async () => {
  const { options } = await receive(undefined, { new: true, yes: true, words: '3' }, { code: CODE });
  expect(options).toMatchObject({ words: 3 });
  expect(options).not.toHaveProperty('code');
  await expect(receive(CODE, { new: true })).rejects.toMatchObject({ code: 'usage' });
});

test.each([{ words: '3' }, { copy: true }, { qr: true }])('%j needs --new', async (flags) => {
  await expect(receive(CODE, flags)).rejects.toMatchObject({ code: 'usage' });
});

test('final paths go to stdout', async () => {
  expect((await receive(CODE, { yes: true })).world.stdout.text).toBe('/home/zoe/a.txt\n');
});

describe('--stdout', () => {
  async function stream(
    failure: XferError | undefined,
  ): Promise<{ status: number; out: string; err: string }> {
    const world = makeWorld({
      library: {
        receive: async ({ decide, output }) => {
          await decide(makeOffer({ kind: 'pipe' }), stillWatch);
          await new Promise((done) => output?.write('12345', done));
          if (failure !== undefined) throw failure;
          return { ...outcome, paths: [] };
        },
      },
    });
    const status = await runReceive(CODE, { stdout: true, yes: true }, world.context);
    return { status, out: world.stdout.text, err: world.stderr.text };
  }

  test('writes the bytes and nothing else', async () => {
    expect(await stream(undefined)).toMatchObject({ status: 0, out: '12345' });
  });

  test('row 13: has a new code beside the bytes, and not among them', async () => {
    const world = makeWorld({
      library: {
        receive: async ({ decide, onEvent, output }) => {
          onEvent?.({ type: 'code', code: CODE });
          await decide(makeOffer({ kind: 'pipe' }), stillWatch);
          await new Promise((done) => output?.write('12345', done));
          return { ...outcome, paths: [] };
        },
      },
    });
    expect(await runReceive(undefined, { new: true, stdout: true, yes: true }, world.context)).toBe(0);
    expect(world.stdout.text).toBe('12345');
    expect(world.stderr.lines).toContain(CODE);
  });

  test('says how many bytes were good when it breaks', async () => {
    const { status, out, err } = await stream(new XferError('peer-gone'));
    expect({ status, out }).toEqual({ status: 1, out: '12345' });
    expect(err).toContain('xfer: error: the other side is gone: the first 5 bytes (5 B) are good\n');
  });

  test.each(['integrity', 'protocol'] as const)(
    'row 22: calls nothing good where the whole is not what was sent (%s)',
    async (code) => {
      const failure = new XferError(code);
      const { sentence, hint } = explain(failure);
      const { status, out, err } = await stream(failure);
      expect({ status, out }).toEqual({ status: 4, out: '12345' });
      expect(err).toContain(`xfer: error: ${sentence}\n`);
      expect(err.replaceAll(/\s+/g, ' ')).toContain(`xfer: hint: ${hint}`);
      expect(err).not.toContain('are good');
    },
  );

  test('row 55: is harmless on a terminal, to the last byte', async () => {
    const world = makeWorld({
      terminal: true,
      library: {
        receive: async ({ decide, output }) => {
          await decide(makeOffer({ kind: 'pipe' }), stillWatch);
          const bytes = Buffer.from('é\u001b[2J\r\nb\r');
          for (const byte of bytes) await new Promise((done) => output?.write(Buffer.of(byte), done));
          return { ...outcome, paths: [] };
        },
      },
    });
    await runReceive(CODE, { stdout: true, yes: true }, world.context);
    expect(world.stdout.text).toBe('é\\u{1b}[2J\nb\\u{d}');
  });

  test('keeps the status of Ctrl-C', async () => {
    expect(await stream(new XferError('interrupted'))).toMatchObject({ status: 130 });
  });
});

test('a text goes to stdout', async () => {
  const end = { ...outcome, paths: [], text: 'hi\n' };
  const { world } = await receive(CODE, { yes: true }, {}, { offer: makeOffer({ kind: 'text' }), end });
  expect(world.stdout.text).toBe('hi\n');
});

describe('a no has its own words and status', () => {
  test.each<[ReceiveFlags, WorldOptions, Partial<OfferSummary>, number, string]>([
    [{}, { terminal: true, input: 'n\n' }, {}, 1, 'you declined, nothing was received'],
    [{}, {}, {}, 2, 'there is a question to answer and nobody to ask'],
    [{ json: true }, { terminal: true }, {}, 2, 'there is a question to answer and nobody to ask'],
    [{ yes: true }, {}, { conflicts: ['a.txt'], conflictCount: 1 }, 2, 'a.txt exists already'],
    [{ yes: true }, {}, { dotNames: ['.bashrc'] }, 2, '.bashrc is a name that other programs may obey'],
    [
      { yes: true },
      {},
      { intoHome: true },
      2,
      'this would be put into your home folder, or under a name that begins with a dot',
    ],
  ])('%j', async (flags, options, changes, status, sentence) => {
    const received = await receive(CODE, flags, options, { offer: makeOffer(changes) });
    expect(received.status).toBe(status);
    const { stdout, stderr } = received.world;
    expect(stdout.text + stderr.text).toContain(sentence);
  });
});

test('--dry-run shows the offer and is a success', async () => {
  const { status, world } = await receive(CODE, { dryRun: true });
  expect(status).toBe(0);
  expect(world.stderr.text).toContain('a.txt');
  expect(world.stderr.text).not.toContain('error');
});

describe('what exists', () => {
  const offer = makeOffer({ conflicts: ['a.txt'], conflictCount: 1 });

  test('is left out without a failure where the person chose that', async () => {
    const end = { ...outcome, skippedCount: 1 };
    expect((await receive(CODE, { yes: true, skip: true }, {}, { offer, end })).status).toBe(0);
  });

  test('is a failure where it came up later', async () => {
    const missing = [{ path: 'a.txt', reason: 'target-exists' as const }];
    const end = { ...outcome, missing, missingCount: 1 };
    expect((await receive(CODE, { yes: true }, {}, { end })).status).toBe(1);
  });
});

test.each([[{}], [{ json: true }]])('a text that cannot be written is no success (%j)', async (flags) => {
  const world = makeWorld({ library: { receive: async () => ({ ...outcome, paths: [], text: 'hello' }) } });
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  world.stdout._write = (_piece, _encoding, done: (error?: Error) => void) => done(full);
  world.stdout.on('error', () => undefined);
  expect(await runReceive(CODE, { yes: true, ...flags }, world.context)).toBe(3);
  expect(world.stderr.text).not.toContain('verified');
});

test('Ctrl-C is told as such', async () => {
  const world = makeWorld({
    terminal: true,
    library: {
      receive: async ({ decide, signal }) => {
        await decide(makeOffer(), stillWatch);
        throw new XferError(signal?.aborted === true ? 'interrupted' : 'internal');
      },
    },
    input: '\u0003',
  });
  expect(await runReceive(CODE, {}, world.context)).toBe(130);
  expect(world.stderr.text).toContain('xfer: error: interrupted');
});

test('a yes may come while the sender counts, a look at the offer waits for its end', async () => {
  expect((await receive(CODE, {}, { terminal: true, input: 'y\n' })).options?.early).toBe(true);
  expect((await receive(CODE, { yes: true }, {})).options?.early).toBe(true);
  expect((await receive(CODE, { yes: true, dryRun: true }, {})).options?.early).toBe(false);
});
