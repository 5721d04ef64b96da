/** Proxies that do not do what they are there for: the receiver says what is wrong, and how it goes otherwise. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { freePort, listening } from '../support/direct.js';
import { expectEnding } from '../support/endings.js';
import { LOGIN, LOGIN_AS_URL, NAME, proxyWith, receiveBy } from '../support/proxied.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

let file: string;
let to: string;

beforeEach(async () => {
  file = path.join(await temporaryFolder(), 'file');
  to = await temporaryFolder();
  await writeFile(file, 'what nobody gets');
});

describe('a proxy that does not do it', () => {
  async function tryWith(env: Record<string, string>): Promise<XferProcess> {
    const { code, port } = await listening(['send', file]);
    return receiveBy(env, { code, port, to });
  }

  it('since it is not there: said within 10 s', async () => {
    const port = await freePort();
    const receiver = await tryWith({ HTTPS_PROXY: `http://${LOGIN_AS_URL}@127.0.0.1:${port}` });
    await expectEnding(receiver, {
      status: 3,
      error: `the proxy 127.0.0.1:${port} cannot be reached`,
      hint: 'compare HTTPS_PROXY and ALL_PROXY with what your network wants',
      in: to,
    });
    expect(receiver.stderr).not.toMatch(/wörd|%40ss/);
  });

  it.each(['http', 'socks5'])('since it is none of %s', async (scheme) => {
    const { code, port } = await listening(['send', file]);
    // The other side closes what says no hello, or waits for more of one.
    const receiver = await receiveBy({ ALL_PROXY: `${scheme}://127.0.0.1:${port}` }, { code, port, to });
    await expectEnding(receiver, {
      status: 3,
      error: `the proxy 127.0.0.1:${port} does not answer as a proxy of its kind`,
      hint: 'compare HTTPS_PROXY',
      in: to,
    });
  });

  it.each(['https', 'socks5'])('since it says nothing where %s answers at once', async (scheme) => {
    const proxy = await proxyWith({ isMute: true });
    const receiver = await tryWith({ ALL_PROXY: `${scheme}://127.0.0.1:${proxy.port}` });
    await expectEnding(receiver, {
      status: 3,
      error: `the proxy 127.0.0.1:${proxy.port} does not answer as a proxy of its kind`,
      hint: 'compare HTTPS_PROXY',
      in: to,
    });
  });

  it.each(['http', 'socks5'])('%s without its password', async (scheme) => {
    const proxy = await proxyWith({ login: LOGIN });
    const receiver = await tryWith({ ALL_PROXY: `${scheme}://127.0.0.1:${proxy.port}` });
    await expectEnding(receiver, {
      status: 2,
      error: `the proxy 127.0.0.1:${proxy.port} wants a user and a password`,
      hint: 'put them into HTTPS_PROXY or ALL_PROXY',
      in: to,
    });
    expect(proxy.asked).toEqual([]);
  });

  it.each(['http', 'socks5'])('%s with a wrong password, which is told nowhere', async (scheme) => {
    const proxy = await proxyWith({ login: LOGIN });
    const { code, port } = await listening(['send', file]);
    const env = { ALL_PROXY: `${scheme}://zoe:hunter2@127.0.0.1:${proxy.port}` };
    const args = ['receive', code, '--connect', `${NAME}:${port}`, '--yes', '--out', to, '--debug'];
    const receiver = await xfer(args, { env });
    expect(await receiver.status()).toBe(2);
    expect(receiver.stderr).toContain(
      `xfer: error: the proxy 127.0.0.1:${proxy.port} does not accept this user and password`,
    );
    expect(receiver.text).not.toContain('hunter2');
  });

  it.each([
    ['http', { http: 403, socks: 0 }],
    ['socks5', { http: 0, socks: 2 }],
  ])('%s since it may not: the way round is said', async (scheme, refuses) => {
    const proxy = await proxyWith({ refuses });
    const { code, port } = await listening(['send', file]);
    const receiver = await receiveBy(
      { ALL_PROXY: `${scheme}://127.0.0.1:${proxy.port}` },
      { code, port, to },
    );
    await expectEnding(receiver, {
      status: 3,
      error: `the proxy 127.0.0.1:${proxy.port} refuses to connect to ${NAME}:${port}`,
      hint: 'many proxies let nothing but port 443 through: --listen 443 on the other side may do',
      in: to,
    });
    expect(proxy.asked).toEqual([`${NAME}:${port}`]);
  });
});
