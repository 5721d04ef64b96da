// @ts-check
import { both, freePort, isInstalled, listening, LOOPBACK, once, start } from '../measured.js';

/** Ports of the relay: one for control, the others for data. */
const PORTS = 5;

/**
 * croc with a relay of its own on loopback. Every byte goes through the relay, as always with croc.
 *
 * @param {import('./tool.js').Place} place a network without a way out: croc asks name servers of the internet for its
 *   public relay when it starts, whatever it is told
 * @returns {import('./tool.js').Tool}
 */
export function croc(place) {
  /** @type {import('../measured.js').Running | undefined} */
  let relay;
  let address = '';
  let codes = 1000;
  return {
    name: 'croc',
    ...(isInstalled('croc') ? {} : { missing: 'croc is not in the PATH' }),
    start: once(async () => {
      const first = await freePort();
      const ports = Array.from({ length: PORTS }, (_, index) => first + index);
      relay = start([...place.atSender, 'croc', 'relay', '--host', LOOPBACK, '--ports', ports.join()]);
      for (const port of ports) await listening(port, relay, place.atSender);
      address = `${LOOPBACK}:${first}`;
    }),
    stop: () => relay?.stop(),
    async send(source, out) {
      const env = { CROC_SECRET: `${++codes}-bench-run-code` };
      const quiet = ['--yes', '--disable-clipboard', '--relay6', ''];
      const sender = start(
        [...place.atSender, 'croc', ...quiet, '--relay', address, 'send', '--no-local', source],
        { env },
      );
      // A receiver that comes first is turned away.
      await sender.printed(/code/i);
      return async () => {
        // With --ip it looks for nobody on the local network.
        const receiver = start(
          [...place.atReceiver, 'croc', ...quiet, '--ip', address, '--overwrite', '--out', out],
          { env },
        );
        const [sent, received] = await both(sender, receiver);
        return { sender: sent, receiver: received };
      };
    },
  };
}
