/** Names of every shape: those that can travel arrive byte for byte, the others are named, also after a kill in the middle. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isSoak } from '../support/soak.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { doneOf, places, startRun, statuses } from '../support/transfer-run.js';
import { noise } from '../support/trees.js';

const MIB = 2 ** 20;
const KILLS = isSoak ? 12 : 1;

const TRAVELS = [
  ' ',
  '  leading and trailing  ',
  '-',
  '--',
  '-rf',
  '--out=elsewhere',
  '~',
  '$HOME',
  '`id`',
  '%s%n',
  '*',
  '?',
  "it's",
  '"quoted"',
  'back\\slash',
  'C:',
  'a:b',
  '...',
  '.hidden',
  'dot.',
  'CON',
  'nul.txt',
  'com1',
  'LPT9.tar.gz',
  'aux ',
  '.xfer-',
  '.xfer-notes',
  '.xfer-0123456789abcde',
  '.xfer-0123456789abcdef0',
  'journal',
  '0.part',
  'crème', // composed
  'crème'.normalize('NFD'),
  'Å',
  'Å'.normalize('NFD'),
  '\u212b', // the same to a person, and a third name to the disk
  'straße',
  'STRASSE',
  'Straße',
  'ﬁle',
  'file',
  'İ',
  'ı',
  '🗂',
  '👩‍👩‍👧‍👦',
  'עברית',
  'العربية',
  '\u202egpj.exe',
  '\u2066isolated\u2069',
  'zero\u200bwidth',
  '\ufeffmark',
  'line\u2028separator',
  '漢'.repeat(85),
  'x'.repeat(255),
  '__proto__',
  'constructor',
  'null',
  'NaN',
];

/** As the bytes that the disk has. */
const STAYS: readonly (string | Buffer)[] = [
  'new\nline',
  'carriage\rreturn',
  'tab\tulator',
  'esc\u001b[2J',
  'bell\u0007',
  'delete\u007f',
  'csi\u009b31m',
  '.xfer-0123456789abcdef',
  '.XFER-0123456789ABCDEF.1.2.00000000.00000000',
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0x61, 0xc3]),
  // A half of a pair, and an overlong slash.
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xc0, 0xaf]),
];

let above: string;
let to: string;
const ROOT = '-- 📁 \u202eroot';

beforeEach(async () => {
  above = await temporaryFolder();
  to = await temporaryFolder();
});

const bytesOf = (name: string | Buffer): Buffer => (typeof name === 'string' ? Buffer.from(name) : name);

function fill(): void {
  const folders = [ROOT, `${ROOT}/${TRAVELS[0]!}`, `${ROOT}/deep/${'y'.repeat(255)}/${'z'.repeat(255)}`];
  for (const folder of folders) {
    mkdirSync(path.join(above, folder), { recursive: true });
    for (const name of [...TRAVELS.slice(folder === ROOT ? 1 : 0), ...STAYS]) {
      const file = Buffer.concat([Buffer.from(`${path.join(above)}/${folder}/`), bytesOf(name)]);
      writeFileSync(file, noise(20_000, `${folder} ${bytesOf(name).toString('hex')}`));
    }
  }
  writeFileSync(path.join(above, ROOT, '\u202egnp.large'), noise(5 * MIB, 'large'));
}

/** Everything below a folder by its bytes, in hex. */
function contentsOf(folder: Buffer, below = Buffer.alloc(0), found = new Map<string, Buffer | undefined>()) {
  for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
    const here = Buffer.concat([folder, Buffer.from('/'), entry.name]);
    const name = Buffer.concat([below, Buffer.from('/'), entry.name]);
    found.set(name.toString('hex'), entry.isFile() ? readFileSync(here) : undefined);
    if (entry.isDirectory()) contentsOf(here, name, found);
  }
  return found;
}

function expectThere(whole: boolean): void {
  const sent = contentsOf(Buffer.from(above));
  const stays = new Set(STAYS.map((name) => bytesOf(name).toString('hex')));
  const arrived = contentsOf(Buffer.from(to));
  for (const [name, content] of arrived) {
    const shown = Buffer.from(name, 'hex').toString();
    if (!whole && /^\/\.xfer-[0-9a-f]{16}[./]|^\/\.xfer-[0-9a-f]{16}$/.test(shown)) continue;
    expect(sent.has(name), shown).toBe(true);
    if (content !== undefined) expect(sent.get(name)?.equals(content), shown).toBe(true);
  }
  if (!whole) return;
  const expected = [...sent.keys()].filter((name) => !stays.has(name.slice(name.lastIndexOf('2f') + 2)));
  for (const name of expected) expect(arrived.has(name), Buffer.from(name, 'hex').toString()).toBe(true);
  expect(arrived.size).toBe(sent.size - 3 * STAYS.length);
}

describe.skipIf(process.platform !== 'linux')('row 38: names of every shape', () => {
  it.each(places(KILLS, 8 * MIB, 'names'))(
    'killed after %d bytes and sent again: all that can travel is there',
    async (at) => {
      fill();
      const options = { from: path.join(above, ROOT), to, receive: ['--json'] };
      const first = await startRun({ ...options, holdAfter: at });
      await first.line.held;
      first.receiver.kill();
      await first.sender.status();
      expectThere(false);
      const run = await startRun(options);
      expect(await statuses(run), run.sender.screen + run.receiver.screen).toEqual([1, 1]);
      expectThere(true);
      expect(doneOf(run.receiver)).toMatchObject({ leftOutCount: 3 * STAYS.length });
      for (const side of [first.sender, run.sender, run.receiver])
        expect(side.screen).not.toMatch(
          /[\u0000-\u0007\u000B-\u001A\u001C-\u001F\u007F-\u009F\u200B\u202E\u2066\u2028]|\u001b\[2J/,
        );
    },
  );
});
