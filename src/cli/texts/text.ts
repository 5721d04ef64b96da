/** What the text of an error is made of. */

/** 0 is for success alone. */
export type ExitCode = 1 | 2 | 3 | 4 | 70 | 130;

/** The parts of an error that a text is made of, already harmless. Empty where the error does not say. */
export interface About {
  readonly subject: string;
  readonly detail: string;
  /** What the other side has to run. */
  readonly there: string;
}

export type Wording = string | ((about: About) => string);

export interface Text {
  /** Lower case, no full stop. */
  readonly sentence: Wording;
  readonly advice?: Wording;
  readonly exitCode: ExitCode;
  /** In a few words, behind a path in a list or behind "the other side declined". */
  readonly brief?: string;
}

export function join(sentence: string, detail: string): string {
  return detail === '' ? sentence : `${sentence}: ${detail}`;
}
