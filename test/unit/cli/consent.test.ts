import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Consent, type ConsentOptions } from '../../../src/cli/consent.js';
import { explain } from '../../../src/cli/explain.js';
import { Narrator } from '../../../src/cli/narrator.js';
import { Prompts } from '../../../src/cli/prompts.js';
import { PlainScreen } from '../../../src/cli/screen.js';
import { XferError, type Decision, type OfferSummary, type OfferWatch } from '../../../src/index.js';
import { makeOffer, makeWorld, stillWatch, type, type World } from './world.js';

interface Asked {
  readonly decision: Promise<Decision>;
  readonly consent: Consent;
  readonly world: World;
}

function decide(
  offer: OfferSummary,
  options: Partial<ConsentOptions> = {},
  input?: string,
  watch: OfferWatch = stillWatch,
): Asked {
  const world = makeWorld({ terminal: true, ...(input === undefined ? {} : { input }) });
  const { context } = world;
  const narrator = new Narrator({
    meeting: { role: 'receive', joins: true },
    screen: new PlainScreen(context.stderr, () => 0),
    stdout: context.stdout,
    stderr: context.stderr,
    now: () => 0,
  });
  const all = {
    yes: false,
    dryRun: false,
    policy: undefined,
    allowDotfiles: false,
    canAsk: true,
    signal: context.signal,
    ...options,
  };
  const consent = new Consent(all, narrator, new Prompts(context));
  return { decision: consent.decide(offer, watch), consent, world };
}

const accepted = (conflicts: string): unknown => ({ accept: true, conflicts });
const refused = (reason: string): unknown => ({ accept: false, reason });

describe('a person', () => {
  test.each([
    ['y\n', accepted('refuse')],
    ['\n', accepted('refuse')],
    ['n\n', refused('declined')],
    ['\u0004', refused('declined')],
  ])('who answers %j', async (input, expected) => {
    const { decision, consent } = decide(makeOffer(), {}, input);
    expect(await decision).toEqual(expected);
    if (expected !== undefined && !(await decision).accept) {
      expect(consent.refusal).toMatchObject({ code: 'declined', subject: 'you' });
    }
  });

  test('sees the offer before the question', async () => {
    const { decision, world } = decide(makeOffer(), {}, 'y\n');
    await decision;
    const text = stripVTControlCharacters(world.stderr.text);
    expect(text).toContain('offered: 1 file, 5 B\n  a.txt  5 B\nreceive? [Y/n] ');
  });

  test('has to mean it when the offer does not fit', async () => {
    const large = makeOffer({ bytes: 10, freeBytes: 9 });
    expect(await decide(large, {}, '\n').decision).toEqual(refused('declined'));
    expect(await decide(large, {}, 'y\n').decision).toEqual(accepted('refuse'));
    // What is here of it already needs no room.
    expect(await decide({ ...large, partBytes: 1 }, {}, '\n').decision).toEqual(accepted('refuse'));
  });

  test('is shown a text without a question', async () => {
    expect(await decide(makeOffer({ kind: 'text' })).decision).toEqual(accepted('refuse'));
  });

  test('who presses Ctrl-C has not declined', async () => {
    const { decision, consent } = decide(makeOffer(), {}, '\u0003');
    expect(await decision).toEqual(refused('declined'));
    expect(consent.refusal).toBeUndefined();
  });

  test('whose peer leaves has not declined', async () => {
    const gone = new AbortController();
    const { decision, consent } = decide(makeOffer(), {}, undefined, { ...stillWatch, signal: gone.signal });
    await new Promise(setImmediate);
    gone.abort();
    expect(await decision).toEqual(refused('declined'));
    expect(consent.refusal).toBeUndefined();
  });
});

describe('row 43: what exists', () => {
  const conflicting = makeOffer({ conflicts: ['a.txt'], conflictCount: 1 });

  test.each([
    ['o\n', accepted('overwrite')],
    ['rename\n', accepted('rename')],
    ['s\n', accepted('skip')],
    ['c\n', refused('declined')],
    ['', refused('declined')],
  ])('is asked about: %j', async (answer, expected) => {
    const { decision, world } = decide(conflicting);
    await type(world.stdin, ['y\n', 'x\n']);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    world.stdin.end(answer);
    expect(await decision).toEqual(expected);
  });

  test.each(['overwrite', 'rename', 'skip'] as const)('is not asked about with --%s', async (policy) => {
    expect(await decide(conflicting, { policy }, 'y\n').decision).toEqual(accepted(policy));
  });

  test('is refused in a script that says nothing about it', async () => {
    const { decision, consent } = decide(conflicting, { yes: true, canAsk: false });
    expect(await decision).toEqual(refused('target-exists'));
    expect(consent.refusal).toMatchObject({ code: 'target-exists', subject: 'a.txt', detail: undefined });
  });

  test('hears that another transfer of it is under way here', async () => {
    const { decision, consent } = decide({ ...conflicting, isBusy: true }, { yes: true });
    expect(await decision).toEqual(refused('target-exists'));
    expect(explain(consent.refusal!).hint).toContain('another xfer receives the same here');
    expect(explain(new XferError('target-exists')).hint).not.toContain('another xfer');
  });

  test.each(['croc-stdin-1', '-', 'a.part', '--yes', 'y', '\n', '.part', '\u0000'])(
    'row 43: no name from the sender skips the question: %j',
    async (name) => {
      const offer = makeOffer({
        roots: [{ name, type: 'file', size: 1 }],
        conflicts: [name],
        conflictCount: 1,
      });
      expect(await decide(offer, {}, '\u0004').decision).toEqual(refused('declined'));
      expect(await decide(offer, { canAsk: false }).decision).toEqual(refused('no-terminal'));
      expect(await decide(offer, { yes: true }).decision).toEqual(refused('target-exists'));
    },
  );
});

test.each(['files', 'text', 'pipe'] as const)('nobody to ask and no --yes declines %s', async (kind) => {
  const { decision, consent } = decide(makeOffer({ kind }), { canAsk: false });
  expect(await decision).toEqual(refused('no-terminal'));
  expect(consent.refusal).toMatchObject({ code: 'no-terminal' });
});

describe('row 44: a protected place', () => {
  const dots = makeOffer({ dotNames: ['.bashrc'] });
  const home = makeOffer({ intoHome: true });

  test.each([dots, home])('is not covered by --yes', async (offer) => {
    expect(await decide(offer, { yes: true }).decision).toEqual(refused('target-protected'));
    expect(await decide(offer, { yes: true, allowDotfiles: true }).decision).toEqual(accepted('refuse'));
  });

  test.each([dots, home])('has a question of its own', async (offer) => {
    const { decision, world } = decide(offer);
    await type(world.stdin, ['y\n', 'y\n']);
    expect(await decision).toEqual(accepted('refuse'));
    expect(world.stderr.text).toContain('allow it? [y/N]');
    expect(await decide(offer, {}, '\n').decision).toEqual(refused('declined'));
  });
});

test('--dry-run shows the offer and declines, with --yes too', async () => {
  const { decision, consent, world } = decide(makeOffer(), { dryRun: true, yes: true, canAsk: false });
  expect(await decision).toEqual(refused('dry-run'));
  expect(consent.refusal).toMatchObject({ code: 'dry-run' });
  expect(world.stderr.text).toContain('a.txt');
});

describe('while the sender counts', () => {
  const early = makeOffer({ complete: false, files: 120_000, bytes: 1e9 });

  function growing(): { watch: OfferWatch; update: (offer: OfferSummary) => void } {
    let callback: (offer: OfferSummary) => void = () => undefined;
    const watch = {
      onUpdate: (listener: typeof callback) => {
        callback = listener;
      },
      signal: new AbortController().signal,
    };
    return { watch, update: (offer) => callback(offer) };
  }

  test('the question waits for the last figures', async () => {
    const { watch, update } = growing();
    const { decision, world } = decide(early, {}, 'y\n', watch);
    await new Promise(setImmediate);
    expect(world.stderr.text).not.toContain('offered');
    update(makeOffer({ files: 200_000 }));
    expect(await decision).toEqual(accepted('refuse'));
    expect(world.stderr.text).toContain('offered: 200,000 files');
  });

  test('a script says yes as soon as nothing can be in the way', async () => {
    const { watch, update } = growing();
    const { decision, world } = decide(early, { yes: true }, undefined, watch);
    await new Promise(setImmediate);
    expect(world.stderr.text).not.toContain('offered');
    update({ ...early, isAllNew: true });
    expect(await decision).toEqual(accepted('refuse'));
    expect(await decide(early, { yes: true, policy: 'skip' }).decision).toEqual(accepted('skip'));
    const dotted = { ...early, isAllNew: true, dotNames: ['.profile'] };
    expect(await decide(dotted, { yes: true }).decision).toEqual(refused('target-protected'));
  });

  test('a script waits for them where something exists', async () => {
    const { watch, update } = growing();
    const { decision } = decide(early, { yes: true }, undefined, watch);
    await new Promise(setImmediate);
    update(makeOffer({ conflictCount: 1, conflicts: ['a'] }));
    expect(await decision).toEqual(refused('target-exists'));
  });

  test('an impatient person may answer, and is still asked about what exists', async () => {
    const { watch, update } = growing();
    const { decision, world } = decide(early, { patienceMs: 0 }, undefined, watch);
    await until(() => world.stderr.text.includes('still counting'));
    await type(world.stdin, ['y\n']);
    await new Promise(setImmediate);
    update(makeOffer({ conflictCount: 1, conflicts: ['a'] }));
    await until(() => world.stderr.text.includes('[o/u/r/s/c]'));
    await type(world.stdin, ['s\n']);
    expect(await decision).toEqual(accepted('skip'));
  });

  test('who said before what becomes of what exists sees that before the answer', async () => {
    const offer = makeOffer({ conflictCount: 1, conflicts: ['a'] });
    const { decision, world } = decide(offer, { policy: 'overwrite' }, 'y\n');
    expect(await decision).toEqual(accepted('overwrite'));
    expect(world.stderr.text).toContain('exists here, will be overwritten:\n  a\n');
  });

  test('an impatient person with a policy starts at once', async () => {
    const { decision, world } = decide(early, { patienceMs: 0, policy: 'rename' });
    await until(() => world.stderr.text.includes('still counting'));
    await type(world.stdin, ['y\n']);
    expect(await decision).toEqual(accepted('rename'));
  });

  test('the early question goes when the count is there', async () => {
    const { watch, update } = growing();
    const { decision, world } = decide(early, { patienceMs: 0 }, undefined, watch);
    await until(() => world.stderr.text.includes('still counting'));
    update(makeOffer());
    await until(() => world.stderr.text.includes('receive? [Y/n]'));
    await type(world.stdin, ['n\n']);
    expect(await decision).toEqual(refused('declined'));
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
