/** What ends with the memory of a device. */
import { equalBytes } from './crypto/digest.js';
import { XferError } from './errors.js';
import type { Device, DeviceStore } from './share/device-store.js';

/** Notices that a device is not remembered any more, until `stop`. */
export class Removal {
  readonly #removed = new AbortController();
  readonly #over = new AbortController();

  constructor(store: DeviceStore, { name, publicKey }: Device) {
    const remove = (): void => this.#removed.abort(new XferError('device-removed', { subject: name }));
    store.follow(
      (devices) => {
        if (!devices.some((device) => equalBytes(device.publicKey, publicKey))) remove();
      },
      // A list that cannot be read remembers nobody.
      remove,
      this.#over.signal,
    );
  }

  /** Aborted with `device-removed` when the device was removed. */
  get signal(): AbortSignal {
    return this.#removed.signal;
  }

  stop(): void {
    this.#over.abort();
  }
}
