// @ts-check
import path from 'node:path';
import { both, freePort, isInstalled, start } from '../measured.js';

/** In one piece more than its usual 8 KiB: socat is here to show what TCP can do. */
const PIECE_BYTES = 2 ** 18;

/** One file over raw TCP, with no encryption and no check. @param {import('./tool.js').Place} place @returns {import('./tool.js').Tool} */
export function socat(place) {
  return {
    name: 'socat (raw TCP)',
    ...(isInstalled('socat') ? {} : { missing: 'install socat' }),
    async send(source, out) {
      const port = await freePort();
      const command = ['socat', '-u', '-b', String(PIECE_BYTES)];
      const listen = `TCP-LISTEN:${port},bind=${place.address},reuseaddr`;
      const sender = start([...place.atSender, ...command, `OPEN:${source},rdonly`, listen]);
      return async () => {
        const receiver = start([
          ...[...place.atReceiver, ...command],
          // The sender may not listen yet.
          ...[`TCP:${place.address}:${port},retry=1000,interval=0.005`],
          `CREATE:${path.join(out, path.basename(source))}`,
        ]);
        const [sent, received] = await both(sender, receiver);
        return { sender: sent, receiver: received };
      };
    },
  };
}
