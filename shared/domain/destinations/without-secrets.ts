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
  // Some receivers write an address in lower case.
  for (const secret of secrets) shown = shown.replace(new RegExp(escaped(secret), 'gi'), HIDDEN);
  return withoutBeginnings(shown, secrets);
}

function escaped(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}

/** A text that was cut short may end in the first part of a secret. A cut inside a text, such as of a quoted line, is marked by `…`. */
function withoutBeginnings(text: string, secrets: readonly string[]): string {
  const parts = text.split('…');
  return parts.map((part) => withoutBeginning(part, secrets)).join('…');
}

function withoutBeginning(text: string, secrets: readonly string[]): string {
  const lowered = text.toLowerCase();
  for (const secret of secrets) {
    const whole = secret.toLowerCase();
    for (let length = Math.min(whole.length - 1, lowered.length); length >= BEGINNING_FROM_CHARACTERS; length -= 1) {
      if (lowered.endsWith(whole.slice(0, length))) return `${text.slice(0, text.length - length)}${HIDDEN}`;
    }
  }
  return text;
}
