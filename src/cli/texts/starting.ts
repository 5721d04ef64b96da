/** What the person asked for cannot be started. */
import type { ErrorCode } from '../../index.js';
import { join, type Text } from './text.js';

export const STARTING = {
  usage: {
    // With advice the subject is a whole sentence, without it is a value that will not do.
    sentence: ({ subject, detail }) =>
      subject === '' ? 'this cannot be done' : detail === '' ? `'${subject}' cannot be used here` : subject,
    advice: ({ detail }) => detail || 'xfer --help lists what can be done',
    exitCode: 2,
  },
  'bad-code': {
    sentence: 'this is not a code',
    advice: 'a code looks like 417-apple-tiger: a number and words, as the other person sees it',
    exitCode: 2,
  },
  'unknown-word': {
    sentence: ({ subject }) =>
      subject ? `no code has the word '${subject}'` : 'a word is not one of a code',
    advice: ({ detail }) =>
      detail ? `did you mean '${detail}'?` : 'compare it with what the other person sees',
    exitCode: 2,
  },
  'bad-address': {
    sentence: ({ subject }) =>
      subject ? `'${subject}' cannot be used as an address` : 'this is not an address',
    advice: 'write HOST:PORT, such as 192.168.1.5:7337 or [fe80::1]:7337',
    exitCode: 2,
  },
  'config-invalid': {
    sentence: ({ subject, detail }) =>
      join(`the settings${subject ? ` in ${subject}` : ''} are not valid`, detail),
    advice: 'correct the file, or remove it; xfer config path says where it is',
    exitCode: 2,
  },
  'path-missing': {
    sentence: ({ subject }) => `there is no ${subject || 'such path'}`,
    advice: 'check the spelling and the folder you are in',
    exitCode: 2,
    brief: 'not there',
  },
  'path-unreadable': {
    sentence: ({ subject }) => `${subject || 'a file'} cannot be read`,
    advice: 'check who may read it',
    exitCode: 1,
    brief: 'cannot be read',
  },
  'nothing-to-send': {
    sentence: 'there is nothing to send',
    advice: 'name files or folders, or see what --exclude and --gitignore leave with --dry-run',
    exitCode: 2,
  },
  'same-name': {
    sentence: ({ subject }) => `two things to send are called ${subject || 'the same'}`,
    advice: 'send the folder that they are in, or send them one after the other',
    exitCode: 2,
    brief: 'same name as another one',
  },
  'target-exists': {
    sentence: ({ subject }) => `${subject || 'something with this name'} exists already`,
    advice: ({ detail }) =>
      detail === 'busy'
        ? 'another xfer receives the same here just now: let it finish, or end it with Ctrl-C and start again to go on where it was'
        : 'choose --overwrite, --update, --rename or --skip, or another folder with --out',
    exitCode: 2,
    brief: 'exists already',
  },
  'target-protected': {
    sentence: ({ subject }) =>
      subject
        ? `${subject} is a name that other programs may obey`
        : 'this would be put into your home folder, or under a name that begins with a dot',
    advice: 'allow it with --allow-dotfiles, or choose another folder with --out',
    exitCode: 2,
    brief: 'a protected place',
  },
  'no-terminal': {
    sentence: 'there is a question to answer and nobody to ask',
    advice: 'say yes to the offer with --yes',
    exitCode: 2,
    brief: 'nobody there to ask',
  },
  'not-streamable': {
    sentence: 'only a single file, a text or a pipe can go to the standard output',
    advice: 'ask the sender for a single file, or receive without --stdout',
    exitCode: 2,
    brief: 'it takes a single file only',
  },
} satisfies Partial<Record<ErrorCode, Text>>;
