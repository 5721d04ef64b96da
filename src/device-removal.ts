/** What ends with the memory of a device. */
import { equalBytes } from './crypto/digest.js';
import { XferError } from './errors.js';
import type { Device } from './share/device-store.js';

/** Notices that a device is not remembered any more. */
export class Removal {
  readonly #device: Device;
  readonly #removed = new AbortController();

  constructor(device: Device) {
    this.#device = device;
  }

  /** Aborted with `device-removed` when the device was removed. */
  get signal(): AbortSignal {
    return this.#removed.signal;
  }

  /** Looks whether it is still among these. */
  look(devices: readonly Device[]): void {
    const { publicKey } = this.#device;
    if (!devices.some((device) => equalBytes(device.publicKey, publicKey))) this.remove();
  }

  remove(): void {
    this.#removed.abort(new XferError('device-removed', { subject: this.#device.name }));
  }
}
