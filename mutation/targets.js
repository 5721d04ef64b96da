/** Which files are mutated, and the tests that must notice: those named for the file, so that a run is short and what it says is strict. */
/** @type {Readonly<Record<string, readonly string[]>>} */
export const TARGETS = {
  // The path check.
  'src/files/paths.ts': ['test/unit/files/paths.test.ts'],
  'src/files/staging-name.ts': ['test/unit/files/paths.test.ts', 'test/unit/files/staging.test.ts'],
  // Decoders.
  'src/peer/record-line.ts': ['test/net/peer/record-line.test.ts'],
  'src/transfer/wire.ts': ['test/unit/transfer/wire.test.ts'],
  'src/transfer/batch.ts': ['test/unit/transfer/batch.test.ts'],
  'src/transfer/records.ts': ['test/unit/transfer/records.test.ts'],
  'src/transfer/message-codec.ts': ['test/unit/transfer/records.test.ts'],
  'src/share/device-name.ts': ['test/unit/share/device-store.test.ts'],
  'src/share/device-store.ts': ['test/unit/share/device-store.test.ts'],
  'src/files/journal.ts': ['test/unit/files/journal.test.ts', 'test/unit/files/staging.test.ts'],
  // Handshakes.
  'src/peer/authenticate.ts': ['test/unit/peer/authenticate.test.ts'],
  'src/crypto/noise-xk.ts': ['test/unit/crypto/noise-xk.test.ts'],
  'src/crypto/device.ts': ['test/unit/crypto/device.test.ts'],
  // State machines.
  'src/share/versioned-file.ts': ['test/unit/share/versioned-file.test.ts'],
  'src/peer/shared-listener.ts': ['test/unit/peer/shared-listener.test.ts'],
  'src/peer/channel.ts': [
    'test/unit/peer/channel.test.ts',
    'test/unit/peer/channel-acknowledging.test.ts',
    'test/unit/peer/channel-hostile.test.ts',
    'test/unit/peer/channel-lanes.test.ts',
    'test/unit/peer/channel-reunion.test.ts',
  ],
  'src/peer/resequencer.ts': ['test/unit/peer/resequencer.test.ts'],
  'src/peer/credit.ts': ['test/unit/peer/credit.test.ts'],
  'src/peer/admission.ts': ['test/unit/peer/admission.test.ts'],
  'src/peer/budget.ts': ['test/unit/peer/budget.test.ts'],
  'src/peer/incoming.ts': ['test/unit/peer/incoming.test.ts'],
  'src/peer/outgoing.ts': ['test/unit/peer/outgoing.test.ts'],
  'src/peer/candidates.ts': ['test/unit/peer/candidates.test.ts'],
  'src/peer/hints.ts': ['test/unit/peer/hints.test.ts'],
  'src/peer/paths.ts': ['test/unit/peer/paths.test.ts'],
  'src/peer/dials.ts': ['test/unit/peer/dials.test.ts'],
  'src/action-settings.ts': ['test/unit/action-settings.test.ts'],
  'src/share/rights.ts': ['test/unit/share/rights.test.ts'],
  'src/share/try-limit.ts': ['test/unit/share/owner-password.test.ts'],
  'src/share/owner-password.ts': ['test/unit/share/owner-password.test.ts'],
  'src/share/actions.ts': ['test/unit/share/actions.test.ts'],
  'src/transfer/conduct.ts': ['test/unit/transfer/conduct.test.ts'],
  'src/transfer/exchange.ts': ['test/unit/transfer/exchange.test.ts'],
  'src/transfer/review.ts': ['test/unit/transfer/review.test.ts'],
  'src/transfer/sender.ts': [
    'test/unit/transfer/sender.test.ts',
    'test/unit/transfer/hostile-receiver.test.ts',
  ],
  'src/transfer/receiver.ts': [
    'test/unit/transfer/receiver.test.ts',
    'test/unit/transfer/hostile-sender.test.ts',
  ],
  'src/transfer/want.ts': ['test/unit/transfer/want.test.ts', 'test/unit/transfer/manifest.test.ts'],
  'src/transfer/resume.ts': ['test/unit/transfer/comparison.test.ts'],
  'src/transfer/update.ts': ['test/unit/transfer/matching.test.ts'],
};
