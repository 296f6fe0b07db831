import { RequestError } from '../../shared/domain/errors.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds the elements of a JSON array without reading them, `[1, {"a":[]}]` -> `1`, `{"a":[]}`.
 *
 * JSON.parse of the whole body would block all other requests for half a second, and make gigabytes of 32 MiB of `[[[[`.
 * One broken task would also fail all others. So only the frame is checked here: strings, brackets, and the commas
 * between.
 *
 * @param maxElements largest number of elements
 * @returns the bytes of each element, which may still be no JSON
 * @throws RequestError invalid_json when the frame is broken; too_large for more elements
 */
export function splitArray(body: Buffer, maxElements: number): Buffer[] {
  const elements: Buffer[] = [];
  let at = skipSpaces(body, 0);
  if (body[at] !== OPEN_ARRAY) throw new RequestError('invalid_json', 'the body is not a JSON array of tasks');
  at = skipSpaces(body, at + 1);
  if (body[at] === CLOSE_ARRAY) at += 1;
  else {
    for (let isLast = false; !isLast; at += 1) {
      const from = skipSpaces(body, at);
      at = endOfElement(body, from);
      if (at === from) throw brokenFrame();
      if (elements.length === maxElements) throw new RequestError('too_large', `a batch must not have more than ${maxElements} tasks`);
      elements.push(body.subarray(from, at));
      isLast = body[at] === CLOSE_ARRAY;
    }
  }
  if (skipSpaces(body, at) !== body.length) throw brokenFrame();
  return elements;
}

/** @returns the position of the comma behind the element, or of the end of the array */
function endOfElement(body: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < body.length; at += 1) {
    switch (body[at]) {
      case QUOTE:
        at = endOfString(body, at);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        depth += 1;
        break;
      case CLOSE_ARRAY:
        if (depth === 0) return at;
        depth -= 1;
        break;
      case CLOSE_OBJECT:
        if (depth === 0) throw brokenFrame();
        depth -= 1;
        break;
      case COMMA:
        if (depth === 0) return at;
        break;
      default:
    }
  }
  throw brokenFrame();
}

/** @returns the position of the closing quote; it is behind the body when there is none */
function endOfString(body: Buffer, openedAt: number): number {
  let at = openedAt + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at;
}

function skipSpaces(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at += 1;
  return at;
}

/** The characters that JSON takes for white space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function brokenFrame(): RequestError {
  return new RequestError('invalid_json', 'the body is not a valid JSON array');
}
