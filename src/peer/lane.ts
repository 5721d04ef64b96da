/** A TCP connection that may carry records of a session beside its pairing connection. */
import type { Duplex } from 'node:stream';

/** A lane after its handshake (protocol section 4): both ends know its key; a record that opens proves it fresh. */
export interface Lane {
  /** Nobody listens for its data yet. */
  readonly socket: Duplex;
  /** What came behind the handshake. */
  readonly received: Uint8Array;
  /** Of the lane's own handshake: the salt of its record keys. */
  readonly handshakeHash: Uint8Array;
  /** `host:port` of the peer. */
  readonly address: string;
  readonly isDialler: boolean;
}
