// @ts-check
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { both, freePort, start } from '../measured.js';

/**
 * @typedef {object} XferOptions
 * @property {string} name
 * @property {import('./tool.js').Place} place
 * @property {readonly string[]} [flags] of both sides
 * @property {readonly string[]} [sendFlags]
 * @property {readonly string[]} [receiveFlags]
 * @property {readonly string[]} [bootstrap] nodes of the private DHT to meet through; without them over TCP directly
 */

/** Knows one build of xfer. */
export class Xfer {
  #program;
  #home;
  /** What the help of each command names. @type {Map<string, Set<string>>} */
  #known = new Map();

  /** @param {string} program its main.js @param {string} temporary a folder for its settings */
  constructor(program, temporary) {
    this.#program = program;
    this.#home = path.join(temporary, 'xfer-home');
  }

  /** @param {XferOptions} options @returns {import('./tool.js').Tool} */
  tool({ name, place, flags = [], sendFlags = [], receiveFlags = [], bootstrap }) {
    const missing = this.#missing({
      send: [...flags, ...sendFlags],
      receive: [...flags, ...receiveFlags],
    });
    const env = {
      XFER_HOME: this.#home,
      // Without a DHT of ours the discard port: nothing answers there, and no packet leaves the machine.
      XFER_BOOTSTRAP: (bootstrap ?? ['127.0.0.1:9']).join(','),
      XFER_LAN: 'off',
    };
    const command = [process.execPath, this.#program];
    return {
      name,
      ...(missing === undefined ? {} : { missing }),
      send: async (source, out) => {
        const address = `${place.address}:${await freePort()}`;
        const [listen, dial] = bootstrap
          ? [[], []]
          : [
              ['--listen', address],
              ['--connect', address],
            ];
        const sender = start(
          [...place.atSender, ...command, 'send', '--quiet', ...listen, ...flags, ...sendFlags, source],
          { env },
        );
        const code = await sender.firstLine();
        return async () => {
          const receiver = start(
            [
              ...[...place.atReceiver, ...command, 'receive', '--quiet', '--yes'],
              ...[...dial, ...flags, ...receiveFlags, '--out', out, code],
            ],
            { env },
          );
          const [sent, received] = await both(sender, receiver);
          return { sender: sent, receiver: received };
        };
      },
    };
  }

  /** @param {Readonly<Record<string, readonly string[]>>} wanted flags of each command */
  #missing(wanted) {
    if (!existsSync(this.#program)) return 'run `npm run build` first';
    for (const [command, each] of Object.entries(wanted)) {
      const unknown = each.find((flag) => flag.startsWith('--') && !this.#knows(command, flag));
      if (unknown !== undefined) return `this build does not know ${unknown}`;
    }
    return undefined;
  }

  /** @param {string} command @param {string} flag */
  #knows(command, flag) {
    let known = this.#known.get(command);
    if (known === undefined) {
      const help = execFileSync(process.execPath, [this.#program, command, '--help'], { encoding: 'utf8' });
      known = new Set(help.match(/--[a-z-]+/g));
      this.#known.set(command, known);
    }
    return known.has(flag);
  }
}
