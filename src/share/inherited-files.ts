/** Files that whoever started this process left open for it: what it starts itself must not have them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Behind input, output and errors. */
const FIRST = 3;
/** Closed where another program begins, as Linux says it (`O_CLOEXEC`); all that Node opens is. */
const CLOSED = 0o2000000;

/** Their descriptors. None where the system does not tell: Node closes the first few of them by itself. */
export function inheritedFiles(): number[] {
  try {
    return readdirSync('/proc/self/fdinfo')
      .map(Number)
      .filter((file) => file >= FIRST && isInherited(file));
  } catch {
    return [];
  }
}

function isInherited(file: number): boolean {
  try {
    const [, flags = ''] =
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8')) ?? [];
    return (parseInt(flags, 8) & CLOSED) === 0;
  } catch {
    // Closed by now, as the one by which they were listed.
    return false;
  }
}
