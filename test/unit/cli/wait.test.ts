import { describe, expect, test } from 'vitest';
import { runReceive, type ReceiveFlags } from '../../../src/cli/receive.js';
import {
  XferError,
  type Device,
  type DeviceStore,
  type ReceiveOutcome,
  type TakeOptions,
  type WaitOptions,
} from '../../../src/index.js';
import { makeOffer, makeWorld, moved, stillWatch, type World, type WorldOptions } from './world.js';

const outcome: ReceiveOutcome = { ...moved, paths: ['/home/zoe/a.txt'], text: undefined };

interface Waited {
  readonly status: number;
  readonly options: WaitOptions | undefined;
  readonly taken: readonly TakeOptions[];
  readonly world: World;
}

/** Waits over a library to which `names` come at once, and from which each gets `end`. */
async function wait(
  flags: ReceiveFlags,
  names: readonly string[] = [],
  { devices = names, end, ...world }: WorldOptions & { devices?: readonly string[]; end?: XferError } = {},
): Promise<Waited> {
  let options: WaitOptions | undefined;
  const taken: TakeOptions[] = [];
  const library = {
    openDevices: () =>
      Promise.resolve({
        list: () => Promise.resolve(devices.map((name) => ({ name }) as Device)),
      } as unknown as DeviceStore),
    waitForDevices: async (asked: WaitOptions): Promise<void> => {
      options = asked;
      asked.onEvent?.({ type: 'listening', addresses: ['192.168.1.5:7337'] });
      const come = async (device: string): Promise<void> => {
        const receive = async (options: TakeOptions): Promise<ReceiveOutcome> => {
          taken.push(options);
          options.onEvent?.({ type: 'connected', path: 'direct', address: '10.0.0.7:50123', device });
          const decision = await options.decide(makeOffer(), stillWatch);
          if (end !== undefined) throw end;
          if (!decision.accept) throw new XferError('declined');
          return outcome;
        };
        await asked.onSession({
          device,
          receive,
          publicKey: new Uint8Array(32),
          chat: async () => undefined,
          share: () => Promise.reject(new Error('nothing is shared')),
        });
      };
      await Promise.all(names.map(come));
    },
  };
  const made = makeWorld({ ...world, library });
  const status = await runReceive(undefined, { wait: true, ...flags }, made.context);
  return { status, options, taken, world: made };
}

describe('xfer receive --wait', () => {
  test('takes what devices send, marks what is said of each, and prints where it is', async () => {
    const { status, world, taken } = await wait({ yes: true, out: '/inbox' }, ['laptop', 'phone']);
    expect(status).toBe(0);
    expect(world.stdout.text).toBe('/home/zoe/a.txt\n/home/zoe/a.txt\n');
    expect(world.stderr.lines).toContain('listening at 192.168.1.5:7337');
    for (const name of ['laptop', 'phone']) {
      expect(world.stderr.lines).toContain(`${name}: connected directly to 10.0.0.7:50123`);
      expect(world.stderr.text).toContain(`${name}: verified: 1 file`);
    }
    expect(taken.map(({ out }) => out)).toEqual(['/inbox', '/inbox']);
  });

  test('asks the library for what the flags say, and for no code', async () => {
    const env = { XFER_HOME: '/home/zoe/xfer', XFER_BOOTSTRAP: '10.0.0.1:49737' };
    const { options } = await wait({ yes: true, listen: '7000', alsoDht: true, lanes: '2' }, [], { env });
    expect(options).toMatchObject({
      devices: '/home/zoe/xfer/devices',
      listen: { host: undefined, port: 7000 },
      alsoDht: true,
      lanes: 2,
      bootstrap: ['10.0.0.1:49737'],
    });
    for (const key of ['code', 'words', 'connect', 'expireMs']) expect(options).not.toHaveProperty(key);
  });

  test('waits also where nobody is remembered yet, and says so', async () => {
    const { status, world } = await wait({ yes: true }, [], { devices: [] });
    expect(status).toBe(0);
    expect(world.stderr.text).toContain('no device is remembered yet');
  });

  test('goes on after a transfer that failed, and ends well', async () => {
    const { status, world } = await wait({ yes: true }, ['laptop'], { end: new XferError('peer-gone') });
    expect(status).toBe(0);
    expect(world.stderr.text).toContain('xfer: error: the other side is gone');
    expect(world.stderr.text).toContain('xfer: hint: start it again');
  });

  test('writes the device and the number of the transfer into every line of JSON about one', async () => {
    const { world } = await wait({ yes: true, json: true }, ['laptop', 'phone']);
    const lines = world.stdout.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toEqual({ event: 'listening', addresses: ['192.168.1.5:7337'] });
    for (const [device, session] of [
      ['laptop', 1],
      ['phone', 2],
    ]) {
      expect(lines).toContainEqual(expect.objectContaining({ event: 'done', device, session }));
    }
    expect(world.stderr.text).toBe('');
  });

  test.each<[string, ReceiveFlags, WorldOptions, string]>([
    ['nobody can be asked', {}, {}, 'no-terminal'],
    ['words are to be compared and nobody can be asked', { yes: true, verify: true }, {}, 'usage'],
    ['an address is none', { yes: true, listen: 'a b' }, {}, 'bad-address'],
  ])('does not begin where %s', async (_, flags, world, code) => {
    await expect(wait(flags, ['laptop'], world)).rejects.toMatchObject({ code });
  });

  test('takes no code', async () => {
    const { context } = makeWorld();
    await expect(runReceive('417-apple-tiger', { wait: true }, context)).rejects.toMatchObject({
      code: 'usage',
    });
  });
});
