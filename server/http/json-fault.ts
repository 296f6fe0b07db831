import { CLOSE_ARRAY, CLOSE_OBJECT, COLON, COMMA, isDigit, isJsonSpace, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-bytes.js';
import { complaintAboutName, complaintAboutValue, wordAt } from './json-complaints.js';
import { firstPart, isWholeNumber, partAfter, type NumberPart } from './json-number.js';
import { JsonString } from './json-string.js';
import type { WorkTurns } from './work-turns.js';

/** Where a text stops being JSON, and what is wrong there, in words for the person who wrote it. */
export interface JsonFault {
  /** Of the first byte that cannot stand where it stands; the length of the text if more of it is missing. */
  readonly offset: number;
  /** `a comma or } is missing`: see json-complaints.ts. */
  readonly complaint: string;
}

/** What may come next outside of a text, a number or a word. */
type Next = 'value' | 'first element' | 'first name' | 'name' | 'colon' | 'comma' | 'end';

export const BEHIND_VALUE = 'something stands behind the value, where the text should end';

/** The bytes of a long text that are read between two looks at the clock; they take 0.3 ms. */
const STEP_BYTES = 65_536;
/** A body of 32 MiB may consist of brackets. */
const MAX_DEPTH = 10_000;

/**
 * Finds the first fault of a text that JSON.parse has refused. The messages of JSON.parse differ from one version of Node to the
 * next, so they cannot say where the fault is. It reads bytes: the text is valid UTF-8. Why no library does it stands in decision 17.
 */
class JsonFaultFinder {
  #at = 0;
  #next: Next = 'value';
  /** The closing brackets that are to come, the innermost last. */
  readonly #open: number[] = [];
  /** undefined outside of a text. */
  #string: JsonString | undefined;
  #isName = false;
  #number: NumberPart | undefined;

  constructor(private readonly bytes: Buffer) {}

  /** Reads on. @param to the end of this step @returns the fault, once there is one */
  advance(to: number): JsonFault | undefined {
    const end = Math.min(to, this.bytes.length);
    while (this.#at < end) {
      const complaint = this.#string === undefined ? this.#readOutside(this.bytes[this.#at] ?? 0) : this.#readString(this.#string, end);
      if (complaint !== undefined) return { offset: this.#at, complaint };
    }
    return this.#at >= this.bytes.length ? this.#endFault() : undefined;
  }

  #readString(string: JsonString, end: number): string | undefined {
    const { at, isOver, complaint } = string.read(this.bytes, this.#at, end);
    this.#at = at;
    if (!isOver) return complaint;
    this.#string = undefined;
    this.#next = this.#isName ? 'colon' : this.#afterValue();
    return undefined;
  }

  #readOutside(byte: number): string | undefined {
    if (this.#number !== undefined) {
      const part = partAfter(this.#number, byte);
      if (part !== undefined) {
        this.#number = part;
        this.#at += 1;
        return undefined;
      }
      if (!isWholeNumber(this.#number)) return 'a digit is missing here';
      if (isDigit(byte)) return 'a number must not begin with 0';
      this.#number = undefined;
      this.#next = this.#afterValue();
    }
    if (isJsonSpace(byte)) {
      this.#at += 1;
      return undefined;
    }
    switch (this.#next) {
      case 'value':
      case 'first element':
        return this.#readValue(byte);
      case 'name':
      case 'first name':
        return this.#readName(byte);
      case 'colon':
        if (byte !== COLON) return 'a colon is missing behind the name';
        this.#next = 'value';
        this.#at += 1;
        return undefined;
      case 'comma':
        return this.#readBehindValue(byte);
      case 'end':
        return BEHIND_VALUE;
    }
  }

  #readValue(byte: number): string | undefined {
    if (byte === CLOSE_ARRAY && this.#next === 'first element') return this.#close();
    switch (byte) {
      case QUOTE:
        return this.#beginString(false);
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (this.#open.length === MAX_DEPTH) return 'it is nested too deep';
        this.#open.push(byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY);
        this.#next = byte === OPEN_OBJECT ? 'first name' : 'first element';
        break;
      default:
        this.#number = firstPart(byte);
        if (this.#number === undefined) return this.#readWord();
    }
    this.#at += 1;
    return undefined;
  }

  /** `true`, `false` or `null`, or what a person has written in place of a value. */
  #readWord(): string | undefined {
    const word = wordAt(this.bytes, this.#at);
    if (word !== 'true' && word !== 'false' && word !== 'null') return complaintAboutValue(this.bytes, this.#at, this.#open.at(-1));
    this.#at += word.length;
    this.#next = this.#afterValue();
    return undefined;
  }

  #readName(byte: number): string | undefined {
    if (byte === QUOTE) return this.#beginString(true);
    if (byte !== CLOSE_OBJECT) return complaintAboutName(this.bytes, this.#at);
    return this.#next === 'name' ? 'there is a comma too many before }' : this.#close();
  }

  #readBehindValue(byte: number): string | undefined {
    const innermost = this.#open.at(-1);
    if (byte === innermost) return this.#close();
    if (byte !== COMMA) return `a comma or ${String.fromCharCode(innermost ?? CLOSE_OBJECT)} is missing here`;
    this.#next = innermost === CLOSE_OBJECT ? 'name' : 'value';
    this.#at += 1;
    return undefined;
  }

  /** These two never complain: they end their callers. */
  #beginString(isName: boolean): string | undefined {
    this.#string = new JsonString();
    this.#isName = isName;
    this.#at += 1;
    return undefined;
  }

  #close(): string | undefined {
    this.#open.pop();
    this.#next = this.#afterValue();
    this.#at += 1;
    return undefined;
  }

  #afterValue(): Next {
    return this.#open.length === 0 ? 'end' : 'comma';
  }

  /** What is missing at the end; undefined when the text is whole. */
  #endFault(): JsonFault | undefined {
    const offset = this.bytes.length;
    if (this.#string !== undefined) return { offset, complaint: 'it ends inside a text: " is missing' };
    if (this.#number !== undefined) {
      if (!isWholeNumber(this.#number)) return { offset, complaint: 'it ends inside a number' };
      this.#number = undefined;
      this.#next = this.#afterValue();
    }
    if (this.#next === 'end') return undefined;
    const innermost = this.#open.at(-1);
    if (innermost === undefined) return { offset, complaint: 'there is no value in it' };
    // The bracket is missing as well, but behind a name and its colon it would not mend the text.
    const isBehindColon = this.#next === 'value' && innermost === CLOSE_OBJECT;
    return { offset, complaint: `it ends too early: ${isBehindColon ? 'a value' : String.fromCharCode(innermost)} is missing` };
  }
}

/** @returns undefined when the text is JSON */
export function findJsonFault(bytes: Buffer): JsonFault | undefined {
  return new JsonFaultFinder(bytes).advance(bytes.length);
}

/** The same for a text of many bytes: 6 MiB take 30 ms. */
export async function findJsonFaultInTurns(bytes: Buffer, turns: WorkTurns): Promise<JsonFault | undefined> {
  const finder = new JsonFaultFinder(bytes);
  for (let to = STEP_BYTES; ; to += STEP_BYTES) {
    const fault = finder.advance(to);
    if (fault !== undefined || to >= bytes.length) return fault;
    if (turns.isUsedUp) await turns.whenFree();
  }
}
