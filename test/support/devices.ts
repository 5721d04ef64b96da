/** Machines with settings of their own, and the built program on them. */
import { expect } from 'vitest';
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

/** Runs a command on a machine, which must succeed. */
export async function runOn(on: Machine, ...args: readonly string[]): Promise<string> {
  const process = await xfer(args, on);
  expect(await process.status(), process.stderr).toBe(0);
  return process.stdout;
}
