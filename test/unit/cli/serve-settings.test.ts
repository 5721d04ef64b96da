import { expect, test } from 'vitest';
import { placeOf, settled } from '../../../src/cli/serve-settings.js';
import type { ServeFlags } from '../../../src/cli/serve.js';
import type { ServeSettings } from '../../../src/index.js';

const FILE = '/home/zoe/config.toml';

test.each<[string, ServeFlags, ServeSettings, object]>([
  ['nothing', {}, {}, {}],
  [
    'settings alone',
    {},
    { write: true, 'allow-dotfiles': true, exec: false, listen: 7337, 'also-dht': true },
    { write: true, allowDotfiles: true, exec: false, listen: '7337', alsoDht: true },
  ],
  [
    'flags over settings',
    { write: false, exec: true, listen: '9000' },
    { write: true, exec: false, listen: '7337' },
    { write: false, exec: true, listen: '9000' },
  ],
  ['no port after all', { listen: false }, { listen: '7337' }, {}],
  ['the usual port', { listen: true }, { listen: '9000' }, { listen: true }],
  [
    'the local network in place of a port',
    { local: true },
    { listen: 7337, 'also-dht': true },
    { local: true },
  ],
  ['a port in place of the local network', { listen: '7337' }, { local: true }, { listen: '7337' }],
  ['an inbox taken back', { inbox: false, write: true }, { inbox: true }, { inbox: false, write: true }],
  ['writing taken back', { inbox: true, write: false }, { write: true }, { inbox: true, write: false }],
])('%s', (_what, flags, settings, both) => {
  expect(settled(flags, settings, FILE)).toStrictEqual({ ...both, allowed: [] });
});

test('rights of devices come in their order', () => {
  const allow = { laptop: ['read'], tv: 'none' };
  expect(settled({ allow: ['tv=read'] }, { allow }, FILE)).toMatchObject({
    allow: ['tv=read'],
    allowed: Object.entries(allow),
  });
});

test.each<[ServeFlags, ServeSettings, string, string]>([
  [{ write: true }, { inbox: true }, '--write does not go with serve.inbox', '--no-inbox'],
  [{ delete: true }, { inbox: true }, '--delete does not go with serve.inbox', '--no-inbox'],
  [{ inbox: true }, { write: true }, '--inbox does not go with serve.write', '--no-write'],
])('%j with %j is refused', (flags, settings, subject, hint) => {
  expect(() => settled(flags, settings, FILE)).toThrow(
    expect.objectContaining({
      code: 'usage',
      subject: `${subject} = true in ${FILE}`,
      detail: expect.stringContaining(hint) as string,
    }) as Error,
  );
});

test('the folder of the command line comes before that of the settings', () => {
  expect(placeOf('here', { folder: '/srv' }, FILE)).toEqual({ folder: 'here', isSetting: false });
  expect(placeOf(undefined, { folder: '/srv' }, FILE)).toEqual({ folder: '/srv', isSetting: true });
  expect(() => placeOf(undefined, {}, FILE)).toThrow('the folder to share is missing');
});
