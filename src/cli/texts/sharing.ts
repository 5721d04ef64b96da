/** Working with a share, and having something run by it. */
import type { ErrorCode } from '../../index.js';
import type { Text } from './text.js';

export const SHARING = {
  'peer-busy': {
    sentence: 'the other side has as many sessions as it takes',
    advice: 'end another one, or try again in a while',
    exitCode: 3,
  },
  'no-share': {
    sentence: ({ subject, detail }) =>
      detail === 'here'
        ? 'the other side looks for a shared folder, and none is shared here'
        : `${subject ? `'${subject}'` : 'the other side'} shares no folder just now`,
    advice: ({ detail }) =>
      detail === 'here'
        ? 'xfer serve FOLDER shares one'
        : 'start xfer serve FOLDER there; xfer send --to needs only xfer receive --wait',
    exitCode: 3,
  },
  'not-allowed': {
    sentence: ({ subject, detail }) =>
      `this share does not let you ${detail || 'do that'}${subject ? `: ${subject}` : ''}`,
    advice: 'its owner can allow more: see xfer serve --help',
    exitCode: 1,
  },
  'not-a-folder': {
    sentence: ({ subject }) => `${subject || 'what stands there'} is no folder`,
    advice: 'check the path; xfer ls shows what is there',
    exitCode: 2,
    brief: 'no folder',
  },
  'is-a-folder': {
    sentence: ({ subject }) => `${subject || 'what stands there'} is a folder`,
    advice: 'name a file, or use -r for a folder with all that is in it',
    exitCode: 2,
    brief: 'a folder',
  },
  'wrong-password': {
    sentence: 'the password is wrong',
    advice: 'it is the one that was set with xfer serve --set-password on that machine',
    exitCode: 4,
  },
  'too-many-tries': {
    sentence: 'too many wrong passwords came from this device',
    advice: 'wait a minute',
    exitCode: 3,
  },
  'editor-failed': {
    sentence: ({ subject, detail }) =>
      detail
        ? `the editor ${subject || 'of this machine'} failed (${detail}), so nothing was put back`
        : `the editor ${subject || 'of this machine'} cannot be started`,
    advice: ({ detail }) =>
      detail ? 'try again, or put the edit back with xfer put' : 'name another one in VISUAL or EDITOR',
    exitCode: 1,
  },

  'no-action': {
    sentence: ({ subject }) => `there is no ${theAction(subject)} for this device`,
    advice: 'xfer run with the name of the device alone lists those that there are',
    exitCode: 2,
    brief: 'no action for this device',
  },
  'argument-count': {
    sentence: ({ subject, detail }) =>
      `the ${theAction(subject)} takes another number of arguments${detail ? ` than ${detail}` : ''}`,
    advice: 'xfer run with the name of the device alone lists what each action takes',
    exitCode: 2,
    brief: 'another number of arguments',
  },
  'argument-refused': {
    sentence: ({ subject, detail }) =>
      `${subject ? `the argument '${subject}'` : 'an argument'} ${detail || 'is none that this action takes'}`,
    advice: 'the owner of the share says in its settings what an argument may be',
    exitCode: 2,
    brief: 'an argument that it does not take',
  },
  'too-many-runs': {
    sentence: 'the share runs as many actions as it may, for this device or for all',
    advice: 'wait until one of them is done',
    exitCode: 3,
    brief: 'too many at once',
  },
  'action-failed': {
    sentence: ({ subject }) => `the ${theAction(subject)} cannot be started there`,
    advice: 'its owner should look at the program, and start the share again, which says what is wrong',
    exitCode: 1,
    brief: 'it cannot be started',
  },
  'action-timeout': {
    sentence: ({ subject }) => `the ${theAction(subject)} took longer than its owner allows, and was ended`,
    advice: 'the owner of the share can give it more time in its settings',
    exitCode: 1,
    brief: 'it took too long',
  },
  'action-output': {
    sentence: ({ subject }) => `the ${theAction(subject)} wrote more than its owner allows, and was ended`,
    advice: 'the owner of the share can allow more in its settings',
    exitCode: 1,
    brief: 'it wrote too much',
  },
} satisfies Partial<Record<ErrorCode, Text>>;

function theAction(name: string): string {
  return name === '' ? 'action' : `action '${name}'`;
}
