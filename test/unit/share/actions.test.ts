import { chmodSync, chownSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ActionSettings } from '../../../src/action-settings.js';
import { XferError } from '../../../src/errors.js';
import { SharedFolder } from '../../../src/files/shared-folder.js';
import { SharedActions, type DeviceActions } from '../../../src/share/actions.js';
import { answerRequests, type ShareAction } from '../../../src/share/answering.js';
import { NO_RIGHTS } from '../../../src/share/rights.js';
import { Exchange, SHARE_WORDS } from '../../../src/transfer/exchange.js';
import type { ShareMessage } from '../../../src/transfer/share-messages.js';
import { MemoryChannel, ScriptedPeer } from '../../support/memory-channel.js';
import { isRunning } from '../../support/processes.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let folder = '';
beforeEach(async () => {
  folder = realpathSync(await temporaryFolder());
  mkdirSync(at('share'));
});

const at = (...names: string[]): string => path.join(folder, ...names);

function program(name: string, script: string): string {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), `#!/bin/sh\n${script}\n`);
  chmodSync(at(name), 0o755);
  return at(name);
}

const LAPTOP = { publicKey: new Uint8Array(32).fill(1) };
const PHONE = { publicKey: new Uint8Array(32).fill(2) };

/** The actions of a share whose owner has these. */
function opened(
  settings: Record<string, Partial<ActionSettings>>,
  isWritable = false,
): Promise<SharedActions> {
  const whole = Object.entries(settings).map(
    ([name, action]) => [name, { program: '/bin/true', devices: ['laptop'], ...action }] as const,
  );
  return SharedActions.open(
    Object.fromEntries(whole),
    'config.toml',
    { folder: at('share'), isWritable },
    async (name) => {
      const device = { laptop: LAPTOP, phone: PHONE }[name];
      if (device === undefined) throw new XferError('device-unknown');
      return device;
    },
  );
}

const withPattern = async (pattern: string): Promise<DeviceActions> =>
  (await opened({ one: { arguments: ['{word}'], parameters: { word: pattern } } })).for(LAPTOP, 'laptop');

function isTaken(actions: DeviceActions, word: string): boolean {
  try {
    actions.find('one', 1).check(0, word);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'argument-refused' });
    return false;
  }
}

describe('a word of a device', () => {
  it('row 73: is no flag and one line at most, whatever its owner lets it be', async () => {
    const actions = await withPattern('[^]*');
    const evil = fc.constantFrom(
      '-',
      '--',
      '\n',
      '\r',
      '\0',
      '\t',
      '\u001b',
      '\u0085',
      '\u2028',
      '\u2029',
      '\ud800',
    );
    const word = fc
      .tuple(fc.array(fc.oneof(evil, fc.string({ unit: 'binary' })), { maxLength: 5 }), fc.nat(300))
      .map(([parts, more]) => parts.join('') + 'x'.repeat(more));
    fc.assert(
      fc.property(word, (text) => {
        const isHarmless = !/^-|[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) && text.length <= 256;
        const isText = Buffer.from(text).toString() === text;
        expect(isTaken(actions, text)).toBe(isHarmless && isText);
      }),
    );
  });

  it('row 73: matches as a whole', async () => {
    const actions = await withPattern('a|b+');
    expect(['a', 'bbb', 'ab', 'ba', 'xa', ''].filter((word) => isTaken(actions, word))).toEqual(['a', 'bbb']);
  });

  it('row 77: does not keep the share busy, whatever pattern its owner thought of', async () => {
    const actions = await withPattern('(a+)+b');
    expect(isTaken(actions, 'aaab')).toBe(true);
    // As it stands, longer than the world will.
    for (let tries = 0; tries < 100; tries++) expect(isTaken(actions, 'a'.repeat(256))).toBe(false);
    // Until it is sure that no other one is as bad.
    expect(isTaken(actions, 'aaab')).toBe(false);
  });
});

describe('what a device may have run', () => {
  it('row 77: is what names it, whatever it is called', async () => {
    const shared = await opened({
      one: {},
      two: { devices: ['laptop', 'phone'] },
      three: { devices: ['phone'] },
    });
    const names = (device: typeof LAPTOP): string[] =>
      shared
        .for(device, 'x')
        .list()
        .map(({ name }) => name);
    expect(names(LAPTOP)).toEqual(['one', 'two']);
    expect(names(PHONE)).toEqual(['two', 'three']);
    expect(names({ publicKey: new Uint8Array(32) })).toEqual([]);
    for (const name of ['three', 'four', '', 'constructor', '__proto__']) {
      expect(() => shared.for(LAPTOP, 'laptop').find(name, 0)).toThrow(
        expect.objectContaining({ code: 'no-action' }) as Error,
      );
    }
    expect(() => shared.for(LAPTOP, 'laptop').find('one', 1)).toThrow(
      expect.objectContaining({ code: 'argument-count' }) as Error,
    );
  });

  it('row 77: is no program that somebody else could put another one in the place of', async () => {
    const refusal = (detail: string): unknown =>
      expect.objectContaining({
        code: 'config-invalid',
        subject: 'config.toml',
        detail: expect.stringContaining(detail) as string,
      });
    const refused = async (given: string, detail: string, isWritable = false): Promise<void> => {
      const error = await opened({ one: { program: given } }, isWritable).catch((thrown: unknown) => thrown);
      expect(error).toEqual(refusal(`actions.one.program names ${given}`));
      expect(error).toEqual(refusal(detail));
    };
    await refused('/nope', 'which is not there');
    await refused(folder, 'which is no program');
    writeFileSync(at('text'), '', { mode: 0o644 });
    await refused(at('text'), 'which is no program');
    await refused('/dev/null', 'which is no program');

    const inside = program('share/deep/one', '');
    await opened({ one: { program: inside } });
    await refused(inside, 'in the folder that is shared', true);
    symlinkSync(inside, at('link'));
    await refused(at('link'), `(${inside})`, true);
    program('share2/one', '');
    await opened({ one: { program: at('share2', 'one') } }, true);

    const file = program('bin/one', '');
    for (const [place, mode, back] of [
      [file, 0o757, 0o755],
      [at('bin'), 0o777, 0o755],
      [folder, 0o722, 0o700],
    ] as const) {
      chmodSync(place, mode);
      await refused(file, `others may write to ${place}`);
      chmodSync(place, back);
    }
    // Where everybody may put something, and change nothing of others.
    chmodSync(at('bin'), 0o1777);
    await opened({ one: { program: file } });
    // But for who has the folder.
    if (process.getuid?.() === 0) {
      chownSync(at('bin'), 1, 1);
      await refused(file, `${at('bin')} belongs to another user`);
      chownSync(at('bin'), 0, 0);
    }
    // By a link that anybody could change.
    mkdirSync(at('open'));
    symlinkSync('/bin/true', at('open', 'one'));
    chmodSync(at('open'), 0o777);
    await refused(at('open', 'one'), `others may write to ${at('open')}`);
    symlinkSync('open/one', at('first'));
    await refused(at('first'), `others may write to ${at('open')}`);
    await expect(opened({ one: { devices: ['nobody'] } })).rejects.toEqual(
      refusal("actions.one.devices names 'nobody'"),
    );
  });
});

/** A share that a hostile device talks to, with actions of its own. */
class Hostile {
  readonly peer: ScriptedPeer;
  readonly channel: MemoryChannel;
  readonly log: ShareAction[] = [];
  readonly stop = new AbortController();
  readonly over: Promise<unknown>;

  constructor(actions: DeviceActions | undefined, mayRun = true, isStingy = false) {
    const [channel, far] = MemoryChannel.pair();
    // With no more credit than any session begins with.
    if (isStingy) far.widen = () => undefined;
    this.channel = channel;
    this.peer = new ScriptedPeer(far);
    const shared = SharedFolder.open(at('share'));
    const never = (): never => {
      throw new Error('nothing is moved here');
    };
    this.over = answerRequests(
      new Exchange(channel, SHARE_WORDS),
      {
        folder: shared,
        rights: () => ({ ...NO_RIGHTS, run: mayRun }),
        inbox: never,
        stopping: { challenge: never, stop: never },
        mover: { send: never, receive: never },
        actions,
        onAction: (action) => void this.log.push(action),
      },
      this.stop.signal,
    ).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  async run(request: number, name: string, ...words: string[]): Promise<void> {
    await this.peer.say({ type: 'request', request, ask: { action: 'run', name, words } });
  }

  /** What is said up to the reply. */
  async answer(): Promise<ShareMessage[]> {
    const said: ShareMessage[] = [];
    for (;;) {
      const received = await this.peer.channel.receive();
      if (received === undefined) throw new Error('the share ended');
      this.peer.channel.release(received.cost);
      said.push(received.item as ShareMessage);
      if ('type' in received.item && received.item.type === 'reply') return said;
    }
  }

  /** Waits for something that a program writes. */
  async written(): Promise<string> {
    return Buffer.from((await this.peer.hear('output')).bytes).toString();
  }
}

const ofLaptop = async (settings: Record<string, Partial<ActionSettings>>): Promise<DeviceActions> =>
  (await opened(settings)).for(LAPTOP, 'laptop');

describe('a hostile device', () => {
  it('row 77: is told the same of what is not for it and of what is not there, and runs nothing without the right', async () => {
    const shared = await opened({ one: { devices: ['phone'] } });
    for (const [actions, mayRun, problem] of [
      [shared.for(LAPTOP, 'laptop'), true, 'no-action'],
      [undefined, true, 'no-action'],
      [shared.for(PHONE, 'phone'), false, 'not-allowed'],
      [undefined, false, 'not-allowed'],
    ] as const) {
      const hostile = new Hostile(actions, mayRun);
      await hostile.run(1, 'one', '-x');
      await hostile.run(2, 'none');
      const reply = { type: 'reply', problem, path: 0 };
      expect(await hostile.answer()).toEqual([{ ...reply, request: 1 }]);
      expect(await hostile.answer()).toEqual([{ ...reply, request: 2 }]);
      expect(hostile.log.map(({ ran }) => ran?.hasBegun)).toEqual([false, false]);
      await hostile.peer.channel.end();
      expect(await hostile.over).toBeUndefined();
    }
  });

  it('row 73: hears which of its words is none', async () => {
    const parameters = { a: 'x', b: 'y' };
    const actions = await ofLaptop({ one: { arguments: ['{a}', '{b}'], parameters } });
    const hostile = new Hostile(actions);
    await hostile.run(1, 'one', 'x', '-y');
    expect(await hostile.answer()).toEqual([
      { type: 'reply', request: 1, problem: 'argument-refused', path: 1 },
    ]);
    await hostile.run(2, 'one', 'x', 'y');
    expect(await hostile.answer()).toEqual([
      { type: 'ended', request: 2, ending: { how: 'exit', status: 0 } },
      { type: 'reply', request: 2, problem: undefined, path: 0 },
    ]);
    await hostile.peer.channel.end();
    expect(await hostile.over).toBeUndefined();
  });

  it('row 78: that reads nothing holds no more than its credit, and the program waits', async () => {
    const file = program('flood', 'echo $$; exec yes');
    const actions = await ofLaptop({ flood: { program: file, 'max-output': '1G', timeout: '1s' } });
    const hostile = new Hostile(actions, true, true);
    await hostile.run(1, 'flood');
    // Its first word was read, and no other one is until the program is gone.
    const pid = Number.parseInt(await hostile.written());
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
    expect(hostile.peer.channel.peakCost).toBeLessThanOrEqual(1 << 18);
    expect(hostile.peer.channel.arrivedCost).toBeGreaterThan(1 << 17);
    const said = await hostile.answer();
    expect(said.at(-2)).toMatchObject({ type: 'ended', ending: { how: 'timeout' } });
    await hostile.peer.channel.end();
    expect(await hostile.over).toBeUndefined();
  });

  it('row 78: runs no more at once than it may, also in many sessions, and less than all may together', async () => {
    const settings = {
      wait: { program: program('wait', 'echo $$; exec sleep 600'), devices: ['laptop', 'phone'] },
    };
    const shared = await opened(settings);
    const first = [0, 1].map(() => new Hostile(shared.for(LAPTOP, 'laptop')));
    const pids: number[] = [];
    for (const hostile of first) {
      await hostile.run(1, 'wait');
      pids.push(Number.parseInt(await hostile.written()));
    }
    const third = new Hostile(shared.for(LAPTOP, 'other name'));
    const other = new Hostile(shared.for(PHONE, 'phone'));
    for (let request = 1; request <= 20; request++) {
      await third.run(request, 'wait');
      expect((await third.answer()).at(-1)).toMatchObject({ problem: 'too-many-runs' });
    }
    await other.run(1, 'wait');
    pids.push(Number.parseInt(await other.written()));
    for (const hostile of [...first, other]) {
      hostile.peer.channel.destroy();
      expect(await hostile.over).toMatchObject({ code: 'peer-gone' });
    }
    expect(pids.filter(isRunning)).toEqual([]);
    // What was taken was given back.
    await third.run(21, 'wait');
    const pid = Number.parseInt(await third.written());
    third.stop.abort();
    expect(await third.over).toMatchObject({ code: 'interrupted' });
    expect(isRunning(pid)).toBe(false);
    expect(third.log.at(-1)).toMatchObject({
      action: 'run',
      problem: 'interrupted',
      ran: { hasBegun: true },
    });
  });

  it.each<[string, (hostile: Hostile) => unknown]>([
    ['goes', (hostile) => hostile.peer.channel.destroy()],
    ['says goodbye', (hostile) => hostile.peer.channel.end()],
    ['gives up', (hostile) => hostile.peer.say({ type: 'error', code: 'interrupted' })],
    ['says what belongs to nothing', (hostile) => hostile.peer.say({ type: 'over', request: 1 })],
    ['is removed', (hostile) => hostile.stop.abort(new XferError('device-removed'))],
    ['has its words end with the share', (hostile) => hostile.stop.abort()],
  ])('row 78: ends what it had run where it %s, at each point of it', async (_, end) => {
    const script = 'sleep 600 & echo $$ $!; for i in 1 2 3; do echo $i; echo $i >&2; done; exec sleep 600';
    const settings = { one: { program: program('one', script) } };
    for (let point = 0; point <= 3; point++) {
      const shared = await opened(settings);
      const hostile = new Hostile(shared.for(LAPTOP, 'laptop'));
      await hostile.run(1, 'one');
      const pids: number[] = [];
      for (let heard = 0; heard < point; heard++) {
        const text = heard < 2 ? await hostile.written() : '';
        if (heard === 0) pids.push(...text.split(/\s/, 2).map(Number));
      }
      await end(hostile);
      expect(await hostile.over).toBeInstanceOf(XferError);
      expect(pids.filter(isRunning)).toEqual([]);
      // Nothing is counted that is gone.
      const again = new Hostile(shared.for(LAPTOP, 'laptop'));
      const more = new Hostile(shared.for(LAPTOP, 'laptop'));
      for (const one of [again, more]) {
        await one.run(1, 'one');
        expect(await one.written()).toMatch(/^\d+ \d+/);
        one.stop.abort();
      }
      for (const one of [again, more]) await one.over;
    }
  });

  it('row 59: has what it asks for meanwhile answered in its turn, and floods nothing', async () => {
    const actions = await ofLaptop({ one: { program: program('one', 'echo ran') } });
    const hostile = new Hostile(actions);
    for (let request = 1; request <= 20; request++) await hostile.run(request, 'one');
    for (let request = 1; request <= 20; request++) {
      expect((await hostile.answer()).map((message) => [message.type, message.request])).toEqual([
        ['output', request],
        ['ended', request],
        ['reply', request],
      ]);
    }
    await hostile.peer.channel.end();
    expect(await hostile.over).toBeUndefined();
  });
});
