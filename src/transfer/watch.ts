/** Notices when a transfer stands still although the connection lives. */
import { XferError } from '../errors.js';
import { tellLast } from './conduct.js';
import { CHUNK_BYTES, type Channel } from './ports.js';

/** Silence after which it is named, again at each look. */
const NAME_AFTER_MS = 10_000;
/** Silence after which the session ends: keep-alives of a connection are not progress. */
const GIVE_UP_AFTER_MS = 120_000;
const LOOK_EVERY_MS = 1_000;
/** Where looks are further apart than this, this machine slept, and nothing could pass. */
const NAP_MS = 3 * LOOK_EVERY_MS;

export interface Watch {
  /** The channel to use in place of the one watched. */
  readonly channel: Channel;
  /** While a person thinks, on either side, silence is no stall. */
  pause(): void;
  resume(): void;
  /** While there is no connection there is nothing to stall. */
  leave(): void;
  comeBack(): void;
  stop(): void;
}

export type StallEvent =
  { readonly type: 'stalled'; readonly silentMs: number } | { readonly type: 'flowing' };

/**
 * Watches the items that pass a channel. After 10 s without one it says `stalled`, again each second, and
 * `flowing` when it goes on; after 120 s it tells the peer, which may live and would look for this side otherwise, and destroys the
 * channel with `stalled`.
 */
export function watchChannel(channel: Channel, onEvent: (event: StallEvent) => void): Watch {
  let lastMs = performance.now();
  let lookMs = lastMs;
  let isNamed = false;
  let paused = false;
  let away = false;
  /** From when the peer is told on: rejects with `stalled` once it was. */
  let ending: Promise<never> | undefined;

  /** Gives what passes the channel, but for what does so meanwhile. */
  const pass = async <T>(item: () => Promise<T>): Promise<T> => {
    try {
      const passed = await (ending ?? item());
      if (ending === undefined) note();
      return passed;
    } finally {
      // Also where the peer was told and left.
      await ending;
    }
  };

  const note = (): void => {
    lastMs = performance.now();
    if (!isNamed) return;
    isNamed = false;
    onEvent({ type: 'flowing' });
  };

  const end = async (silentMs: number): Promise<never> => {
    clearInterval(timer);
    const error = new XferError('stalled', { detail: silentMs });
    await tellLast(channel, error.code);
    channel.destroy(error);
    throw error;
  };

  const look = (): void => {
    const nowMs = performance.now();
    const isNap = nowMs - lookMs > NAP_MS;
    lookMs = nowMs;
    if (paused || away || isNap) {
      lastMs = nowMs;
      return;
    }
    const silentMs = Math.floor(nowMs - lastMs);
    if (silentMs >= GIVE_UP_AFTER_MS) {
      ending = end(silentMs);
      ending.catch(() => undefined);
    } else if (silentMs >= NAME_AFTER_MS) {
      isNamed = true;
      onEvent({ type: 'stalled', silentMs });
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);

  return {
    channel: {
      path: channel.path,
      compressions: channel.compressions,
      send: (item, onDone) => pass(() => channel.send(item, onDone)),
      pieceBytes: () => channel.pieceBytes?.() ?? CHUNK_BYTES,
      receive: () => pass(() => channel.receive()),
      release: (cost) => {
        channel.release(cost);
      },
      widen: (windowBytes) => {
        channel.widen(windowBytes);
      },
      giveUp: () => channel.giveUp?.(),
      isAway: () => away,
      delivery: () => channel.delivery?.(),
      end: () => channel.end(),
      destroy: (error) => {
        channel.destroy(error);
      },
    },
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
      lastMs = performance.now();
    },
    leave: () => {
      away = true;
    },
    comeBack: () => {
      away = false;
      lastMs = performance.now();
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}
