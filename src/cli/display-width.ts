/** How much room a text takes on a terminal. */
import { eastAsianWidth } from 'get-east-asian-width';

/** Nearly all that is ever shown. */
const PLAIN = /^[ -~]*$/;
/** What is drawn, unlike what only changes the character before it. */
const DRAWN = /[^\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Mn}\p{Me}]/u;
/** Emoji whose first character alone would be narrow: made colourful, with a skin, and flags. */
const WIDE_EMOJI = /\ufe0f|\p{Emoji_Modifier}|^\p{Regional_Indicator}{2}/u;

/** Marks that take room behind the character they belong to. */
const SPACING = /(?<=.)[\p{Mc}\uff9e\uff9f]/gu;

// To make one takes longer than all else that is shown of a small transfer.
let segmenter: Intl.Segmenter | undefined;

/** What a person takes for the characters of `text`, each with its marks. */
export function clustersOf(text: string): string[] {
  segmenter ??= new Intl.Segmenter();
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** How many columns of a terminal `text` takes, which holds no controls. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  return clustersOf(text).reduce((columns, cluster) => columns + widthOf(cluster), 0);
}

function widthOf(cluster: string): number {
  const drawn = DRAWN.exec(cluster)?.[0].codePointAt(0);
  if (drawn === undefined) return 0;
  if (WIDE_EMOJI.test(cluster)) return 2;
  return eastAsianWidth(drawn) + (cluster.match(SPACING)?.length ?? 0);
}
