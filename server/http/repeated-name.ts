import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-bytes.js';
import { endOfString } from './json-scan.js';

/** The bytes between two looks at the clock. A string is never left in its middle: it costs next to nothing. */
const STEP_BYTES = 65_536;

/**
 * The first name that stands twice in one object of a JSON text. JSON.parse keeps the last of both in silence: a bulk action with
 * `"dry_run": true` and, further down, `"dry_run": false` would change what was only to be counted.
 *
 * It goes through the text in steps, and needs no stack of calls however deep the text is.
 *
 * @param bytes JSON that was parsed: nothing is checked here
 * @yields undefined behind each step; the name, if there is one, and then no more
 */
export function* repeatedNameByStep(bytes: Buffer): Generator<string | undefined, void> {
  /** The names of each object that is open; undefined: a list. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  let stepEnd = STEP_BYTES;
  for (let at = 0; at < bytes.length; at += 1) {
    if (at >= stepEnd) {
      yield undefined;
      stepEnd = at + STEP_BYTES;
    }
    switch (bytes[at]) {
      case OPEN_OBJECT:
        open.push(new Set());
        isName = true;
        break;
      case OPEN_ARRAY:
        open.push(undefined);
        isName = false;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop();
        isName = false;
        break;
      case COMMA:
        isName = open.at(-1) !== undefined;
        break;
      case QUOTE: {
        const end = endOfString(bytes, at + 1, bytes.length);
        if (isName) {
          // A string of JSON that was parsed.
          const name = JSON.parse(bytes.toString('utf8', at, end + 1)) as string;
          const names = open.at(-1);
          if (names?.has(name) === true) {
            yield name;
            return;
          }
          names?.add(name);
          isName = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
}
