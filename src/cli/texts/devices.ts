/** Devices that were paired. */
import type { ErrorCode } from '../../index.js';
import type { Text } from './text.js';

export const DEVICES = {
  'device-unknown': {
    sentence: ({ subject }) => (subject ? `no device is called '${subject}'` : 'there is no such device'),
    advice: 'xfer devices lists them, and xfer pair on both machines makes them known to each other',
    exitCode: 2,
  },
  'device-refused': {
    sentence: ({ subject }) =>
      subject
        ? `who answered for '${subject}' does not take this machine for one that it knows`
        : 'the other side does not take this machine for one that it knows',
    advice:
      'pair both again with xfer pair, if this machine was removed there; if it was not, another machine answered in its place',
    exitCode: 4,
    brief: 'it does not know this machine',
  },
  'device-removed': {
    sentence: ({ subject }) => `the device${subject ? ` '${subject}'` : ''} was removed here`,
    advice: 'xfer pair on both machines makes them known to each other again',
    exitCode: 1,
    brief: 'it removed this machine',
  },
  'name-taken': {
    sentence: ({ subject }) =>
      subject ? `a device is called '${subject}' already` : 'a device has this name already',
    advice: 'choose another name, or see xfer devices to rename or remove that one',
    exitCode: 2,
  },
} satisfies Partial<Record<ErrorCode, Text>>;
