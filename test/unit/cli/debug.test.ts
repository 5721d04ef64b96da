import { expect, test } from 'vitest';
import { DebugLog } from '../../../src/cli/debug.js';
import { XferError } from '../../../src/index.js';
import { Collected } from './world.js';

function makeLog(): { log: DebugLog; stderr: Collected } {
  const stderr = new Collected();
  return { log: new DebugLog(stderr, () => 0), stderr };
}

test('an event is a line with its time and its fields', () => {
  const { log, stderr } = makeLog();
  log.event({ type: 'wrong-guess', left: 3 });
  expect(stderr.text).toBe('xfer: debug: 0.000 wrong-guess {"left":3}\n');
});

test('row 14: no line shows a code or a word of it', () => {
  const { log, stderr } = makeLog();
  log.event({ type: 'code', code: '417-apple-tiger' });
  log.error(new XferError('unknown-word', { subject: 'aple', detail: 'apple' }));
  log.error(new XferError('bad-code', { subject: 'apple tiger' }));
  log.error(new XferError('internal', { cause: new Error('no such topic: 417-apple-tiger') }));
  log.error(new XferError('internal', { cause: 'words apple-tiger' }));
  expect(stderr.text).not.toMatch(/apple|tiger|aple/);
  expect(stderr.text).toContain('code {"code":"[secret]"}');
});

test('row 14: a code that was typed is hidden too', () => {
  const { log, stderr } = makeLog();
  log.hide('417-apple-tiger');
  log.error(new XferError('internal', { cause: new Error('xfer receive 417-apple-tiger') }));
  expect(stderr.text).not.toMatch(/apple|tiger/);
});

test('an error is told with its causes', () => {
  const { log, stderr } = makeLog();
  log.error(new XferError('disk-failed', { subject: 'a', cause: new Error('EIO', { cause: { code: 5 } }) }));
  expect(stderr.text).toMatch(/XferError: disk-failed: a\n.*Error: EIO\n.*\{ code: 5 \}/s);
});

test('row 55: foreign text in an event is harmless', () => {
  const { log, stderr } = makeLog();
  log.event({ type: 'file-started', path: 'a\u001b[2J\u202e\n', size: 1 });
  expect(stderr.lines).toEqual([
    String.raw`xfer: debug: 0.000 file-started {"path":"a\u001b[2J\u202e\n","size":1}`,
  ]);
});
