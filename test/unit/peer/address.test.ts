import { describe, expect, test } from 'vitest';
import {
  canonicalAddress,
  formatAddress,
  isLinkLocal,
  isLoopback,
  isPrivate,
  prefixOf,
} from '../../../src/peer/address.js';

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

  test.each([
    ['2001:db8::1', ['2001:DB8::1', '2001:0db8:0:0:0:0:0:1', '2001:db8::0:1', '2001:db8::0.0.0.1', '2001:db8::1%eth0']],
    ['::1', ['0:0:0:0:0:0:0:1', '::0001', '0::1', '::0.0.0.1']],
    ['203.0.113.9', ['::ffff:203.0.113.9', '::FFFF:cb00:7109', '0:0:0:0:0:ffff:203.0.113.9', '0::ffff:cb00:7109%1']],
    ['0.0.0.9', ['::ffff:0:9', '::ffff:0.0.0.9']],
    ['example.org', ['Example.ORG']],
  ])('%s is the same however it is written', (address, written) => {
    expect(canonicalAddress(address)).toBe(address);
    for (const other of written) expect(canonicalAddress(other), other).toBe(address);
  }); // prettier-ignore

  test('kinds do not depend on how an address is written', () => {
    expect(['0:0:0:0:0:0:0:1', '::ffff:7f00:1'].every(isLoopback)).toBe(true);
    expect(['0::1', '::ffff:10.1.2.3'].every(isPrivate)).toBe(true);
    expect(['::ffff:169.254.1.1', '::ffff:a9fe:101', 'FE80:0::1%eth0'].every(isLinkLocal)).toBe(true);
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
