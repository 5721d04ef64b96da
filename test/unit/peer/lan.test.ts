import { describe, expect, it } from 'vitest';
import { lanNameFor, parseCode, topicOf } from '../../../src/crypto/code.js';
import { loadHashing } from '../../../src/crypto/sodium.js';
import { portsIn } from '../../../src/peer/lan.js';

const name = '00112233445566778899aabbccddeeff._xfer._tcp.local';
const record = (
  data: string | Buffer | (string | Buffer)[],
  more: object = {},
): Parameters<typeof portsIn>[0] =>
  ({ answers: [{ name, type: 'TXT', ttl: 10, data, ...more }] }) as unknown as Parameters<typeof portsIn>[0];

describe('a record on the local network', () => {
  it.each<[string, ReturnType<typeof record>, number[]]>([
    ['names a port', record('port=40123'), [40_123]],
    ['may come in pieces and as bytes', record([Buffer.from('port='), '40123']), [40_123]],
    ['may be written in capitals', record('port=40123', { name: name.toUpperCase() }), [40_123]],
    ['is another one’s', record('port=40123', { name: `x${name}` }), []],
    ['is a farewell', record('port=40123', { ttl: 0 }), []],
    ['is of another type', record('port=40123', { type: 'A' }), []],
    ['names a port of the system', record('port=22'), []],
    ['names a port below those that anybody may use', record('port=1023'), []],
    ['names no port there is', record('port=65536'), []],
    ['names a place elsewhere', record('host=10.0.0.1 port=40123'), []],
    ['names nothing', record(''), []],
    ['is empty', {} as ReturnType<typeof record>, []],
  ])('%s', (_, response, ports) => {
    expect(portsIn(response, name)).toEqual(ports);
  });
});

describe('the name of a topic on the local network', () => {
  it('is the same for all codes of a nameplate, and is not the topic', async () => {
    await loadHashing();
    const topic = topicOf(parseCode('417-apple-tiger'));
    expect(lanNameFor(topic)).toBe(lanNameFor(topicOf(parseCode('417-tiger-apple'))));
    expect(lanNameFor(topic)).not.toContain(Buffer.from(topic).toString('hex').slice(0, 16));
    expect(lanNameFor(topic)).toMatch(/^[0-9a-f]{32}\._xfer\._tcp\.local$/);
    expect(lanNameFor(topicOf(parseCode('418-apple-tiger')))).not.toBe(lanNameFor(topic));
  });
});
