/** What a caller of the library asks for, and what it is told. */
import type { Readable, Writable } from 'node:stream';
import type { ErrorCode } from './errors.js';
import type { SharedFolder } from './files/shared-folder.js';
import type { Endpoint, PeerEvent, Proxy } from './peer/connect.js';
import type { DeviceActions } from './share/actions.js';
import type { ShareAction } from './share/answering.js';
import type { Rights } from './share/rights.js';
import type { MemberEvent, Room } from './share/room.js';
import type { ShareRooms } from './share/share-rooms.js';
import type { TryLimit } from './share/try-limit.js';
import type {
  Decision,
  OfferSummary,
  OfferWatch,
  TransferEvent,
  TransferOutcome,
} from './transfer/events.js';
import type { Path } from './transfer/ports.js';
import type { StallEvent } from './transfer/watch.js';

/** The peer proved that it knows the code, which is used up with this, or that it is the device that was meant. */
export interface ConnectedEvent {
  readonly type: 'connected';
  /** What the device is called here; `undefined` where it was met by a code. */
  readonly device?: string | undefined;
  readonly path: Path;
  /** `host:port` of the peer, where the transport knows it. */
  readonly address: string | undefined;
}

/** The other machine is remembered, and remembers this one. */
export interface PairedEvent {
  readonly type: 'paired';
  /** What it is called here. */
  readonly name: string;
}

export type XferEvent = PeerEvent | ConnectedEvent | PairedEvent | StallEvent | TransferEvent;

/** A device that is remembered. */
export interface DeviceTarget {
  /** What it is called here. */
  readonly name: string;
  /** Where devices are remembered: a folder of this user's own. */
  readonly devices: string;
}

export interface MeetingOptions {
  /** The code that the other person told: this side joins. Without it a code is made: this side is host. */
  readonly code?: string;
  /** The device to look for, in place of a code. */
  readonly device?: DeviceTarget;
  /** Words of a code that is made, 2 to 16; 2 if not given. */
  readonly words?: number;
  /** Nodes of a private DHT as `host:port`. The public DHT if not given. */
  readonly bootstrap?: readonly string[];
  /** Public keys, in hexadecimal, of relays that may pass sealed bytes on where two routers let nothing else through. */
  readonly relays?: readonly string[];
  /** Also asks the local network, by multicast, where a DHT is used; nothing is multicast if not given. */
  readonly lan?: boolean;
  /** Asks the local network and nothing else. */
  readonly local?: boolean;
  /** Waits for a direct TCP connection. Uses no DHT unless `alsoDht`. */
  readonly listen?: Endpoint;
  /** Dials a direct TCP connection until it is there. Uses no DHT unless `alsoDht`. */
  readonly connect?: Endpoint;
  /** Dials `connect` by way of it; see `proxyFor`. Nothing else goes by it. */
  readonly proxy?: Proxy;
  readonly alsoDht?: boolean;
  /**
   * TCP connections for the bytes of files, 0 to 8: 0 uses nothing but what the two sides met by. As many as help if not
   * given.
   */
  readonly lanes?: number;
  /** TCP port where lanes are awaited after a meeting through the DHT, from 1024; a free one if not given. */
  readonly lanePort?: number;
  /**
   * The most bytes that either side sends in a second, counted as they travel: compressed and sealed. At least 10,000.
   * The lower one counts where both sides have a limit.
   */
  readonly limit?: number;
  /**
   * A code is dead after this many milliseconds for those who did not come by then, and a side that joins stops looking (`no-peer`);
   * 1 hour if not given, and never where any number may come: to a room, and to `distribute` without `receivers`.
   */
  readonly expireMs?: number;
  /**
   * How long to look for the other side again where the connection is lost in the middle, in milliseconds; 10 minutes if not given, 0 to
   * fail at once. The session goes on where it was then, with the same code and without a person.
   */
  readonly patienceMs?: number;
  /** Asks both people to compare six words before anything is offered. */
  readonly verify?: boolean;
  /** Shows the six words and asks. Without it a peer that wants to verify is refused (`not-verified`). */
  readonly compareWords?: (words: readonly string[], signal: AbortSignal) => Promise<boolean>;
  /** What it throws ends the session. */
  readonly onEvent?: (event: XferEvent) => void;
  /** Ends everything; the peer is told, and the promise rejects with `interrupted`. */
  readonly signal?: AbortSignal;
}

export interface PairOptions extends MeetingOptions {
  /** Where devices are remembered: a folder of this user's own. */
  readonly devices: string;
  /** What the other machine shall be called here. A name that is like what it calls itself if not given. */
  readonly name?: string;
  /** Where the other machine can be reached directly, as `host:port`. */
  readonly address?: string | undefined;
  /** Asks the person, who has seen nothing of the other machine before. `signal` takes the question back. */
  readonly decide: (proposal: DeviceProposal, signal: AbortSignal) => Promise<boolean>;
}

/** A machine that may be remembered. */
export interface DeviceProposal {
  /** What it would be called here. */
  readonly name: string;
  /** What it calls itself. Foreign text. */
  readonly foreign: string;
  /** It is remembered already, and paired anew. */
  readonly isKnown: boolean;
}

export interface PairedDevice {
  /** What it is called here. */
  readonly name: string;
}

interface ContentOptions {
  /** False sends every byte as it is. Otherwise what shrinks is compressed, where that is faster. */
  readonly compress?: boolean;
}

export interface FilesToSend extends ContentOptions {
  readonly kind: 'files';
  readonly paths: readonly string[];
  /** Sends what a symbolic link points to, where that lies inside its root. */
  readonly follow?: boolean;
  /** Globs, matched against the path below a root and its base name. */
  readonly exclude?: readonly string[];
  /** Leaves out what the `.gitignore` files of the tree name. */
  readonly gitignore?: boolean;
  /** Refuses names that another system could not keep. */
  readonly portable?: boolean;
}

export interface TextToSend extends ContentOptions {
  readonly kind: 'text';
  readonly text: string;
}

export interface PipeToSend extends ContentOptions {
  readonly kind: 'pipe';
  readonly input: Readable;
}

export type Content = FilesToSend | TextToSend | PipeToSend;

export interface ReceiveOptions extends MeetingOptions {
  /** A folder to put the roots into, or a new name for a single file. The working folder if not given. */
  readonly out?: string;
  /** Writes the bytes of a single file, a pipe or a text here instead of to the disk. */
  readonly output?: Writable;
  /** Takes only entries whose path matches one of these globs. */
  readonly only?: readonly string[];
  /** Drops the x bit of files. */
  readonly noExec?: boolean;
  /** A folder of this user's own, where it is remembered which transfers are under way, for `leftovers`; nothing is if not given. */
  readonly register?: string;
  /**
   * False says that a file arrived when it was handed to the system. Otherwise content and names are on the disk then, and a file gets
   * its name after its content (docs/durability.md).
   */
  readonly sync?: boolean;
  /**
   * Answers the offer. Called once, as soon as `early` says so or the sender's count is complete; while it is pending, `watch` has
   * better figures. `dotNames` and `intoHome` are what programs may obey: look at them before a yes.
   */
  readonly decide: (offer: OfferSummary, watch: OfferWatch) => Promise<Decision>;
  /**
   * Asks as soon as the offer is there, before the count is complete: `decide` may then answer as soon as it knows enough, and
   * content follows while the sender still counts.
   */
  readonly early?: boolean;
}

/** What is chosen for each session of a device that comes. */
export type TakeOptions = Omit<ReceiveOptions, 'code' | 'device' | 'words' | 'listen' | 'connect'>;

/** A device came, and wants to send something. */
export interface DeviceSession {
  /** What it is called here. */
  readonly device: string;
  /** By which it is known, whatever it is called. */
  readonly publicKey: Uint8Array;
  /** Takes what it sends, once; as `receive` of the library. */
  receive(options: TakeOptions): Promise<ReceiveOutcome>;
  /** Lets it into a room of this machine until it goes, in place of `receive`. */
  chat(room: Room): Promise<void>;
  /** Lets it use a folder until it goes, in place of `receive`. What one of its requests fails with goes to `onAction`. */
  share(options: ShareOptions & Pick<MeetingOptions, 'onEvent'>): Promise<void>;
}

/** What a device gets to use. */
export interface ShareOptions extends Pick<ReceiveOptions, 'noExec' | 'register' | 'sync'> {
  readonly folder: SharedFolder;
  /** The rights of the device, as they are now. */
  readonly rights: () => Rights;
  /** How many sessions there are now. */
  readonly sessions: () => number;
  /** Where the owner's password is kept with which a device can end the share; see `setOwnerPassword`. */
  readonly passwordFile: string;
  /** Of all sessions of the share. */
  readonly tries: TryLimit;
  /** Aborted when the share ends: what is being moved still is, and nothing else begins. */
  readonly draining: AbortSignal;
  /** The device proved that it knows the owner's password. */
  readonly onStop: () => void;
  /** What the device may have run; see `openActions`. Nothing if not given. */
  readonly actions?: DeviceActions | undefined;
  /** Called for each thing that the device did or wanted to. */
  readonly onAction: (action: ShareAction) => void;
  /** Where the devices of the share talk; nobody does if not given. */
  readonly rooms?: ShareRooms;
  /** Called for what the device does in a room; what it says only where the owner is in there too. */
  readonly onTalk: (event: MemberEvent) => void;
}

export interface WaitOptions extends Omit<
  MeetingOptions,
  'code' | 'device' | 'words' | 'connect' | 'expireMs'
> {
  /** Where devices are remembered: a folder of this user's own. */
  readonly devices: string;
  /** Sees to one session; several may be under way at once. What it throws ends everything. */
  readonly onSession: (session: DeviceSession) => Promise<void>;
}

export interface ReceiveOutcome extends TransferOutcome {
  /** Final paths of the roots on this machine. Empty for a text and with `output`. */
  readonly paths: readonly string[];
  /** The text, when one was sent and no `output` given. Foreign text. */
  readonly text: string | undefined;
}

export type {
  Decision,
  Endpoint,
  ErrorCode,
  OfferSummary,
  OfferWatch,
  PeerEvent,
  Proxy,
  StallEvent,
  TransferEvent,
  TransferOutcome,
};
