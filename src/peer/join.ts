/** The side that types the code: it looks for the host, tries who may be it, and chooses the first that is. */
import { passwordOf, topicOf, type Code, type Topic } from '../crypto/code.js';
import type { CodePurpose } from '../crypto/pairing.js';
import { XferError } from '../errors.js';
import { GuessBudget } from './budget.js';
import {
  loadAuthentication,
  openFinders,
  transportsOf,
  type PairedChannel,
  type WaysToMeet,
} from './meeting.js';
import { seek } from './seeker.js';

export interface JoinOptions extends WaysToMeet {
  readonly code: Code;
  /** `transfer` if not given. */
  readonly purpose?: CodePurpose;
  /** How long to look where nobody is found, in milliseconds. */
  readonly expireMs: number;
}

/**
 * Looks for the host that shows `code`. A host may start later than its joiner.
 *
 * @throws XferError `wrong-code` where everybody found refused the code, `code-dead` after 8 such, `no-peer` where
 * nobody was found in time or a crowd of candidates led nowhere for 60 s (both with the detail `crowd` where there are many), `peer-unreachable` where no connection to somebody came about,
 * `version-unsupported`, `no-network`, `port-in-use`, `bad-address`, `interrupted` (with the subject `code`: it was not used). Nothing stays open then.
 */
export async function joinSession(options: JoinOptions): Promise<PairedChannel> {
  // While it dials and looks. A failure shows where a peer is met.
  loadAuthentication().catch(() => undefined);
  const { code, purpose = 'transfer' } = options;
  const finders = await openFinders(options, code.words.length);
  const password = passwordOf(code);
  const budget = new GuessBudget(transportsOf(options));
  let topics: readonly Topic[] | undefined;
  try {
    return await seek(
      {
        // A long code takes its time.
        topics: () => (topics ??= [topicOf(code)]),
        authenticate: async (connection, gone) => {
          const guesser = { transport: connection.transport, prefix: connection.remotePrefix };
          const { authenticateAsJoiner } = await loadAuthentication();
          return authenticateAsJoiner(connection, { password, purpose }, () => budget.reserve(guesser, gone));
        },
        endsWith: (error) => {
          if (error.code === 'code-dead') return error;
          return budget.left === 0 ? new XferError('code-dead') : undefined;
        },
        absence: (hasCandidates) => new XferError(hasCandidates ? 'peer-unreachable' : 'no-peer'),
        onTransportClosed: (transport) => budget.closeTransport(transport),
      },
      options,
      finders,
      options.expireMs,
    );
  } finally {
    password.erase();
  }
}
