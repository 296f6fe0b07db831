/**
 * What a person would not see, or would see in another place than it stands, or a terminal would obey: control and
 * format characters, half surrogate pairs, all white space but the plain space, and characters that are drawn as nothing.
 * U+2800 is the Braille pattern without dots.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;
const ALL_HIDDEN = new RegExp(HIDDEN, 'gu');

/** Whether a text is printable ASCII throughout, as nearly all are: then nothing in it is hidden. */
const PLAIN = /^[\x20-\x7e]*$/;

export function hasHidden(text: string): boolean {
  return !PLAIN.test(text) && HIDDEN.test(text);
}

/**
 * Writes what is hidden in a text as JSON escapes: U+202E, which turns the text behind it round, as `\u202e`. A client chooses
 * ids, and an answer its text; in a log line they must look like what they are (CWE-117, CVE-2021-42574).
 *
 * Inside a JSON text such escapes mean the characters themselves, so JSON stays JSON with the same values.
 */
export function visibleText(text: string): string {
  if (!hasHidden(text)) return text;
  return text.replace(ALL_HIDDEN, (character) => {
    let escapes = '';
    for (let index = 0; index < character.length; index += 1) escapes += `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
    return escapes;
  });
}
