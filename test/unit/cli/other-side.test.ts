import { expect, test } from 'vitest';
import { otherSideCommands, type Meeting } from '../../../src/cli/other-side.js';

const listen = { host: undefined, port: 7337 };
const connect = { host: 'example.org', port: 80 };
const addresses = ['192.168.1.5:7337', '[fd00::5]:7337'];

test.each<[Partial<Meeting>, string[]]>([
  [{}, ['xfer receive 1-a-b']],
  [
    { listen },
    ['xfer receive 1-a-b --connect 192.168.1.5:7337', 'xfer receive 1-a-b --connect [fd00::5]:7337'],
  ],
  [
    { listen, alsoDht: true },
    [
      'xfer receive 1-a-b --connect 192.168.1.5:7337',
      'xfer receive 1-a-b --connect [fd00::5]:7337',
      'xfer receive 1-a-b',
    ],
  ],
  [{ connect }, ['xfer receive 1-a-b --listen 80']],
  [{ role: 'receive' }, ['xfer send --code 1-a-b PATHS']],
  [
    { role: 'receive', listen: { host: '::1', port: 9 } },
    [
      'xfer send --code 1-a-b --connect 192.168.1.5:7337 PATHS',
      'xfer send --code 1-a-b --connect [fd00::5]:7337 PATHS',
    ],
  ],
])('with %j the other side types', (meeting, commands) => {
  expect(otherSideCommands('1-a-b', { role: 'send', joins: false, ...meeting }, addresses)).toEqual(commands);
});
