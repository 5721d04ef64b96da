/**
 * xfer as a library: `send` and `receive`. What moves bytes is loaded with their first call, so that a program
 * that only checks a code or reads its settings starts at once.
 */
import type {
  Content,
  FilesToSend,
  MeetingOptions,
  PairedDevice,
  PairOptions,
  ReceiveOptions,
  ReceiveOutcome,
  TransferOutcome,
  WaitOptions,
} from './options.js';
import type { Chat, ChatOptions } from './chat.js';
import type { DistributeOptions } from './distribution.js';
import type { Examination, ExamineOptions } from './doctor.js';
import type { ActionSettings } from './action-settings.js';
import type { Leftover, Remainder } from './files/interrupted.js';
import type { SharedFolder } from './files/shared-folder.js';
import type { SharedActions, SharedPlace } from './share/actions.js';
import type { DeviceStore } from './share/device-store.js';
import type { RoomOptions } from './share/room.js';
import type { ShareRooms } from './share/share-rooms.js';
import type { NodeAddress, NodeOptions } from './share/node.js';
import type { EntryType, Skipped } from './transfer/ports.js';
import type { Share, UseOptions } from './using.js';

export type * from './options.js';
export type { Chat, ChatEvent, ChatFile, ChatOptions } from './chat.js';
export type { DistributeOptions, ReceiverSession } from './distribution.js';
export type { OfferedRoot, OfferKind, ReceiverState } from './transfer/messages.js';
export type { ExamineOptions, Examination, Finding, FindingState, FolderState, Versions } from './doctor.js';
export type { NatKind, NetworkInterface } from './peer/surroundings.js';
export type { SharedFolder } from './files/shared-folder.js';
export type { DeviceActions, SharedActions, SharedPlace } from './share/actions.js';
export type { Ran, ShareAction } from './share/answering.js';
export type { MemberEvent } from './share/room.js';
export type { Said, ShareRooms } from './share/share-rooms.js';
export { checkRights, NO_RIGHTS, parseRights, RIGHTS, type Right, type Rights } from './share/rights.js';
export { whyNoWord } from './transfer/share-words.js';
export type { Action, Ending, FarPath, ListedAction, ListedItem, Stream } from './transfer/share-messages.js';
export type { ActionSettings } from './action-settings.js';
export type { Share, UseOptions } from './using.js';
export type { Progress } from './transfer/events.js';
export type { Leftover, LeftPart, Remainder } from './files/interrupted.js';
export type { Device, DeviceStore } from './share/device-store.js';
export type { NodeAddress, NodeEvent, NodeOptions } from './share/node.js';
export type { RelayLimits, RelayState } from './share/relay.js';
export type { ConflictPolicy, Path, Skipped } from './transfer/ports.js';
export { ERROR_CODES, isErrorCode, toXferError, XferError, type XferErrorOptions } from './errors.js';
export { completeWord, formatCode, parseCode, type Code } from './crypto/code.js';
export { bootstrapNodes, loadConfig, relayKeys, saveSetting } from './config.js';
export { parseDuration, parsePatience } from './duration.js';
export { DEFAULT_PORT, parseEndpoint } from './endpoint.js';
export { configPath, devicesPath, ownerPasswordPath, registerPath, relayKeyPath } from './folders.js';
export {
  CONFIG_KEYS,
  isConfigKey,
  rightsAsText,
  settingsIn,
  type Config,
  type ConfigKey,
  type ServeSettings,
} from './settings.js';
export { formatAddress } from './peer/address.js';
export { proxyFor, proxyOf } from './proxy-choice.js';
export { TryLimit } from './share/try-limit.js';
export { parseRate, parseSize } from './rate.js';

/** See `send` in session.ts. */
export async function send(content: Content, options: MeetingOptions): Promise<TransferOutcome> {
  const session = await import('./session.js');
  return session.send(content, options);
}

/** See `chat` in chat.ts. */
export async function chat(options: ChatOptions, talk: (chat: Chat) => Promise<void>): Promise<void> {
  const rooms = await import('./chat.js');
  return rooms.chat(options, talk);
}

/** See `distribute` in distribution.ts. */
export async function distribute(content: Content, options: DistributeOptions): Promise<void> {
  const distribution = await import('./distribution.js');
  return distribution.distribute(content, options);
}

/** See `receive` in session.ts. */
export async function receive(options: ReceiveOptions): Promise<ReceiveOutcome> {
  const session = await import('./session.js');
  return session.receive(options);
}

/** See `pair` in pair.ts. */
export async function pair(options: PairOptions): Promise<PairedDevice> {
  const pairing = await import('./pair.js');
  return pairing.pair(options);
}

/** See `waitForDevices` in device-waiting.ts. */
export async function waitForDevices(options: WaitOptions): Promise<void> {
  const waiting = await import('./device-waiting.js');
  return waiting.waitForDevices(options);
}

/** The devices that are remembered in this folder, and what can be done with them. */
export async function openDevices(folder: string): Promise<DeviceStore> {
  const { DeviceStore } = await import('./share/device-store.js');
  return new DeviceStore(folder);
}

/** What interrupted transfers left in `folders`, and in those that `register` remembers. */
export async function leftovers(register: string, folders: readonly string[]): Promise<Leftover[]> {
  const { Register, leftoversIn } = await import('./files/interrupted.js');
  return leftoversIn([...folders, ...new Register(register).folders()]);
}

/**
 * Removes what an interrupted transfer left. Files of it that had arrived stay.
 *
 * @returns The hidden folder that it lay in, if it stays, and why.
 * @throws XferError `permission-denied` or `disk-failed`
 */
export async function removeLeftover(leftover: Leftover, register: string): Promise<Remainder | undefined> {
  const files = await import('./files/interrupted.js');
  return files.removeLeftover(leftover, new files.Register(register));
}

/** See `runNode` in share/node.ts. */
export async function runNode(options: NodeOptions): Promise<void> {
  const node = await import('./share/node.js');
  return node.runNode(options);
}

/** See `nodeAddress` in share/node.ts. */
export async function nodeAddress(
  options: Pick<NodeOptions, 'host' | 'port' | 'relay' | 'keyFile'>,
): Promise<NodeAddress> {
  const node = await import('./share/node.js');
  return node.nodeAddress(options);
}

/** See `SharedFolder` in files/shared-folder.ts. */
export async function openShared(folder: string): Promise<SharedFolder> {
  const files = await import('./files/shared-folder.js');
  return files.SharedFolder.open(folder);
}

/** See `SharedActions` in share/actions.ts. */
export async function openActions(
  settings: Readonly<Record<string, ActionSettings>>,
  file: string,
  place: SharedPlace,
  devices: DeviceStore,
): Promise<SharedActions> {
  const { SharedActions } = await import('./share/actions.js');
  return SharedActions.open(settings, file, place, (name) => devices.find(name));
}

/** See `ShareRooms` in share/share-rooms.ts. */
export async function openRooms(options: Pick<RoomOptions, 'host'>): Promise<ShareRooms> {
  const rooms = await import('./share/share-rooms.js');
  return new rooms.ShareRooms(options);
}

/** See `useShare` in using.ts. */
export async function useShare<T>(options: UseOptions, use: (share: Share) => Promise<T>): Promise<T> {
  const using = await import('./using.js');
  return using.useShare(options, use);
}

/** See `parsePassword` and `setOwnerPassword` in share/owner-password.ts. */
export async function setOwnerPassword(file: string, password: string): Promise<void> {
  const owner = await import('./share/owner-password.js');
  return owner.setOwnerPassword(file, owner.parsePassword(password));
}

/** See `nameMatcher` in files/filter.ts. */
export async function nameMatcher(glob: string): Promise<(name: string) => boolean> {
  const filter = await import('./files/filter.js');
  return filter.nameMatcher(glob);
}

/** See `examine` in doctor.ts. */
export async function examine(options: ExamineOptions): Promise<Examination> {
  const doctor = await import('./doctor.js');
  return doctor.examine(options);
}

/** Some of what would be sent, and what would be left out. */
export interface ContentListing {
  readonly entries: readonly ListedEntry[];
  readonly skipped: readonly Skipped[];
}

export interface ListedEntry {
  /** As its owner would name it. */
  readonly path: string;
  readonly type: EntryType;
  /** Bytes; 0 for a folder. */
  readonly size: number;
}

/**
 * Lists what `send` would offer, folder by folder, and reads no file.
 *
 * @throws XferError as `send` does before it has a code
 */
export async function* listContent(content: FilesToSend): AsyncGenerator<ContentListing> {
  const { openSource } = await import('./files/source.js');
  const source = await openSource(content);
  for await (const { entries, skipped } of source.scan()) {
    yield {
      entries: entries.map((entry) => ({
        path: source.pathOf(entry),
        type: entry.type,
        size: entry.size ?? 0,
      })),
      skipped,
    };
  }
}
