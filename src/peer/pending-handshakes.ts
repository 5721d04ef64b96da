/** Handshakes of strangers in the DHT that are not connections yet. */
import { firstOfMostCrowded } from './admission.js';

/** Of one server. hyperdht gives up one that leads to nothing after 10 s. */
export const MAX_PENDING_HANDSHAKES = 64;

/** What hyperdht holds of one that it answered. */
export interface Handshake {
  /** What a connection will go by, with a socket to look for a hole where one is needed. */
  readonly rawStream: { readonly destroying: boolean; destroy(): unknown } | null;
  /** To the relay that the stranger asks for. */
  readonly relaySocket: { destroy(): unknown } | null;
  /** The connection, once it is there. */
  readonly encryptedSocket: object | null;
}

/**
 * Holds so many and no more: each has memory and a socket. Who comes when all places are taken has that of the oldest of the most crowded
 * prefix. The address of a stranger is what a node of the DHT says, so whoever wants to lock others out makes up as many as he likes; but he
 * has to take all places anew each time before an honest handshake comes to its end, which is soon.
 */
export class PendingHandshakes {
  #pending: { readonly handshake: Handshake; readonly prefix: string }[] = [];

  /** Takes one more, and gives up another where there are too many. */
  admit(handshake: Handshake, prefix: string): void {
    this.#pending = [...this.#pending, { handshake, prefix }].filter((each) => isPending(each.handshake));
    if (this.#pending.length <= MAX_PENDING_HANDSHAKES) return;
    const dropped = firstOfMostCrowded(this.#pending);
    this.#pending = this.#pending.filter((each) => each !== dropped);
    // With the stream hyperdht gives up the search for a hole.
    dropped?.handshake.rawStream?.destroy();
    dropped?.handshake.relaySocket?.destroy();
  }
}

function isPending({ rawStream, encryptedSocket }: Handshake): boolean {
  return rawStream !== null && encryptedSocket === null && !rawStream.destroying;
}
