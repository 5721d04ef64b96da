/** What ends a transfer. */
import { formatSize } from '../figures.js';
import type { ErrorCode } from '../../index.js';
import { join, type Text } from './text.js';

/** What became of the folder for what has no name yet. */
const LOST_FOLDER = new Map([
  [
    'taken',
    {
      sentence: 'was taken over by another xfer',
      advice: 'let the other transfer into this place end, then start again',
    },
  ],
  [
    'removed',
    {
      sentence: 'was removed while files arrived in it',
      advice: 'leave it there until the end, and start again',
    },
  ],
]);

export const MOVING = {
  declined: {
    sentence: ({ subject, detail }) =>
      subject === 'you' ? 'you declined, nothing was received' : join('the other side declined', detail),
    advice: ({ subject }) => (subject === 'you' ? '' : 'ask the other person, then send again'),
    exitCode: 1,
  },
  'dry-run': {
    sentence: 'the other side only had a look (--dry-run), nothing was transferred',
    advice: 'send again for the transfer itself',
    exitCode: 1,
    brief: 'it only had a look (--dry-run)',
  },
  'peer-gone': {
    sentence: 'the other side is gone',
    advice: 'start again on both sides with a new code',
    exitCode: 3,
  },
  'peer-failed': {
    sentence: ({ detail }) => join('the other side stopped because of an error', detail),
    advice: 'its screen says which',
    exitCode: 1,
  },
  'peer-interrupted': {
    sentence: 'the other side was interrupted',
    advice: 'start again on both sides with a new code',
    exitCode: 3,
    brief: 'it was interrupted',
  },
  stalled: {
    sentence: 'nothing came from the other side for too long',
    advice: 'check the connection on both sides, then start again with a new code',
    exitCode: 3,
  },
  'disk-full': {
    sentence: ({ subject }) => `there is not enough space${subject ? ` for ${subject}` : ' on the disk'}`,
    advice: 'make space or choose another disk with --out, then start again',
    exitCode: 3,
    brief: 'the disk is full',
  },
  'disk-failed': {
    sentence: ({ subject, detail }) =>
      `${subject || 'a file'} ${LOST_FOLDER.get(detail)?.sentence ?? 'cannot be written'}`,
    advice: ({ detail }) =>
      LOST_FOLDER.get(detail)?.advice ?? 'check the disk, or choose another folder with --out',
    exitCode: 1,
    brief: 'cannot be written',
  },
  'permission-denied': {
    sentence: ({ subject }) => `${subject || 'this'} is not allowed to you`,
    advice: 'check whose it is, or choose another place',
    exitCode: 1,
    brief: 'not allowed',
  },
  'output-closed': {
    sentence: ({ detail }) => join('what reads the output went away', goodBytes(detail)),
    advice: 'its own message says why',
    exitCode: 1,
  },
  integrity: {
    sentence: ({ subject, detail }) =>
      join(
        subject ? `${subject} did not arrive as it was sent` : 'what arrived is not what was sent',
        goodBytes(detail),
      ),
    advice: 'do not use what is there of it; start again, and if it happens twice, tell us',
    exitCode: 4,
    brief: 'did not arrive as it was sent',
  },
  protocol: {
    sentence: 'the other side did something that no xfer does',
    advice: 'do not try again with a code that somebody else may know; compare xfer --version on both sides',
    exitCode: 4,
  },
  limit: {
    sentence: ({ subject }) => `${subject || 'this'} is more than xfer takes at once`,
    advice: 'send it in several parts',
    exitCode: 1,
    brief: 'too large',
  },
  incomplete: {
    sentence: ({ subject, detail }) => join(subject || 'not everything arrived', goodBytes(detail)),
    advice: ({ detail }) =>
      detail === ''
        ? 'what is missing is listed, here or at the other side; send it again, and with --update at the receiver nothing else travels'
        : 'do not take it for the whole; start again',
    exitCode: 1,
  },
  interrupted: {
    sentence: 'interrupted',
    advice: ({ subject }) =>
      subject === 'code'
        ? 'the code was not used and may be tried again'
        : 'start again on both sides with a new code',
    exitCode: 130,
  },
} satisfies Partial<Record<ErrorCode, Text>>;

/** How much of a stream can be used, where the error says it in bytes. */
function goodBytes(detail: string): string {
  return /^\d+$/.test(detail) ? `the first ${detail} bytes (${formatSize(Number(detail))}) are good` : detail;
}
