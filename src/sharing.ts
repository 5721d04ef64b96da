/** The side of a session that shares a folder. */
import { toXferError, XferError } from './errors.js';
import { loadReceiving, loadSending, whileBusy } from './moving.js';
import type { Decision, MeetingOptions, OfferSummary, OfferWatch, ShareOptions } from './options.js';
import { withSession, type Meet } from './session.js';
import { answerRequests, type Mover, type ShareAccess } from './share/answering.js';
import { atLast, sayLast } from './transfer/conduct.js';
import { Exchange } from './transfer/exchange.js';
import type { Channel, ConflictPolicy } from './transfer/ports.js';

/** What all sessions of a share together let their devices have under way, in bytes. */
const ALL_WINDOWS_BYTES = 1 << 26;
const SMALLEST_WINDOW_BYTES = 1 << 20;

/**
 * Lets a device use a folder, until it goes. One that comes with `xfer send` puts into the folder what it sends.
 *
 * @throws XferError of the session; what a request fails with goes to `onAction`
 */
export function share(device: string, options: ShareOptions & MeetingOptions, meet: Meet): Promise<void> {
  return withSession('share', options, meet, async () => {
    const [sendOver, receiveOver] = await Promise.all([loadSending(), loadReceiving()]);
    return async (session, peerRole) => {
      const { folder, rights, sessions, onAction, noExec, register, sync } = options;
      const mover: Mover = {
        send: (channel, source) =>
          whileBusy(session, () => sendOver({ ...session, channel }, source, { kind: 'files' })),
        receive: (channel, out, conflicts, dotfiles) =>
          whileBusy(session, () =>
            receiveOver(
              { ...session, channel },
              {
                out,
                ...(noExec === undefined ? {} : { noExec }),
                ...(register === undefined ? {} : { register }),
                ...(sync === undefined ? {} : { sync }),
                early: true,
                decide: (offer, watch) => decideFor(conflicts, dotfiles, offer, watch),
              },
            ),
          ),
      };
      const access = { folder, rights, inbox: () => folder.inboxOf(device), mover, onAction };
      if (peerRole === 'send') {
        await takeDropped(session.channel, access);
        return;
      }
      const windowBytes = (): number => Math.max(SMALLEST_WINDOW_BYTES, ALL_WINDOWS_BYTES / sessions());
      session.watch.pause();
      await answerRequests(new Exchange(session.channel, windowBytes), access, session.signal);
    };
  });
}

/** Takes what a device sends that asks for nothing, as if it had put it into the share. */
async function takeDropped(
  channel: Channel,
  { folder, rights, inbox, mover, onAction }: ShareAccess,
): Promise<void> {
  const { write, inbox: isInbox, dotfiles } = rights();
  const said = { action: 'put', paths: [''] } as const;
  try {
    if (!write && !isInbox) throw new XferError('not-allowed', { detail: 'write' });
    const [out, conflicts] = isInbox
      ? ([inbox(), 'rename'] as const)
      : ([folder.locate([]), 'refuse'] as const);
    onAction({ ...said, moved: await mover.receive(channel, out, conflicts, dotfiles) });
  } catch (thrown) {
    const error = toXferError(thrown);
    onAction({ ...said, problem: error.code });
    await atLast(sayLast(channel, error.code));
    throw error;
  }
}

/** Says yes to what is allowed, as soon as that is known. */
function decideFor(
  conflicts: ConflictPolicy,
  dotfiles: boolean,
  offer: OfferSummary,
  watch: OfferWatch,
): Promise<Decision> {
  // Nobody might ever read it.
  if (offer.kind === 'text') return Promise.resolve({ accept: false, reason: 'not-allowed' });
  if (!dotfiles && (offer.dotNames.length > 0 || offer.intoHome)) {
    return Promise.resolve({ accept: false, reason: 'target-protected' });
  }
  if (conflicts !== 'refuse' || offer.isAllNew) return Promise.resolve({ accept: true, conflicts });
  return new Promise((resolve) => {
    const look = ({ complete, conflictCount }: OfferSummary): void => {
      if (conflictCount > 0) resolve({ accept: false, reason: 'target-exists' });
      else if (complete) resolve({ accept: true, conflicts });
    };
    watch.onUpdate(look);
    look(offer);
  });
}
