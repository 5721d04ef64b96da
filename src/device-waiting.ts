/** To wait for all devices that are remembered. */
import { waysToMeet } from './code-meeting.js';
import { Removal } from './device-removal.js';
import { XferError } from './errors.js';
import { withGuardedEvents } from './guarded-events.js';
import type { DeviceTarget, WaitOptions } from './options.js';
import type { PairedChannel } from './peer/connect.js';
import { Reception } from './peer/reception.js';
import { receive, type Meet } from './session.js';
import { DeviceStore, type Device } from './share/device-store.js';
import { aborted } from './transfer/deadline.js';

/**
 * Waits for the devices that are remembered, again and again, until `signal` is aborted, and hands each session to `onSession`.
 * Who is paired, renamed or removed meanwhile is taken up at once; sessions of a device that is removed end.
 *
 * @throws XferError `port-in-use`, `bad-address`, `permission-denied`, `config-invalid`, `disk-failed`
 */
export function waitForDevices(options: WaitOptions): Promise<void> {
  return withGuardedEvents(options, async (onEvent, signal) => {
    const store = new DeviceStore(options.devices);
    const own = await store.ownKeys();
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    const sessions = new Map<Removal, Promise<void>>();
    const onSession = (paired: PairedChannel, device: Device): Promise<void> => {
      const removal = new Removal(device);
      const session = serve(paired, device, removal, store, options)
        .catch((error: unknown) => over.abort(error))
        .finally(() => sessions.delete(removal));
      sessions.set(removal, session);
      return session;
    };
    const welcome = (devices: readonly Device[]): void => {
      reception.welcome(devices);
      for (const removal of sessions.keys()) removal.look(devices);
    };
    const fail = (error: XferError): void => {
      over.abort(error);
      // A list that cannot be read remembers nobody.
      for (const removal of sessions.keys()) removal.remove();
    };
    const { connect: _, ...ways } = waysToMeet(options, onEvent, ending);
    const reception = await Reception.open({ ...ways, own, remembered: () => store.list(), onSession });
    try {
      store.follow(welcome, fail, ending);
      await aborted(ending);
    } finally {
      reception.stop();
      await Promise.all(sessions.values());
      await reception.close();
      own.privateKey.erase();
    }
    over.signal.throwIfAborted();
  });
}

/** One session, from its first word to its end. Rejects where the caller did. */
async function serve(
  paired: PairedChannel,
  device: Device,
  removal: Removal,
  store: DeviceStore,
  options: WaitOptions,
): Promise<void> {
  let isTaken = false;
  try {
    // It may have been removed since it was recognised.
    removal.look(await store.list());
    const taken = <T>(take: (target: DeviceTarget, meet: Meet) => Promise<T>): Promise<T> => {
      if (isTaken) throw new XferError('internal', { subject: 'a session that was taken' });
      isTaken = true;
      const target = { name: device.name, devices: options.devices };
      return take(target, () => Promise.resolve({ ...paired, ended: removal.signal }));
    };
    await options.onSession({
      device: device.name,
      publicKey: device.publicKey,
      receive: (takeOptions) =>
        taken((target, meet) => receive({ ...options, ...takeOptions, device: target }, meet)),
      chat: async (room) => {
        const { receiveGuest } = await import('./room-guest.js');
        await taken((target, meet) => receiveGuest(room, { ...options, device: target }, meet, device.name));
      },
      share: async (shareOptions) => {
        const { share } = await import('./sharing.js');
        await taken((target, meet) =>
          share(device.name, { ...options, ...shareOptions, device: target }, meet),
        );
      },
    });
  } finally {
    paired.channel.destroy();
  }
}
