import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { treeOf } from '../../../scripts/tree.js';
import { XferError } from '../../../src/errors.js';
import { openSink } from '../../../src/files/sink.js';
import { inboxOf } from '../../../src/files/device-inbox.js';
import { SharedFolder } from '../../../src/files/shared-folder.js';
import { answerRequests, type Mover, type ShareAction } from '../../../src/share/answering.js';
import { NO_RIGHTS, type Right, type Rights } from '../../../src/share/rights.js';
import { Exchange, SHARE_WORDS } from '../../../src/transfer/exchange.js';
import { receiveFiles } from '../../../src/transfer/receiver.js';
import { sendFiles } from '../../../src/transfer/sender.js';
import type { Ask, ListedItem } from '../../../src/transfer/share-messages.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemorySource } from '../../support/memory-source.js';
import { yes } from '../../support/memory-transfer.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { settle, until } from '../../support/turns.js';

let folder = '';
beforeEach(async () => {
  folder = realpathSync(await temporaryFolder());
  make({ 'share/a.txt': 'a', 'share/docs/b.txt': 'b', 'share/.hidden': 'h', 'outside/canary': 'canary' });
  symlinkSync('../outside', at('share/link'));
});

const at = (...names: string[]): string => path.join(folder, ...names);

function make(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(at(name)), { recursive: true });
    writeFileSync(at(name), content);
  }
}

const moverUntil = (signal: AbortSignal): Mover => ({
  send: async (channel, source) => {
    const { files, bytes, missing } = await sendFiles(channel, source, {
      kind: 'files',
      signal,
      onEvent: () => undefined,
    });
    return { files, bytes, missingCount: missing.length };
  },
  receive: async (channel, out, conflicts) => {
    const { files, bytes } = await receiveFiles(channel, (offer) => openSink(offer, { out, noLinks: true }), {
      decide: async ({ conflictCount }) =>
        conflicts === 'refuse' && conflictCount > 0
          ? { accept: false, reason: 'target-exists' }
          : { accept: true, conflicts },
      early: false,
      intoHome: () => false,
      signal,
      onEvent: () => undefined,
    });
    return { files, bytes, missingCount: 0 };
  },
});
const mover = moverUntil(new AbortController().signal);

/** A share that a hostile device talks to, without any of the checks of a client. */
class Hostile {
  readonly peer: ScriptedPeer;
  readonly channel: MemoryChannel;
  readonly actions: ShareAction[] = [];
  readonly stop = new AbortController();
  readonly over: Promise<unknown>;
  rights: Rights;
  #count = 0;

  constructor(...rights: readonly Right[]) {
    const [channel, far] = MemoryChannel.pair();
    this.channel = channel;
    this.peer = new ScriptedPeer(far);
    this.rights = { ...NO_RIGHTS, ...Object.fromEntries(rights.map((right) => [right, true])) };
    const shared = SharedFolder.open(at('share'));
    this.over = answerRequests(
      new Exchange(channel, SHARE_WORDS),
      {
        folder: shared,
        rights: () => this.rights,
        inbox: () => shared.locate(inboxOf(shared, 'phone')),
        stopping: {
          challenge: () => Promise.reject(new XferError('not-allowed')),
          stop: () => this.stop.abort(),
        },
        mover: moverUntil(this.stop.signal),
        onAction: (action) => void this.actions.push(action),
      },
      this.stop.signal,
    ).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /** What the share says to it: what it listed, and why it refused. */
  async ask(ask: Ask): Promise<{ items: readonly ListedItem[]; problem: string | undefined; path: number }> {
    const request = ++this.#count;
    await this.peer.say({ type: 'request', request, ask });
    const items: ListedItem[] = [];
    for (;;) {
      const received = await this.peer.channel.receive();
      if (received === undefined) throw new Error('the share ended');
      this.peer.channel.release(received.cost);
      const { item } = received;
      if ('type' in item && item.type === 'listing') items.push(...item.items);
      if ('type' in item && item.type === 'reply') return { items, problem: item.problem, path: item.path };
    }
  }

  /** What comes of a request; a transfer that is let begin is given up at once. */
  async outcome(ask: Ask): Promise<string> {
    const { problem } = await this.ask(ask);
    if (problem !== undefined) return problem;
    if (ask.action !== 'get' && ask.action !== 'put') return 'done';
    await this.peer.say({ type: 'error', code: 'interrupted' }, { type: 'over', request: this.#count });
    await this.peer.hear('over');
    return 'begun';
  }

  async end(): Promise<unknown> {
    await this.peer.channel.end();
    return this.over;
  }
}

/** Each request, in each of its forms, and which rights it needs, one of the sets being enough. */
const REQUESTS: readonly [string, Ask, readonly (readonly Right[])[]][] = [
  ['list', { action: 'list', path: [] }, [['read']]],
  ['look', { action: 'look', path: ['a.txt'] }, [['read']]],
  ['get', { action: 'get', paths: [['a.txt'], ['docs']] }, [['read']]],
  ['get all', { action: 'get', paths: [[]] }, [['read']]],
  ['put', { action: 'put', path: [], conflicts: 'refuse' }, [['write'], ['inbox']]],
  ['put into', { action: 'put', path: ['docs'], conflicts: 'rename' }, [['write']]],
  ['put and skip', { action: 'put', path: ['docs'], conflicts: 'skip' }, [['write']]],
  ['put over', { action: 'put', path: ['a.txt'], conflicts: 'overwrite' }, [['write', 'delete']]],
  ['put and update', { action: 'put', path: ['docs'], conflicts: 'update' }, [['write', 'delete']]],
  ['put .hidden', { action: 'put', path: ['.hidden'], conflicts: 'refuse' }, [['write', 'dotfiles']]],
  ['make', { action: 'make-folder', path: ['new'] }, [['write']]],
  ['make .new', { action: 'make-folder', path: ['.new'] }, [['write', 'dotfiles']]],
  ['make below .git', { action: 'make-folder', path: ['docs', '.git'] }, [['write', 'dotfiles']]],
  ['remove', { action: 'remove', path: ['a.txt'], recursive: false }, [['delete']]],
  ['remove all in it', { action: 'remove', path: ['docs'], recursive: true }, [['delete']]],
  ['remove .hidden', { action: 'remove', path: ['.hidden'], recursive: false }, [['delete', 'dotfiles']]],
  ['move', { action: 'move', from: ['a.txt'], to: ['c.txt'], replace: false }, [['write']]],
  ['move to .new', { action: 'move', from: ['a.txt'], to: ['.new'], replace: false }, [['write', 'dotfiles']]],
  ['move .hidden', { action: 'move', from: ['.hidden'], to: ['c'], replace: false }, [['write', 'dotfiles']]],
  ['move over', { action: 'move', from: ['a.txt'], to: ['docs', 'b.txt'], replace: true }, [['write', 'delete']]],
]; // prettier-ignore

const NAMES = ['.hidden', 'a.txt', 'docs', 'link'];

/** All sets of rights, also those that its owner could not choose. */
const SETS: readonly (readonly Right[])[] = Array.from({ length: 32 }, (_, bits) =>
  (['read', 'write', 'delete', 'inbox', 'dotfiles'] as const).filter((_right, place) => (bits >> place) & 1),
);

describe('a device without the right', () => {
  it.each(REQUESTS)('rows 59, 71: changes and learns nothing: %s', async (_, ask, enough) => {
    const before = [...(await treeOf(at('share/docs'))).keys()];
    for (const rights of SETS) {
      const isEnough = enough.some((set) => set.every((right) => rights.includes(right)));
      const isInbox = rights.includes('inbox') && ask.action === 'put';
      const hostile = new Hostile(...rights);
      const outcome = await hostile.outcome(ask);
      const said = rights.join();
      if (isInbox) {
        // Whatever else it may: what it puts goes into its inbox, and it cannot choose.
        expect(outcome, said).toBe(ask.path.length === 0 ? 'begun' : 'not-allowed');
      } else if (isEnough) {
        expect(['done', 'begun'], said).toContain(outcome);
      } else {
        expect(outcome, said).toMatch(/^(?:not-allowed|target-protected)$/);
        expect(
          readdirSync(at('share'))
            .filter((name) => name !== 'phone')
            .sort(),
          said,
        ).toEqual(NAMES);
        expect(hostile.actions.at(-1), said).toMatchObject({ action: ask.action, problem: outcome });
      }
      expect(await hostile.end(), said).toBeUndefined();
      if (isEnough) restore();
      else expect([...(await treeOf(at('share/docs'))).keys()], said).toEqual(before);
    }
  });

  function restore(): void {
    for (const name of ['new', '.new', 'c.txt', 'c', 'docs/.git']) {
      rmSync(at('share', name), { recursive: true, force: true });
    }
    make({ 'share/a.txt': 'a', 'share/docs/b.txt': 'b', 'share/.hidden': 'h' });
  }

  it('row 71: loses it at once, in the middle of a session', async () => {
    const hostile = new Hostile('read');
    expect(await hostile.outcome({ action: 'list', path: [] })).toBe('done');
    hostile.rights = NO_RIGHTS;
    const { items, problem } = await hostile.ask({ action: 'list', path: [] });
    expect([items, problem]).toEqual([[], 'not-allowed']);
    await hostile.end();
  });

  it('row 71: that has an inbox hears of nothing that is in the share, nor in the inbox', async () => {
    make({ 'share/laptop/secret.txt': 's', 'share/phone/a.txt': 'a' });
    const hostile = new Hostile('inbox');
    for (const where of [[], ['laptop'], ['laptop', 'secret.txt'], ['phone'], ['nope'], ['..']]) {
      for (const ask of [
        { action: 'list', path: where },
        { action: 'look', path: where },
        { action: 'get', paths: [where] },
        { action: 'remove', path: where, recursive: true },
        { action: 'make-folder', path: where },
        { action: 'move', from: where, to: ['phone'], replace: false },
        { action: 'move', from: ['phone', 'a.txt'], to: where, replace: true },
      ] as const) {
        // The same answer whether it is there or not.
        expect(await hostile.ask(ask)).toEqual({ items: [], problem: 'not-allowed', path: 0 });
      }
      const put = { action: 'put', path: where, conflicts: 'overwrite' } as const;
      if (where.length > 0) expect((await hostile.ask(put)).problem).toBe('not-allowed');
    }
    expect(await hostile.end()).toBeUndefined();
  });

  it('row 71: that has an inbox replaces nothing in it, whatever it asks for', async () => {
    make({ 'share/phone/a.txt': 'old' });
    const hostile = new Hostile('inbox');
    await hostile.peer.say({
      type: 'request',
      request: 1,
      ask: { action: 'put', path: [], conflicts: 'overwrite' },
    });
    expect(await hostile.peer.hear('reply')).toMatchObject({ problem: undefined });
    await putOver(hostile, 1, { 'a.txt': 'new' });
    expect(readdirSync(at('share/phone')).sort()).toEqual(['a (1).txt', 'a.txt']);
    expect(readFileSync(at('share/phone/a.txt'), 'utf8')).toBe('old');
  });
});

/** Sends files as a client does, over the channel of a hostile device. */
async function putOver(hostile: Hostile, request: number, files: Record<string, string>): Promise<void> {
  const exchange = new Exchange(hostile.peer.channel, SHARE_WORDS);
  const channel = exchange.begin(request);
  const source = new MemorySource(
    Object.fromEntries(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)])),
  );
  await mover.send(channel, source);
  await channel.over;
}

describe('paths of a device that may do everything', () => {
  const EVIL: readonly (readonly string[])[] = [
    ['..'],
    ['..', 'outside', 'canary'],
    ['docs', '..', '..', 'outside'],
    ['docs/../../outside'],
    ['docs', 'x/../../../outside/canary'],
    ['/etc/passwd'],
    [''],
    ['docs', ''],
    ['.'],
    ['a.txt\0'],
    ['link'],
    ['link', 'canary'],
    ['.xfer-0123456789abcdef'],
  ];

  it.each(EVIL)('rows 36, 37, 38, 47, 53, 59: lead nothing out: %j', async (...where) => {
    const before = await treeOf(at('outside'));
    const hostile = new Hostile('read', 'write', 'delete', 'dotfiles');
    for (const ask of [
      { action: 'list', path: where },
      { action: 'look', path: where },
      { action: 'get', paths: [['a.txt'], where] },
      { action: 'put', path: where, conflicts: 'overwrite' },
      { action: 'make-folder', path: where },
      { action: 'remove', path: where, recursive: true },
      { action: 'move', from: where, to: ['new'], replace: true },
      { action: 'move', from: ['a.txt'], to: where, replace: true },
    ] as const) {
      const { items, problem, path: about } = await hostile.ask(ask);
      expect(items).toEqual([]);
      expect(problem).toMatch(/^(?:protocol|name-refused|path-missing|target-exists)$/);
      // Which of the paths it was.
      const isSecond = ask.action === 'get' || (ask.action === 'move' && ask.to === where);
      expect(about).toBe(Number(isSecond));
    }
    expect(await treeOf(at('outside'))).toEqual(before);
    expect(readdirSync(at('share')).sort()).toEqual(['.hidden', 'a.txt', 'docs', 'link']);
    expect(await hostile.end()).toBeUndefined();
  });

  it('row 59: are names as they are, whatever a web server would make of them', async () => {
    const hostile = new Hostile('read', 'write', 'dotfiles');
    for (const name of [
      '%2e%2e%2foutside',
      '..%5coutside',
      '%252e%252e',
      'x..;',
      '~',
      '$HOME',
      'file:x',
      '*',
    ]) {
      expect(await hostile.outcome({ action: 'make-folder', path: [name] })).toBe('done');
      expect(readdirSync(at('share'))).toContain(name);
    }
    expect(readdirSync(folder).sort()).toEqual(['outside', 'share']);
  });

  it('row 73: start nothing, whatever they look like', async () => {
    const hostile = new Hostile('read', 'write', 'delete');
    for (const name of [
      '$(touch pwned)',
      '`touch pwned`',
      ';touch pwned',
      '-rf',
      '|touch pwned',
      '&& touch pwned',
      "'",
    ]) {
      expect(await hostile.outcome({ action: 'make-folder', path: [name] })).toBe('done');
      expect(await hostile.outcome({ action: 'move', from: [name], to: ['docs'], replace: false })).toBe(
        'done',
      );
      expect(await hostile.outcome({ action: 'get', paths: [['docs', name]] })).toBe('begun');
      expect(await hostile.outcome({ action: 'remove', path: ['docs', name], recursive: true })).toBe('done');
    }
    expect(readdirSync(at('share')).sort()).toEqual(['.hidden', 'a.txt', 'docs', 'link']);
    expect(readdirSync(process.cwd())).not.toContain('pwned');
  });

  it('may be a thousand, and none is answered for another', async () => {
    const hostile = new Hostile('read');
    const paths = Array.from({ length: 999 }, () => ['docs', 'b.txt']);
    expect(await hostile.ask({ action: 'get', paths: [...paths, ['nope']] })).toMatchObject({
      problem: 'path-missing',
      path: 999,
    });
    expect((await hostile.ask({ action: 'get', paths })).problem).toBe('same-name');
    expect((await hostile.ask({ action: 'get', paths: [] })).problem).toBe('nothing-to-send');
  });
});

describe('what a move is refused for', () => {
  it('is said of the path that it is about', async () => {
    const hostile = new Hostile('write', 'delete');
    const move = (from: readonly string[], to: readonly string[]): ReturnType<Hostile['ask']> =>
      hostile.ask({ action: 'move', from, to, replace: false });
    expect(await move(['nope'], ['x'])).toMatchObject({ problem: 'path-missing', path: 0 });
    expect(await move(['a.txt'], ['nope', 'x'])).toMatchObject({ problem: 'path-missing', path: 1 });
    expect(await move(['a.txt'], ['docs', 'b.txt'])).toMatchObject({ problem: 'target-exists', path: 1 });
  });
});

describe('a device that breaks the rules', () => {
  const list: Ask = { action: 'list', path: [] };
  const put: Ask = { action: 'put', path: [], conflicts: 'refuse' };
  const offer = {
    type: 'offer',
    transfer: 1,
    kind: 'files',
    roots: [{ name: 'x', type: 'file', size: 1 }],
  } as const;

  it.each<[string, (hostile: Hostile) => Promise<void>]>([
    ['begins with another number', ({ peer }) => peer.say({ type: 'request', request: 2, ask: list })],
    ['begins with nought', ({ peer }) => peer.say({ type: 'request', request: 0, ask: list })],
    ['says a number twice', ({ peer }) =>
      peer.say({ type: 'request', request: 1, ask: list }, { type: 'request', request: 1, ask: list })],
    ['leaves one out', ({ peer }) =>
      peer.say({ type: 'request', request: 1, ask: list }, { type: 'request', request: 3, ask: list })],
    ['answers', ({ peer }) => peer.say({ type: 'reply', request: 1, problem: undefined, path: 0 })],
    ['lists', ({ peer }) => peer.say({ type: 'listing', request: 1, items: [] })],
    ['offers without a request', ({ peer }) => peer.say(offer)],
    ['ends what nobody began', ({ peer }) => peer.say({ type: 'over', request: 1 })],
    ['offers after a request that leads to no transfer', async (hostile) => {
      await hostile.outcome(list);
      await hostile.peer.say(offer);
    }],
    ['offers after it was refused', async (hostile) => {
      await hostile.outcome(put);
      await hostile.peer.say(offer);
    }],
    ['ends another transfer than its own', async (hostile) => {
      hostile.rights = { ...NO_RIGHTS, write: true };
      await hostile.ask(put);
      await hostile.peer.say({ type: 'over', request: 2 });
    }],
    ['sends what it was to be sent', async (hostile) => {
      await hostile.ask({ action: 'get', paths: [['a.txt']] });
      await hostile.peer.say(offer);
    }],
  ])('row 59: loses its session, and changes nothing: %s', async (_, attack) => {
    const before = await treeOf(folder);
    const hostile = new Hostile('read');
    await attack(hostile);
    expect(await hostile.over).toMatchObject({ code: 'protocol' });
    expect(hostile.channel.isDestroyed).toBe(true);
    expect(await treeOf(folder)).toEqual(before);
  }); // prettier-ignore

  it('may ask before it hears an answer, and waits for its turn', async () => {
    const hostile = new Hostile('read', 'delete');
    await hostile.peer.say(
      { type: 'request', request: 1, ask: { action: 'get', paths: [['docs']] } },
      { type: 'request', request: 2, ask: { action: 'remove', path: ['docs'], recursive: true } },
    );
    await hostile.peer.hear('offer');
    expect(readdirSync(at('share'))).toContain('docs');
    await hostile.peer.say({ type: 'error', code: 'interrupted' }, { type: 'over', request: 1 });
    expect(await hostile.peer.hear('reply')).toMatchObject({ request: 2, problem: undefined });
    expect(readdirSync(at('share'))).not.toContain('docs');
    await hostile.end();
    expect(hostile.actions).toMatchObject([{ action: 'get' }, { action: 'remove', paths: ['docs'] }]);
  });

  it('row 30: and reads no answer is sent no more than it has room for', async () => {
    for (let number = 0; number < 3_000; number++) make({ [`share/many/${'n'.repeat(200)}${number}`]: '' });
    const hostile = new Hostile('read');
    const flood = (async () => {
      for (let request = 1; request <= 10_000; request++) {
        await hostile.peer.say({ type: 'request', request, ask: { action: 'list', path: ['many'] } });
      }
    })();
    flood.catch(() => undefined);
    // Its own window is that of a scripted peer: it takes what comes, and releases nothing.
    await expect.poll(() => hostile.channel.peakCost).toBeGreaterThan(1 << 17);
    expect(hostile.channel.peakCost).toBeLessThanOrEqual(1 << 18);
    hostile.peer.channel.destroy();
    expect(await hostile.over).toMatchObject({ code: 'peer-gone' });
  });

  it('may leave at any moment, and is told nothing then', async () => {
    for (const [, ask] of REQUESTS) {
      const hostile = new Hostile('read', 'write', 'delete', 'dotfiles');
      await hostile.peer.say({ type: 'request', request: 1, ask });
      hostile.peer.channel.destroy();
      expect(await hostile.over).toMatchObject({ code: 'peer-gone' });
    }
  });
});

describe('a share that ends', () => {
  it('tells a device that waits for nothing', async () => {
    const hostile = new Hostile('read');
    await hostile.outcome({ action: 'list', path: [] });
    hostile.stop.abort(new XferError('interrupted'));
    expect(await hostile.peer.hear('error')).toMatchObject({ code: 'interrupted' });
    expect(await hostile.over).toMatchObject({ code: 'interrupted' });
  });

  /** Stops it, with all the time that it needs. */
  async function stopped(hostile: Hostile): Promise<unknown> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    try {
      const onOver = vi.fn();
      void hostile.over.then(onOver);
      hostile.stop.abort(new XferError('interrupted'));
      for (let waitedMs = 0; onOver.mock.calls.length === 0 && waitedMs < 9_000; waitedMs += 250) {
        vi.advanceTimersByTime(250);
        await settle();
      }
      expect(onOver).toHaveBeenCalledOnce();
      expect(hostile.channel.isDestroyed).toBe(true);
      return await hostile.over;
    } finally {
      vi.useRealTimers();
    }
  }

  it('waits for no device that takes no answer', async () => {
    const hostile = new Hostile('read', 'delete');
    const send = vi.spyOn(hostile.channel, 'send').mockReturnValue(new Promise(() => undefined));
    await hostile.peer.say(
      { type: 'request', request: 1, ask: { action: 'list', path: [] } },
      { type: 'request', request: 2, ask: { action: 'remove', path: ['docs'], recursive: true } },
    );
    await until(() => send.mock.calls.length > 0, 'an answer');
    expect(await stopped(hostile)).toMatchObject({ code: 'interrupted' });
    expect(readdirSync(at('share'))).toContain('docs');
  });

  it.each<[string, Ask]>([
    ['sends', { action: 'get', paths: [['docs']] }],
    ['takes', { action: 'put', path: [], conflicts: 'rename' }],
  ])('waits for no device that is away in the middle of what it %s', async (_, ask) => {
    const hostile = new Hostile('read', 'write');
    expect(await hostile.ask(ask)).toMatchObject({ problem: undefined });
    hostile.channel.isAway = () => true;
    expect(await stopped(hostile)).toMatchObject({ code: 'interrupted' });
    expect(hostile.actions).toMatchObject([{ action: ask.action, problem: 'interrupted' }]);
  });

  it('does nothing more of what was asked for', async () => {
    const hostile = new Hostile('delete');
    hostile.stop.abort(new XferError('interrupted'));
    hostile.peer.say({ type: 'request', request: 1, ask: { action: 'remove', path: ['docs'], recursive: true } })
      .catch(() => undefined); // prettier-ignore
    expect(await hostile.over).toMatchObject({ code: 'interrupted' });
    expect(readdirSync(at('share'))).toContain('docs');
  });
});

it('a device fetches and puts, one after the other', async () => {
  const hostile = new Hostile('read', 'write');
  await hostile.peer.say({ type: 'request', request: 1, ask: { action: 'get', paths: [['docs']] } });
  const exchange = new Exchange(hostile.peer.channel, SHARE_WORDS);
  const channel = exchange.begin(1);
  expect(await exchange.next()).toMatchObject({ type: 'reply', request: 1, problem: undefined });
  const sink = new MemorySink();
  await receiveFiles(channel, () => sink, {
    decide: yes,
    early: false,
    intoHome: () => false,
    signal: new AbortController().signal,
    onEvent: () => undefined,
  });
  await channel.over;
  await exchange.say({
    type: 'request',
    request: 2,
    ask: { action: 'put', path: ['docs'], conflicts: 'refuse' },
  });
  const second = exchange.begin(2);
  expect(await exchange.next()).toMatchObject({ type: 'reply', request: 2, problem: undefined });
  await mover.send(second, new MemorySource({ 'c.txt': Buffer.from('c') }));
  await second.over;
  expect(readFileSync(at('share/docs/c.txt'), 'utf8')).toBe('c');
  expect(hostile.actions).toMatchObject([
    { action: 'get', paths: ['docs'], moved: { files: 1, bytes: 1 } },
    { action: 'put', paths: ['docs'], moved: { files: 1, bytes: 1 } },
  ]);
});
