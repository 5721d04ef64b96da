/** The side that looks for a device that it remembers. */
import { daysAround, deviceTopic, type KnownDevice } from '../crypto/device.js';
import type { KeyPair } from '../crypto/x25519.js';
import { XferError } from '../errors.js';
import { loadAuthentication, openFinders, type PairedChannel, type WaysToMeet } from './meeting.js';
import { seek } from './seeker.js';

export interface DeviceJoinOptions extends WaysToMeet {
  /** The key pair of this machine. Stays the caller's. */
  readonly own: KeyPair;
  readonly device: KnownDevice;
  /** What it is called here, for errors. */
  readonly name: string;
  /** How long to look where it is not found, in milliseconds. */
  readonly expireMs: number;
}

/** A device that many come to at once drops some of them before it knows them: so often that is no refusal yet. */
const CHANCES = 3;

/**
 * Looks for a device that waits, which may be there later than this side.
 *
 * @throws XferError `device-refused` where everybody found is another machine, or does not know this one; `no-peer`,
 * `peer-unreachable`, `version-unsupported`, `no-network`, `port-in-use`, `bad-address`, `interrupted`. Nothing stays open then.
 */
export async function joinDevice(options: DeviceJoinOptions): Promise<PairedChannel> {
  const { own, device, name: subject, expireMs } = options;
  // While it dials and looks. A failure shows where somebody is met.
  loadAuthentication().catch(() => undefined);
  const finders = await openFinders(options, 0);
  let refusals = 0;
  return seek(
    {
      topics: () => daysAround(Date.now()).map((day) => deviceTopic(device.secret, device.publicKey, day)),
      authenticate: async (connection) => {
        const [{ authenticateToDevice }] = await Promise.all([
          import('./device-authenticate.js'),
          loadAuthentication(),
        ]);
        try {
          return await authenticateToDevice(connection, own, device);
        } catch (error) {
          if (!(error instanceof XferError) || error.code !== 'device-refused') throw error;
          refusals += 1;
          throw new XferError(refusals > CHANCES ? 'device-refused' : 'peer-gone', { subject, cause: error });
        }
      },
      endsWith: () => undefined,
      absence: (hasCandidates) => new XferError(hasCandidates ? 'peer-unreachable' : 'no-peer', { subject }),
      onTransportClosed: () => undefined,
    },
    options,
    finders,
    expireMs,
  );
}
