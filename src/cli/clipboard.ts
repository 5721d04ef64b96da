/** The clipboard of the desktop. */
import clipboard from 'clipboardy';

/** Puts `text` there. False where there is no clipboard to reach, such as over ssh. */
export async function copyToClipboard(text: string): Promise<boolean> {
  try {
    await clipboard.write(text);
    return true;
  } catch {
    return false;
  }
}
