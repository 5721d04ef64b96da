/** `xfer devices` */
import { devicesPath, type Device, type DeviceStore } from '../index.js';
import type { Context } from './context.js';
import { countOf } from './figures.js';
import { deviceAddress } from './pair.js';
import { show, showJson } from './show.js';

export interface DevicesFlags {
  readonly json?: boolean;
}

/** Lists the devices that are remembered: a table for a person, a name and an address in a line for a script. */
export async function runDevices({ json }: DevicesFlags, context: Context): Promise<number> {
  const devices = await (await storeOf(context)).list();
  const { stdout, stderr } = context;
  const isPerson = stdout.isTTY === true && json !== true;
  const width = Math.max(0, ...devices.map(({ name }) => name.length));
  for (const device of devices) {
    stdout.write(`${json === true ? jsonOf(device) : isPerson ? rowOf(device, width) : lineOf(device)}\n`);
  }
  if (isPerson) {
    const none = 'no device is remembered; xfer pair on both machines makes them known to each other';
    stderr.write(`${devices.length === 0 ? none : countOf(devices.length, 'device')}\n`);
  }
  return 0;
}

export async function runRename(name: string, to: string, context: Context): Promise<number> {
  await (await storeOf(context)).rename(name, to);
  return 0;
}

/** Forgets a device: programs that run notice it too. */
export async function runRemove(name: string, context: Context): Promise<number> {
  await (await storeOf(context)).remove(name);
  return 0;
}

/** Says where a device can be reached; without an address that nobody knows. */
export async function runAddress(
  name: string,
  address: string | undefined,
  context: Context,
): Promise<number> {
  const checked = address === undefined ? undefined : deviceAddress(address);
  await (await storeOf(context)).setAddress(name, checked);
  return 0;
}

/** The names of all devices, for the Tab key; none where they cannot be read. */
export async function deviceNames(context: Pick<Context, 'env' | 'library'>): Promise<readonly string[]> {
  try {
    return (await (await storeOf(context)).list()).map(({ name }) => name);
  } catch {
    return [];
  }
}

function storeOf({ env, library }: Pick<Context, 'env' | 'library'>): Promise<DeviceStore> {
  return library.openDevices(devicesPath(env));
}

function jsonOf({ name, address, pairedMs }: Device): string {
  return showJson({ event: 'device', name, ...(address === undefined ? {} : { address }), pairedMs });
}

function lineOf({ name, address }: Device): string {
  return address === undefined ? name : `${name}\t${address}`;
}

function rowOf({ name, address = '', pairedMs }: Device, width: number): string {
  const day = new Date(pairedMs).toISOString().slice(0, 10);
  return `${name.padEnd(width)}  paired ${day}  ${show(address)}`.trimEnd();
}
