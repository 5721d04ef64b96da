/** Lines that are too long for one message. */
import { MAX_LINE_BYTES } from '../transfer/chat-messages.js';

/** A text in lines that each fit, cut between characters. */
export function* piecesOf(text: string): Generator<string> {
  const bytes = new Uint8Array(MAX_LINE_BYTES);
  for (let rest = text; rest !== '';) {
    const { read, written } = new TextEncoder().encodeInto(rest, bytes);
    yield new TextDecoder().decode(bytes.subarray(0, written));
    rest = rest.slice(read);
  }
}
