import type { WorkTurns } from './work-turns.js';

/** Where a text stops being JSON, and what is wrong there, in words for the person who wrote it. */
export interface JsonFault {
  /** Of the first byte that cannot stand where it stands; the length of the text if more of it is missing. */
  readonly offset: number;
  /** `a comma or } is missing`. It quotes nothing of the text except words that mean no value, such as `None`. */
  readonly complaint: string;
}

/** What may come next outside of a text, a number or a word. */
type Next = 'value' | 'first element' | 'first name' | 'name' | 'colon' | 'comma' | 'end';

/** The places inside a number. At those marked as whole it may end. */
type NumberPart = 'sign' | 'zero' | 'digits' | 'point' | 'fraction' | 'exponent' | 'exponent sign' | 'exponent digits';
const wholeNumberParts: ReadonlySet<NumberPart> = new Set<NumberPart>(['zero', 'digits', 'fraction', 'exponent digits']);

/** The bytes of a long text that are read between two looks at the clock; they take 0.3 ms. */
const STEP_BYTES = 65_536;
/** A body of 32 MiB may consist of brackets. */
const MAX_DEPTH = 10_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;

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

/**
 * Finds the first fault of a text that JSON.parse has refused. The messages of JSON.parse differ from one version of Node to the
 * next, so they cannot say where the fault is. It reads bytes: the text is valid UTF-8.
 */
export class JsonFaultFinder {
  #at = 0;
  #next: Next = 'value';
  /** The closing brackets that are to come, the innermost last. */
  readonly #open: number[] = [];
  /** undefined outside of a text. The last two are inside an escape. */
  #inText: 'plain' | 'escape' | 'digits' | undefined;
  #isName = false;
  #digitsLeft = 0;
  #number: NumberPart | undefined;

  constructor(private readonly bytes: Buffer) {}

  /** Reads on. @param to the end of this step @returns the fault, once there is one */
  advance(to: number): JsonFault | undefined {
    const end = Math.min(to, this.bytes.length);
    while (this.#at < end) {
      const byte = this.bytes[this.#at] ?? 0;
      const complaint = this.#inText === undefined ? this.#readOutside(byte) : this.#readInText(byte, end);
      if (complaint !== undefined) return { offset: this.#at, complaint };
    }
    return this.#at >= this.bytes.length ? this.#endFault() : undefined;
  }

  #readInText(byte: number, end: number): string | undefined {
    switch (this.#inText) {
      case 'escape':
        if (byte === 0x75) {
          this.#inText = 'digits';
          this.#digitsLeft = 4;
        } else if ('"\\/bfnrt'.includes(String.fromCharCode(byte))) this.#inText = 'plain';
        else return 'this backslash begins no escape of JSON: write \\\\ for a backslash';
        break;
      case 'digits':
        if (!isHexDigit(byte)) return '\\u must be followed by four hexadecimal digits';
        this.#digitsLeft -= 1;
        if (this.#digitsLeft === 0) this.#inText = 'plain';
        break;
      default:
        return this.#readPlainText(end);
    }
    this.#at += 1;
    return undefined;
  }

  /** Most bytes of most bodies pass here. */
  #readPlainText(end: number): string | undefined {
    const { bytes } = this;
    let at = this.#at;
    for (; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break;
    }
    this.#at = at;
    if (at >= end) return undefined;
    const byte = bytes[at] ?? 0;
    if (byte < 0x20) return complaintAboutControl(byte);
    this.#at += 1;
    if (byte === BACKSLASH) this.#inText = 'escape';
    else {
      this.#inText = undefined;
      this.#next = this.#isName ? 'colon' : this.#afterValue();
    }
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
      if (!wholeNumberParts.has(this.#number)) return 'a digit is missing here';
      if (isDigit(byte)) return 'a number must not begin with 0';
      this.#number = undefined;
      this.#next = this.#afterValue();
    }
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
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
        if (byte !== 0x3a) return 'a colon is missing behind the name';
        this.#next = 'value';
        this.#at += 1;
        return undefined;
      case 'comma':
        return this.#readBehindValue(byte);
      case 'end':
        return 'something stands behind the value, where the text should end';
    }
  }

  #readValue(byte: number): string | undefined {
    if (byte === CLOSE_ARRAY && this.#next === 'first element') {
      this.#close();
      return undefined;
    }
    switch (byte) {
      case QUOTE:
        this.#beginText(false);
        return undefined;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (this.#open.length === MAX_DEPTH) return 'it is nested too deep';
        this.#open.push(byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY);
        this.#next = byte === OPEN_OBJECT ? 'first name' : 'first element';
        break;
      default: {
        const part = numberPartOf(byte);
        if (part === undefined) return this.#readWord(byte);
        this.#number = part;
      }
    }
    this.#at += 1;
    return undefined;
  }

  /** `true`, `false` or `null`, or what a person has written in place of a value. */
  #readWord(byte: number): string | undefined {
    const word = wordAt(this.bytes, this.#at);
    if (word === 'true' || word === 'false' || word === 'null') {
      this.#at += word.length;
      this.#next = this.#afterValue();
      return undefined;
    }
    if (word !== '') {
      const meant = wordsMeant.get(word.toLowerCase());
      return meant === undefined ? 'a text must stand in double quotes' : `${word} is no value of JSON: write ${meant}`;
    }
    switch (byte) {
      case COMMA:
        return 'a value is missing before this comma';
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        return byte === CLOSE_ARRAY && this.#open.at(-1) === CLOSE_ARRAY ? 'there is a comma too many before ]' : 'a value is missing here';
      case 0x2b:
      case 0x2e:
        return 'a number must begin with a digit or with -';
      case 0xef:
        return this.#at === 0 && this.bytes[1] === 0xbb && this.bytes[2] === 0xbf ? 'leave out the byte order mark' : 'a value is expected here';
      default:
        return complaintAboutSign(byte) ?? 'a value is expected here';
    }
  }

  #readName(byte: number): string | undefined {
    if (byte === QUOTE) {
      this.#beginText(true);
      return undefined;
    }
    if (byte === CLOSE_OBJECT) {
      if (this.#next === 'name') return 'there is a comma too many before }';
      this.#close();
      return undefined;
    }
    // {id:1} is what a shell leaves of {"id":1} when the whole stands in double quotes, or in none.
    if (wordAt(this.bytes, this.#at) !== '' || isDigit(byte)) return `a name must stand in double quotes${this.#at === 1 ? ' (a shell removes them unless the whole stands in single ones)' : ''}`;
    return complaintAboutSign(byte) ?? 'a name in double quotes is expected here';
  }

  #readBehindValue(byte: number): string | undefined {
    const innermost = this.#open.at(-1);
    if (byte === innermost) {
      this.#close();
      return undefined;
    }
    if (byte === COMMA) {
      this.#next = innermost === CLOSE_OBJECT ? 'name' : 'value';
      this.#at += 1;
      return undefined;
    }
    return `a comma or ${String.fromCharCode(innermost ?? CLOSE_OBJECT)} is missing here`;
  }

  #beginText(isName: boolean): void {
    this.#inText = 'plain';
    this.#isName = isName;
    this.#at += 1;
  }

  #close(): void {
    this.#open.pop();
    this.#next = this.#afterValue();
    this.#at += 1;
  }

  #afterValue(): Next {
    return this.#open.length === 0 ? 'end' : 'comma';
  }

  /** What is missing at the end; undefined when the text is whole. */
  #endFault(): JsonFault | undefined {
    const offset = this.bytes.length;
    if (this.#inText !== undefined) return { offset, complaint: 'it ends inside a text: " is missing' };
    if (this.#number !== undefined) {
      if (!wholeNumberParts.has(this.#number)) return { offset, complaint: 'it ends inside a number' };
      this.#number = undefined;
      this.#next = this.#afterValue();
    }
    if (this.#next === 'end') return undefined;
    const innermost = this.#open.at(-1);
    return { offset, complaint: innermost === undefined ? 'there is no value in it' : `it ends too early: ${String.fromCharCode(innermost)} is missing` };
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

/** @returns the part that the byte belongs to, or undefined when it does not belong to the number any more */
function partAfter(part: NumberPart, byte: number): NumberPart | undefined {
  switch (part) {
    case 'sign':
      return byte === 0x30 ? 'zero' : isDigit(byte) ? 'digits' : undefined;
    case 'zero':
    case 'digits':
      if (isDigit(byte)) return part === 'digits' ? 'digits' : undefined;
      return byte === 0x2e ? 'point' : isExponentSign(byte) ? 'exponent' : undefined;
    case 'point':
      return isDigit(byte) ? 'fraction' : undefined;
    case 'fraction':
      return isDigit(byte) ? 'fraction' : isExponentSign(byte) ? 'exponent' : undefined;
    case 'exponent':
      return isDigit(byte) ? 'exponent digits' : byte === 0x2b || byte === 0x2d ? 'exponent sign' : undefined;
    case 'exponent sign':
    case 'exponent digits':
      return isDigit(byte) ? 'exponent digits' : undefined;
  }
}

function numberPartOf(byte: number): NumberPart | undefined {
  return byte === 0x2d ? 'sign' : byte === 0x30 ? 'zero' : isDigit(byte) ? 'digits' : undefined;
}

function complaintAboutControl(byte: number): string {
  if (byte === 0x0a || byte === 0x0d) return 'a line break inside a text must be written as \\n';
  if (byte === 0x09) return 'a tab inside a text must be written as \\t';
  return `a control character inside a text must be written as \\u00${byte.toString(16).padStart(2, '0')}`;
}

function complaintAboutSign(byte: number): string | undefined {
  if (byte === 0x27 || byte === 0x60) return 'JSON has double quotes only';
  if (byte === 0x2f || byte === 0x23) return 'JSON has no comments';
  return byte === 0x00 ? 'the text may be UTF-16: send UTF-8' : undefined;
}

/** The letters from here on, at most 20; empty when there is none. */
function wordAt(bytes: Buffer, at: number): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*/.exec(bytes.toString('latin1', at, at + 20))?.[0] ?? '';
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

function isExponentSign(byte: number): boolean {
  return byte === 0x65 || byte === 0x45;
}
