/** Printable ASCII that neither starts nor ends with a space is sent as it is. Nearly all ids are like this. */
const printable = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Control characters end a header or are refused by servers; spaces at the ends are cut off by every parser. */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const unsendable = /[\x00-\x1f\x7f]|^ +| +$/g;

/**
 * Any text as a header value: each character of the result stands for one byte on the wire (undici writes
 * headers as latin1), and together they are the text in UTF-8. `Zürich` -> `ZÃ¼rich`, which arrives as `Zürich`.
 * Characters that no header can carry are percent-encoded (`a
 * b` -> `a%0Ab`, ` a` -> `%20a`), since an odd id must never make a send fail. `%` itself is not encoded, so that
 * ordinary ids arrive as they are. So an id that begins with a space arrives like one that begins with `%20`.
 */
export function headerValue(text: string): string {
  if (printable.test(text)) return text;
  return Buffer.from(text.replace(unsendable, percentEncode), 'utf8').toString('latin1');
}

function percentEncode(characters: string): string {
  return Array.from(characters, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}
