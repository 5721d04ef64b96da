/** The devices that this machine remembers, and the key by which they know it. */
import path from 'node:path';
import type { KnownDevice } from '../crypto/device.js';
import { equalBytes } from '../crypto/digest.js';
import { Secret } from '../crypto/secret.js';
import { keyPairOf, X25519_BYTES, type KeyPair } from '../crypto/x25519.js';
import { toXferError, XferError } from '../errors.js';
import { isSameName, parseDeviceName, proposeName } from './device-name.js';
import { keptKey } from './key-file.js';
import { orDiskFailed, VersionedFile, type Version } from './versioned-file.js';

/** A device as it is remembered. */
export interface Device extends KnownDevice {
  /** What it is called here. */
  readonly name: string;
  /** Where it can be reached directly, as `host:port`. */
  readonly address: string | undefined;
  /** When it was paired, in milliseconds since 1970. */
  readonly pairedMs: number;
}

/** A device that has just been paired. */
export type NewDevice = Omit<Device, 'name'>;

const IDENTITY = 'identity';
const FORMAT = 1;
/** How often a running program looks whether somebody changed the list, in milliseconds. */
const FOLLOW_MS = 500;
/** Nobody changes the list that often. */
const MOST_TRIES = 1_000;
const HEX_KEY = /^[\da-f]{64}$/;

/**
 * Methods throw `config-invalid` (subject: the file, detail: what is wrong in it), and `disk-failed` where the system does not let
 * them read or write.
 */
export class DeviceStore {
  readonly #file: VersionedFile;

  /** @param folder Of this user's own; made with mode 0700 where it is missing. */
  constructor(folder: string) {
    this.#file = new VersionedFile(folder);
  }

  /** The key pair of this machine. It is made once, and never replaced: others know its public key. */
  async ownKeys(): Promise<KeyPair> {
    return keyPairOf(await keptKey(path.join(this.#file.folder, IDENTITY), 'this machine'));
  }

  /** All devices as they are now, in the order of their names. Their secrets are the store's. */
  async list(): Promise<readonly Device[]> {
    const { folder } = this.#file;
    return orDiskFailed(folder, async () => devicesIn(await this.#file.read(), this.#file));
  }

  /** Throws `device-unknown`. */
  async find(name: string): Promise<Device> {
    return named(await this.list(), name);
  }

  /**
   * Remembers a device. One with the same key is paired again: it keeps its name, unless another is asked for, and its address.
   *
   * @param name Chosen by a person. Without it, `foreign` is what the device calls itself.
   * @throws XferError `name-taken`, `usage`
   */
  async add(
    device: NewDevice,
    { name, foreign }: { name: string | undefined; foreign: string },
  ): Promise<Device> {
    if (name !== undefined) parseDeviceName(name);
    let added: Device | undefined;
    await this.#change((devices) => {
      const before = devices.find(({ publicKey }) => equalBytes(publicKey, device.publicKey));
      const others = devices.filter((other) => other !== before);
      const names = others.map((other) => other.name);
      if (name !== undefined) assertFree(names, name);
      const called = name ?? before?.name ?? proposeName(foreign, names);
      added = { ...device, name: called, address: device.address ?? before?.address };
      return [...others, added];
    });
    if (added === undefined) throw new XferError('internal', { subject: 'device not added' });
    return added;
  }

  /** Throws `device-unknown`, `name-taken`, `usage`. */
  async rename(name: string, to: string): Promise<void> {
    parseDeviceName(to);
    await this.#change((devices) => {
      const device = named(devices, name);
      const others = devices.filter((other) => other !== device);
      assertFree(
        others.map((other) => other.name),
        to,
      );
      return [...others, { ...device, name: to }];
    });
  }

  /** Forgets a device: nothing of it is accepted any more. Throws `device-unknown`. */
  async remove(name: string): Promise<void> {
    await this.#change((devices) => {
      const device = named(devices, name);
      return devices.filter((other) => other !== device);
    });
  }

  /** Says where a device can be reached directly, as `host:port`, or that nobody knows. Throws `device-unknown`. */
  async setAddress(name: string, address: string | undefined): Promise<void> {
    await this.#change((devices) => {
      const device = named(devices, name);
      return [...devices.filter((other) => other !== device), { ...device, address }];
    });
  }

  /**
   * Calls `onChange` with the list soon, and again whenever another process, or this one, changed it, until the signal is aborted. A
   * list that cannot be read goes to `onError`, once.
   */
  follow(
    onChange: (devices: readonly Device[]) => void,
    onError: (error: XferError) => void,
    signal: AbortSignal,
  ): void {
    let told: number | undefined;
    let isLooking = false;
    const look = async (): Promise<void> => {
      if (isLooking) return;
      isLooking = true;
      try {
        const newest = await this.#file.newest();
        if (newest === told) return;
        const devices = await this.list();
        if (signal.aborted) return;
        // One that came in between is told the next time.
        told = newest;
        onChange(devices);
      } catch (error) {
        if (signal.aborted) return;
        clearInterval(timer);
        onError(toXferError(error));
      } finally {
        isLooking = false;
      }
    };
    const timer = setInterval(() => void look(), FOLLOW_MS);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    if (signal.aborted) clearInterval(timer);
  }

  /** Changes the list as it is by then, as often as another process is first. */
  async #change(change: (devices: readonly Device[]) => readonly Device[]): Promise<void> {
    await orDiskFailed(this.#file.folder, async () => {
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const version = await this.#file.read();
        const devices = change(devicesIn(version, this.#file));
        if (await this.#file.replace(version.number, format(devices))) return;
      }
      throw new XferError('disk-failed', { subject: this.#file.folder });
    });
  }
}

function named(devices: readonly Device[], name: string): Device {
  const device = devices.find((each) => isSameName(each.name, name));
  if (device === undefined) throw new XferError('device-unknown', { subject: name });
  return device;
}

function assertFree(names: readonly string[], name: string): void {
  const taken = names.find((other) => isSameName(other, name));
  if (taken !== undefined) throw new XferError('name-taken', { subject: taken });
}

function format(devices: readonly Device[]): string {
  const entries = sorted(devices).map(({ name, publicKey, secret, address, pairedMs }) => ({
    name,
    publicKey: hexOf(publicKey),
    secret: hexOf(secret.expose()),
    ...(address === undefined ? {} : { address }),
    pairedMs,
  }));
  return `${JSON.stringify({ format: FORMAT, devices: entries }, undefined, 2)}\n`;
}

/** Fields that are not known are another version's, and ignored. Anything else that is not as it should be is an error. */
function devicesIn({ number, text }: Version, file: VersionedFile): readonly Device[] {
  if (text === undefined) return [];
  const invalid = (detail: string): XferError =>
    new XferError('config-invalid', { subject: file.pathOf(number), detail });
  const { format: version, devices } = objectIn(text, invalid);
  if (version !== FORMAT) throw invalid('it was written by another version of xfer');
  if (!Array.isArray(devices)) throw invalid('there is no list of devices');
  const all = devices.map((entry: unknown, index) => {
    const about = `device ${index + 1}`;
    if (typeof entry !== 'object' || entry === null) throw invalid(`${about} is no object`);
    const { name, publicKey, secret, address, pairedMs } = entry as Record<string, unknown>;
    if (typeof name !== 'string' || !isName(name)) throw invalid(`${about} has no name that can be one`);
    if (!isKey(publicKey)) throw invalid(`the public key of '${name}' has not 64 hexadecimal digits`);
    if (!isKey(secret)) throw invalid(`the secret of '${name}' has not 64 hexadecimal digits`);
    if (address !== undefined && typeof address !== 'string')
      throw invalid(`the address of '${name}' is no text`);
    return {
      name,
      publicKey: bytesOf(publicKey),
      secret: new Secret(bytesOf(secret)),
      address,
      pairedMs: typeof pairedMs === 'number' ? pairedMs : 0,
    };
  });
  for (const [index, { name, publicKey }] of all.entries()) {
    const before = all.slice(0, index);
    if (before.some((other) => isSameName(other.name, name)))
      throw invalid(`two devices are called '${name}'`);
    const twin = before.find((other) => equalBytes(other.publicKey, publicKey));
    if (twin !== undefined) throw invalid(`'${twin.name}' and '${name}' are one device`);
  }
  return sorted(all);
}

function objectIn(text: string, invalid: (detail: string) => XferError): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is no JSON');
  }
  if (typeof value !== 'object' || value === null) throw invalid('it is no object');
  return value as Record<string, unknown>;
}

function sorted(devices: readonly Device[]): readonly Device[] {
  return [...devices].sort((a, b) => a.name.localeCompare(b.name, 'en'));
}

function isName(name: string): boolean {
  try {
    parseDeviceName(name);
    return true;
  } catch {
    return false;
  }
}

function isKey(value: unknown): value is string {
  return typeof value === 'string' && HEX_KEY.test(value);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex').subarray(0, X25519_BYTES));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
