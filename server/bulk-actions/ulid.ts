/** Crockford's base 32: no letter that is taken for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;

/**
 * A ULID: later ones sort behind earlier ones. `01KB6ZC9Q80000000000000000`
 * @param now    ms since the epoch
 * @param random 16 bytes, of which 5 bits each are used
 */
export function ulid(now: number, random: Uint8Array): string {
  let time = '';
  for (let rest = now; time.length < TIME_CHARACTERS; rest = Math.floor(rest / 32)) time = ALPHABET.charAt(rest % 32) + time;
  let text = time;
  for (let index = 0; index < RANDOM_CHARACTERS; index += 1) text += ALPHABET.charAt((random[index] ?? 0) & 31);
  return text;
}
