/**
 * What a person would not see, or would see in another place than it stands, or a terminal would obey: control and
 * format characters, half surrogate pairs, all white space but the plain space, and characters that are drawn as nothing.
 * U+2800 is the Braille pattern without dots.
 */
export const HIDDEN_CHARACTER = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;

/** Whether a text is printable ASCII throughout, as nearly all are: then nothing in it is hidden. */
const PLAIN = /^[\x20-\x7e]*$/;

export function hasHidden(text: string): boolean {
  return !PLAIN.test(text) && HIDDEN_CHARACTER.test(text);
}
