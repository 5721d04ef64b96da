/** Two programs of which one reaches the other by way of a proxy only. */
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort, listening } from '../support/direct.js';
import { expectEnding } from '../support/endings.js';
import { isInstalled, Machine, whyNoNetworks } from '../support/networks.js';
import { startPrivateDht } from '../support/private-dht.js';
import { LOGIN, LOGIN_AS_URL, NAME, proxyWith, receiveBy } from '../support/proxied.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { noise } from '../support/trees.js';
import { xfer, type XferProcess } from '../support/xfer-process.js';

const content = noise(3_000_000, 'proxy');
let file: string;
let to: string;

beforeAll(async () => {
  file = path.join(await temporaryFolder(), 'file');
  await writeFile(file, content);
});

beforeEach(async () => {
  to = await temporaryFolder();
});

async function expectArrived(sender: XferProcess, receiver: XferProcess): Promise<void> {
  expect([await sender.status(), await receiver.status()], receiver.stderr).toEqual([0, 0]);
  expect((await readFile(path.join(to, 'file'))).equals(content)).toBe(true);
}

function receive(code: string, port: number, env: Record<string, string>, host = NAME): Promise<XferProcess> {
  return receiveBy(env, { code, port, to, host });
}

describe('a transfer by way of a proxy', () => {
  it.each([
    ['of HTTP', 'HTTPS_PROXY', 'http', undefined],
    ['of HTTP that wants a password', 'https_proxy', `http`, LOGIN],
    ['of SOCKS 5', 'ALL_PROXY', 'socks5', undefined],
    ['of SOCKS 5 that wants a password', 'all_proxy', 'socks5h', LOGIN],
    ['of SOCKS 4a', 'ALL_PROXY', 'socks4a', undefined],
  ])('%s', async (_, variable, scheme, login) => {
    const proxy = await proxyWith(login === undefined ? {} : { login });
    const { host: sender, code, port } = await listening(['send', file]);
    const credentials = login === undefined ? '' : `${LOGIN_AS_URL}@`;
    const url = `${scheme}://${credentials}127.0.0.1:${proxy.port}`;
    const receiver = await receive(code, port, { [variable]: url });

    await expectArrived(sender, receiver);
    expect(new Set(proxy.asked)).toEqual(new Set([`${NAME}:${port}`]));
    expect(proxy.carried).toBeGreaterThan(content.length);
    expect(receiver.stderr).toContain(`by way of the proxy 127.0.0.1:${proxy.port}`);
    expect(receiver.stderr).toContain(`connected directly to ${NAME}:${port}`);
  });

  it('that speaks TLS, with a certificate that is trusted', async ({ skip }) => {
    if (!isInstalled('openssl')) skip('needs openssl');
    const folder = await temporaryFolder();
    const [keyFile, certFile] = [path.join(folder, 'key'), path.join(folder, 'cert')];
    const names = ['-subj', '/CN=proxy', '-addext', 'subjectAltName=DNS:localhost'];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const files = ['-keyout', keyFile, '-out', certFile];
    execFileSync('openssl', ['req', ...kind, ...names, ...files], { stdio: 'ignore' });
    const tls = { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') };
    const proxy = await proxyWith({ tls });
    const { host: sender, code, port } = await listening(['send', file]);
    const HTTPS_PROXY = `https://localhost:${proxy.port}`;

    const untrusting = await receive(code, port, { HTTPS_PROXY });
    await expectEnding(untrusting, {
      status: 3,
      error: `the proxy localhost:${proxy.port} does not answer as a proxy of its kind`,
      hint: 'compare HTTPS_PROXY',
      in: to,
    });
    const receiver = await receive(code, port, { HTTPS_PROXY, NODE_EXTRA_CA_CERTS: certFile });
    await expectArrived(sender, receiver);
    expect(proxy.carried).toBeGreaterThan(content.length);
  });

  it('is begun by the side that shows the code, too', async () => {
    const proxy = await proxyWith();
    const port = await freePort();
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
    const sender = await xfer(['send', file, '--connect', `${NAME}:${port}`], { env });
    const listen = ['--listen', `127.0.0.1:${port}`];
    const receiver = await xfer(['receive', await sender.code(), ...listen, '--yes', '--out', to]);
    await expectArrived(sender, receiver);
    expect(proxy.carried).toBeGreaterThan(content.length);
  });

  it.each(['http', 'socks5', 'socks4'])('%s waits for a side that listens later', async (scheme) => {
    const proxy = await proxyWith();
    const port = await freePort();
    const env = { ALL_PROXY: `${scheme}://127.0.0.1:${proxy.port}` };
    const receiver = await xfer(['receive', '--new', '--connect', `${NAME}:${port}`, '--yes', '--out', to], {
      env,
    });
    const code = await receiver.code();
    await expect.poll(() => proxy.asked.length, { timeout: 10_000 }).toBeGreaterThan(1);
    const sender = await xfer(['send', '--code', code, '--listen', `127.0.0.1:${port}`, file]);
    await expectArrived(sender, receiver);
  });

  it('has all its lanes go there', async () => {
    const proxy = await proxyWith();
    const { host: sender, code, port } = await listening(['send', file, '--lanes', '4']);
    const receiver = await receive(code, port, { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    await expectArrived(sender, receiver);
    expect(proxy.asked).toEqual(Array.from({ length: 4 }, () => `${NAME}:${port}`));
  });

  it('goes on after a cut, by way of it again', async () => {
    const proxy = await proxyWith();
    const { host: sender, code, port } = await listening(['send', file, '--limit', '2M']);
    const receiver = await receive(code, port, { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    await expect.poll(() => proxy.carried, { timeout: 20_000 }).toBeGreaterThan(500_000);
    proxy.cut();
    await receiver.waitFor(/connected again directly to sender\.test/);
    await expectArrived(sender, receiver);
    expect(proxy.carried).toBeGreaterThan(content.length);
  });
});

describe('nothing goes by a proxy', () => {
  const nowhere = { HTTPS_PROXY: 'http://127.0.0.1:9', ALL_PROXY: 'socks5://127.0.0.1:9' };

  it('to an address that NO_PROXY names', async () => {
    const { host: sender, code, port } = await listening(['send', file]);
    const receiver = await receive(code, port, { ...nowhere, NO_PROXY: '127.0.0.0/8' }, '127.0.0.1');
    await expectArrived(sender, receiver);
    expect(receiver.stderr).not.toContain('proxy');
  });

  it('that the two sides tell each other', async () => {
    const proxy = await proxyWith();
    const env = {
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      ALL_PROXY: `http://127.0.0.1:${proxy.port}`,
    };
    const dht = await startPrivateDht();
    try {
      const options = { env, bootstrap: dht.bootstrap };
      const sender = await xfer(['send', file, '--limit', '2M'], options);
      const receiver = await xfer(['receive', await sender.code(), '--yes', '--out', to], options);
      await receiver.waitFor(/connected directly|verified:/);
      await expectArrived(sender, receiver);
      expect(receiver.stderr).toContain('directly');
      expect(proxy.asked).toEqual([]);
    } finally {
      await dht.close();
    }
  });

  const unavailable = whyNoNetworks();
  it.skipIf(unavailable !== undefined)(
    `that is found on the local network (${unavailable ?? 'in namespaces'})`,
    async () => {
      const [alice, bob] = [new Machine('alice'), new Machine('bob')];
      try {
        alice.cableTo(bob, 'cable', ['10.77.0.1/24'], ['10.77.0.2/24']);
        const env = { XFER_LAN: 'on', ...nowhere };
        const sender = await xfer(['send', file, '--local'], { wrapper: alice.wrapper, env });
        const args = ['receive', await sender.code(), '--local', '--yes', '--out', to];
        const receiver = await xfer(args, { wrapper: bob.wrapper, env });
        await expectArrived(sender, receiver);
      } finally {
        alice.remove();
        bob.remove();
      }
    },
  );
});
