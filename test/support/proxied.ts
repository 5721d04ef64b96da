/** A receiver that reaches its sender by way of a proxy. */
import { afterEach } from 'vitest';
import { ForwardProxy, type ForwardProxyOptions } from './forward-proxy.js';
import { xfer, type XferProcess } from './xfer-process.js';

export const LOGIN = { user: 'zo:e', password: 'p@ss wörd' };
export const LOGIN_AS_URL = 'zo%3Ae:p%40ss%20w%C3%B6rd';
/** Nobody but the proxy knows this name. */
export const NAME = 'sender.test';

const proxies = new Set<ForwardProxy>();
afterEach(() => {
  for (const proxy of proxies) proxy.close();
  proxies.clear();
});

/** A proxy that is closed when the test is over. */
export async function proxyWith(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const proxy = await ForwardProxy.start({ names: { [NAME]: '127.0.0.1' }, ...options });
  proxies.add(proxy);
  return proxy;
}

/** The sender is at `host`, and `env` says by way of which proxy it is reached. */
export function receiveBy(
  env: Readonly<Record<string, string>>,
  { code, port, to, host = NAME }: { readonly code: string; readonly port: number; readonly to: string; readonly host?: string }, // prettier-ignore
): Promise<XferProcess> {
  return xfer(['receive', code, '--connect', `${host}:${port}`, '--yes', '--out', to], { env });
}
