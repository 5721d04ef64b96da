/** What ends with the memory of a device. */
import { equalBytes } from './crypto/digest.js';
import { XferError } from './errors.js';
import type { PairedChannel } from './peer/connect.js';
import type { Device, DeviceStore } from './share/device-store.js';
import { atLast, sayLast } from './transfer/conduct.js';

/** Notices that a device is not remembered any more. */
export class Removal {
  readonly #device: Device;
  readonly #removed = new AbortController();
  readonly #over = new AbortController();

  constructor(store: DeviceStore, device: Device) {
    this.#device = device;
    store.follow(
      (devices) => {
        if (!devices.some(({ publicKey }) => equalBytes(publicKey, device.publicKey))) this.#removed.abort();
      },
      // A list that cannot be read remembers nobody.
      () => this.#removed.abort(),
      this.#over.signal,
    );
  }

  /** Aborted when the device was removed. */
  get signal(): AbortSignal {
    return this.#removed.signal;
  }

  get error(): XferError {
    return new XferError('device-removed', { subject: this.#device.name });
  }

  /** Ends a session when the device is removed, and looks no longer than it lasts. */
  ends({ channel, closed }: PairedChannel): void {
    const end = (): void => {
      void atLast(sayLast(channel, 'device-refused')).then(() => channel.destroy(this.error));
    };
    this.signal.addEventListener('abort', end, { once: true });
    if (this.signal.aborted) end();
    void closed.then(() => this.stop());
  }

  stop(): void {
    this.#over.abort();
  }
}
