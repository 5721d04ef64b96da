import { expect, test } from 'vitest';
import { lazyActions, misdirection } from '../../../src/cli/actions.js';
import { makeWorld } from './world.js';

const exists = (path: string): boolean => ['photos/', "it's here"].includes(path);

test.each([
  [['photos/'], 'xfer send photos/'],
  [['photos/', 'b c'], "xfer send photos/ 'b c'"],
  [["it's here"], String.raw`xfer send 'it'\''s here'`],
  [['-'], 'xfer send -'],
  [['417-apple-tiger'], 'xfer receive 417-apple-tiger'],
  [['417-Apple-tiger', '--yes'], 'xfer receive 417-Apple-tiger --yes'],
  [['help'], 'xfer --help'],
  [['help', 'send'], 'xfer send --help'],
  [
    ['snd'],
    'the commands are send, receive, chat, serve, stop, ls, get, put, cat, edit, rm, mv, mkdir, run, shell, pair, devices, resume, node, doctor, config and completion',
  ],
])('xfer %j hints at %s', (words, hint) => {
  expect(misdirection(words, exists)[1]).toBe(hint);
});

test('a shell without a completion is refused with those that have one', async () => {
  await expect(lazyActions(makeWorld().context).completion('tcsh')).rejects.toMatchObject({
    code: 'usage',
    subject: "there is no completion for 'tcsh'",
    detail: 'the shells are bash, zsh and fish',
  });
});
