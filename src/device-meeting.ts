/** To look for a device that is remembered. */
import { expireMsOf, waysToMeet } from './code-meeting.js';
import { parseEndpoint } from './endpoint.js';
import { Removal } from './device-removal.js';
import type { DeviceTarget, MeetingOptions } from './options.js';
import type { Endpoint, PairedChannel, PeerEvent } from './peer/connect.js';
import { joinDevice } from './peer/device-join.js';
import { DeviceStore, type Device } from './share/device-store.js';

/**
 * Looks for a device that waits: where it was said to be reachable, on the local network and in the DHT, unless `options` name other
 * ways. When it is removed from the list meanwhile, the session ends.
 *
 * @throws XferError `device-unknown`, `device-refused`, `device-removed`, and what `joinDevice` throws
 */
export async function meetDevice(
  { name, devices }: DeviceTarget,
  options: MeetingOptions,
  onEvent: (event: PeerEvent) => void,
  signal: AbortSignal,
): Promise<PairedChannel> {
  const store = new DeviceStore(devices);
  const device = await store.find(name);
  const own = await store.ownKeys();
  const removal = new Removal(device);
  const over = new AbortController();
  store.follow(
    (all) => removal.look(all),
    // A list that cannot be read remembers nobody.
    () => removal.remove(),
    over.signal,
  );
  try {
    const ways = waysToMeet(options, onEvent, AbortSignal.any([signal, removal.signal]));
    const connect = options.connect ?? addressOf(device, options);
    const paired = await joinDevice({
      ...ways,
      ...(connect === undefined ? {} : { connect }),
      own,
      device,
      name: device.name,
      expireMs: expireMsOf(options),
    });
    return { ...paired, ended: removal.signal, release: () => over.abort() };
  } catch (error) {
    over.abort();
    removal.signal.throwIfAborted();
    throw error;
  } finally {
    own.privateKey.erase();
  }
}

/** Where the device was said to be reachable; not where other ways were asked for. */
function addressOf({ address }: Device, { listen, local }: MeetingOptions): Endpoint | undefined {
  if (address === undefined || listen !== undefined || local === true) return undefined;
  return parseEndpoint(address);
}
