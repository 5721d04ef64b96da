import { stripVTControlCharacters } from 'node:util';
import { expect, test, vi } from 'vitest';
import { openScreen, type Screen } from '../../../src/cli/screen.js';
import { displayWidth } from '../../../src/cli/display-width.js';
import { Collected } from './world.js';

/** A terminal as far as ora needs one. */
class Terminal extends Collected {
  constructor(columns: number) {
    super({ isTTY: true, columns });
  }
  #moves = 0;
  cursorTo(): void {}
  moveCursor(): void {
    this.#moves += 1;
    if (this.#moves > 1000) throw new Error('the cursor moves up for ever');
  }
  clearLine(): void {}
}

const status = { kind: 'moving', draw: (width: number) => 'x'.repeat(width) };

/** A screen that draws as soon as it can. */
function openDrawing(terminal: Terminal, env: NodeJS.ProcessEnv): Screen {
  return openScreen(terminal, env, undefined, 0);
}

/** Waits until the first status was drawn. */
async function drawn(terminal: Terminal): Promise<void> {
  await vi.waitFor(() => {
    expect(terminal.text).not.toBe('');
  });
}

test.each([80, 40])('row 57: the drawn line leaves the last of %i columns free', async (columns) => {
  const terminal = new Terminal(columns);
  const screen = openDrawing(terminal, { NO_COLOR: '1' });
  screen.status(status);
  await drawn(terminal);
  screen.close();
  const line = stripVTControlCharacters(terminal.text);
  expect(displayWidth(line.slice(0, line.lastIndexOf('x') + 1))).toBe(columns - 1);
});

test.each([0, NaN])('a terminal that says it has %i columns has 80', async (columns) => {
  const terminal = new Terminal(columns);
  const screen = openDrawing(terminal, { NO_COLOR: '1' });
  screen.status(status);
  await drawn(terminal);
  expect(screen.width).toBe(80);
  screen.status({ kind: 'moving', draw: () => 'moving' });
  screen.close();
  expect(terminal.columns).toBe(80);
});

test('a terminal whose width changes is drawn as wide as it is then', async () => {
  const terminal = new Terminal(0);
  const screen = openDrawing(terminal, { NO_COLOR: '1' });
  screen.status(status);
  await drawn(terminal);
  Object.assign(terminal, { columns: 40 });
  expect(screen.width).toBe(40);
  Object.assign(terminal, { columns: 0 });
  expect(screen.width).toBe(80);
  screen.close();
});

test('NO_COLOR leaves color out', async () => {
  const terminal = new Terminal(80);
  const screen = openDrawing(terminal, { NO_COLOR: '1' });
  screen.status(status);
  await drawn(terminal);
  screen.close();

  expect(terminal.text).not.toMatch(/\u001b\[3\dm/);
});

test('nothing is drawn while a question is on the screen', async () => {
  const terminal = new Terminal(80);
  const screen = openDrawing(terminal, {});
  screen.status(status);
  await drawn(terminal);
  await screen.aside(async () => {
    const before = terminal.text;
    screen.status({ kind: 'counting', draw: () => 'still counting' });
    expect(terminal.text).toBe(before);
  });
  expect(terminal.text).toContain('still counting');
  screen.close();
});

test('without a terminal nothing is drawn in place', () => {
  const output = new Collected();
  let nowMs = 0;
  const screen = openScreen(output, {}, () => nowMs);
  for (let second = 0; second <= 10; second += 1) {
    screen.status({ kind: 'moving', draw: () => `at ${second} s` });
    nowMs += 1000;
  }
  screen.status({ kind: 'verifying', draw: () => 'verifying' });
  screen.close();
  expect(output.text).toBe('at 0 s\nat 5 s\nat 10 s\nverifying\n');
});

test('a dumb terminal is treated as none', () => {
  const terminal = new Terminal(80);
  const screen = openScreen(terminal, { TERM: 'dumb' });
  screen.status({ kind: 'moving', draw: () => 'moving' });
  expect(terminal.text).toBe('moving\n');
});

test('nothing is drawn of what is over at once', async () => {
  vi.useFakeTimers();
  try {
    const terminal = new Terminal(80);
    const screen = openScreen(terminal, {});
    screen.status(status);
    screen.close();
    await vi.runAllTimersAsync();
    expect(terminal.text).toBe('');
  } finally {
    vi.useRealTimers();
  }
});
