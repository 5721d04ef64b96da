import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { brief, explain, explainKept } from '../../../src/cli/explain.js';
import { ERROR_CODES, XferError, type ErrorCode } from '../../../src/index.js';

describe.each(ERROR_CODES)('%s', (code) => {
  test('has a sentence in the style of the house, with and without values', () => {
    for (const values of [{}, { subject: 'x', detail: 'y' }, { subject: 'x', detail: 7 }]) {
      const { sentence, hint, exitCode } = explain(new XferError(code, values));
      for (const text of hint === undefined ? [sentence] : [sentence, hint]) {
        expect(text).not.toMatch(/undefined|\.$|^\s|\s$|\s{2}|: $|''/);
        expect(text).not.toMatch(/^[A-Z][a-z]/);
        expect(text).not.toBe('');
      }
      expect([1, 2, 3, 4, 70, 130]).toContain(exitCode);
    }
    expect(brief(code)).not.toBe('');
  });

  test('row 55: shows foreign values harmlessly', () => {
    const values = { subject: 'a\u001b[2J', detail: 'b\u202e' };
    const { sentence, hint } = explain(new XferError(code, values));

    expect(`${sentence}${hint ?? ''}`).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});

test.each([
  [new XferError('unknown-word', { subject: 'aple', detail: 'apple' }), "no code has the word 'aple'", 2],
  [new XferError('wrong-code'), 'the code is wrong', 4],
  [new XferError('code-dead'), 'the code is dead: it was guessed wrong too often', 4],
  [
    new XferError('code-dead', { detail: 'crowd' }),
    'the code is dead: too many others answer under its number',
    4,
  ],
  [
    new XferError('no-peer', { detail: 'crowd' }),
    'many others answer under the number of this code, and none of them knows it',
    3,
  ],
  [new XferError('declined'), 'the other side declined', 1],
  [new XferError('declined', { detail: 'target-exists' }), 'the other side declined: exists already', 1],
  [new XferError('declined', { detail: 'declined' }), 'the other side declined', 1],
  [new XferError('declined', { subject: 'you' }), 'you declined, nothing was received', 1],
  [
    new XferError('integrity', { detail: 3_100_000 }),
    'what arrived is not what was sent: the first 3100000 bytes (3.1 MB) are good',
    4,
  ],
  [new XferError('peer-gone'), 'the other side is gone', 3],
  [new XferError('disk-full'), 'there is not enough space on the disk', 3],
  [
    new XferError('disk-failed', { subject: '/in/.xfer-parts', detail: 'taken' }),
    '/in/.xfer-parts was taken over by another xfer',
    1,
  ],
  [
    new XferError('disk-failed', { subject: '/in/.xfer-parts', detail: 'removed' }),
    '/in/.xfer-parts was removed while files arrived in it',
    1,
  ],
  [new XferError('interrupted'), 'interrupted', 130],
  [new XferError('internal'), 'xfer has a bug', 70],
])('%s', (error, sentence, exitCode) => {
  expect(explain(error)).toMatchObject({ sentence, exitCode });
});

test('who stops before the code was used may try it again', () => {
  const hint = 'the code was not used and may be tried again';
  expect(explain(new XferError('interrupted', { subject: 'code' })).hint).toBe(hint);
  expect(explain(new XferError('interrupted')).hint).not.toBe(hint);
});

test('who was kept apart by a crowd is told of the longer code', () => {
  for (const code of ['code-dead', 'no-peer'] as const) {
    expect(explain(new XferError(code, { detail: 'crowd' })).hint).toContain('made with --words 5');
  }
  expect(explain(new XferError('no-peer')).hint).not.toContain('--words');
});

test('no error is a success', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ERROR_CODES), fc.string(), (code, subject) => {
      expect(explain({ code, subject, detail: undefined }).exitCode).toBeGreaterThan(0);
    }),
  );
});

/** What scripts rely on: a status may be given to a new error, and never changed. */
const STATUSES: Readonly<Record<number, readonly ErrorCode[]>> = {
  1: [
    'device-removed',
    'not-allowed',
    'editor-failed',
    'action-failed',
    'action-timeout',
    'action-output',
    'path-unreadable',
    'version-unsupported',
    'declined',
    'dry-run',
    'peer-failed',
    'disk-failed',
    'permission-denied',
    'output-closed',
    'limit',
    'incomplete',
    'name-refused',
    'source-changed',
    'source-vanished',
    'target-changed',
    'link-skipped',
    'special-skipped',
    'unfinished-skipped',
  ],
  2: [
    'usage',
    'bad-code',
    'unknown-word',
    'bad-address',
    'config-invalid',
    'path-missing',
    'nothing-to-send',
    'same-name',
    'target-exists',
    'target-protected',
    'no-terminal',
    'not-streamable',
    'port-in-use',
    'proxy-login',
    'role-conflict',
    'device-unknown',
    'name-taken',
    'not-a-folder',
    'no-action',
    'argument-count',
    'argument-refused',
    'is-a-folder',
  ],
  3: [
    'peer-busy',
    'no-share',
    'too-many-tries',
    'too-many-runs',
    'no-network',
    'no-peer',
    'peer-unreachable',
    'proxy-unreachable',
    'proxy-refused',
    'peer-gone',
    'peer-interrupted',
    'stalled',
    'disk-full',
  ],
  4: [
    'code-expired',
    'code-used',
    'code-dead',
    'wrong-code',
    'not-verified',
    'wrong-password',
    'device-refused',
    'integrity',
    'protocol',
  ],
  70: ['internal'],
  130: ['interrupted'],
};

test('every error keeps its status', () => {
  const statuses = Object.entries(STATUSES).flatMap(([status, codes]) =>
    codes.map((code) => [code, Number(status)] as const),
  );
  expect(Object.fromEntries(statuses)).toEqual(
    Object.fromEntries(ERROR_CODES.map((code) => [code, explain(new XferError(code)).exitCode])),
  );
});

test('with a device nothing is said of codes', () => {
  for (const code of ['peer-gone', 'peer-interrupted', 'stalled', 'interrupted', 'integrity'] as const) {
    const error = new XferError(code);
    const [said, kept] = [explain(error, { device: 'pi' }), explainKept(error, { device: 'pi' })];
    expect(said.hint).not.toContain('code');
    expect(said.hint).toMatch(/start it again/);
    expect(said.exitCode).toBe(explain(error).exitCode);
    expect(kept.hint).not.toContain('code');
    expect(kept.hint).toContain('it goes on from here');
  }
});
