import { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import { BACKSLASH, CLOSE_ARRAY, CLOSE_OBJECT, COLON, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-bytes.js';
import type { WorkTurns } from './work-turns.js';

/** The deepest body of the API, a task with Kafka headers, has three levels. */
export const MAX_JSON_DEPTH = 64;
/** Those of a task with 1,000 headers for each of its two destinations are fewer than half of them. */
export const MAX_STRUCTURAL_CHARACTERS = 10_000;
const TOO_DEEP = `is nested deeper than ${MAX_JSON_DEPTH} levels`;

/** The bytes between two looks at what was found: 6 MiB of brackets are given up after the first of them. */
const STEP_BYTES = 65_536;

/**
 * Reads the bytes of one JSON value without parsing them, and finds where it ends, how deep it is and how many
 * structural characters (`[ ] { } , :` outside strings) it has. It is no parser: JSON that is broken may pass.
 */
export class JsonScan {
  #depth = 0;
  #deepest = 0;
  #structural = 0;
  #isInString = false;

  /** @param most structural characters that a value may have */
  constructor(private readonly most = MAX_STRUCTURAL_CHARACTERS) {}

  /**
   * Reads on. The bytes of a value may be handed over in steps, each of which begins where the last one has stopped.
   * @returns the position of the comma or the bracket behind the value; if that is not among the bytes, `to`, or one
   *          more when the last byte is the backslash of an escape
   */
  advance(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to) {
      if (this.#isInString) {
        at = endOfString(bytes, at, to);
        if (at >= to) return at;
        this.#isInString = false;
        at += 1;
      }
      for (; at < to && !this.#isInString; at += 1) {
        switch (bytes[at]) {
          case QUOTE:
            this.#isInString = true;
            break;
          case OPEN_ARRAY:
          case OPEN_OBJECT:
            this.#structural += 1;
            this.#depth += 1;
            if (this.#depth > this.#deepest) this.#deepest = this.#depth;
            break;
          case CLOSE_ARRAY:
          case CLOSE_OBJECT:
            if (this.#depth === 0) return at;
            this.#structural += 1;
            this.#depth -= 1;
            break;
          case COMMA:
            if (this.#depth === 0) return at;
            this.#structural += 1;
            break;
          case COLON:
            this.#structural += 1;
            break;
          default:
        }
      }
    }
    return at;
  }

  /** Why the value must not be parsed, going by what was read so far. */
  get complaint(): string | undefined {
    if (this.#deepest > MAX_JSON_DEPTH) return TOO_DEEP;
    if (this.#structural > this.most) return `has more than ${this.most} of the characters [ ] { } , : outside strings`;
    return undefined;
  }
}

/** @returns the position of the closing quote */
export function endOfString(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** What a text is, for an error about it. */
export interface JsonThing {
  /** `the body` */
  readonly name: string;
  /** Of the refusal of a text that must not be parsed. */
  readonly code: RequestErrorCode;
  /** How many structural characters it may have; the default is MAX_STRUCTURAL_CHARACTERS. */
  readonly mostStructural?: number;
  /** Which call takes many of them, for the client that sends many to one that takes one: `POST /tasks/batch takes many tasks`. */
  readonly many?: string;
  /** Where a byte of the text stands for its sender, `line 3, column 14`, if the text is a part of something. */
  readonly placeOf?: (text: Buffer, offset: number) => string;
}

/**
 * JSON.parse makes an object or a list for each bracket: 6 MiB of them took 1.3 s of CPU time and 500 MB.
 * @throws RequestError with the code of the thing
 */
export function checkJsonShape(bytes: Buffer, thing: JsonThing): void {
  // So few bytes cannot hold too many characters. Their depth is checked by checkJsonDepth when they are parsed.
  if (bytes.length <= MAX_STRUCTURAL_CHARACTERS) return;
  for (const complaint of complaintsByStep(bytes, thing)) if (complaint !== undefined) throw tooComplex(thing, complaint);
}

/** The same for a text that takes milliseconds: 6 MiB take 20 ms. */
export async function checkJsonShapeInTurns(bytes: Buffer, thing: JsonThing, turns: WorkTurns): Promise<void> {
  for (const complaint of complaintsByStep(bytes, thing)) {
    if (complaint !== undefined) throw tooComplex(thing, complaint);
    if (turns.isUsedUp) await turns.whenFree();
  }
}

function* complaintsByStep(bytes: Buffer, { mostStructural }: JsonThing): Generator<string | undefined> {
  const scan = new JsonScan(mostStructural);
  for (let at = 0, to = 0; at >= to && at < bytes.length; ) {
    to = Math.min(at + STEP_BYTES, bytes.length);
    at = scan.advance(bytes, at, to);
    yield scan.complaint;
  }
}

/**
 * The same rule of depth for a value that was parsed, because its text is short: JSON.parse takes 5,000 levels in less than a
 * millisecond. A value that is right has three levels, so only one that is wrong has to be looked at.
 * @throws RequestError with the code of the thing
 */
export function checkJsonDepth(value: unknown, thing: JsonThing): void {
  if (isDeeperThan(value, MAX_JSON_DEPTH)) throw tooComplex(thing, TOO_DEEP);
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((each) => isDeeperThan(each, levels - 1));
}

export function hintAtMany(many: string | undefined): string {
  return many === undefined ? '' : `; ${many}`;
}

/** @param complaint of a JsonScan */
export function tooComplex({ name, code, many }: JsonThing, complaint: string): RequestError {
  const message = `${name} ${complaint}: it was not parsed${complaint === TOO_DEEP ? '' : hintAtMany(many)}`;
  return new RequestError(code, message, [{ field: '', message }]);
}
