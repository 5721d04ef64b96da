import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { proxyFor, XferError } from '../../src/index.js';

const there = { host: 'there.example', port: 7337 };

function proxyAt(env: Record<string, string>, to = there): string | undefined {
  const proxy = proxyFor(to, env);
  return proxy && `${proxy.kind} ${proxy.host} ${proxy.port}`;
}

describe('which variable counts', () => {
  test('none is no proxy, and one of HTTP without TLS is for other things', () => {
    expect(proxyAt({})).toBeUndefined();
    expect(proxyAt({ HTTP_PROXY: 'http://p:1', http_proxy: 'http://p:1' })).toBeUndefined();
  });

  test.each([
    [{ HTTPS_PROXY: 'http://p:3128' }, 'http p 3128'],
    [{ https_proxy: 'http://p:3128' }, 'http p 3128'],
    [{ ALL_PROXY: 'socks5://p:1' }, 'socks5 p 1'],
    [{ all_proxy: 'socks5://p:1' }, 'socks5 p 1'],
    [{ HTTPS_PROXY: 'http://p:3128', all_proxy: 'socks5://p:1' }, 'http p 3128'],
    [{ HTTPS_PROXY: 'http://large:1', https_proxy: 'http://small:1' }, 'http small 1'],
    [{ HTTPS_PROXY: '', https_proxy: ' ', ALL_PROXY: 'http://p:1' }, 'http p 1'],
  ])('%j', (env, expected) => expect(proxyAt(env)).toBe(expected));
});

describe('what a variable may hold', () => {
  test.each([
    ['p:3128', 'http p 3128'],
    ['http://p', 'http p 80'],
    ['HTTP://p:8080/', 'http p 8080'],
    ['https://p', 'https p 443'],
    ['socks://p', 'socks5 p 1080'],
    ['socks5h://10.0.0.1:9', 'socks5 10.0.0.1 9'],
    ['socks4://p', 'socks4 p 1080'],
    ['socks4a://p', 'socks4 p 1080'],
    ['http://[::1]:3128', 'http ::1 3128'],
    ['socks5://[2001:db8::1]:3128', 'socks5 2001:db8::1 3128'],
  ])('%s', (value, expected) => expect(proxyAt({ ALL_PROXY: value })).toBe(expected));

  test('a user and a password, with what is special in them as %XX', () => {
    const login = proxyFor(there, { HTTPS_PROXY: 'http://z%40e:p%3Aw%C3%A4@p:1' })?.login;
    expect(login?.user).toBe('z@e');
    expect(Buffer.from(login!.password.expose()).toString()).toBe('p:wä');
    expect(proxyFor(there, { HTTPS_PROXY: 'http://zoe@p:1' })?.login?.user).toBe('zoe');
    expect(proxyFor(there, { HTTPS_PROXY: 'http://p:1' })?.login).toBeUndefined();
  });

  test.each([
    'ftp://u:hunter2@p:1',
    'http://u:hunter2@',
    'http://u:hunter2@p:99999',
    'http://u:hunter2@p:0',
    'socks5://u:hunter2@p q:1',
    'http://u:hunter2%@p:1',
    `socks5://u:hunter2${'x'.repeat(249)}@p:1`,
  ])('%s is refused, and not a word of it told', (value) => {
    let thrown: unknown;
    try {
      proxyFor(there, { HTTPS_PROXY: value });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'usage', subject: 'HTTPS_PROXY is not the address of a proxy' });
    expect(thrown).toBeInstanceOf(XferError);
    expect(inspect(thrown)).not.toContain('hunter2');
  });

  test('a password shows nowhere', () => {
    const proxy = proxyFor(there, { HTTPS_PROXY: 'http://u:hunter2@p:1' });
    expect(inspect(proxy, { depth: 9 })).not.toContain('hunter2');
    expect(JSON.stringify(proxy)).not.toContain('hunter2');
  });
});

describe('NO_PROXY', () => {
  function isExempt(list: string, host: string, port = 7337): boolean {
    return proxyAt({ HTTPS_PROXY: 'http://p:1', NO_PROXY: list }, { host, port }) === undefined;
  }

  test.each([
    ['*', 'anything.example'],
    ['there.example', 'there.example'],
    ['THERE.example', 'There.Example'],
    ['there.example', 'there.example.'],
    ['example', 'there.example'],
    ['.example', 'there.example'],
    ['*.example', 'there.example'],
    ['a, b  there.example', 'there.example'],
    ['there.example:7337', 'there.example'],
    ['localhost,127.0.0.1', '127.0.0.1'],
    ['10.0.0.0/8', '10.200.3.4'],
    ['192.168.1.7:7337', '192.168.1.7'],
    ['::1', '::1'],
    ['[::1]:7337', '::1'],
    ['fd00::/8', 'fd12::1'],
    ['2001:DB8::1', '2001:db8:0:0::1'],
    ['fe80::1', 'fe80::1%eth0'],
    ['0.0.0.0/0', '8.8.8.8'],
  ])('%s names %s', (list, host) => expect(isExempt(list, host)).toBe(true));

  test.each([
    ['', 'there.example'],
    [' , ', 'there.example'],
    ['here.example', 'there.example'],
    ['re.example', 'there.example'],
    ['there.example:1', 'there.example'],
    ['10.0.0.0/8', '11.0.0.1'],
    ['10.0.0.0/', '10.0.0.0'],
    ['10.0.0.0/33', '10.0.0.0'],
    ['10.0.0.0/-1', '10.0.0.0'],
    ['10.0.0.1', '10.0.0.12'],
    ['0.0.1', '10.0.0.1'],
    ['[::1]:1', '::1'],
    ['fd00::/8', 'fe00::1'],
    ['0.0.0.0/0', '::1'],
  ])('%j does not name %s', (list, host) => expect(isExempt(list, host)).toBe(false));

  test('in small letters wins', () => {
    const env = { HTTPS_PROXY: 'http://p:1', no_proxy: 'other', NO_PROXY: '*' };
    expect(proxyAt(env)).toBe('http p 1');
  });
});
