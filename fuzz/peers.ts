/** What strangers and peers say of places and of what they want, behind what the decoders let through. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { canonicalAddress, isLinkLocal, isLoopback, isPrivate, prefixOf } from '../src/peer/address.js';
import { worthDialling } from '../src/peer/hints.js';
import { portsIn } from '../src/peer/lan.js';
import { MAX_HINTS } from '../src/transfer/messages.js';
import { ROOT, type Entry } from '../src/transfer/ports.js';
import { RunBuilder, demandHeld, demandOlder, takenOf, type Runs } from '../src/transfer/want.js';
import { demand, only, type Kind } from './kind.js';

const SHARED = { internal: false, mac: '', netmask: '' } as const;
const ATTACHED: readonly NetworkInterfaceInfo[] = [
  { ...SHARED, family: 'IPv4', address: '192.168.1.20', cidr: '192.168.1.20/24' },
  { ...SHARED, family: 'IPv6', address: 'fd12::1', cidr: 'fd12::1/64', scopeid: 0 },
];
/** No peer is there, whatever it says. */
const NEVER = new BlockList();
for (const [net, length] of [['0.0.0.0', 8], ['169.254.0.0', 16], ['224.0.0.0', 4], ['240.0.0.0', 4], ['10.0.0.0', 8], ['172.16.0.0', 12]] as const)
  NEVER.addSubnet(net, length, 'ipv4'); // prettier-ignore
for (const [net, length] of [['fe80::', 10], ['ff00::', 8], ['fec0::', 10], ['64:ff9b::', 96], ['2002::', 16]] as const)
  NEVER.addSubnet(net, length, 'ipv6'); // prettier-ignore

const LAN_NAME = 'ab12._xfer._udp.local';

export const PEERS: Readonly<Record<string, Kind>> = {
  /** Sixteen bytes of an address, and how it is written. */
  address: {
    read: (input) => {
      const bytes = Buffer.alloc(16);
      input.copy(bytes, 0, 0, 16);
      const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index));
      const plain = groups.map((group) => group.toString(16)).join(':');
      const canonical = canonicalAddress(plain);
      demand(isIP(canonical) !== 0, 'no address any more');
      demand(canonicalAddress(canonical) === canonical, 'the canonical form has another');
      for (const other of waysToWrite(groups, input.subarray(16))) {
        demand(isIP(other) === 6, `not written as an address: ${other}`);
        demand(canonicalAddress(other) === canonical, `${other} is not ${canonical}`);
        demand(prefixOf(other) === prefixOf(canonical), `${other} is somebody else`);
        const kinds = [isLoopback, isPrivate, isLinkLocal].map((is) => is(other) === is(canonical));
        demand(!kinds.includes(false), `${other} is of another kind`);
      }
      const isMapped = bytes.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'));
      demand(isIPv4(canonical) === isMapped, 'another family');
      demand(!isMapped || canonical === [...bytes.subarray(12)].join('.'), 'another address');
      const prefix = isMapped
        ? [...bytes.subarray(12, 15)].join('.')
        : plain.split(':').slice(0, 3).join(':');
      demand(prefixOf(plain) === prefix, 'not the prefix');
    },
    seeds: [
      `\x20\x01\x0d\xb8${'\0'.repeat(11)}\x01\x01\x02`,
      `${'\0'.repeat(10)}\xff\xff\xcb\0\x71\x09\x03\x04`,
      `${'\0'.repeat(15)}\x01\x07`,
      `\xfe\x80${'\0'.repeat(13)}\x01\x05\x08`,
      `${'\0'.repeat(10)}\xff\xff\xa9\xfe\x01\x01\x0f`,
      `${'\0'.repeat(12)}\x7f\0\0\x01\x02`,
    ],
  },
  /** Any text for an address: from the system, a relay, a proxy. */
  host: {
    read: (input) => {
      const text = input.toString();
      const canonical = canonicalAddress(text);
      demand(canonicalAddress(canonical) === canonical, 'the canonical form has another');
      demand(isIP(text) === 0 || isIP(canonical) !== 0, 'no address any more');
      prefixOf(text);
      [isLoopback, isPrivate, isLinkLocal].map((is) => is(text));
    },
    seeds: ['fe80::1%eth0', '::ffff:1.2.3.4%1', 'Example.ORG', '1.2.3', '::1.2.3.4', '::%', '1::2::3'],
  },
  hints: {
    read: (input) => {
      const isLocal = input.readUInt8(0) % 2 === 1;
      const port = input.readUInt16BE(1);
      const hints = input.subarray(3).toString().split('\n').map((host) => ({ host, port })); // prettier-ignore
      const worth = worthDialling(hints, isLocal, ATTACHED);
      demand(worth.length <= MAX_HINTS && (port >= 1024 || worth.length === 0), 'more than may be dialled');
      demand(new Set(worth.map(({ host }) => new URL(urlOf(host)).host)).size === worth.length, 'one twice');
      for (const { host } of worth) {
        demand(canonicalAddress(host) === host && isIP(host) !== 0, 'no literal address');
        const isHere = host === '::1' || host.startsWith('127.');
        demand(isHere ? isLocal : !NEVER.check(host, isIPv4(host) ? 'ipv4' : 'ipv6'), `dials ${host}`);
      }
    },
    seeds: [
      '\x00\x10\x00203.0.113.7\n::ffff:cb00:7107\n2a00::1',
      '\x01\x10\x00127.0.0.1\n::1\n0:0:0:0:0:0:0:1\n::ffff:7f00:1',
      '\x00\x10\x00192.168.1.7\n192.168.2.7\nfd12::7\nfd13::7\nfe80::1%eth0',
      '\x00\x00\x00169.254.169.254\n64:ff9b::7f00:1\n2002:7f00:1::',
      '\x00\xff\xff2a00::1\n2A00:0::1\n2a00:0:0::0.0.0.1',
    ],
  },
  /** The text of a record, in pieces as it came, under a name in any case. */
  lan: {
    read: (input) => {
      const [flags = 0, ttl = 0] = input;
      const pieces = input.subarray(2).toString('latin1').split('\n').map((piece) => Buffer.from(piece, 'latin1')); // prettier-ignore
      const name = (flags & 1) === 0 ? LAN_NAME : LAN_NAME.toUpperCase();
      const data = (flags & 2) === 0 ? pieces : Buffer.concat(pieces);
      const ports = portsIn({ answers: [{ name, type: 'TXT', ttl, data }] } as never, LAN_NAME);
      demand(
        ports.every((port) => Number.isInteger(port) && port >= 1024 && port <= 65_535),
        'a port that nobody may say',
      );
      const [, said] = /^port=(\d{4,5})$/.exec(Buffer.concat(pieces).toString()) ?? [];
      demand(ports.length === 0 || ports[0] === Number(said), 'a port that nobody said');
      demand(ports.length === 0 || ttl > 0, 'one who left');
      demand(portsIn({ answers: [{ name: `x${name}`, type: 'TXT', ttl, data }] } as never, LAN_NAME).length === 0, 'of another name'); // prettier-ignore
      const exact = /^port=(102[4-9]|10[3-9]\d|1[1-9]\d\d|[2-9]\d{3}|[1-5]\d{4}|6[0-4]\d{3})$/;
      const isSaid = ttl > 0 && exact.test(Buffer.concat(pieces).toString('latin1'));
      demand(!isSaid || ports.length === 1, 'not heard');
    },
    seeds: ['\x00\x0aport=7337', '\x01\x0aport=\n40000', '\x02\x0aport=1023', '\x00\x00port=7337', '\x00\x0aport=65536', '\x02\x0aport=04096'],
  }, // prettier-ignore
  /** Which of some things a peer takes. */
  runs: {
    read: (input) => {
      const [count = 0] = input;
      const items = Array.from({ length: count }, (_, index) => index);
      const runs: Runs = pairsIn(input.subarray(1));
      const isTaken = items.map(() => false);
      let end = 0;
      for (const [skip, take] of runs) {
        end += skip;
        for (let left = take; left > 0 && end < count; left--) isTaken[end++] = true;
        if (end > count) break;
      }
      const isBeyond = runs.reduce((sum, [skip, take]) => sum + skip + take, 0) > count;
      const taken = only('protocol', () => takenOf(items, runs));
      demand(!isBeyond, 'runs beyond the last are taken');
      demand(isDeepStrictEqual(taken, items.filter((item) => isTaken[item])), 'others are taken'); // prettier-ignore
      const builder = new RunBuilder();
      for (const is of isTaken) builder.add(is);
      demand(isDeepStrictEqual(takenOf(items, builder.runs), taken), 'said again they are others');
    },
    seeds: ['\x05\x01\x02\x01\x01', '\x04\0\x04', '\x02\x01\x01\0\0', '\x02\x01\x02', '\x03\xff\xff', '\0\0\0', '\x03\0\0\0\x02\x01\0'],
  }, // prettier-ignore
  /** What a receiver says it has of the files it wants. */
  held: {
    read: (input) => {
      const files: Entry[] = [0, 5, 2 ** 20, 3 * 2 ** 20, undefined, 2 ** 20 - 1].map((size, index) => ({
        index, parent: ROOT, type: 'file', name: String(index), size, mtimeMs: 0, mode: 0o644,
      })); // prettier-ignore
      const [split = 0] = input;
      const pairs = pairsIn(input.subarray(1));
      const held = pairs.slice(0, split % (pairs.length + 1));
      const older = pairs.slice(held.length).map(([index]) => files[index % files.length] ?? never());
      only('protocol', () => demandHeld(files, held));
      demand(
        held.every(([index, leaves]) => leaves > 0 && leaves * 2 ** 20 <= (files[index]?.size ?? 0)),
        'more than the file has',
      );
      demand(
        held.every(([index], at) => at === 0 || index > (held[at - 1]?.[0] ?? Infinity)),
        'not in their order',
      );
      only('protocol', () => demandOlder(files, held, older));
      const said = [...held.map(([index]) => index), ...older.map(({ index }) => index)];
      demand(new Set(said).size === said.length, 'a file twice');
      demand(
        older.every(({ size }) => size !== undefined && size > 0),
        'an older copy of nothing',
      );
    },
    seeds: ['\x01\x02\x01\x01\0', '\x02\x02\x01\x03\x03', '\0\x03\0\x05\0', '\x01\x03\x04', '\x01\x04\x01', '\0\x04\0\x01\0', '\x01\x09\x01'],
  }, // prettier-ignore
};

/** Pairs of a byte each; 255 stands for the largest number that a message can hold. */
function pairsIn(bytes: Buffer): [number, number][] {
  const numbers = [...bytes.subarray(0, 512)].map((byte) => (byte === 255 ? Number.MAX_SAFE_INTEGER : byte));
  return Array.from({ length: numbers.length >> 1 }, (_, at) => [
    numbers[2 * at] ?? 0,
    numbers[2 * at + 1] ?? 0,
  ]);
}

/** The same address in other ways, chosen by the bytes: leading zeros, capitals, a run of zeros left out, dots, a zone. */
function waysToWrite(groups: readonly number[], how: Buffer): string[] {
  return [...how.subarray(0, 8)].map((way, turn) => {
    const dotted = (way & 1) === 1;
    const head = groups.slice(0, dotted ? 6 : 8).map((group) => group.toString(16).padStart((way & 2) === 0 ? 1 : 4, '0')); // prettier-ignore
    if (dotted) head.push(groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]).join('.')); // prettier-ignore
    const from = (way >> 5) % head.length;
    const isZero = (at: number): boolean => /^0+$/.test(head[at] ?? '');
    let text = head.join(':');
    if ((way & 4) !== 0 && isZero(from)) {
      let to = from;
      while (to < head.length && isZero(to)) to++;
      text = `${head.slice(0, from).join(':')}::${head.slice(to).join(':')}`;
    }
    if ((way & 8) !== 0) text = text.toUpperCase();
    return (way & 16) === 0 ? text : `${text}%eth${String(turn)}`;
  });
}

function urlOf(host: string): string {
  return isIPv4(host) ? `http://${host}` : `http://[${host}]`;
}

function never(): never {
  throw new Error('no such file');
}
