import { describe, expect, test } from 'vitest';
import { Narrator, writeError } from '../../../src/cli/narrator.js';
import type { Meeting } from '../../../src/cli/other-side.js';
import type { Result } from '../../../src/cli/reporter.js';
import { PlainScreen } from '../../../src/cli/screen.js';
import { XferError, type XferEvent } from '../../../src/index.js';
import { Collected } from './world.js';

interface Told {
  readonly narrator: Narrator;
  readonly stdout: Collected;
  readonly stderr: Collected;
  /** Tells the narrator, one second apart. */
  readonly tell: (...events: XferEvent[]) => void;
}

function tellTo(meeting: Partial<Meeting>, { terminal = false } = {}): Told {
  const stdout = new Collected({ isTTY: terminal });
  const stderr = new Collected();
  let nowMs = 0;
  const now = (): number => nowMs;
  const narrator = new Narrator({
    meeting: { role: 'send', joins: false, ...meeting },
    screen: new PlainScreen(stderr, now),
    stdout,
    stderr,
    now,
  });
  const tell = (...events: XferEvent[]): void => {
    for (const event of events) {
      nowMs += 1000;
      narrator.event(event);
    }
  };
  return { narrator, stdout, stderr, tell };
}

function progress(bytes: number): XferEvent {
  return {
    type: 'progress',
    progress: { bytes, files: 0, totalBytes: 3_100_000_000, totalFiles: 12, totalKnown: true },
  };
}

function result(changes: Partial<Result> = {}): Result {
  const outcome = {
    files: 12,
    bytes: 3_100_000_000,
    continuedBytes: 0,
    alreadyFiles: 0,
    alreadyBytes: 0,
    unwantedFiles: 0,
    elapsedMs: 41_000,
    missing: [],
    missingCount: 0,
    skippedCount: 0,
  };
  return { outcome, leftOut: [], leftOutCount: 0, exitCode: 0, ...changes };
}

test('a sender sees the whole story', async () => {
  const { narrator, stdout, stderr, tell } = tellTo({});
  tell(
    { type: 'code', code: '417-apple-tiger' },
    { type: 'dht-ready' },
    { type: 'wrong-guess', left: 7 },
    { type: 'connected', path: 'direct', address: '192.168.1.5:7337' },
    { type: 'offer', kind: 'files', roots: [] },
    { type: 'scanning', files: 120_000, bytes: 3e9, done: false },
    { type: 'peer-state', state: 'asking' },
    { type: 'accepted' },
    { type: 'peer-state', state: 'receiving' },
    { type: 'scanning', files: 130_000, bytes: 3.1e9, done: true },
    { type: 'file-started', path: 'photos/a.jpg', size: 5 },
    progress(0),
    progress(76_000_000),
    progress(152_000_000),
    progress(228_000_000),
    progress(304_000_000),
    progress(380_000_000),
    { type: 'stalled', silentMs: 10_000 },
    { type: 'flowing' },
    { type: 'peer-state', state: 'verifying' },
  );
  await narrator.done(result());
  expect(stdout.text).toBe('417-apple-tiger\n');
  expect(stderr.lines).toEqual([
    'on the other machine:',
    '  xfer receive 417-apple-tiger',
    'waiting for the other side',
    'somebody tried a wrong code; after 7 more the code is dead',
    'connected directly to 192.168.1.5:7337; the code is used up',
    'connected',
    'the other side is asked',
    'the other side said yes',
    'starting to send, still counting: 120,000 files, 3.0 GB',
    'sending  0 %  0 B/3.1 GB  direct  photos/a.jpg',
    'sending  12 %  380 MB/3.1 GB  76 MB/s  36 s left  direct  photos/a.jpg',
    'no data for 10 s from the other side',
    'sending  12 %  380 MB/3.1 GB  76 MB/s  36 s left  direct  photos/a.jpg',
    'verifying  12 %  380 MB/3.1 GB  76 MB/s  36 s left  direct  photos/a.jpg',
    'verified: 12 files, 3.1 GB, 41 s, 76 MB/s, direct',
  ]);
});

test('a receiver sees the whole story', async () => {
  const { narrator, stdout, stderr, tell } = tellTo({ role: 'receive', joins: true });
  tell(
    { type: 'connected', path: 'relay', address: undefined },
    { type: 'offer', kind: 'files', roots: [] },
    { type: 'counting', entries: 500, bytes: 5e6, done: false },
    { type: 'accepted' },
    progress(3_100_000_000),
  );
  await narrator.done(
    result({
      outcome: { ...result().outcome, paths: ['/home/z/photos', '/home/z/a b'], text: undefined },
      leftOut: [{ path: 'photos/link', reason: 'link-skipped' }],
      leftOutCount: 12,
      exitCode: 1,
    }),
  );
  expect(stdout.text).toBe('/home/z/photos\n/home/z/a b\n');
  expect(stderr.lines).toEqual([
    'looking for the other side',
    'connected through a relay; the code is used up',
    'waiting for the offer',
    'reading the offer',
    'starting to receive',
    'receiving  100 %  3.1/3.1 GB  relay',
    '12 entries left out:',
    '  photos/link  a symbolic link',
    '  … and 11 more',
    'verified: 12 files, 3.1 GB, 41 s, 76 MB/s, relay',
    'xfer: error: not everything arrived',
    'xfer: hint: what is missing is listed, here or at the other side; send it again, and with --update at the receiver nothing else travels',
  ]);
});

test('that the path changed is not said into the middle of a question', async () => {
  const { narrator, stderr, tell } = tellTo({ role: 'receive', joins: true });
  tell({ type: 'connected', path: 'dht', address: undefined });
  const before = stderr.lines.length;
  await narrator.aside(async () => {
    tell({ type: 'path', path: 'direct', address: '192.168.1.7:50123', lanes: 1 });
    expect(stderr.lines.slice(before)).not.toContain('now connected directly to 192.168.1.7:50123');
    await Promise.resolve();
  });
  expect(stderr.lines.slice(before)).toContain('now connected directly to 192.168.1.7:50123');
});

test('the path that the bytes take is said when it changes, and counts at the end', async () => {
  const { narrator, stderr, tell } = tellTo({ role: 'receive', joins: true });
  tell(
    { type: 'connected', path: 'dht', address: '203.0.113.9:4000' },
    { type: 'path', path: 'direct', address: '192.168.1.7:50123', lanes: 1 },
    { type: 'path', path: 'direct', address: '192.168.1.7:50123', lanes: 2 },
    progress(0),
    { type: 'path', path: 'dht', address: undefined, lanes: 0 },
    { type: 'path', path: 'direct', address: '[fd00::7]:50123\u001b[2J', lanes: 1 },
  );
  await narrator.done(result());
  expect(stderr.lines).toEqual([
    'looking for the other side',
    'connected through the network of peers (dht) to 203.0.113.9:4000; the code is used up',
    'waiting for the offer',
    'now connected directly to 192.168.1.7:50123',
    'receiving  0 %  0 B/3.1 GB  direct',
    'now connected through the network of peers (dht)',
    'now connected directly to [fd00::7]:50123\\u{1b}[2J',
    'verified: 12 files, 3.1 GB, 41 s, 76 MB/s, direct',
  ]);
});

test('more lanes of a direct connection are no news', () => {
  const { stderr, tell } = tellTo({});
  tell({ type: 'connected', path: 'direct', address: '10.0.0.2:7337' });
  const before = stderr.text;
  tell({ type: 'path', path: 'direct', address: '10.0.0.2:7337', lanes: 3 });
  expect(stderr.text).toBe(before);
});

test('with --listen the commands wait for the addresses', () => {
  const { stderr, tell } = tellTo({ listen: { host: undefined, port: 7337 } });
  tell({ type: 'code', code: '1-a-b' });
  expect(stderr.text).toBe('');
  tell({ type: 'listening', addresses: ['10.0.0.2:7337', '[fd00::2]:7337'] });
  expect(stderr.lines).toEqual([
    'on the other machine, one of:',
    '  xfer receive 1-a-b --connect 10.0.0.2:7337',
    '  xfer receive 1-a-b --connect [fd00::2]:7337',
    'waiting for the other side',
  ]);
});

describe('a text', () => {
  const text = 'hello\n\tworld\u001b[2J';
  const outcome = { ...result().outcome, paths: [], text };

  test('is raw for a script', async () => {
    const { narrator, stdout } = tellTo({ role: 'receive', joins: true });
    await narrator.done(result({ outcome }));
    expect(stdout.text).toBe(text);
  });

  test('row 55: is harmless on a terminal, with its lines', async () => {
    const { narrator, stdout } = tellTo({ role: 'receive', joins: true }, { terminal: true });
    await narrator.done(result({ outcome }));
    expect(stdout.text).toBe('hello\n\tworld\\u{1b}[2J\n');
  });
});

test('row 55: paths are harmless on a terminal and exact for a script', async () => {
  for (const [terminal, shown] of [
    [true, 'a\\u{202e}b\n'],
    [false, 'a\u202eb\n'],
  ] as const) {
    const { narrator, stdout } = tellTo({ role: 'receive', joins: true }, { terminal });
    await narrator.done(result({ outcome: { ...result().outcome, paths: ['a\u202eb'], text: undefined } }));
    expect(stdout.text).toBe(shown);
  }
});

test('what is missing at the other side alone has no names here', async () => {
  const { narrator, stderr } = tellTo({});
  await narrator.done(result({ leftOutCount: 3, exitCode: 1 }));
  expect(stderr.text).toContain('3 entries missing at the other side; its screen says which\n');
  expect(stderr.text).not.toContain('more');
});

test('an error is a sentence and a hint', () => {
  const { narrator, stderr } = tellTo({});
  narrator.failed(new XferError('wrong-code'));
  expect(stderr.lines).toEqual([
    'xfer: error: the code is wrong',
    'xfer: hint: compare it, word for word, with what the other side shows; if it is the same, the line broke just now: start again',
  ]);
});

test('row 57: an error on a narrow terminal is broken between words', () => {
  const stderr = new Collected({ isTTY: true, columns: 40 });
  writeError(stderr, 'wrong-code', undefined);
  expect(stderr.lines).toEqual([
    'xfer: error: the code is wrong',
    'xfer: hint: compare it, word for word,',
    'with what the other side shows; if it is',
    'the same, the line broke just now: start',
    'again',
  ]);
});

test('without a terminal progress is a line every few seconds', () => {
  const { stderr, tell } = tellTo({ role: 'receive', joins: true });
  for (let second = 0; second < 31; second += 1) tell(progress(second * 1e6));
  expect(stderr.lines.filter((line) => line.startsWith('receiving'))).toHaveLength(7);
});

test('what took no time has no rate', async () => {
  const { narrator, stderr } = tellTo({});
  const outcome = {
    ...result().outcome,
    files: 1,
    bytes: 6,
    continuedBytes: 0,
    alreadyFiles: 0,
    alreadyBytes: 0,
    unwantedFiles: 0,
    elapsedMs: 31,
  };
  await narrator.done(result({ outcome }));
  expect(stderr.lines.at(-1)).toBe('verified: 1 file, 6 B, 0.0 s');
});

test('a sender is told of files that nobody asked for', async () => {
  const { narrator, stderr } = tellTo({});
  await narrator.done(result({ outcome: { ...result().outcome, unwantedFiles: 41 } }));
  expect(stderr.lines).toContain(
    'not asked for: 41 files; the other side has them, keeps its own or chose others',
  );
});

test('with a device a sender is told of the device, and of no code', async () => {
  const { narrator, stderr, tell } = tellTo({ joins: true, device: 'pi' });
  tell({ type: 'waiting' }, { type: 'connected', path: 'direct', address: '192.168.1.5:7337', device: 'pi' });
  await narrator.done(result());
  expect(stderr.lines).toContain("looking for 'pi'");
  expect(stderr.lines).toContain("'pi' is not there yet; still looking");
  expect(stderr.lines).toContain('connected directly to 192.168.1.5:7337');
  expect(stderr.text).not.toContain('code');
});

test('a pairing tells the line for the other side, and the name at the end', () => {
  const { stdout, stderr, tell } = tellTo({ role: 'pair' });
  tell(
    { type: 'code', code: '417-apple-tiger' },
    { type: 'connected', path: 'dht', address: undefined },
    { type: 'paired', name: 'pi' },
  );
  expect(stdout.text).toBe('417-apple-tiger\npi\n');
  expect(stderr.lines).toContain('  xfer pair 417-apple-tiger');
  expect(stderr.lines).toContain('waiting for the other person');
  expect(stderr.lines).toContain("paired: here the other machine is called 'pi'");
});
