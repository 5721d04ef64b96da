import { describe, expect, test } from 'vitest';
import {
  forDevices,
  meetingOptions,
  waitingOptions,
  type MeetingFlags,
} from '../../../src/cli/meeting-flags.js';
import type { Config } from '../../../src/index.js';

function options(flags: MeetingFlags, config: Config = {}, isHost = true): unknown {
  return meetingOptions(flags, config, { XFER_LAN: 'off' }, isHost);
}

test('without flags nothing is decided', () => {
  expect(options({})).toEqual({});
});

test('flags become options of the library', () => {
  expect(
    options({
      words: '4',
      expire: '10m',
      listen: '0',
      connect: 'example.org',
      alsoDht: true,
      verify: true,
      limit: '80Mbit',
      lanes: '2',
      port: '1024',
    }),
  ).toEqual({
    words: 4,
    expireMs: 600_000,
    listen: { host: undefined, port: 0 },
    connect: { host: 'example.org', port: 7337 },
    alsoDht: true,
    verify: true,
    limit: 10_000_000,
    lanes: 2,
    lanePort: 1024,
  });
});

test('--listen alone means every address and the usual port', () => {
  expect(options({ listen: true })).toEqual({ listen: { host: undefined, port: 7337 } });
});

describe('settings', () => {
  const config = { words: 3, expire: '2h', verify: true, bootstrap: ['127.0.0.1:1'] };

  test('stand where no flag does', () => {
    expect(options({ words: '5' }, config)).toEqual({
      words: 5,
      expireMs: 7_200_000,
      verify: true,
      bootstrap: ['127.0.0.1:1'],
    });
  });

  test('compare words for a code only: a device is known by its key', () => {
    expect(options({}, forDevices(config))).not.toHaveProperty('verify');
    expect(options({ verify: true }, forDevices(config))).toMatchObject({ verify: true, words: 3 });
    expect(waitingOptions({}, config, {})).not.toHaveProperty('verify');
  });

  test('about speed and lanes stand too, and no lanes are a number of them', () => {
    expect(options({}, { limit: '1M', lanes: 4, port: 7337 })).toEqual({
      limit: 1_000_000,
      lanes: 4,
      lanePort: 7337,
    });
    expect(options({ limit: '2M', lanes: '0' }, { limit: '1M', lanes: 4 })).toEqual({
      limit: 2_000_000,
      lanes: 0,
    });
  });

  test.each<[MeetingFlags, Config]>([
    [{ lanes: '0' }, {}],
    [{}, { lanes: 0 }],
    [{ listen: true }, {}],
    [{ connect: 'host:1' }, {}],
  ])('name a port that nothing of %j %j uses', (flags, config) => {
    expect(options(flags, { port: 7337, ...config })).not.toHaveProperty('lanePort');
  });

  test('say nothing about the words of a code that the other side made', () => {
    expect(options({}, config, false)).toEqual({
      expireMs: 7_200_000,
      verify: true,
      bootstrap: ['127.0.0.1:1'],
    });
  });
});

test.each<[MeetingFlags, string]>([
  [{ words: '1' }, 'usage'],
  [{ words: '17' }, 'usage'],
  [{ words: 'many' }, 'usage'],
  [{ expire: 'soon' }, 'usage'],
  [{ listen: 'photos/' }, 'usage'],
  [{ listen: 'a b' }, 'bad-address'],
  [{ connect: '7337' }, 'bad-address'],
  [{ connect: 'host:0' }, 'bad-address'],
  [{ limit: '10' }, 'usage'],
  [{ limit: 'slow' }, 'usage'],
  [{ lanes: '9' }, 'usage'],
  [{ lanes: '-1' }, 'usage'],
  [{ lanes: '' }, 'usage'],
  [{ port: '1023' }, 'usage'],
  [{ port: '65536' }, 'usage'],
  [{ port: '1e4' }, 'usage'],
  [{ port: '7337', lanes: '0' }, 'usage'],
  [{ port: '7337', listen: true }, 'usage'],
  [{ port: '7337', connect: 'host:1' }, 'usage'],
])('%j is refused', (flags, code) => {
  expect(() => options(flags)).toThrow(expect.objectContaining({ code }) as Error);
});

describe('the local network', () => {
  const on = (flags: MeetingFlags, env: NodeJS.ProcessEnv = {}): unknown =>
    meetingOptions(flags, {}, env, true);

  test('is asked unless XFER_LAN says no', () => {
    expect(on({})).toEqual({ lan: true });
    expect(on({}, { XFER_LAN: 'off' })).toEqual({});
  });

  test('alone is asked with --local, which XFER_LAN=off contradicts', () => {
    expect(on({ local: true })).toEqual({ local: true, lan: true });
    expect(() => on({ local: true }, { XFER_LAN: 'off' })).toThrow(/usage/);
  });
});
