/** Why this machine cannot wait at an address. */
import { XferError } from '../errors.js';
import { formatAddress, type Endpoint } from './address.js';

/** `port-in-use`, `permission-denied`, or `bad-address` where the address is none of this machine. */
export function bindError(cause: unknown, { host = '', port }: Endpoint): XferError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return new XferError('port-in-use', { subject: String(port), cause });
  if (code === 'EACCES')
    return new XferError('permission-denied', { subject: `port ${String(port)}`, cause });
  return new XferError('bad-address', { subject: formatAddress(host, port), cause });
}
