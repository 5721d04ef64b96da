import { describe, expect, test } from 'vitest';
import { formatAddress, isLinkLocal, isLoopback, isPrivate, prefixOf } from '../../../src/peer/address.js';

describe('addresses', () => {
  test.each([
    ['203.0.113.7', '203.0.113'],
    ['::ffff:203.0.113.9', '203.0.113'],
    ['::ffff:cb00:7109', '203.0.113'],
    ['2001:db8:1:2::1', '2001:db8:1'],
    ['2001:DB8:1:ffff::', '2001:db8:1'],
    ['::1', '0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0'],
  ])('%s belongs to %s', (address, prefix) => {
    expect(prefixOf(address)).toBe(prefix);
  });

  test('ports are told from the colons of IPv6', () => {
    expect(formatAddress('::1', 7337)).toBe('[::1]:7337');
    expect(formatAddress('192.0.2.1', 7337)).toBe('192.0.2.1:7337');
    expect(formatAddress('example.org', 7337)).toBe('example.org:7337');
  });

  test('kinds of addresses', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['192.0.2.1', '1270.0.0.1', 'localhost.example.org'].some(isLoopback)).toBe(false);
    expect(['10.1.2.3', '172.31.0.1', '192.168.0.1', '127.0.0.1'].every(isPrivate)).toBe(true);
    expect(['172.32.0.1', '11.0.0.1', '192.169.0.1', '10.example.org'].some(isPrivate)).toBe(false);
    expect(['fe80::1', '169.254.1.1', 'febf::1'].every(isLinkLocal)).toBe(true);
    expect(['fec0::1', '2001:db8::1', '169.253.1.1'].some(isLinkLocal)).toBe(false);
  });
});
