import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { JsonReporter } from '../../../src/cli/json-reporter.js';
import type { Meeting } from '../../../src/cli/other-side.js';
import { openReporter } from '../../../src/cli/transfer.js';
import { XferError, type XferEvent } from '../../../src/index.js';
import { Collected } from './world.js';

const EVENTS: { readonly [Type in XferEvent['type']]: Extract<XferEvent, { type: Type }> } = {
  code: { type: 'code', code: '417-apple-tiger' },
  listening: { type: 'listening', addresses: ['127.0.0.1:7337'] },
  paired: { type: 'paired', name: 'pi' },
  'dht-ready': { type: 'dht-ready' },
  'dht-unreachable': { type: 'dht-unreachable' },
  proxy: { type: 'proxy', proxy: '192.0.2.1:3128' },
  waiting: { type: 'waiting' },
  unreachable: { type: 'unreachable' },
  'wrong-guess': { type: 'wrong-guess', left: 7 },
  connected: { type: 'connected', path: 'dht', address: undefined },
  path: { type: 'path', path: 'direct', address: '192.168.1.7:50123', lanes: 2 },
  reconnecting: { type: 'reconnecting', patienceMs: 600_000 },
  reconnected: { type: 'reconnected', path: 'direct', address: '192.168.1.7:7337' },
  stalled: { type: 'stalled', silentMs: 10_000 },
  flowing: { type: 'flowing' },
  scanning: { type: 'scanning', files: 1, bytes: 2, done: true },
  offer: { type: 'offer', kind: 'files', roots: [{ name: 'a', type: 'file', size: 5 }] },
  counting: { type: 'counting', entries: 1, bytes: 2, done: true },
  'peer-state': { type: 'peer-state', state: 'receiving' },
  accepted: { type: 'accepted' },
  declined: { type: 'declined', reason: 'dry-run' },
  'file-started': { type: 'file-started', path: 'a', size: 5 },
  'file-received': { type: 'file-received', path: '/x/a', size: 5 },
  'file-continued': { type: 'file-continued', path: 'a', bytes: 4 },
  'file-restarted': { type: 'file-restarted', path: 'a' },
  'file-updated': { type: 'file-updated', path: 'a', bytes: 4 },
  kept: { type: 'kept', bytes: 4 },
  progress: {
    type: 'progress',
    progress: { bytes: 1, files: 0, totalBytes: 5, totalFiles: 1, totalKnown: true },
  },
  skipped: { type: 'skipped', skipped: { path: 'l', reason: 'link-skipped' } },
};

const outcome = {
  files: 1,
  bytes: 5,
  continuedBytes: 0,
  alreadyFiles: 0,
  alreadyBytes: 0,
  unwantedFiles: 0,
  elapsedMs: 9,
  missing: [],
  missingCount: 0,
  skippedCount: 0,
};

function makeReporter(): { reporter: JsonReporter; lines: () => unknown[]; wait: (ms: number) => void } {
  const stdout = new Collected();
  let nowMs = 0;
  const reporter = new JsonReporter(stdout, () => nowMs);
  return {
    reporter,
    lines: () => stdout.lines.map((line) => JSON.parse(line) as unknown),
    wait: (ms) => {
      nowMs += ms;
    },
  };
}

test.each(Object.values(EVENTS))('$type is one line', (event) => {
  const { reporter, lines } = makeReporter();
  reporter.event(event);
  const { type, ...fields } = event;
  expect(lines()).toEqual([JSON.parse(JSON.stringify({ event: type, ...fields }))]);
});

test('the end is done or error', async () => {
  const { reporter, lines } = makeReporter();
  const leftOut = [{ path: 'l', reason: 'link-skipped' }] as const;
  await reporter.done({ outcome, leftOut, leftOutCount: 1, exitCode: 0 });
  await reporter.done({
    outcome: { ...outcome, paths: ['/x/a'], text: 'hi' },
    leftOut: [],
    leftOutCount: 0,
    exitCode: 0,
  });
  reporter.failed(new XferError('wrong-code'));
  expect(lines()).toEqual([
    {
      event: 'done',
      files: 1,
      bytes: 5,
      continuedBytes: 0,
      alreadyFiles: 0,
      alreadyBytes: 0,
      unwantedFiles: 0,
      elapsedMs: 9,
      leftOut,
      leftOutCount: 1,
      exitCode: 0,
    },
    {
      event: 'done',
      files: 1,
      bytes: 5,
      continuedBytes: 0,
      alreadyFiles: 0,
      alreadyBytes: 0,
      unwantedFiles: 0,
      elapsedMs: 9,
      paths: ['/x/a'],
      text: 'hi',
      leftOut: [],
      leftOutCount: 0,
      exitCode: 0,
    },
    {
      event: 'error',
      code: 'wrong-code',
      exitCode: 4,
      sentence: 'the code is wrong',
      hint: 'compare it, word for word, with what the other side shows; if it is the same, the line broke just now: start again',
    },
  ]);
});

test('what to do after an error is what a person is told', () => {
  const hintAfter = (events: readonly XferEvent[], device?: string): string => {
    const stdout = new Collected();
    const stderr = new Collected();
    const meeting = { role: 'receive', joins: true, ...(device === undefined ? {} : { device }) } as const;
    const now = (): number => 0;
    const reporters = [
      openReporter({ stdout, stderr, env: {} }, { json: true }, meeting, now),
      openReporter({ stdout: new Collected(), stderr, env: {} }, { quiet: true }, meeting, now),
    ];
    for (const reporter of reporters) {
      for (const event of events) reporter.event(event);
      reporter.failed(new XferError('interrupted'));
    }
    const { hint } = JSON.parse(stdout.lines.at(-1) ?? '') as { hint: string };
    expect(stderr.lines.at(-1)).toBe(`xfer: hint: ${hint}`);
    return hint;
  };
  expect([
    hintAfter([]),
    hintAfter([EVENTS.kept]),
    hintAfter([], 'pi'),
    hintAfter([EVENTS.kept], 'pi'),
  ]).toEqual([
    'start again on both sides with a new code',
    'start again with a new code and receive into the same place: it goes on from here',
    'start it again',
    'start it again, into the same place: it goes on from here',
  ]);
});

describe('a failure says what to do next as this side has it, in JSON as in words', () => {
  function hintOf(error: XferError, meeting: Meeting): string {
    const [stdout, stderr] = [new Collected(), new Collected()];
    openReporter({ stdout, stderr, env: {} }, { json: true }, meeting, () => 0).failed(error);
    openReporter({ stdout: new Collected(), stderr, env: {} }, { quiet: true }, meeting, () => 0).failed(
      error,
    );
    const { hint } = JSON.parse(stdout.lines.at(-1) ?? '') as { hint: string };
    expect(stderr.lines.at(-1)).toBe(`xfer: hint: ${hint}`);
    return hint;
  }

  test.each(['peer-gone', 'peer-interrupted', 'stalled'] as const)(
    'one of several receivers may come again (%s)',
    (code) => {
      const meeting = { role: 'send', joins: false, several: true } as const;
      const hint = hintOf(new XferError(code), meeting);
      expect(hint).toMatch(/it may come again with the same code$/);
      expect(hintOf(new XferError(code), { ...meeting, several: false })).toMatch(/with a new code$/);
    },
  );

  test('with the end of all the code ends', () => {
    const meeting = { role: 'send', joins: false, several: true } as const;
    expect(hintOf(new XferError('interrupted'), meeting)).toBe('start again on both sides with a new code');
  });

  const to = { role: 'send', joins: true, device: 'pi' } as const;
  test.each([
    ['xfer receive --wait or xfer serve', to],
    ['xfer serve', { ...to, seeks: 'share' }],
    ['xfer serve', { ...to, role: 'receive', seeks: 'share' }],
    ['xfer chat --wait or xfer serve', { ...to, role: 'chat' }],
  ] as const)('a device that was not found or does something else has to run %s', (command, meeting) => {
    const absent = hintOf(new XferError('no-peer', { subject: 'pi' }), meeting);
    expect(absent).toMatch(new RegExp(`^see whether ${command} runs there;`));
    const otherwise = hintOf(new XferError('role-conflict'), meeting);
    expect(otherwise).toBe(`the other machine has to run ${command}`);
  });
});

test('what comes often is sampled, but its end is said', () => {
  const { reporter, lines, wait } = makeReporter();
  for (let count = 0; count < 10; count += 1) {
    reporter.event(EVENTS.progress);
    reporter.event({ ...EVENTS.scanning, done: false });
    reporter.event(EVENTS.skipped);
    wait(30);
  }
  reporter.event(EVENTS.scanning);

  const names = lines().map((line) => (line as { event: string }).event);
  const count = (name: string): number => names.filter((event) => event === name).length;
  expect([count('progress'), count('scanning'), count('skipped')]).toEqual([3, 4, 10]);
});

test('the documentation names every event and every field of it', async () => {
  const page = await readFile(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  for (const [name, event] of Object.entries(EVENTS)) {
    const section = page.split(/^### /m).find((part) => part.startsWith(`\`${name}\`\n`));
    expect(section, name).toBeDefined();
    const { type: _type, ...fields } = event;
    const nested = Object.values(fields).flatMap((value) => fieldsOf(value));
    for (const field of [...Object.keys(fields), ...nested])
      expect(section, `${name}.${field}`).toContain(`\`${field}\``);
  }
});

function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
