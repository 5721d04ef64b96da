/** What one entry of a transfer can suffer while the rest goes on. */
import type { ErrorCode } from '../../index.js';
import type { Text } from './text.js';

export const ENTRIES = {
  'name-refused': {
    sentence: ({ subject }) => `${subject || 'a name'} has a name that cannot be sent or kept`,
    advice: 'rename it at the sender, where --portable finds such names before sending',
    exitCode: 1,
    brief: 'a name that cannot be sent or kept',
  },
  'source-changed': {
    sentence: ({ subject }) => `${subject || 'a file'} changed while it was sent`,
    advice: 'send it again when nothing writes to it',
    exitCode: 1,
    brief: 'changed while it was sent',
  },
  'source-vanished': {
    sentence: ({ subject }) => `${subject || 'a file'} went away while it was sent`,
    advice: 'send again what is left',
    exitCode: 1,
    brief: 'went away while it was sent',
  },
  'target-changed': {
    sentence: ({ subject, detail }) =>
      `${subject || 'a file'} changed ${detail === 'edited' ? 'there while you edited it' : 'here while it was updated'}`,
    advice: ({ detail }) =>
      detail === 'edited'
        ? 'it was left as it is; see what is there now with xfer cat, and put the edit back with xfer put --overwrite'
        : 'it was left as it is; receive it again when nothing else writes to it',
    exitCode: 1,
    brief: 'changed here while it was updated',
  },
  'link-skipped': {
    sentence: ({ subject }) => `${subject || 'this'} is a symbolic link`,
    advice: '--follow sends what links point to, where that lies inside what is sent',
    exitCode: 1,
    brief: 'a symbolic link',
  },
  'special-skipped': {
    sentence: ({ subject }) => `${subject || 'this'} is no file and no folder`,
    advice: 'send its content as a pipe, if it has any',
    exitCode: 1,
    brief: 'no file and no folder',
  },
  'unfinished-skipped': {
    sentence: ({ subject }) => `${subject || 'this'} is what an interrupted transfer left`,
    advice: 'xfer resume says of what; start that transfer again, or remove this with xfer resume --clean',
    exitCode: 1,
    brief: 'left by an interrupted transfer',
  },
} satisfies Partial<Record<ErrorCode, Text>>;
