// @ts-check
import path from 'node:path';
import { both, start } from '../measured.js';

/** @param {readonly string[]} bootstrap nodes of the private DHT @returns {import('./tool.js').Tool} */
export function bareHyperdht(bootstrap) {
  const command = [process.execPath, path.join(import.meta.dirname, '../bare-hyperdht.js')];
  return {
    name: 'bare hyperdht',
    async send(source, out) {
      const sender = start([...command, 'send', source, bootstrap.join()]);
      const key = await sender.firstLine();
      return async () => {
        const target = path.join(out, path.basename(source));
        const receiver = start([...command, 'receive', key, target, bootstrap.join()]);
        const [sent, received] = await both(sender, receiver);
        return { sender: sent, receiver: received };
      };
    },
  };
}
