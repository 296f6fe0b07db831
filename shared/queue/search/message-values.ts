import type { Condition, FilterValue } from '../../domain/search/condition.js';

/** Larger messages are not looked into, bytes. */
export const MOST_MESSAGE_BYTES = 262_144;

/**
 * Does a message match all conditions on it? One that is no JSON matches none, not even a negated one: what cannot be read
 * says nothing.
 */
export function matchesMessage(message: string, conditions: readonly Condition[]): boolean {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    return false; // it is no JSON
  }
  return conditions.every(({ path = [], isNegated, values }) => isOneOf(messageValue(message, parsed, path), values) !== isNegated);
}

/** `none`: nothing is there. undefined: an object or an array. */
type MessageValue = { readonly text: string | undefined } | 'none';

function isOneOf(found: MessageValue, values: readonly FilterValue[]): boolean {
  if (found === 'none') return false;
  return values.some((value) => {
    switch (value.kind) {
      case 'exists':
        return true;
      case 'text':
        return found.text === value.text;
      case 'prefix':
        return found.text?.startsWith(value.text) === true;
      case 'range':
        return false; // no field of a message takes ranges
    }
  });
}

function messageValue(message: string, parsed: unknown, path: readonly string[]): MessageValue {
  let value = parsed;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key) || (Array.isArray(value) && !isIndex(key))) return 'none';
    // It has the key, as its own.
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  if (typeof value === 'object' && value !== null) return { text: undefined };
  // The digits as they stand: a number of 20 digits does not survive JSON.parse.
  return { text: typeof value === 'number' ? digitsAt(message, path) : String(value) };
}

/** `length` is a property of an array too. */
function isIndex(key: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(key);
}

/** @param json valid JSON that has a number at the path */
function digitsAt(json: string, path: readonly string[]): string {
  let at = skipSpace(json, 0);
  for (const key of path) at = json.charAt(at) === '{' ? memberAt(json, at, key) : elementAt(json, at, Number(key));
  return /[-+.0-9eE]*/y.exec(json.slice(at, endOfValue(json, at)))?.[0] ?? '';
}

/** Where the value of a key begins. Of a key that stands twice the last one counts, as for JSON.parse. */
function memberAt(json: string, from: number, key: string): number {
  let found = from;
  for (let at = skipSpace(json, from + 1); json.charAt(at) !== '}'; ) {
    const nameEnd = endOfString(json, at);
    const valueAt = skipSpace(json, skipSpace(json, nameEnd) + 1);
    if (JSON.parse(json.slice(at, nameEnd)) === key) found = valueAt;
    at = skipComma(json, endOfValue(json, valueAt));
  }
  return found;
}

function elementAt(json: string, from: number, index: number): number {
  let at = skipSpace(json, from + 1);
  for (let nth = 0; nth < index; nth += 1) at = skipComma(json, endOfValue(json, at));
  return at;
}

function endOfValue(json: string, from: number): number {
  const first = json.charAt(from);
  if (first === '"') return endOfString(json, from);
  let at = from;
  if (first !== '{' && first !== '[') {
    while (at < json.length && !/[\s,\]}]/.test(json.charAt(at))) at += 1;
    return at;
  }
  for (let depth = 0; ; ) {
    const here = json.charAt(at);
    if (here === '"') {
      at = endOfString(json, at);
      continue;
    }
    if (here === '{' || here === '[') depth += 1;
    if (here === '}' || here === ']') depth -= 1;
    at += 1;
    if (depth === 0 || at >= json.length) return at;
  }
}

function endOfString(json: string, from: number): number {
  let at = from + 1;
  while (at < json.length && json.charAt(at) !== '"') at += json.charAt(at) === '\\' ? 2 : 1;
  return at + 1;
}

function skipComma(json: string, from: number): number {
  const at = skipSpace(json, from);
  return json.charAt(at) === ',' ? skipSpace(json, at + 1) : at;
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (/\s/.test(json.charAt(at))) at += 1;
  return at;
}
