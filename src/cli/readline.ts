/** Node's readline, which hands on the errors of what it reads from. */
import { createInterface, type Interface, type ReadLineOptions } from 'node:readline';

/** As `createInterface`. A terminal that is gone takes no orders: what is asked there ends as its input does, and by SIGHUP. */
export function openReadline(options: ReadLineOptions): Interface {
  return createInterface(options).on('error', () => undefined);
}
