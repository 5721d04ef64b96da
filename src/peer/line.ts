/** What a connection sends its messages over, and what that tells it. */
export interface Line {
  /** Sends one message, given in pieces; `false` where `onDrain` is to be awaited before the next. */
  send(pieces: readonly Uint8Array[]): boolean;
  /** Resolves when everything sent was handed on, over UDX: acknowledged; `false` if the line closed before. */
  flush(): Promise<boolean>;
  /** Ends this direction after everything sent. */
  end(): void;
  destroy(error?: Error): void;
}

export interface LineEvents {
  /** The message is valid during the call only. */
  readonly onMessage: (message: Uint8Array) => void;
  readonly onDrain: () => void;
  /** The peer ended its direction, or somebody on the way did so for it. */
  readonly onEnd: () => void;
  readonly onError: (error: Error) => void;
  /** The last event. */
  readonly onClose: () => void;
}
