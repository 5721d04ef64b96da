/** One port for many sessions: who comes for a lane, or to take up a session that is lost, says for which. */
import type { Socket } from 'node:net';
import { XferError } from '../errors.js';
import { deferred, type Deferred } from '../transfer/deferred.js';
import type { Listener, ReunionTaker, TakeLane } from './direct.js';
import { ID_BYTES, readExactly } from './hello.js';
import type { Rendezvous } from './reunion.js';

interface Session {
  readonly expects: (id: Uint8Array) => boolean;
  readonly take: TakeLane;
}

interface Early {
  readonly id: Uint8Array;
  readonly session: Deferred<Session>;
}

/** Takes a listener over. */
export class SharedListener {
  readonly #listener: Listener;
  readonly #sessions = new Set<Session>();
  /** Lanes of sessions that are not ready for them yet. */
  readonly #early = new Set<Early>();
  readonly #reunionTakers = new Set<ReunionTaker>();

  constructor(listener: Listener) {
    this.#listener = listener;
    listener.takeLanes(this.#passOn, () => true);
    listener.takeReunions((id) => {
      for (const takerOf of this.#reunionTakers) {
        const taker = takerOf(id);
        if (taker !== undefined) return taker;
      }
      return undefined;
    });
  }

  get addresses(): readonly string[] {
    return this.#listener.addresses;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** The listener as one session sees it. To close it closes nothing for the others. */
  forSession(): Listener {
    let session: Session | undefined;
    return {
      addresses: this.addresses,
      port: this.port,
      endPairing: () => undefined,
      takeLanes: (take, expects) => {
        session = { take, expects };
        this.#sessions.add(session);
        for (const early of this.#early) if (expects(early.id)) early.session.resolve(session);
      },
      takeReunions: () => undefined,
      close: () => {
        if (session !== undefined) this.#sessions.delete(session);
      },
    };
  }

  /** Where a session that is lost awaits its other side. */
  readonly rendezvous: Rendezvous = (takerOf, signal) => {
    if (!signal.aborted) this.#reunionTakers.add(takerOf);
    signal.addEventListener('abort', () => this.#reunionTakers.delete(takerOf), { once: true });
    return Promise.resolve();
  };

  close(): void {
    this.#listener.close();
  }

  /** Hands a lane to its session, which may not be ready yet: the other side may be first. Strangers have 10 s. */
  readonly #passOn: TakeLane = async (socket) => {
    const id = await readExactly(socket, ID_BYTES);
    const session = [...this.#sessions].find(({ expects }) => expects(id)) ?? (await this.#later(socket, id));
    // For whoever reads the handshake.
    socket.unshift(id);
    await session.take(socket);
  };

  async #later(socket: Socket, id: Uint8Array): Promise<Session> {
    if (socket.destroyed) throw new XferError('peer-gone');
    const early = { id, session: deferred<Session>() };
    const onClose = (): void => early.session.reject(new XferError('peer-gone'));
    this.#early.add(early);
    socket.once('close', onClose);
    try {
      return await early.session.promise;
    } finally {
      this.#early.delete(early);
      socket.off('close', onClose);
    }
  }
}
