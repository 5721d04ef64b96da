/** What stands on a terminal after all that was written to it: as much of one as readline and ora use. */

const SEQUENCE = /^\u001b\[(\??)(\d*)(?:;\d+)*([A-Za-z])/;

/** The rows, from the top of all that ever scrolled by, without spaces at their ends. */
export function rowsOn(written: string, columns = 80): string[] {
  const rows: string[][] = [[]];
  let [row, column] = [0, 0];
  const place = (): string[] => {
    while (rows.length <= row) rows.push([]);
    return rows[row] ?? [];
  };
  for (let rest = written; rest !== '';) {
    const [sequence, isPrivate, digits, letter] = SEQUENCE.exec(rest) ?? [];
    if (sequence !== undefined) {
      rest = rest.slice(sequence.length);
      const count = digits === '' ? 1 : Number(digits);
      if (isPrivate === '?') continue;
      if (letter === 'A') row = Math.max(0, row - count);
      if (letter === 'B') row += count;
      if (letter === 'C') column = Math.min(columns - 1, column + count);
      if (letter === 'D') column = Math.max(0, Math.min(column, columns - 1) - count);
      if (letter === 'G') column = count - 1;
      if (letter === 'K') place().length = digits === '2' ? 0 : Math.min(place().length, column);
      if (letter === 'J') {
        place().length = Math.min(place().length, column);
        rows.length = row + 1;
      }
      continue;
    }
    const [character = ''] = rest;
    rest = rest.slice(character.length);
    if (character === '\r') column = 0;
    else if (character === '\n') row += 1;
    else if (character >= ' ') {
      if (column === columns) [row, column] = [row + 1, 0];
      const cells = place();
      while (cells.length < column) cells.push(' ');
      cells[column] = character;
      column += 1;
    }
  }
  return rows.map((cells) => cells.join('').trimEnd());
}
