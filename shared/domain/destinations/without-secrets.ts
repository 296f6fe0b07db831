import { rowOf, type Destination } from './destination.js';
import type { PathMask } from './path-mask.js';

const HIDDEN = '***';
/** Fewer characters at the end of a text are taken for the beginning of another word. */
const BEGINNING_FROM_CHARACTERS = 4;

/**
 * What the other side said, without the secrets of the destination it was sent to: a receiver may quote the address or
 * the headers of a request, such as `Cannot POST /services/T1/B1/secret?token=1`, and the text is stored, shown and sent on
 * with a dead letter.
 *
 * @returns the text itself where it quotes none
 */
export function withoutSecrets(text: string, destination: Destination, mask: PathMask): string {
  // A whole path goes before its segments, so that it becomes one mark.
  const secrets = [...rowOf(destination.type).secretTexts(destination, mask)].sort((a, b) => b.length - a.length);
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, HIDDEN);
  return withoutBeginning(shown, secrets);
}

/** A text that was cut short may end in the first part of a secret. */
function withoutBeginning(text: string, secrets: readonly string[]): string {
  const end = text.endsWith('…') ? text.length - 1 : text.length;
  for (const secret of secrets) {
    for (let length = Math.min(secret.length - 1, end); length >= BEGINNING_FROM_CHARACTERS; length -= 1) {
      if (text.startsWith(secret.slice(0, length), end - length)) return `${text.slice(0, end - length)}${HIDDEN}${text.slice(end)}`;
    }
  }
  return text;
}
