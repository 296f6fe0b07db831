/**
 * A text as it is read after some undoing of escapes, and where each of its UTF-16 units stands in the text as it came.
 * All letters are lower case, because some receivers write an address so.
 */
export interface Reading {
  readonly text: string;
  /** Of each unit of `text`: the place in the text as it came at which it begins, and the one behind it. */
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The text as it came. */
export function plainReading(text: string): Reading {
  return { text: lowerCase(text), from: Array.from({ length: text.length }, (_, at) => at), to: Array.from({ length: text.length }, (_, at) => at + 1) };
}

/** @returns a text of the same length, so that places in it mean the same. A letter whose lower case is longer stays (`İ`). */
export function lowerCase(text: string): string {
  const lowered = text.toLowerCase();
  return lowered.length === text.length ? lowered : Array.from({ length: text.length }, (_, at) => lowerCaseUnit(text.charAt(at))).join('');
}

function lowerCaseUnit(unit: string): string {
  const lowered = unit.toLowerCase();
  return lowered.length === 1 ? lowered : unit;
}

/** Who writes such escapes. One text may look like an escape of several: `\&#39;` is HTML of `\'`, and in JSON it is none. */
export type EscapeKind = 'html' | 'script' | 'url';

/** The text that they are looked for in is lower case. A number that the end of a quotation may have cut is none. */
const html = /&#(?<decimal>\d{1,7})(?:;|(?![\d;…]|$))|&#x(?<hex>[0-9a-f]{1,6})(?:;|(?![0-9a-f;…]|$))|&(?<name>[a-z]{2,6});/g;
/** JSON, JavaScript, Python. */
const script = /\\u(?<unit>[0-9a-f]{4})|\\u\{(?<point>[0-9a-f]{1,6})\}|\\(?<itself>["'\\/])|(?<bytes>(?:\\x[0-9a-f]{2})+)/g;
const url = /(?<percents>(?:%[0-9a-f]{2})+)/g;
const escapesOf: Readonly<Record<EscapeKind | 'any', RegExp>> = { html, script, url, any: new RegExp(`${html.source}|${script.source}|${url.source}`, 'g') };

/** The names that escapers use; those of HTML for other punctuation are here because a password may hold it. */
const characterOf: ReadonlyMap<string, string> = new Map(
  Object.entries({
    amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ',
    sol: '/', bsol: '\\', colon: ':', semi: ';', commat: '@', percnt: '%', num: '#', excl: '!', dollar: '$', equals: '=', plus: '+', quest: '?',
    szlig: 'ß', aelig: 'æ', oelig: 'œ', oslash: 'ø', eth: 'ð', thorn: 'þ', pound: '£', euro: '€', sect: '§',
    lpar: '(', rpar: ')', ast: '*', comma: ',', period: '.', lowbar: '_', hyphen: '-', grave: '`', lbrack: '[', lsqb: '[', rbrack: ']', rsqb: ']', lbrace: '{', lcub: '{', rbrace: '}', rcub: '}', vert: '|', hat: '^',
  }),
);

/** `&ouml;` is an o and its accent. */
const accentOf: ReadonlyMap<string, string> = new Map(Object.entries({ grave: '\u0300', acute: '\u0301', circ: '\u0302', tilde: '\u0303', uml: '\u0308', ring: '\u030a', caron: '\u030c', cedil: '\u0327' }));

function namedCharacter(name: string): string | undefined {
  const accent = accentOf.get(name.slice(1));
  return characterOf.get(name) ?? (accent === undefined ? undefined : (name.charAt(0) + accent).normalize('NFC'));
}

/** An escape that was cut short, at the end of a text. */
export const CUT_ESCAPE = /(?:%[0-9a-f]?|&[a-z]{0,6}|&#(?:x?[0-9a-f]{0,6})|\\(?:u[0-9a-f]{0,3}|u\{[0-9a-f]{0,6}|x[0-9a-f]?)?)$/;

/** The same with one layer of escapes undone. @returns undefined where there is none */
export function withoutEscapes(reading: Reading, kind: EscapeKind | 'any'): Reading | undefined {
  const written = { text: '', from: [] as number[], to: [] as number[] };
  let done = 0;
  for (const escape of reading.text.matchAll(escapesOf[kind])) {
    copy(reading, done, escape.index, written);
    // An escape that means nothing is copied as it is.
    let at = escape.index;
    for (const { text, length } of meaningOf(escape)) {
      const [from, to] = [reading.from[at] ?? 0, reading.to[at + length - 1] ?? 0];
      for (const unit of lowerCase(text).split('')) {
        written.text += unit;
        written.from.push(from);
        written.to.push(to);
      }
      at += length;
    }
    copy(reading, at, escape.index + escape[0].length, written);
    done = escape.index + escape[0].length;
  }
  if (done === 0) return undefined;
  copy(reading, done, reading.text.length, written);
  return written;
}

function copy(reading: Reading, from: number, to: number, written: { text: string; readonly from: number[]; readonly to: number[] }): void {
  written.text += reading.text.slice(from, to);
  written.from.push(...reading.from.slice(from, to));
  written.to.push(...reading.to.slice(from, to));
}

interface Meaning {
  readonly text: string;
  /** How many units of the escape mean it. */
  readonly length: number;
}

function meaningOf({ 0: whole, groups = {} }: RegExpExecArray): readonly Meaning[] {
  const { decimal, hex, name, unit, point, itself, bytes, percents } = groups;
  if (percents !== undefined) return meaningOfBytes(percents, '%'.length);
  if (bytes !== undefined) return meaningOfBytes(bytes, '\\x'.length);
  const text = itself
    ?? (name === undefined ? undefined : namedCharacter(name))
    ?? (unit === undefined ? undefined : String.fromCharCode(Number.parseInt(unit, 16)))
    ?? characterAt(decimal, 10)
    ?? characterAt(hex ?? point, 16);
  return text === undefined ? [] : [{ text, length: whole.length }];
}

function characterAt(digits: string | undefined, base: number): string | undefined {
  const point = digits === undefined ? Infinity : Number.parseInt(digits, base);
  return point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}

/**
 * Bytes are UTF-8 where they can be, and else latin1.
 * @param escaped such as `%c3%a4` or `\xc3\xa4`
 * @param mark    characters before each byte
 */
function meaningOfBytes(escaped: string, mark: number): readonly Meaning[] {
  const width = mark + 2;
  const bytes = Array.from({ length: escaped.length / width }, (_, nth) => escaped.slice(nth * width + mark, (nth + 1) * width));
  const meanings: Meaning[] = [];
  for (let at = 0; at < bytes.length; ) {
    const text = [1, 2, 3, 4].flatMap((size) => utf8Character(bytes.slice(at, at + size)) ?? [])[0];
    const size = text === undefined ? 1 : Buffer.byteLength(text);
    meanings.push({ text: text ?? String.fromCharCode(Number.parseInt(bytes[at] ?? '', 16)), length: size * width });
    at += size;
  }
  return meanings;
}

/** @returns undefined for bytes that are no character, or more than one */
function utf8Character(bytes: readonly string[]): string | undefined {
  try {
    const text = decodeURIComponent(bytes.map((byte) => `%${byte}`).join(''));
    return [...text].length === 1 ? text : undefined;
  } catch {
    return undefined; // the bytes are in another character set
  }
}
