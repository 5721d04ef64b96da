import { createHash } from 'node:crypto';
import sumo from 'libsodium-wrappers-sumo';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import * as cpace from '../../../src/crypto/cpace.js';
import { loadPairingSodium } from '../../../src/crypto/sodium.js';
import vectors from '../../vectors/cpace-ristretto255.json' with { type: 'json' };
import { hex, toHex } from './reference.js';

beforeAll(loadPairingSodium);

const { strings, generator, protocol, scalar_mult, rfc9496_invalid_encodings, extra_not_from_draft } =
  vectors;

describe('strings (draft appendix A)', () => {
  it.each(strings.prepend_len)('prepend_len %#', (vector) => {
    const input =
      vector.in === undefined
        ? Buffer.from([...Array(vector.out_length - vector.out_prefix.length / 2).keys()])
        : hex(vector.in);
    const output = toHex(cpace.prependLen(input));
    if (vector.out === undefined) {
      expect(output).toBe(vector.out_prefix + toHex(input));
      expect(output).toHaveLength(2 * vector.out_length);
    } else {
      expect(output).toBe(vector.out);
    }
  });

  it.each(strings.lv_cat)('lv_cat %#', (vector) => {
    expect(toHex(cpace.lvCat(...vector.in.map(hex)))).toBe(vector.out);
  });

  it.each(strings.lexicographically_larger)('$a larger than $b is $result', ({ a, b, result }) => {
    expect(cpace.lexicographicallyLarger(hex(a), hex(b))).toBe(result);
  });

  it.each(strings.o_cat)('o_cat %#', (vector) => {
    const [one, two] = vector.in.map(hex);
    expect(toHex(cpace.oCat(one!, two!))).toBe(vector.out);
    expect(toHex(cpace.oCat(two!, one!))).toBe(vector.out);
  });

  it.each(strings.transcript_ir)('transcript_ir %#', ({ Ya, ADa, Yb, ADb, out }) => {
    expect(toHex(cpace.transcriptIr(hex(Ya), hex(ADa), hex(Yb), hex(ADb)))).toBe(out);
  });

  it.each(strings.transcript_oc)('transcript_oc %#', ({ Ya, ADa, Yb, ADb, out }) => {
    expect(toHex(cpace.transcriptOc(hex(Ya), hex(ADa), hex(Yb), hex(ADb)))).toBe(out);
  });
});

describe('CPACE-RISTR255-SHA512 (draft appendix B)', () => {
  const PRS = hex(generator.PRS);
  const CI = hex(generator.CI);
  const sid = hex(generator.sid);

  it('makes the generator', () => {
    const string = cpace.generatorString(PRS, CI, sid);
    expect(toHex(string)).toBe(generator.generator_string);
    expect(createHash('sha512').update(string).digest('hex')).toBe(generator.hash);
    expect(toHex(cpace.calculateGenerator(PRS, CI, sid))).toBe(generator.g);
  });

  it('makes the shares', () => {
    const g = hex(protocol.g);
    expect(toHex(cpace.scalarMult(hex(protocol.ya), g))).toBe(protocol.Ya);
    expect(toHex(cpace.scalarMult(hex(protocol.yb), g))).toBe(protocol.Yb);
  });

  it('gives both sides the same point', () => {
    expect(toHex(cpace.scalarMultVfy(hex(protocol.ya), hex(protocol.Yb)))).toBe(protocol.K);
    expect(toHex(cpace.scalarMultVfy(hex(protocol.yb), hex(protocol.Ya)))).toBe(protocol.K);
  });

  const messages = [hex(protocol.Ya), hex(protocol.ADa), hex(protocol.Yb), hex(protocol.ADb)] as const;

  it.each([
    [
      'initiator/responder',
      cpace.transcriptIr,
      protocol.transcript_ir,
      protocol.ISK_IR,
      protocol.sid_output_ir,
    ],
    ['symmetric', cpace.transcriptOc, protocol.transcript_oc, protocol.ISK_SY, protocol.sid_output_oc],
  ])('makes the key and the session id output, %s', (_, transcriptOf, transcript, ISK, sidOutput) => {
    const made = transcriptOf(...messages);
    expect(toHex(made)).toBe(transcript);
    expect(toHex(cpace.intermediateSessionKey(sid, hex(protocol.K), made))).toBe(ISK);
    expect(toHex(cpace.sidOutput(made))).toBe(sidOutput);
  });

  it('makes the confirmation tags', () => {
    const macKey = cpace.macKey(sid, hex(protocol.ISK_IR));
    expect(toHex(macKey)).toBe(extra_not_from_draft.mac_key_IR);
    expect(toHex(cpace.confirmationTag(macKey, messages[0], messages[1]))).toBe(extra_not_from_draft.Ta);
    expect(toHex(cpace.confirmationTag(macKey, messages[2], messages[3]))).toBe(extra_not_from_draft.Tb);
  });

  it('pads a password of any length', () => {
    for (const length of [0, 1, 107, 108, 109, 110, 127, 128, 300]) {
      const string = cpace.generatorString(new Uint8Array(length).fill(1), CI, sid);
      const block = cpace.lvCat(hex(generator.DSI), new Uint8Array(length).fill(1)).length;
      // DSI, PRS and the padding with its length byte fill the first block of the hash, or the padding is empty.
      expect(string.length - cpace.lvCat(CI, sid).length).toBe(Math.max(128, block + 1));
    }
  });
});

describe('scalar_mult_vfy', () => {
  afterEach(() => vi.restoreAllMocks());

  const s = hex(scalar_mult.valid.s);
  const invalid = [
    ...scalar_mult.must_abort.map(({ Y, why }) => [why, Y] as const),
    ...rfc9496_invalid_encodings.list.map(
      (Y, index) => [`RFC 9496 A.3 invalid encoding ${index + 1}`, Y] as const,
    ),
  ];

  it('multiplies what is valid', () => {
    expect(toHex(cpace.scalarMultVfy(s, hex(scalar_mult.valid.X)))).toBe(scalar_mult.valid.result);
  });

  it('has all points that must abort', () => {
    expect(rfc9496_invalid_encodings.list).toHaveLength(29);
    expect(scalar_mult.must_abort).toHaveLength(2);
  });

  it.each(invalid)('row 8: gives the identity for %s', (_, Y) => {
    expect(cpace.scalarMultVfy(s, hex(Y))).toEqual(cpace.G_I);
  });

  it.each(invalid)('row 8: gives the identity even where libsodium calls a point valid: %s', (_, Y) => {
    const lie = vi.spyOn(sumo, 'crypto_core_ristretto255_is_valid_point').mockReturnValue(true);
    expect(cpace.scalarMultVfy(s, hex(Y))).toEqual(cpace.G_I);
    expect(lie).toHaveBeenCalledOnce();
  });

  it.each([0, 31, 33, 64])('row 8: gives the identity for %d bytes', (length) => {
    const bytes = Buffer.alloc(length, hex(protocol.Ya));
    expect(cpace.scalarMultVfy(s, bytes)).toEqual(cpace.G_I);
  });

  it('row 12: samples another scalar every time', () => {
    expect(new Set(Array.from({ length: 100 }, () => toHex(cpace.sampleScalar()))).size).toBe(100);
  });
});
