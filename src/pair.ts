/** Two machines that share a code become devices that know each other. */
import { hostname } from 'node:os';
import { meetByCode } from './code-meeting.js';
import { pairDevices } from './crypto/device.js';
import { equalBytes } from './crypto/digest.js';
import type { KeyPair } from './crypto/x25519.js';
import { XferError } from './errors.js';
import { withGuardedEvents } from './guarded-events.js';
import { compare, expect, expectEnd, goneWith, refuse, withinIntroduction } from './introduction.js';
import type { PairedDevice, PairOptions } from './options.js';
import type { PairedChannel } from './peer/connect.js';
import { DeviceStore, type NewDevice } from './share/device-store.js';
import { isSameName, parseDeviceName, proposeName } from './share/device-name.js';
import { atLast, PARTING_MS } from './transfer/conduct.js';
import { MAX_MACHINE_NAME_BYTES } from './transfer/messages.js';

/** What is known of the other machine when the person is asked. */
interface Proposal {
  readonly device: NewDevice;
  /** What it calls itself. Foreign text. */
  readonly foreign: string;
}

/**
 * Remembers the machine that shows the code, or that types the one which is shown here, once both persons said yes, and is
 * remembered by it.
 *
 * @throws XferError `declined`, `name-taken`, `not-verified`, `config-invalid`, `disk-failed`, and what a meeting by code fails of
 */
export async function pair(options: PairOptions): Promise<PairedDevice> {
  const store = new DeviceStore(options.devices);
  // Before a code is used up for nothing.
  if (options.name !== undefined) await assertFree(store, parseDeviceName(options.name));
  const own = await store.ownKeys();
  try {
    return await withGuardedEvents(options, async (onEvent, signal) => {
      const paired = await meetByCode('pair', options, onEvent, signal);
      try {
        const { path, address } = paired;
        onEvent({ type: 'connected', path, address, device: undefined });
        const device = await withinIntroduction(paired.channel, signal, async (introduced) => {
          const proposal = await exchange(paired, own, options, signal, introduced);
          return remember(paired, proposal, store, options, signal);
        });
        onEvent({ type: 'paired', name: device.name });
        return device;
      } finally {
        paired.sessionKey.erase();
        paired.channel.destroy();
        await paired.closed;
      }
    });
  } finally {
    own.privateKey.erase();
  }
}

/** Both sides tell their public keys, compare words where one of them wants that, and prove that the keys are theirs. */
async function exchange(
  paired: PairedChannel,
  own: KeyPair,
  options: PairOptions,
  signal: AbortSignal,
  introduced: () => void,
): Promise<Proposal> {
  const { channel, sessionKey, side } = paired;
  const verify = options.verify ?? false;
  await channel.send({ type: 'device', verify, publicKey: own.publicKey, name: machineName() });
  const theirs = await expect(channel, 'device');
  introduced();
  if (verify || theirs.verify) await compare(paired, options.compareWords, signal);
  const { secret, proof, peerProof } = pairDevices(sessionKey, side, own, theirs.publicKey);
  await channel.send({ type: 'device-proof', proof });
  const { proof: given } = await expect(channel, 'device-proof');
  if (!equalBytes(given, peerProof)) throw new XferError('protocol', { subject: 'device proof' });
  const device = { publicKey: Uint8Array.from(theirs.publicKey), secret, address: options.address };
  return { device: { ...device, pairedMs: Date.now() }, foreign: theirs.name };
}

/** Asks the person, hears what the other one said, and writes it down when both said yes. */
async function remember(
  { channel }: PairedChannel,
  { device, foreign }: Proposal,
  store: DeviceStore,
  options: PairOptions,
  signal: AbortSignal,
): Promise<PairedDevice> {
  const devices = await store.list();
  const known = devices.find(({ publicKey }) => equalBytes(publicKey, device.publicKey));
  const names = devices.map(({ name }) => name);
  const name = options.name ?? known?.name ?? proposeName(foreign, names);
  const theirs = expect(channel, 'remembered');
  const end = theirs.then(() => expectEnd(channel));
  const question = AbortSignal.any([signal, goneWith(end)]);
  const mine = options.decide({ name, foreign, isKnown: known !== undefined }, question);
  // A peer that leaves ends the question, also after its yes.
  const isWanted = await Promise.race([mine, end.then(() => mine)]);
  if (signal.aborted) throw await refuse(channel, 'interrupted');
  if (!isWanted) {
    await atLast(channel.send({ type: 'error', code: 'declined' }).then(() => channel.end()));
    throw new XferError('declined', { subject: 'you' });
  }
  await channel.send({ type: 'remembered' });
  await theirs;
  const added = await store.add(device, { name: options.name, foreign });
  await atLast(
    channel.end().then(() => end),
    PARTING_MS,
  );
  return { name: added.name };
}

async function assertFree(store: DeviceStore, name: string): Promise<void> {
  const taken = (await store.list()).find((device) => isSameName(device.name, name));
  if (taken !== undefined) throw new XferError('name-taken', { subject: taken.name });
}

/** What this machine calls itself, as far as a message takes it. */
function machineName(): string {
  const characters = Array.from(hostname());
  while (Buffer.byteLength(characters.join('')) > MAX_MACHINE_NAME_BYTES) characters.pop();
  return characters.join('');
}
