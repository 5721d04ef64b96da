/** A line that is being typed, on a terminal where other lines come in. */
import { clearScreenDown, cursorTo, moveCursor, type Interface } from 'node:readline';
import type { Output } from './context.js';

/** Takes the prompt off the screen, with what was typed. */
export function liftPrompt(prompt: Interface, stderr: Output): void {
  moveCursor(stderr, 0, -prompt.getCursorPos().rows);
  cursorTo(stderr, 0);
  clearScreenDown(stderr);
}

/** Writes whole lines above the prompt, which is drawn again as it was. */
export function writeAbove(
  prompt: Interface,
  stderr: Output,
  output: Output,
  lines: readonly string[],
): void {
  liftPrompt(prompt, stderr);
  for (const line of lines) output.write(`${line}\n`);
  // readline goes up by as many rows as it believes to have drawn, and would wipe out what was just written.
  Object.assign(prompt, { prevRows: 0 });
  prompt.prompt(true);
}
