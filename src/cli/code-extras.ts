/** What `--copy` and `--qr` do with a new code. */
import type { XferEvent } from '../index.js';
import type { MeetingFlags } from './meeting-flags.js';
import type { Reporter } from './reporter.js';

/** `--copy` and `--qr`, as soon as there is a code. */
export function withCodeExtras(
  flags: MeetingFlags,
  reporter: Reporter,
  onEvent: (event: XferEvent) => void,
): (event: XferEvent) => void {
  return (event) => {
    onEvent(event);
    if (event.type !== 'code') return;
    if (flags.qr === true) void showQr(event.code, reporter);
    if (flags.copy === true) void copy(event.code, reporter);
  };
}

async function showQr(code: string, reporter: Reporter): Promise<void> {
  const { qrLines } = await import('./qr.js');
  for (const line of qrLines(code)) reporter.say(line);
}

async function copy(code: string, reporter: Reporter): Promise<void> {
  const { copyToClipboard } = await import('./clipboard.js');
  const copied = await copyToClipboard(code);
  reporter.say(copied ? 'the code is in the clipboard' : 'the clipboard cannot be reached');
}
