import { RequestError } from '../errors.js';
import type { Bound, Condition, FilterValue, Range } from './condition.js';
import { filterFieldNamed, filterFields, hintForChoice, hintForName, type FilterField } from './filter-fields.js';
import { parseNumber, parseTime, type ParsedBound } from './parse-bound.js';

const MOST_VALUES = 50;
const SPACE = /\s/;
/** They are kept for later. Until then nothing may seem to be one. */
const RESERVED_WORDS: ReadonlySet<string> = new Set(['OR', 'AND', 'NOT']);
const STRUCTURE = ' \t\r\n,()';

/** A text that is no filter. @param index in UTF-16 units, where the fault is */
export function invalidQuery(field: string, text: string, index: number, complaint: string): RequestError {
  const position = [...text.slice(0, index)].length;
  const message = `${field} at ${position}: ${complaint}`;
  return new RequestError('invalid_query', message, [{ field, message, position }]);
}

/**
 * Reads terms and values from left to right. Positions in its errors count code points from 0.
 *
 * @param field the name of the parameter or member that the text comes from
 */
export class FilterReader {
  #at = 0;

  constructor(
    private readonly text: string,
    private readonly field: string,
  ) {}

  isAtEnd(): boolean {
    return this.#at >= this.text.length;
  }

  skipSpaces(): void {
    while (!this.isAtEnd() && SPACE.test(this.#here)) this.#at += 1;
  }

  /** A term of q: a condition, or a word that stands for the beginning of an id. */
  term(): Condition {
    const from = this.#at;
    const isNegated = this.#here === '-';
    if (isNegated) this.#at += 1;
    const nameFrom = this.#at;
    const named = this.#name();
    if (named !== undefined) {
      const { field, path } = named;
      const values = this.values(field);
      return { field, ...(path === undefined ? {} : { path }), isNegated, values };
    }
    this.#at = nameFrom;
    const word = this.#here === '"' ? this.#quotedAlone() : this.#wordAlone();
    if (isNegated) throw this.#fault(from, 'a word without a name cannot be negated: write -id:... with the name, or put quotes around a word that begins with -');
    if (!this.isAtEnd() && !SPACE.test(this.#here)) throw this.#fault(this.#at, 'after a word comes a space, or the end');
    return { field: 'id', isNegated, values: [{ kind: 'prefix', text: word }] };
  }

  /** Values behind a name: one, or several divided by commas. Behind the last of them stands a space, or the end. */
  values(field: FilterField): readonly FilterValue[] {
    const values: FilterValue[] = [];
    const from = this.#at;
    for (;;) {
      if (values.length === MOST_VALUES) throw this.#fault(this.#at, `at most ${MOST_VALUES} values may stand in one condition`);
      values.push(this.#value(field));
      if (this.isAtEnd() || this.#here !== ',') break;
      this.#at += 1;
    }
    if (values.length > 1 && values.some(({ kind }) => kind === 'exists')) throw this.#fault(from, 'a * alone means any value, so nothing can stand beside it');
    if (!this.isAtEnd() && !SPACE.test(this.#here)) throw this.#fault(this.#at, 'behind a value comes a comma, a space, or the end');
    return values;
  }

  /** What is left of a text that holds values alone. */
  expectEnd(): void {
    if (!this.isAtEnd()) throw this.#fault(this.#at, 'put quotes around a value that has a space in it. In a url a + means a space: write %2B for a plus');
  }

  /** The keys of `data.<path>`, up to the end or a colon. */
  path(): readonly string[] {
    const path: string[] = [];
    do {
      this.#at += 1;
      path.push(this.#key());
    } while (this.#here === '.');
    return path;
  }

  faultHere(complaint: string): RequestError {
    return this.#fault(this.#at, complaint);
  }

  get #here(): string {
    return this.text.charAt(this.#at);
  }

  #fault(index: number, complaint: string): RequestError {
    return invalidQuery(this.field, this.text, index, complaint);
  }

  /** @returns undefined where no name stands, because no colon follows */
  #name(): { readonly field: FilterField; readonly path: readonly string[] | undefined } | undefined {
    const from = this.#at;
    if (this.text.startsWith('data.', from)) {
      this.#at += 'data'.length;
      const path = this.path();
      if (this.#here !== ':') throw this.#fault(this.#at, 'behind data.<path> comes a colon and a value. Put quotes around a key that has other characters in it');
      this.#at += 1;
      return { field: 'data', path };
    }
    while (!this.isAtEnd() && this.#here !== ':' && this.#here !== '"' && !STRUCTURE.includes(this.#here) && !SPACE.test(this.#here)) this.#at += 1;
    if (this.#here !== ':') return undefined;
    const name = this.text.slice(from, this.#at);
    this.#at += 1;
    if (name === 'data') throw this.#fault(from, 'data needs a path: data.order.id:1001');
    const field = filterFieldNamed(name);
    if (field === undefined) {
      // The hint is a question, and ends itself.
      const hint = hintForName(name);
      throw this.#fault(from, `${JSON.stringify(name.slice(0, 100).toWellFormed())} is no field that tasks are found by${hint}${hint === '' ? '.' : ''} Put quotes around a word that has a colon in it`);
    }
    return { field, path: undefined };
  }

  /** One key of a path; the reader stands behind the dot before it. */
  #key(): string {
    if (this.#here === '"') return this.#quoted();
    const from = this.#at;
    while (!this.isAtEnd() && this.#here !== '.' && this.#here !== ':' && this.#here !== '"' && !STRUCTURE.includes(this.#here) && !SPACE.test(this.#here)) this.#at += 1;
    if (this.#at === from) throw this.#fault(from, 'a key is missing in the path: data.order.id, or data."a.b".c');
    return this.text.slice(from, this.#at);
  }

  #value(field: FilterField): FilterValue {
    const from = this.#at;
    if (this.#here === '"') {
      const text = this.#quoted();
      return this.#takeStar() ? this.#prefix(field, text, from) : this.literal(field, text, from);
    }
    const word = this.#word();
    if (word === '') {
      const hint = SPACE.test(this.#here) ? '. In a url a + means a space: write %2B for a plus' : '';
      throw this.#fault(from, `a value is missing: to find tasks without a value, write -${field}:*${hint}`);
    }
    if (word === '*') return { kind: 'exists' };
    const star = word.indexOf('*');
    if (star >= 0 && star < word.length - 1) throw this.#fault(from + star, 'a * stands at the end of a value. Put quotes around a value that has one in it');
    const range = this.#range(field, word, from);
    if (range !== undefined) return range;
    return star >= 0 ? this.#prefix(field, word.slice(0, -1), from) : this.literal(field, word, from);
  }

  /** A value without any meaning of its characters. @param index where it stands, for errors */
  literal(field: FilterField, text: string, index: number): FilterValue {
    if (text === '') throw this.#fault(index, `a value must not be empty: to find tasks without a value, write -${field}:*`);
    const rule = filterFields[field];
    if (rule.kind === 'text') return { kind: 'text', text };
    if (rule.kind === 'choice') {
      const choice = rule.choices.find((each) => each === text);
      if (choice === undefined) throw this.#fault(index, `${field} is one of ${rule.choices.join(', ')}${hintForChoice(field, text, rule.choices)}`);
      return { kind: 'text', text: choice };
    }
    const bound = this.#bound(field, text, index);
    return { kind: 'range', min: { ...bound, isOpen: false }, max: { ...bound, isOpen: false } };
  }

  #prefix(field: FilterField, text: string, index: number): FilterValue {
    const rule = filterFields[field];
    if (text === '') throw this.#fault(index, 'a value must not be empty');
    if (rule.kind === 'text' && rule.isPrefixable) return { kind: 'prefix', text };
    throw this.#fault(index, `${field} takes no * behind a value: it is compared as a whole`);
  }

  /** @returns undefined for a word that is a single value */
  #range(field: FilterField, word: string, from: number): Range | undefined {
    const rule = filterFields[field];
    const [, operator] = /^(>=|<=|>|<)/.exec(word) ?? [];
    const dots = word.indexOf('..');
    const isClass = rule.kind === 'number' && rule.hasClasses && /^[1-9]xx$/.test(word);
    if (operator === undefined && dots < 0 && !isClass) return undefined;
    if (rule.kind !== 'number' && rule.kind !== 'time') {
      throw this.#fault(operator === undefined ? from + dots : from, `${field} has no ranges: put quotes around a value that has ${operator ?? '..'} in it`);
    }
    if (isClass) {
      const lowest = Number(word.charAt(0)) * 100;
      return { kind: 'range', min: { at: lowest, isRelative: false, isOpen: false }, max: { at: lowest + 99, isRelative: false, isOpen: false } };
    }
    if (operator !== undefined) {
      const bound: Bound = { ...this.#bound(field, word.slice(operator.length), from + operator.length), isOpen: operator.length === 1 };
      return { kind: 'range', ...(operator.startsWith('>') ? { min: bound } : { max: bound }) };
    }
    const min: Bound = { ...this.#bound(field, word.slice(0, dots), from), isOpen: false };
    const max: Bound = { ...this.#bound(field, word.slice(dots + 2), from + dots + 2), isOpen: false };
    if (min.isRelative === max.isRelative && min.at > max.at) throw this.#fault(from, 'the range ends before it begins, so nothing can match');
    return { kind: 'range', min, max };
  }

  #bound(field: FilterField, text: string, index: number): Exclude<ParsedBound, string> {
    const bound = filterFields[field].kind === 'time' ? parseTime(text) : parseNumber(text);
    if (typeof bound !== 'string') return bound;
    // The + of a zone or a length that a url did not keep.
    const hint = SPACE.test(this.#here) ? '. In a url a + means a space: write %2B for a plus' : '';
    throw this.#fault(index, `${field} ${text === '' ? `needs a value here${hint}` : bound + hint}`);
  }

  /** A text without quotes, up to a space or a comma. */
  #word(): string {
    const from = this.#at;
    while (!this.isAtEnd() && !SPACE.test(this.#here) && this.#here !== ',') {
      if (this.#here === '(' || this.#here === ')') throw this.#fault(this.#at, 'put quotes around a value that has ( or ) in it: outside quotes they are kept for later');
      this.#at += 1;
    }
    const word = this.text.slice(from, this.#at);
    if (RESERVED_WORDS.has(word)) throw this.#fault(from, `put quotes around ${word}: without them the word is kept for later. All terms must match, and commas divide values of which one must match`);
    return word;
  }

  #wordAlone(): string {
    const from = this.#at;
    const word = this.#word();
    if (this.#here === ',') throw this.#fault(this.#at, word === '' ? 'a word is missing before the comma' : 'put quotes around a word that has a comma in it, or write id: before it');
    const text = word.endsWith('*') ? word.slice(0, -1) : word;
    if (text === '') throw this.#fault(from, word === '' ? 'a name or a word is missing' : 'a * alone says nothing: write id:*');
    if (text.includes('*')) throw this.#fault(from + text.indexOf('*'), 'a * stands at the end of a word. Put quotes around a word that has one in it');
    if (text.includes(':')) throw this.#fault(from, 'put quotes around a word that has a colon in it');
    return text;
  }

  #quotedAlone(): string {
    const from = this.#at;
    const text = this.#quoted();
    if (text === '') throw this.#fault(from, 'a word must not be empty');
    this.#takeStar();
    return text;
  }

  /** Between quotes only `\"` and `\\` have a meaning. */
  #quoted(): string {
    const from = this.#at;
    let text = '';
    for (this.#at += 1; this.#here !== '"'; this.#at += 1) {
      if (this.isAtEnd()) throw this.#fault(from, 'this quote is never closed');
      const next = this.text.charAt(this.#at + 1);
      if (this.#here === '\\' && (next === '"' || next === '\\')) this.#at += 1;
      text += this.#here;
    }
    this.#at += 1;
    return text;
  }

  #takeStar(): boolean {
    const isStar = this.#here === '*';
    if (isStar) this.#at += 1;
    return isStar;
  }
}
