/** Machines with settings of their own, and the built program on them. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { Secret } from '../../src/crypto/secret.js';
import { devicesPath, openDevices } from '../../src/index.js';
import { listening } from './direct.js';
import { temporaryFolder } from './temporary-folder.js';
import { xfer, type StartOptions } from './xfer-process.js';

export interface Machine extends StartOptions {
  readonly env: Readonly<Record<string, string>>;
}

export async function machine(options: StartOptions = {}): Promise<Machine> {
  return { ...options, env: { ...options.env, XFER_HOME: await temporaryFolder() } };
}

/** Makes two machines known to each other. `name` is what the first calls the second, and so on. */
export async function pairMachines(
  one: Machine,
  other: Machine,
  { name, otherName }: { readonly name: string; readonly otherName: string },
): Promise<void> {
  const { host, code, port } = await listening(['pair', '--yes', '--name', name], one);
  const join = ['pair', code, '--connect', `127.0.0.1:${port}`, '--yes', '--name', otherName];
  const joiner = await xfer(join, other);
  expect(await joiner.status(), joiner.stderr).toBe(0);
  expect(await host.status(), host.stderr).toBe(0);
}

/** What is there after `pairMachines`, without a pairing: for many of them. */
export async function introduceMachines(
  one: Machine,
  other: Machine,
  { name, otherName }: { readonly name: string; readonly otherName: string },
): Promise<void> {
  const stores = await Promise.all([one, other].map(({ env }) => openDevices(devicesPath(env))));
  const [ofOne, ofOther] = [stores[0]!, stores[1]!];
  const bytes = randomBytes(32);
  const about = async (store: typeof ofOne): Promise<Parameters<typeof ofOne.add>[0]> => ({
    publicKey: (await store.ownKeys()).publicKey,
    secret: new Secret(Buffer.from(bytes)),
    address: undefined,
    pairedMs: Date.now(),
  });
  await ofOne.add(await about(ofOther), { name, foreign: name });
  await ofOther.add(await about(ofOne), { name: otherName, foreign: otherName });
}

/** Runs a command on a machine, which must succeed. */
export async function runOn(on: Machine, ...args: readonly string[]): Promise<string> {
  const process = await xfer(args, on);
  expect(await process.status(), process.stderr).toBe(0);
  return process.stdout;
}
