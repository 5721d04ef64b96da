/**
 * Everything that can go wrong and that a person or a script is told about. The texts stand in
 * `cli/texts/`, one per code; on the wire an error is its code only.
 */
export const ERROR_CODES = [
  // What the person asked for cannot be started.
  'usage',
  'bad-code',
  'unknown-word',
  'bad-address',
  'config-invalid',
  'path-missing',
  'path-unreadable',
  'nothing-to-send',
  'same-name',
  'target-exists',
  'target-protected',
  'no-terminal',
  'not-streamable',
  // Meeting.
  'no-network',
  'no-peer',
  'peer-unreachable',
  'proxy-unreachable',
  'proxy-refused',
  'proxy-login',
  'port-in-use',
  'code-expired',
  'code-used',
  'code-dead',
  'wrong-code',
  'version-unsupported',
  'role-conflict',
  'not-verified',
  // Devices that were paired.
  'device-unknown',
  'device-refused',
  'device-removed',
  'name-taken',
  'peer-busy',
  // Working with a share.
  'no-share',
  'not-allowed',
  'not-a-folder',
  'is-a-folder',
  'wrong-password',
  'too-many-tries',
  'editor-failed',
  // Having something run by a share.
  'no-action',
  'argument-count',
  'argument-refused',
  'too-many-runs',
  'action-failed',
  'action-timeout',
  'action-output',
  // During a transfer.
  'declined',
  'dry-run',
  'peer-gone',
  'peer-failed',
  'peer-interrupted',
  'stalled',
  'disk-full',
  'disk-failed',
  'permission-denied',
  'output-closed',
  'integrity',
  'protocol',
  'limit',
  'incomplete',
  'interrupted',
  // What one entry of a transfer can suffer while the rest goes on.
  'name-refused',
  'source-changed',
  'source-vanished',
  'target-changed',
  'link-skipped',
  'special-skipped',
  'unfinished-skipped',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface XferErrorOptions {
  /** What the error is about: a path, an address, a word. Foreign text, shown through one function only. */
  readonly subject?: string;
  /** A second value for the sentence: the suggestion for a word, how many bytes were good, a limit. */
  readonly detail?: string | number;
  readonly cause?: unknown;
}

/** The one error class of xfer. Match on `code`, never on `message`, which is for debugging. */
export class XferError extends Error {
  override readonly name = 'XferError';
  readonly code: ErrorCode;
  readonly subject: string | undefined;
  readonly detail: string | number | undefined;

  constructor(code: ErrorCode, options: XferErrorOptions = {}) {
    const about = [options.subject, options.detail].filter((part) => part !== undefined).join(', ');
    super(about === '' ? code : `${code}: ${about}`, { cause: options.cause });
    this.code = code;
    this.subject = options.subject;
    this.detail = options.detail;
  }
}

const codes: ReadonlySet<string> = new Set(ERROR_CODES);

/** True where `text` (from a peer, so any text) is one of our codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return codes.has(text);
}

/** What was thrown, as an `XferError`: one that is not ours is a bug of xfer, code `internal`. */
export function toXferError(thrown: unknown): XferError {
  return thrown instanceof XferError ? thrown : new XferError('internal', { cause: thrown });
}
