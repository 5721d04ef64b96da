/** A folder that one machine shares with another one. */
import path from 'node:path';
import { expect } from 'vitest';
import { machine, pairMachines, type Machine } from './devices.js';
import { freePort } from './direct.js';
import { temporaryFolder } from './temporary-folder.js';
import { xfer, type XferProcess } from './xfer-process.js';

export class ServedFolder {
  /** Whose folder it is; the other one calls it `pi`. */
  readonly pi: Machine;
  readonly laptop: Machine;
  readonly folder: string;
  readonly #address: string;

  private constructor(pi: Machine, laptop: Machine, folder: string, port: number) {
    this.pi = pi;
    this.laptop = laptop;
    this.folder = folder;
    this.#address = `127.0.0.1:${port}`;
  }

  static async make(): Promise<ServedFolder> {
    const [laptop, pi] = [await machine(), await machine()];
    await pairMachines(laptop, pi, { name: 'pi', otherName: 'laptop' });
    return new ServedFolder(pi, laptop, await temporaryFolder(), await freePort());
  }

  /** Where something in it is on this machine. */
  at(name: string): string {
    return path.join(this.folder, name);
  }

  /** The file of its machine's settings. */
  get settings(): string {
    return path.join(this.pi.env['XFER_HOME']!, 'config.toml');
  }

  get port(): number {
    return Number(this.#address.split(':')[1]);
  }

  /** What the laptop types to come here. */
  get flags(): readonly string[] {
    return ['--addr', this.#address];
  }

  /** Starts to share it. */
  async serve(...flags: readonly string[]): Promise<XferProcess> {
    return this.serveBelow([], ...flags);
  }

  /** The same below another program. */
  async serveBelow(wrapper: readonly string[], ...flags: readonly string[]): Promise<XferProcess> {
    const args = ['serve', this.folder, '--listen', this.#address, ...flags];
    const server = await xfer(args, { ...this.pi, wrapper });
    await server.waitFor(flags.includes('--json') ? /"listening"/ : /listening at/);
    return server;
  }
}

export async function stop(server: XferProcess): Promise<void> {
  server.kill('SIGTERM');
  expect(await server.status(), server.stderr).toBe(0);
}
