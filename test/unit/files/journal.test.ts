import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  emptyJournal,
  encodeArrived,
  encodeLine,
  encodeMade,
  encodeWithdrawn,
  Identities,
  parseJournal,
} from '../../../src/files/journal.js';

const header = encodeLine({ xfer: 1, roots: ['r'], started: 5 });

test('says what was written', () => {
  const files = [
    { ino: 1, birthtimeMs: 1.5 },
    { ino: 2 ** 53 - 1, birthtimeMs: 0 },
  ];
  const journal = parseJournal(
    header +
      encodeLine({ part: '0.part', path: 'r/ä\n', size: 3 }) +
      encodeLine({ root: 'r', as: 'r (1)' }) +
      encodeArrived(files) +
      encodeMade([{ ino: 3, birthtimeMs: 7 }]),
  )!;
  expect(journal).toMatchObject({
    roots: ['r'],
    startedMs: 5,
    parts: [{ name: '0.part', path: 'r/ä\n', size: 3 }],
  });
  expect(journal.renamed).toEqual(new Map([['r', 'r (1)']]));
  expect([journal.arrived.size, journal.made.size]).toEqual([2, 1]);
  expect(journal.made.has({ ino: 3, birthtimeMs: 7 })).toBe(true);
  expect(journal.arrived.has({ ino: 3, birthtimeMs: 7 })).toBe(false);
  const others = [
    { ino: 1, birthtimeMs: 1 },
    { ino: 2, birthtimeMs: 0 },
  ];
  expect([...files, ...others].map((file) => journal.arrived.has(file))).toEqual([true, true, false, false]);
});

test('takes back those that got no name, however often it is said', () => {
  const [there, gone] = [
    { ino: 1, birthtimeMs: 1.5 },
    { ino: 2, birthtimeMs: 7 },
  ];
  const other = { ino: 1, birthtimeMs: 1 };
  const withdrawn = [gone, gone, other].map((file) => encodeWithdrawn(file)).join('');
  const { arrived } = parseJournal(header + encodeArrived([there, gone]) + withdrawn)!;
  expect(arrived.size).toBe(1);
  expect([there, gone, other].map((file) => arrived.has(file))).toEqual([true, false, false]);
});

test('cut anywhere is a beginning of it, or none', () => {
  const whole =
    header +
    encodeLine({ part: '0.part', path: 'a', size: 3 }) +
    encodeArrived([
      { ino: 5, birthtimeMs: 1 },
      { ino: 6, birthtimeMs: 2 },
    ]);
  fc.assert(
    fc.property(fc.nat(whole.length), (length) => {
      const journal = parseJournal(whole.slice(0, length));
      if (length < header.length - 1) expect(journal).toBe(undefined);
      else expect(journal!.arrived.size).toBeLessThanOrEqual(2);
    }),
  );
});

test('row 33: names no part outside its folder, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.json(), (text, json) => {
      for (const lines of [text, json, `${header}${text}\n${json}`]) {
        for (const { name } of parseJournal(lines)?.parts ?? []) expect(name).toMatch(/^\d+\.part$/);
      }
    }),
  );
  const outside = ['../0.part', '/etc/passwd', '0.part/..', '', '0.PART', '00000000000.part'];
  const lines = outside.map((part) => encodeLine({ part, path: 'a', size: 1 }));
  expect(parseJournal(header + lines.join(''))!.parts).toEqual([]);
});

test('row 33: names no copy but one of ours, below the target', () => {
  const name = `.xfer-${'0a'.repeat(16)}.part`;
  const good = ['.', 'r', 'r/mounted/sub'].map((of) => ({ copy: name, folder: of }));
  const bad = [
    ...['..', 'r/..', '../r', '/r', '/', '', 'r//s', 'r/'].map((of) => ({ copy: name, folder: of })),
    ...['a', '../a', `x/${name}`, name.toUpperCase(), `${name}.x`].map((copy) => ({ copy, folder: 'r' })),
  ];
  const text = header + [...bad, ...good].map((line) => encodeLine(line)).join('');
  expect(parseJournal(text)!.copies).toEqual(good.map(({ folder: of }) => ({ name, folder: of })));
});

test('knows the later one of two files of one inode, and nothing that is no inode', () => {
  const files = [1, 2, 1].map((ino, index) => ({ ino, birthtimeMs: index + 0.5 }));
  const lines = [files, [{ ino: NaN, birthtimeMs: NaN }]].map((each) => encodeArrived(each));
  const { arrived } = parseJournal(encodeLine({ xfer: 1, roots: [], started: 1 }) + lines.join(''))!;
  expect(arrived.size).toBe(2);
  expect(files.map((file) => arrived.has(file))).toEqual([false, true, true]);
  for (const none of [NaN, 3]) expect(arrived.has({ ino: none, birthtimeMs: NaN })).toBe(false);
});

test('knows every file of many, and no other', () => {
  // As file systems give them: one after the other, with gaps of a power of two, in groups far apart.
  const step = fc.constantFrom(1, 2 ** 11, 2 ** 32, 2 ** 40);
  const ino = fc.oneof(
    fc.nat(),
    fc.maxSafeNat(),
    fc.tuple(fc.nat({ max: 2000 }), step).map(([number, by]) => number * by),
  );
  const identity = fc.record({ ino, birthtimeMs: fc.double({ noNaN: true }) });
  fc.assert(
    fc.property(fc.uniqueArray(identity, { selector: ({ ino }) => ino }), (files) => {
      const inside = files.filter((_, index) => index % 2 === 0);
      const line = JSON.parse(encodeArrived(inside)) as { arrived: string };
      const bytes = Buffer.from(line.arrived, 'base64');
      // In two lines, one of which a crash has cut.
      const half = 16 * (inside.length >> 1);
      const cut = Buffer.concat([bytes.subarray(half), bytes.subarray(0, 15)]);
      const arrived = new Identities([bytes.subarray(0, half), cut]);
      expect(arrived.size).toBe(inside.length);
      for (const [index, file] of files.entries()) {
        expect(arrived.has(file)).toBe(index % 2 === 0);
        expect(arrived.has({ ...file, birthtimeMs: file.birthtimeMs === 1 ? 2 : 1 })).toBe(false);
      }
    }),
  );
});

const copy = `.xfer-${'0a'.repeat(16)}.part`;

test.each<Record<string, unknown>>([
  { part: ['0.part'], path: 'a', size: 1 },
  { part: '0.part', path: 1, size: 1 },
  { part: '0.part', path: 'a' },
  { part: '0.part', path: 'a', size: '1' },
  { part: '0.part', path: 'a', size: null },
  { part: '0.part', path: 'a', size: -1 },
  { part: '0.part', path: 'a', size: 1.5 },
  { part: '0.part', path: 'a', size: 2 ** 53 },
  { copy: [copy], folder: '.' },
  { copy, folder: ['r'] },
  { copy },
  { root: 'r' },
  { root: 'r', as: 1 },
  { root: ['r'], as: 'x' },
  { as: 'x' },
  { roots: 'r' },
  { roots: ['s', 1] },
  { finished: 'r' },
  { finished: ['r', null] },
  { arrived: 1 },
  { made: [1] },
])('row 33: a line that is not what it should be says nothing: %j', (line) => {
  const rest = encodeLine({ part: '1.part', path: 'b', size: 2 });
  const journal = parseJournal(`${header}${JSON.stringify(line)}\n${rest}`)!;
  expect(journal).toEqual(parseJournal(header + rest));
  expect(journal.parts).toHaveLength(1);
});

test.each(['', 'null', '1', 'true', '"part"', '[]', '{', '\0'])('nor does %j', (line) => {
  expect(parseJournal(`${header}${line}\n`)).toEqual(parseJournal(header));
});

test.each([
  '',
  JSON.stringify({}),
  JSON.stringify({ xfer: 2, roots: ['r'], started: 5 }),
  JSON.stringify({ xfer: '1', roots: ['r'], started: 5 }),
  JSON.stringify({ xfer: 1, roots: 'r', started: 5 }),
  JSON.stringify({ xfer: 1, roots: ['r', 1], started: 5 }),
  JSON.stringify({ xfer: 1, started: 5 }),
  JSON.stringify({ xfer: 1, roots: ['r'] }),
  JSON.stringify({ xfer: 1, roots: ['r'], started: '5' }),
  JSON.stringify({ xfer: 1, roots: ['r'], started: -1 }),
  JSON.stringify({ xfer: 1, roots: ['r'], started: 0.5 }),
])('what begins with %s is none', (first) => {
  const rest = encodeLine({ part: '1.part', path: 'b', size: 2 });
  expect(parseJournal(`${first}\n${rest}`)).toBeUndefined();
});

test('a part has a number, of up to nine digits, and may be of an empty file begun in 1970', () => {
  const names = ['0.part', '12.part', '999999999.part'];
  const lines = names.map((part) => encodeLine({ part, path: 'a', size: 0 }));
  const journal = parseJournal(encodeLine({ xfer: 1, roots: ['r'], started: 0 }) + lines.join(''))!;
  expect(journal.parts.map(({ name }) => name)).toEqual(names);
  expect(journal.startedMs).toBe(0);
});

test('whoever goes on with it adds roots, and what is offered again has not come to its end', () => {
  const { roots, finished } = parseJournal(
    header +
      encodeLine({ finished: ['r', 's'] }) +
      encodeLine({ xfer: 1, roots: ['r', 't'], started: 9 }) +
      encodeLine({ finished: ['t'] }),
  )!;
  expect(roots).toEqual(['r', 't']);
  expect([...finished]).toEqual(['s', 't']);
});

test('an empty one names nothing', () => {
  expect(emptyJournal(7)).toEqual(parseJournal(encodeLine({ xfer: 1, roots: [], started: 7 })));
});
