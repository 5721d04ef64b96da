import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XferError } from '../../../src/errors.js';
import { ByteReader, ByteWriter, MAX_VARINT } from '../../../src/transfer/wire.js';

/** What a signed number reaches to either side of zero; as milliseconds, 142,000 years. */
const MAX_SVARINT = 2 ** 52 - 1;

const written = (write: (to: ByteWriter) => void): Buffer => {
  const to = new ByteWriter(1);
  write(to);
  return Buffer.from(to.finish());
};
const read = (hex: string): ByteReader => new ByteReader(Buffer.from(hex, 'hex'));
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'no error';
  } catch (error) {
    return error instanceof XferError ? error.code : 'another error';
  }
};

describe('varint', () => {
  it.each([
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 32, '8080808010'],
    [MAX_VARINT, 'ffffffffffffff0f'],
  ])('%i is %s', (value, hex) => {
    expect(written((to) => to.varint(value)).toString('hex')).toBe(hex);
    expect(read(hex).varint()).toBe(value);
  });

  it.each([
    '8000',
    '808000',
    'ff00',
    '80',
    '',
    'ffffffffffffff10',
    'ffffffffffffffff01',
    'ffffffffffffffff7f',
  ])('refuses %s', (hex) => {
    expect(codeOf(() => read(hex).varint())).toBe('protocol');
  });

  it('row 21: says `limit` above a limit', () => {
    expect(read('7f').varint(127)).toBe(127);
    expect(codeOf(() => read('8001').varint(127))).toBe('limit');
  });

  it.each([-1, 0.5, Number.NaN, Infinity, 2 ** 53])('row 21: does not write %d', (value) => {
    expect(codeOf(() => written((to) => to.varint(value)))).toBe('internal');
  });

  it('comes back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const from = new ByteReader(written((to) => to.varint(value)));
        expect(from.varint()).toBe(value);
        from.end();
      }),
    );
  });
});

describe('svarint', () => {
  it.each([
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-64, '7f'],
    [MAX_SVARINT, 'feffffffffffff0f'],
    [-MAX_SVARINT - 1, 'ffffffffffffff0f'],
  ])('%i is %s', (value, hex) => {
    expect(written((to) => to.svarint(value)).toString('hex')).toBe(hex);
    expect(read(hex).svarint()).toBe(value);
  });
});

describe('string', () => {
  it.each(['', 'a', 'naïve', '\u{1f980}', '\ufeffwith a mark', '\0'])('keeps %j', (text) => {
    expect(new ByteReader(written((to) => to.string(text))).string(64)).toBe(text);
  });

  it.each([
    ['a lone continuation', '0180'],
    ['an overlong form', '02c0af'],
    ['half a surrogate pair', '03eda080'],
    ['a code point beyond the last', '04f4908080'],
    ['a cut sequence', '02e282'],
    ['a missing end', '0361'],
  ])('refuses %s', (_, hex) => {
    expect(codeOf(() => read(hex).string(64))).toBe('protocol');
  });

  it('says `limit` before it looks at the bytes', () => {
    expect(codeOf(() => read('41').string(64))).toBe('limit');
  });
});

describe('a reader', () => {
  it('reads what a writer wrote, in order', () => {
    const bytes = written((to) => {
      to.u8(255);
      to.u16(65_535);
      to.u32(4_294_967_295);
      to.bytes(Buffer.from('abc'));
      to.list(['x', 'y'], (item) => to.string(item));
      to.raw(Buffer.from('rest'));
    });
    const from = new ByteReader(bytes);
    expect([from.u8(), from.u16(), from.u32()]).toEqual([255, 65_535, 4_294_967_295]);
    expect(Buffer.from(from.bytes(3)).toString()).toBe('abc');
    expect(from.list(2, () => from.string(1))).toEqual(['x', 'y']);
    expect(codeOf(() => from.end())).toBe('protocol');
    expect(Buffer.from(from.rest()).toString()).toBe('rest');
    from.end();
  });

  it('row 52: does not follow a count that the message cannot hold', () => {
    expect(codeOf(() => read('ffffff7f').list(2 ** 40, () => 0))).toBe('protocol');
    expect(codeOf(() => read('05').list(4, () => 0))).toBe('limit');
  });

  it('reads items of a byte each', () => {
    const from = read('020102');
    expect(from.list(2, () => from.u8())).toEqual([1, 2]);
  });

  it('reads a choice, and refuses an unknown one', () => {
    expect(read('01').choice(['a', 'b'])).toBe('b');
    expect(codeOf(() => read('02').choice(['a', 'b']))).toBe('protocol');
  });
});

describe('a writer', () => {
  it('gives back what is cut off', () => {
    const to = new ByteWriter();
    to.u8(1);
    to.u16(2);
    expect([...to.cut(1)]).toEqual([0, 2]);
    expect([...to.finish()]).toEqual([1]);
    expect(to.length).toBe(1);
  });

  it('is used again', () => {
    const to = new ByteWriter();
    to.u16(0xffff);
    to.clear();
    to.u8(1);
    expect([...to.finish()]).toEqual([1]);
  });

  it.each(['u8', 'u16', 'u32'] as const)('row 21: writes no number that %s cannot hold', (field) => {
    const above = 2 ** Number(field.slice(1));
    for (const value of [above, -1]) expect(codeOf(() => written((to) => to[field](value)))).toBe('internal');
  });
});
