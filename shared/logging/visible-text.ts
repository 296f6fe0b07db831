import { hasHidden, HIDDEN_CHARACTER } from '../domain/hidden-characters.js';

const ALL_HIDDEN = new RegExp(HIDDEN_CHARACTER, 'gu');

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
