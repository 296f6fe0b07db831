import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, isDigit, OPEN_OBJECT } from './json-bytes.js';

/**
 * What is wrong with a byte that cannot stand where it stands, in words for the person who wrote it. They quote nothing of the text except
 * words that mean no value, such as `None`.
 */

/** The words of other languages, and what JSON has in their place. */
const wordsMeant: ReadonlyMap<string, string> = new Map([
  ['true', 'true'],
  ['false', 'false'],
  ['null', 'null'],
  ['none', 'null'],
  ['nil', 'null'],
  ['undefined', 'null'],
  ['nan', 'null'],
  ['infinity', 'null'],
]);

/** Word processors and chats put them in place of straight ones. */
const TYPOGRAPHIC_QUOTES: ReadonlySet<string> = new Set(['\u2018', '\u2019', '\u201a', '\u201c', '\u201d', '\u201e']);

/** @param innermost the closing bracket of what the value would stand in; undefined at the top */
export function complaintAboutValue(bytes: Buffer, at: number, innermost: number | undefined): string {
  const word = wordAt(bytes, at);
  if (word !== '') {
    const meant = wordsMeant.get(word.toLowerCase());
    return meant === undefined ? complaintAboutText(bytes, at) : `${word} is no value of JSON: write ${meant}`;
  }
  const byte = bytes[at] ?? 0;
  switch (byte) {
    case COMMA:
      return 'a value is missing before this comma';
    case CLOSE_ARRAY:
    case CLOSE_OBJECT:
      return byte === CLOSE_ARRAY && innermost === CLOSE_ARRAY ? 'there is a comma too many before ]' : 'a value is missing here';
    case 0x2b:
    case 0x2e:
      return 'a number must begin with a digit or with -';
    case 0xef:
      return at === 0 && bytes[1] === 0xbb && bytes[2] === 0xbf ? 'leave out the byte order mark' : 'a value is expected here';
    default:
      return complaintAboutSign(bytes, at) ?? 'a value is expected here';
  }
}

/** A text without quotes, or what is left of something that was to become JSON. */
function complaintAboutText(bytes: Buffer, at: number): string {
  const start = bytes.toString('latin1', Math.max(0, at - 1), at + 40);
  if (start.startsWith('[object Object]')) return 'an object was turned into text: JSON.stringify it';
  if (at === 0 && /^[\w.%+-]+=/.test(start)) return 'the body of a form is no JSON';
  return start.slice(at === 0 ? 0 : 1).startsWith('${') ? 'a ${...} was not filled in' : 'a text must stand in double quotes';
}

export function complaintAboutName(bytes: Buffer, at: number): string {
  const byte = bytes[at] ?? 0;
  // {id:1} is what a shell leaves of {"id":1} when the whole stands in double quotes, or in none.
  if (wordAt(bytes, at) !== '' || isDigit(byte)) return `a name must stand in double quotes${at === 1 ? ' (a shell removes them unless the whole stands in single ones)' : ''}`;
  const isPlaceholder = byte === OPEN_OBJECT && bytes[at - 1] === OPEN_OBJECT;
  return complaintAboutSign(bytes, at) ?? `a name in double quotes is expected here${isPlaceholder ? ', or a {{...}} was not filled in' : ''}`;
}

/** Of a byte below 0x20 inside a text. */
export function complaintAboutControl(byte: number): string {
  if (byte === 0x0a || byte === 0x0d) return 'a line break inside a text must be written as \\n';
  if (byte === 0x09) return 'a tab inside a text must be written as \\t';
  return `a control character inside a text must be written as \\u00${byte.toString(16).padStart(2, '0')}`;
}

function complaintAboutSign(bytes: Buffer, at: number): string | undefined {
  const byte = bytes[at] ?? 0;
  if (TYPOGRAPHIC_QUOTES.has(bytes.toString('utf8', at, at + 3))) return 'JSON has straight double quotes only';
  if (byte === 0x27 || byte === 0x60) return 'JSON has double quotes only';
  if (byte === 0x2f || byte === 0x23) return 'JSON has no comments';
  return byte === 0x00 ? 'the text may be UTF-16: send UTF-8' : undefined;
}

/** The letters from here on, at most 20; empty when there is none. */
export function wordAt(bytes: Buffer, at: number): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*/.exec(bytes.toString('latin1', at, at + 20))?.[0] ?? '';
}
