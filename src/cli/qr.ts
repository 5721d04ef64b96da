/** A QR code in half blocks. */
import { renderUnicodeCompact } from 'uqr';

/** The lines of a QR code that holds `text`. The quiet zone of two modules is what phones need on a dark screen. */
export function qrLines(text: string): string[] {
  return renderUnicodeCompact(text, { border: 2 }).split('\n');
}
