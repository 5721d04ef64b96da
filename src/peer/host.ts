/** The side that shows the code: it can be found, and waits for who knows the code. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  formatCode,
  generateCode,
  generateNameplate,
  isStretched,
  passwordOf,
  topicFor,
  topicOf,
  type Nameplate,
  type Topic,
} from '../crypto/code.js';
import type { Secret } from '../crypto/secret.js';
import type { CodePurpose } from '../crypto/pairing.js';
import { XferError, toXferError } from '../errors.js';
import { atMost } from '../transfer/deadline.js';
import { Admission } from './admission.js';
import type { Credentials } from './authenticate.js';
import { GuessBudget } from './budget.js';
import { receiveChosen, refuse } from './chosen.js';
import type { Connection } from './connection.js';
import type { DhtNode } from './dht.js';
import { dial } from './direct.js';
import {
  goneSignal,
  loadAuthentication,
  Meeting,
  openFinders,
  sayProxy,
  target,
  transportsOf,
  type Finders,
  type PairedChannel,
  type Places,
  type WaysToMeet,
} from './meeting.js';
import type { Target } from './socket.js';

export interface HostOptions extends WaysToMeet {
  /** Words of the code, 2 to 16. */
  readonly words: number;
  /** `transfer` if not given. */
  readonly purpose?: CodePurpose;
  /** The code is dead after this many milliseconds, if it is not used up by then; never of age if not given. */
  readonly expireMs: number | undefined;
}

/** How long loading the DHT and the search for a free nameplate may keep the code from the screen. */
const BEFORE_CODE_MS = 130;
/** Digits of the nameplates to try: longer ones where the short ones are taken. */
const NAMEPLATE_DIGITS = [3, 3, 3, 4, 5, 6];
const REDIAL_MS = 500;

/**
 * Makes a code, tells it by the event `code`, and waits for a peer that knows it and chooses this host. The code is then
 * used up.
 *
 * @throws XferError `interrupted`, `code-dead`, `code-expired`, `no-network`, `port-in-use`, `bad-address`,
 * `peer-unreachable`. Nothing stays open then.
 */
export async function hostSession(options: HostOptions): Promise<PairedChannel> {
  return hosting(options, undefined, (meeting) => meeting.outcome());
}

/**
 * Makes a code that several peers may use, within one budget of guesses for all, and hands over each that comes. Resolves when all places
 * are used up and every session is over.
 *
 * @throws XferError as `hostSession`, once every session that had begun is over; those go on until then, unless `interrupted`
 */
export async function hostSessions(options: HostOptions, places: Places): Promise<void> {
  return hosting(options, places, (meeting) => meeting.everybodyServed());
}

async function hosting<T>(
  options: HostOptions,
  places: Places | undefined,
  outcomeOf: (meeting: Meeting) => Promise<T>,
): Promise<T> {
  const startedMs = performance.now();
  const { dht, lan } = await openFinders(options, options.words);
  const meeting = new Meeting('host', options, dht, places);
  const nameplate = await freeNameplate(
    isStretched(options.words) ? undefined : dht,
    BEFORE_CODE_MS - (performance.now() - startedMs),
  );
  const code = generateCode(nameplate, options.words);
  const host = new Host(options, meeting, passwordOf(code), places?.atOnce ?? 1);
  meeting.signal.addEventListener('abort', () => host.forgetCode(), { once: true });
  const { expireMs } = options;
  const expire = (): void => meeting.fail(new XferError('code-expired'));
  const expiry = expireMs === undefined ? undefined : setTimeout(expire, expireMs);
  try {
    const listener = await meeting.listen(host.admission, host.take);
    if (!meeting.isOver) options.onEvent({ type: 'code', code: formatCode(code) });
    // While the code is told. A failure shows where a peer comes.
    loadAuthentication().catch(() => undefined);
    if (listener !== undefined) {
      options.onEvent({ type: 'listening', addresses: listener.addresses });
      meeting.goBy(async () => undefined);
    }
    const topic = dht === undefined && lan === undefined ? undefined : topicOf(code);
    if (dht !== undefined && topic !== undefined) host.announce(dht, topic);
    if (lan !== undefined && topic !== undefined) host.announceOnLan(lan, topic);
    const to = target(options);
    if (to !== undefined) host.dial(to);
  } catch (error) {
    meeting.fail(toXferError(error));
  }
  try {
    return await outcomeOf(meeting);
  } finally {
    clearTimeout(expiry);
    host.forgetCode();
  }
}

class Host {
  readonly admission: Admission;
  readonly #options: HostOptions;
  readonly #meeting: Meeting;
  readonly #credentials: Credentials;
  readonly #budget: GuessBudget;
  /** Where who finds this side on the local network connects to. */
  #lanAddresses: readonly string[] | undefined;
  /** The DHT does not answer. */
  #isAlone = false;

  /** @param atOnce How many peers it may have at a time. */
  constructor(options: HostOptions, meeting: Meeting, password: Secret, atOnce: number) {
    this.#options = options;
    this.admission = new Admission(atOnce);
    this.#meeting = meeting;
    const { purpose } = options;
    this.#credentials = { password, ...(purpose === undefined ? {} : { purpose }) };
    this.#budget = new GuessBudget(transportsOf(options));
  }

  forgetCode(): void {
    this.#credentials.password.erase();
  }

  announce(dht: DhtNode, topic: Topic): void {
    const { onEvent } = this.#options;
    this.#meeting.goBy(
      async () => {
        const announced = dht.announce(topic, this.admission, this.take);
        if (!(await dht.isReachable()) || !(await announced)) {
          if (!this.#meeting.isOver) onEvent({ type: 'dht-unreachable' });
          this.#isAlone = true;
          this.#sayAddresses();
          throw this.#meeting.silence();
        }
        if (!this.#meeting.isOver) onEvent({ type: 'dht-ready' });
      },
      () => {
        this.#budget.closeTransport('dht');
      },
    );
  }

  announceOnLan({ announceOnLan }: NonNullable<Finders['lan']>, topic: Topic): void {
    const { signal } = this.#meeting;
    this.#meeting.goBy(
      async () => {
        const listener = await this.#meeting.listenOnLan(this.admission, this.take);
        if (listener === undefined) return;
        this.#lanAddresses = listener.addresses;
        this.#sayAddresses();
        const task = announceOnLan([topic], listener.port);
        this.#meeting.closeWithIt(() => task.close());
        if (!(await task.isUsable(signal))) throw new XferError('no-network');
      },
      () => {
        this.#budget.closeTransport('lan');
      },
    );
  }

  dial(to: Target): void {
    const { signal } = this.#meeting;
    sayProxy(to, this.#options.onEvent);
    this.#meeting.goBy(async () => {
      for (;;) {
        await this.#serve(await dial(to, signal));
        await sleep(REDIAL_MS, undefined, { signal });
      }
    });
  }

  /** Where the local network is all there is: it may be one that lets no multicast through. */
  #sayAddresses(): void {
    const isLocal = this.#isAlone || this.#options.bootstrap === 'off';
    const addresses = this.#lanAddresses;
    if (!isLocal || addresses === undefined || this.#meeting.isOver) return;
    this.#options.onEvent({ type: 'listening', addresses });
  }

  readonly take = (connection: Connection): void => {
    void this.#serve(connection);
  };

  /** One connection, from its first message to `chosen` or its end. Never rejects. */
  async #serve(connection: Connection): Promise<void> {
    const { signal } = this.#meeting;
    const drop = (): void => {
      connection.destroy();
    };
    signal.addEventListener('abort', drop, { once: true });
    try {
      signal.throwIfAborted();
      const gone = goneSignal(connection);
      const guesser = { transport: connection.transport, prefix: connection.remotePrefix };
      const { authenticateAsHost } = await loadAuthentication();
      const authenticated = await authenticateAsHost(connection, this.#credentials, () =>
        this.#budget.reserve(guesser, gone),
      );
      // From here on the peer knows the code: it deserves to hear why another one was taken.
      signal.removeEventListener('abort', drop);
      const { channel } = authenticated;
      const isChosen = await receiveChosen(channel, signal);
      if (isChosen && this.#meeting.win(connection, authenticated)) return;
      authenticated.sessionKey.erase();
      await refuse(channel, this.#meeting.refusal);
    } catch (error) {
      connection.destroy();
      this.#note(toXferError(error));
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  /** What strangers do wrong is their business. A wrong guess is not. */
  #note(error: XferError): void {
    if (this.#meeting.isOver) return;
    if (error.code === 'internal') this.#meeting.fail(error);
    if (error.code !== 'wrong-code') return;
    const { left } = this.#budget;
    this.#options.onEvent({ type: 'wrong-guess', left });
    if (left === 0) this.#meeting.fail(new XferError('code-dead'));
  }
}

/** A nameplate that nobody announces, as far as the DHT says within so long. A collision found later is harmless. */
async function freeNameplate(dht: DhtNode | undefined, probeMs: number): Promise<Nameplate> {
  let nameplate = generateNameplate();
  if (dht === undefined) return nameplate;
  const search = async (): Promise<void> => {
    for (const digits of NAMEPLATE_DIGITS) {
      if (!(await dht.isTaken(topicFor(nameplate)))) return;
      nameplate = generateNameplate(digits);
    }
  };
  await atMost(Math.max(0, probeMs), search());
  return nameplate;
}
