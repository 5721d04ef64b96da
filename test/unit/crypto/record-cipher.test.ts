import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Aead,
  prefersAes,
  RecordOpener,
  RecordSealer,
  SEAL_OVERHEAD_BYTES,
} from '../../../src/crypto/record-cipher.js';
import { Secret } from '../../../src/crypto/secret.js';
import vectors from '../../vectors/records.json' with { type: 'json' };
import { hex, seal, toHex } from './reference.js';
import { codeThrownBy } from './thrown.js';

const AEADS: readonly Aead[] = ['aes-256-gcm', 'chacha20-poly1305'];
const secret = (byte = 7): Secret => new Secret(new Uint8Array(32).fill(byte));

/** Seals texts as one direction, the last of them as the last record. */
function sealed(aead: Aead, texts: readonly string[]): Uint8Array[] {
  const sealer = new RecordSealer(secret(), aead);
  return texts.map((text, index) =>
    Buffer.concat(sealer.seal([Buffer.from(text)], index === texts.length - 1)),
  );
}

describe.each(vectors.aeads)(
  'record vectors for $aead',
  ({ aead, secret: key, plaintexts, streams, record65536 }) => {
    it.each(streams)('fault: $fault', ({ messages, opened, error }) => {
      const opener = new RecordOpener(new Secret(hex(key)), aead as Aead);
      for (const [index, message] of messages.slice(0, opened).entries()) {
        const { plaintext, last } = opener.open(hex(message));
        expect(toHex(plaintext)).toBe(plaintexts[index]);
        expect(last).toBe(index === plaintexts.length - 1);
      }
      const next = messages[opened];
      expect(next === undefined ? undefined : codeThrownBy(() => opener.open(hex(next)))).toBe(error);
    });

    it('are what the sealer and the reference make', () => {
      const sealer = new RecordSealer(new Secret(hex(key)), aead as Aead);
      for (const [number, plaintext] of plaintexts.entries()) {
        const last = number === plaintexts.length - 1;
        const expected = streams[0]?.messages[number];
        expect(toHex(Buffer.concat(sealer.seal([hex(plaintext)], last)))).toBe(expected);
        expect(seal(aead, key, number, last ? 1 : 0, hex(plaintext))).toBe(expected);
      }
    });

    it('change the key after 65536 records', () => {
      const sealer = new RecordSealer(new Secret(hex(key)), aead as Aead);
      const opener = new RecordOpener(new Secret(hex(key)), aead as Aead);
      for (let number = 0; number < 65_536; number += 1) opener.open(Buffer.concat(sealer.seal([], false)));
      const first = Buffer.concat(sealer.seal([Buffer.from('under the second key')], false));
      expect(toHex(first)).toBe(record65536);
      expect(seal(aead, key, 65_536, 0, Buffer.from('under the second key'))).toBe(record65536);
      expect(Buffer.from(opener.open(first).plaintext).toString()).toBe('under the second key');
    });
  },
);

describe.each(AEADS)('%s', (aead) => {
  it('opens what was sealed, whatever it was made of', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.uint8Array(), { maxLength: 4 }), { minLength: 1, maxLength: 5 }),
        (records) => {
          const sealer = new RecordSealer(secret(), aead);
          const opener = new RecordOpener(secret(), aead);
          for (const [index, parts] of records.entries()) {
            const last = index === records.length - 1;
            const message = Buffer.concat(sealer.seal(parts, last));
            const whole = Buffer.concat(parts);
            expect(message).toHaveLength(whole.length + SEAL_OVERHEAD_BYTES);
            expect(opener.open(message)).toEqual({ plaintext: whole, last });
          }
        },
      ),
    );
  });

  it('row 19: any flipped bit fails', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        fc.nat(),
        fc.nat(7),
        (plaintext, last, at, bit) => {
          const message = Buffer.concat(new RecordSealer(secret(), aead).seal([plaintext], last));
          message[at % message.length]! ^= 1 << bit;
          expect(codeThrownBy(() => new RecordOpener(secret(), aead).open(message))).toBe('integrity');
        },
      ),
    );
  });

  it('row 19: a dropped, repeated or swapped record fails', () => {
    const messages = sealed(aead, ['a', 'b', 'c', 'd']);
    const orders = fc.array(fc.nat(3), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(orders, (order) => {
        const opener = new RecordOpener(secret(), aead);
        const good = order.findIndex((number, position) => number !== position);
        const upTo = good === -1 ? Math.min(order.length, 4) : good;
        for (const number of order.slice(0, upTo)) opener.open(messages[number]!);
        const next = order[upTo];
        if (next !== undefined) {
          expect(codeThrownBy(() => opener.open(messages[next]!))).toBe(
            upTo === 4 ? 'protocol' : 'integrity',
          );
        }
      }),
    );
  });

  it('row 20: a record after the last fails, ours and theirs', () => {
    const sealer = new RecordSealer(secret(), aead);
    const opener = new RecordOpener(secret(), aead);
    const end = Buffer.concat(sealer.seal([], true));
    expect(opener.open(end)).toEqual({ plaintext: Buffer.alloc(0), last: true });
    expect(codeThrownBy(() => opener.open(end))).toBe('protocol');
    expect(codeThrownBy(() => sealer.seal([], false))).toBe('internal');
  });

  it('row 19: stays shut after a broken record', () => {
    const messages = sealed(aead, ['a', 'b', 'c']);
    for (const broken of [Buffer.alloc(40), Buffer.alloc(0), Uint8Array.of(2, ...messages[0]!.subarray(1))]) {
      const opener = new RecordOpener(secret(), aead);
      expect(codeThrownBy(() => opener.open(broken))).toBe('integrity');
      for (const message of messages) expect(codeThrownBy(() => opener.open(message))).toBe('integrity');
    }
  });

  it('row 18: an end without the last record is no end', () => {
    const opened = sealed(aead, ['a', 'b', 'c']).slice(0, 2);
    const opener = new RecordOpener(secret(), aead);
    expect(opened.map((message) => opener.open(message).last)).toEqual([false, false]);
  });

  it('row 18: a record that was made the last, or not the last, on the way does not open', () => {
    for (const last of [false, true]) {
      const message = Buffer.concat(new RecordSealer(secret(), aead).seal([Buffer.from('a')], last));
      message[0]! ^= 1;
      expect(codeThrownBy(() => new RecordOpener(secret(), aead).open(message))).toBe('integrity');
    }
  });

  it('does not open what another key or the other AEAD sealed', () => {
    const [message] = sealed(aead, ['a']);
    const other = aead === 'aes-256-gcm' ? 'chacha20-poly1305' : 'aes-256-gcm';
    expect(codeThrownBy(() => new RecordOpener(secret(8), aead).open(message!))).toBe('integrity');
    expect(codeThrownBy(() => new RecordOpener(secret(), other).open(message!))).toBe('integrity');
  });

  it('seals equal records into different messages', () => {
    const sealer = new RecordSealer(secret(), aead);
    const messages = Array.from({ length: 50 }, () =>
      toHex(Buffer.concat(sealer.seal([Buffer.from('same')], false))),
    );
    expect(new Set(messages).size).toBe(50);
  });

  it('leaves the parts as they were and erases the secret it was given', () => {
    const owned = new Uint8Array(32).fill(7);
    const sealer = new RecordSealer(new Secret(owned), aead);
    const part = Buffer.from('part');
    sealer.seal([part], true);
    expect(part.toString()).toBe('part');
    expect(owned).toEqual(new Uint8Array(32));
  });
});

describe('prefersAes', () => {
  const { arch, platform } = process;
  const pretend = (values: object): void => {
    for (const [name, value] of Object.entries(values)) Object.defineProperty(process, name, { value });
  };
  afterEach(() => pretend({ arch, platform }));

  it.each([
    ['x64', 'linux', true],
    ['x64', 'win32', true],
    ['arm64', 'darwin', true],
    ['arm64', 'win32', true],
    ['arm64', 'linux', false],
    ['arm', 'linux', false],
  ])('on %s with %s: %s', (cpu, system, expected) => {
    pretend({ arch: cpu, platform: system });
    expect(prefersAes()).toBe(expected);
  });
});
