import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { offerLines, skippedLines } from '../../../src/cli/offer-lines.js';
import { displayWidth } from '../../../src/cli/display-width.js';
import { makeOffer } from './world.js';

const offer = makeOffer({
  roots: [
    { name: 'photos', type: 'folder', size: undefined },
    { name: 'a report about everything that happened in the year 2026.pdf', type: 'file', size: 4_200_000 },
    { name: '\u202egpj.漢字', type: 'file', size: 12 },
  ],
  files: 412,
  folders: 3,
  bytes: 3_100_000_000,
  skippedBySender: 2,
  conflicts: ['photos/2024/a.jpg'],
  conflictCount: 13,
  refused: [{ path: 'photos/con', reason: 'name-refused' }],
  refusedCount: 1,
  executables: ['photos/run.sh'],
  executableCount: 1,
  freeBytes: 1_000_000_000,
});

test('rows 55 to 57: an offer at 80 columns', () => {
  expect(offerLines(offer, 80)).toEqual([
    'offered: 412 files in 3 folders, 3.1 GB',
    '  photos/',
    '  a report about everything that happened in the year 2026.pdf  4.2 MB',
    '  \\u{202e}gpj.漢字  12 B',
    'exists here already:',
    '  photos/2024/a.jpg',
    '  … and 12 more',
    'would be executable:',
    '  photos/run.sh',
    'cannot be kept here:',
    '  photos/con  a name that cannot be sent or kept',
    '2 entries left out by the sender',
    'warning: only 1.0 GB free here',
  ]);
});

test('rows 55 to 57: an offer at 40 columns', () => {
  const lines = offerLines(offer, 40);
  expect(lines.slice(0, 4)).toEqual([
    'offered: 412 files in 3 folders, 3.1 GB',
    '  photos/',
    '  a report about … year 2026.pdf  4.2 MB',
    '  \\u{202e}gpj.漢字  12 B',
  ]);
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
});

test('what is found so far is said whole, on two lines where one is too narrow', () => {
  expect(offerLines({ ...offer, complete: false }, 40).slice(0, 3)).toEqual([
    'offered: 412 files in 3 folders, 3.1 GB',
    'so far',
    '  photos/',
  ]);
});

test('what an interrupted transfer brought is said, and needs no room', () => {
  const brought = { arrivedFiles: 3, arrivedBytes: 20_000_000, bytes: 40_000_000, partBytes: 30_000_000 };
  expect(offerLines(makeOffer({ ...brought, freeBytes: 10_000_000 }), 80).slice(2)).toEqual([
    'arrived before: 3 files, 20 MB',
    'arrived in part: 30 MB',
    'free here: 10 MB',
  ]);
  expect(offerLines(makeOffer({ ...brought, freeBytes: 9_999_999 }), 80).at(-1)).toBe(
    'warning: only 10 MB free here',
  );
});

test('who else receives it here is said below what exists', () => {
  const busy = makeOffer({ conflicts: ['a.txt'], conflictCount: 1, isBusy: true });
  expect(offerLines(busy, 80).slice(2)).toEqual([
    'exists here already:',
    '  a.txt',
    'another xfer receives the same here just now',
  ]);
});

test.each([
  ['refuse', 'exists here already:'],
  ['overwrite', 'exists here, will be overwritten:'],
  ['update', 'exists here, will be updated:'],
  ['rename', 'exists here, the new one is renamed:'],
  ['skip', 'exists here, will be skipped:'],
] as const)('what exists is named with what becomes of it: %s', (policy, title) => {
  const offer = makeOffer({ conflicts: ['a.txt'], conflictCount: 1 });
  expect(offerLines(offer, 40, policy).slice(2)).toEqual([title, '  a.txt']);
});

describe('long lists', () => {
  test('show ten and count the others', () => {
    const roots = Array.from({ length: 22 }, (_, index) => ({
      name: `file ${index}`,
      type: 'file' as const,
      size: 1,
    }));
    const lines = offerLines(makeOffer({ roots, files: 22, bytes: 22 }), 80);
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toBe('  … and 12 more');
  });

  test('count what is not listed at all', () => {
    const skipped = [{ path: 'a', reason: 'link-skipped' as const }];
    expect(skippedLines(skipped, 5_001, 80)).toEqual(['  a  a symbolic link', '  … and 5,000 more']);
  });
});

test('row 57: no line of an offer is wider than the screen', () => {
  const name = fc.string({ unit: 'binary', maxLength: 100 });
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 120 }), fc.array(name, { maxLength: 15 }), (width, names) => {
      const lines = offerLines(
        makeOffer({
          roots: names.map((text) => ({ name: text, type: 'file', size: 1 })),
          conflicts: names,
          conflictCount: names.length,
          executables: names,
          executableCount: 200,
          refused: names.map((path) => ({ path, reason: 'name-refused' })),
          refusedCount: names.length,
          freeBytes: 0,
        }),
        width,
      );
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }),
  );
});
