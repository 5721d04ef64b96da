/** Bytes on their way into a record. */
import type { Packer } from './compression.js';
import type { Parcel } from './outbox.js';
import type { DataRecord, Packed } from './ports.js';

/** Packs bytes into a record; `free` is called when they are needed no more. */
export async function packInto(
  packer: Packer,
  raw: Uint8Array,
  record: (body: Packed) => Promise<DataRecord>,
  free?: () => void,
): Promise<Parcel> {
  const { body, turn } = await packer.pack(raw);
  const isCopy = body.bytes.buffer !== raw.buffer;
  if (isCopy) free?.();
  return { record: await record(body), passed: turn?.passed, onDone: isCopy ? undefined : free };
}
