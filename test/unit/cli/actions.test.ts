import { expect, test } from 'vitest';
import { misdirection } from '../../../src/cli/actions.js';

const exists = (path: string): boolean => ['photos/', "it's here"].includes(path);

test.each([
  [['photos/'], 'xfer send photos/'],
  [['photos/', 'b c'], "xfer send photos/ 'b c'"],
  [["it's here"], String.raw`xfer send 'it'\''s here'`],
  [['-'], 'xfer send -'],
  [['417-apple-tiger'], 'xfer receive 417-apple-tiger'],
  [['417-Apple-tiger', '--yes'], 'xfer receive 417-Apple-tiger --yes'],
  [['snd'], 'the commands are send, receive, config and completion'],
])('xfer %j hints at %s', (words, hint) => {
  expect(misdirection(words, exists)[1]).toBe(hint);
});
