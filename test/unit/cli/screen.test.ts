import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { openScreen } from '../../../src/cli/screen.js';
import { displayWidth } from '../../../src/cli/show.js';
import { Collected } from './world.js';

/** A terminal as far as ora needs one. */
class Terminal extends Collected {
  constructor(columns: number) {
    super({ isTTY: true, columns });
  }
  cursorTo(): void {}
  moveCursor(): void {}
  clearLine(): void {}
}

const status = { kind: 'moving', draw: (width: number) => 'x'.repeat(width) };

test.each([80, 40])('row 57: the drawn line leaves the last of %i columns free', async (columns) => {
  const terminal = new Terminal(columns);
  const screen = await openScreen(terminal, { NO_COLOR: '1' });
  screen.status(status);
  screen.close();
  const drawn = stripVTControlCharacters(terminal.text);
  expect(displayWidth(drawn.slice(0, drawn.lastIndexOf('x') + 1))).toBe(columns - 1);
});

test('NO_COLOR leaves color out', async () => {
  const terminal = new Terminal(80);
  const screen = await openScreen(terminal, { NO_COLOR: '1' });
  screen.status(status);
  screen.close();

  expect(terminal.text).not.toMatch(/\u001b\[3\dm/);
});

test('nothing is drawn while a question is on the screen', async () => {
  const terminal = new Terminal(80);
  const screen = await openScreen(terminal, {});
  screen.status(status);
  await screen.aside(async () => {
    const before = terminal.text;
    screen.status({ kind: 'counting', draw: () => 'still counting' });
    expect(terminal.text).toBe(before);
  });
  expect(terminal.text).toContain('still counting');
  screen.close();
});

test('without a terminal nothing is drawn in place', async () => {
  const output = new Collected();
  let nowMs = 0;
  const screen = await openScreen(output, {}, () => nowMs);
  for (let second = 0; second <= 10; second += 1) {
    screen.status({ kind: 'moving', draw: () => `at ${second} s` });
    nowMs += 1000;
  }
  screen.status({ kind: 'verifying', draw: () => 'verifying' });
  screen.close();
  expect(output.text).toBe('at 0 s\nat 5 s\nat 10 s\nverifying\n');
});

test('a dumb terminal is treated as none', async () => {
  const terminal = new Terminal(80);
  const screen = await openScreen(terminal, { TERM: 'dumb' });
  screen.status({ kind: 'moving', draw: () => 'moving' });
  expect(terminal.text).toBe('moving\n');
});
