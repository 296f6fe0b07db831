/**
 * Makes one short line for people of a text from outside. Runs of white space, control and formatting characters become
 * one space, so that an answer cannot forge a line of our log.
 *
 * @param maxLength  in UTF-16 units; a longer text ends in `…`, never in half a character
 */
export function oneLine(text: string, maxLength: number): string {
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim();
  if (line.length <= maxLength) return line;
  return `${line.slice(0, maxLength - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
