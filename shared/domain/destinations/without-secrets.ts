import type { DeliveryResult } from '../ports.js';
import { rowOf, type Destination } from './destination.js';
import { CUT_ESCAPE, lowerCase, plainReading, withoutEscapes, type EscapeKind, type Reading } from './escaped-text.js';
import type { PathMask } from './path-mask.js';
import { percentDecoded } from './percent-decoded.js';

const HIDDEN = '***';
/** One or two characters are no secret: they are guessed at once, and stand in every text. */
const SECRET_FROM_CHARACTERS = 3;
/** A shorter secret is hidden only as a word of its own: `abc` is a part of many words, and `a1b2c3` of none. */
const ANYWHERE_FROM_CHARACTERS = 6;
/** Fewer characters at the end of a text are taken for the beginning of another word. */
const BEGINNING_FROM_CHARACTERS = 4;
/** JSON that quotes HTML that quotes an address has three layers of escapes. */
const layersOfEscapes: readonly (readonly (EscapeKind | 'any')[])[] = [
  ...(['html', 'script', 'url'] as const).flatMap((outer) => [[outer], ...(['html', 'script', 'url'] as const).map((inner) => [outer, inner])]),
  ['any'],
  ['any', 'any'],
  ['any', 'any', 'any'],
];
/** A quoted line has one or two cuts. Each is looked at. */
const MOST_CUTS = 8;

/**
 * What the other side said, without the secrets of the destination it was sent to: a receiver may quote the address or
 * the headers of a request, such as `Cannot POST /services/T1/B1/secret?token=1`, and the text is stored, shown and sent on
 * with a dead letter. A quotation may be escaped for HTML, JSON or a url, in several layers, or in the wrong character set.
 *
 * @returns the text itself where it quotes none
 */
export function withoutSecrets(text: string, destination: Destination, mask: PathMask): string {
  return withoutTexts(text, rowOf(destination.type).secretTexts(destination, mask));
}

/** The same for any secrets, as they are sent. */
export function withoutTexts(text: string, secrets: readonly string[]): string {
  if (secrets.length === 0) return text;
  const spellings = [...new Set(secrets.flatMap(spellingsOf))].filter(({ length }) => length >= SECRET_FROM_CHARACTERS);
  const quoted = readingsOf(text).flatMap((reading) => [...quotationsIn(reading, spellings), ...beginningsIn(reading, spellings)]);
  return withMarks(text, quoted);
}

/** A result as it is stored with the record, shown, logged and sent on with a dead letter. */
export function withoutSecretsIn(result: DeliveryResult, destination: Destination, mask: PathMask): DeliveryResult {
  return result.kind === 'delivered' ? result : { ...result, detail: withoutSecrets(result.detail, destination, mask) };
}

/** The same for any secrets, as they are sent. */
export function withoutTextsIn(result: DeliveryResult, secrets: readonly string[]): DeliveryResult {
  return result.kind === 'delivered' ? result : { ...result, detail: withoutTexts(result.detail, secrets) };
}

/** A part of the text as it came, in UTF-16 units. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** The text as it came, and what it says when escapes are undone. Nearly all texts have none. */
function readingsOf(text: string): readonly Reading[] {
  const plain = plainReading(text);
  const readings = new Map([[plain.text, plain]]);
  if (/[&\\%]/.test(text)) {
    for (const layers of layersOfEscapes) {
      let reading: Reading | undefined = plain;
      for (const kind of layers) reading = reading === undefined ? undefined : withoutEscapes(reading, kind);
      if (reading !== undefined) readings.set(reading.text, reading);
    }
  }
  return [...readings.values()];
}

/** What a secret looks like when it is decoded, once or twice, or read in the wrong character set, without regard to case. */
function spellingsOf(secret: string): readonly string[] {
  const once = percentDecoded(secret);
  const decoded = [secret, once, percentDecoded(once), percentDecoded(secret.replaceAll('+', ' '))];
  // An answer is one line: its white space and control characters are single spaces by now.
  return decoded.flatMap((spelling) => [spelling, ...misread(spelling)]).flatMap((spelling) => [lowerCase(spelling), lowerCase(spelling).replace(/[\s\p{C}]+/gu, ' ')]);
}

/** UTF-8 that was taken for latin1 (`Ã¤`), latin1 that was taken for UTF-8, and what cannot write a character at all. */
function misread(text: string): readonly string[] {
  if (/^[\x20-\x7e]*$/.test(text)) return [];
  const bytes = Buffer.from(text, 'utf8');
  return [bytes.toString('latin1'), new TextDecoder('windows-1252').decode(bytes), new TextDecoder().decode(Buffer.from(text, 'latin1')), text.replace(/[^\x20-\x7e]/gu, '?'), text.replace(/[^\x20-\x7e]/gu, '\ufffd')];
}

function quotationsIn({ text, from, to }: Reading, spellings: readonly string[]): Span[] {
  return spellings.flatMap((spelling) => {
    const found: Span[] = [];
    for (let at = text.indexOf(spelling); at >= 0; at = text.indexOf(spelling, at + 1)) {
      const last = at + spelling.length - 1;
      if (spelling.length >= ANYWHERE_FROM_CHARACTERS || isWordOfItsOwn(text, at, last)) found.push({ from: from[at] ?? 0, to: to[last] ?? 0 });
    }
    return found;
  });
}

function isWordOfItsOwn(text: string, first: number, last: number): boolean {
  return !(isLetter(text, first) && isLetter(text, first - 1)) && !(isLetter(text, last) && isLetter(text, last + 1));
}

function isLetter(text: string, at: number): boolean {
  return /[\p{L}\p{N}_]/u.test(text.charAt(at));
}

/** A text that was cut short may end in the first part of a secret. A cut inside a text, such as of a quoted line, is marked by `…`. */
function beginningsIn({ text, from, to }: Reading, spellings: readonly string[]): Span[] {
  const ends = [...[...text.matchAll(/…/g)].slice(0, MOST_CUTS).map(({ index }) => index), text.length];
  return ends.flatMap((end) => {
    const whole = text.slice(0, end);
    // The cut may go through an escape.
    const before = whole.replace(CUT_ESCAPE, '');
    const beginning = beginningAtEnd(before, spellings);
    const length = Math.max(beginningAtEnd(whole, spellings), beginning === 0 ? 0 : beginning + whole.length - before.length);
    return length === 0 ? [] : [{ from: from[end - length] ?? 0, to: to[end - 1] ?? 0 }];
  });
}

/** How many characters at the end of a text are the first ones of a secret; 0 when they are too few to tell. */
function beginningAtEnd(text: string, spellings: readonly string[]): number {
  let longest = 0;
  for (const spelling of spellings) {
    for (let length = Math.min(spelling.length - 1, text.length); length >= BEGINNING_FROM_CHARACTERS && length > longest; length -= 1) {
      // To compare one character first saves nearly all of the others.
      if (spelling.charAt(length - 1) === text.at(-1) && text.endsWith(spelling.slice(0, length))) longest = length;
    }
  }
  return longest;
}

function withMarks(text: string, quoted: readonly Span[]): string {
  let shown = '';
  let done = 0;
  for (const { from, to } of [...quoted].sort((a, b) => a.from - b.from)) {
    if (to <= done) continue;
    // Two secrets that touch, or lie over each other, become one mark.
    if (from > done || done === 0) shown += text.slice(done, from) + HIDDEN;
    done = to;
  }
  return shown + text.slice(done);
}
