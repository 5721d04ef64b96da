import { expect, test } from 'vitest';
import type { Screen, Status } from '../../../src/cli/screen.js';
import { ServeLines } from '../../../src/cli/serve-log.js';
import { SharedScreen } from '../../../src/cli/shared-screen.js';
import type { ShareAction } from '../../../src/index.js';

const WIDTH = 60;

/** What a person sees: the lines that stay, and the one that is drawn. */
function seen(): { screen: Screen; lines: string[]; drawn: () => string } {
  const lines: string[] = [];
  let status: Status | undefined;
  const screen: Screen = {
    width: WIDTH,
    say: (line) => void lines.push(line),
    status: (next) => (status = next),
    aside: (ask) => ask(),
    close: () => undefined,
  };
  return { screen, lines, drawn: () => status?.draw(WIDTH) ?? '' };
}

const idle = { kind: 'idle', draw: () => 'waiting for devices' };
const progress = { files: 0, totalFiles: 1, bytes: 3, totalBytes: 6, totalKnown: true };
const fetched: ShareAction = {
  action: 'get',
  paths: ['a.txt'],
  moved: { files: 1, bytes: 6, missingCount: 0 },
};

test('a transfer of a device that stays is drawn until it is over', () => {
  const { screen, lines, drawn } = seen();
  const session = new ServeLines(new SharedScreen(screen, idle), () => 0).session('laptop');
  session.event({ type: 'progress', progress });
  expect(drawn()).toMatch(/^laptop: sending/);
  session.action(fetched);
  expect(lines).toEqual(['laptop: fetched a.txt: 1 file, 6 B']);
  expect(drawn()).toBe('waiting for devices');

  session.event({ type: 'progress', progress });
  expect(drawn()).toMatch(/^laptop: sending/);
  session.gone();
  expect(drawn()).toBe('waiting for devices');
});
